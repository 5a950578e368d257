"""Knows Flux's image objects."""
