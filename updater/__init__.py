"""Watches OCI registries and keeps image references in Git at the newest version a policy allows."""

__version__ = "0.1.0"
