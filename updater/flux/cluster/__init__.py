"""Flux's image objects in a cluster: watched, answered with statuses and Events."""
