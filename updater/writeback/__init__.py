"""How a view of a destination is read, and how updates are written to it."""
