"""Frozen data of every kind that flows between rooms, and the parsers of their texts; no I/O."""
