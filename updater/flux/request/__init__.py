"""Flux's image objects."""
