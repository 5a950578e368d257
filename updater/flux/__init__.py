"""Everything this program knows of Flux's image objects."""
