"""Resolve references to credentials: variables, files, programs, Secrets, Docker configurations."""
