"""How an empty bare repository is made; `updater demo` commits to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dulwich.repo import Repo

if TYPE_CHECKING:
    from pathlib import Path


def make_bare(folder: Path, *, branch: str = "main") -> None:
    """Make an empty bare repository at *folder*, whose HEAD names *branch*; the folder must not exist."""
    folder.mkdir(parents=True)
    repo = Repo.init_bare(folder, default_branch=branch.encode())
    repo.close()
