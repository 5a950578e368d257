"""Commits that a server is to make itself, and where a branch is to be moved with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """The whole new content of one file; *mode* is that of Git, in octal: ``100644`` or ``100755``."""

    path: str
    mode: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCommit:
    """One commit: *files* laid over *base_tree* must come to *tree*, by the names of Git's objects."""

    message: str
    base_tree: str
    tree: str
    files: tuple[ChangedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchMove:
    """*commits* on top of *base*, the last for *branch* if it stands at *expected*, or does not exist where that is None."""

    branch: str
    base: str
    expected: str | None
    commits: tuple[WantedCommit, ...] = ()

    @property
    def is_forced(self) -> bool:
        """Whether the branch is built anew, not moved forward."""
        return self.expected not in {None, self.base}
