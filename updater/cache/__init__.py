"""The cache: data that saves requests after a restart; it can be deleted at any moment."""
