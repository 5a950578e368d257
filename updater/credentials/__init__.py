"""Turns a reference to a credential into the credential: variables, files, programs, secrets, docker configurations."""
