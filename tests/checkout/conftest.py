"""Fixtures of the checkout tests: the repositories and the server of the Git tests."""

from tests.git.conftest import authority, first_repository, git_program, repository, server

__all__ = ["authority", "first_repository", "git_program", "repository", "server"]
