"""Flux's image objects in a cluster: how their statuses and Events answer what became of what they ask for."""
