"""How refs are named in a mirror: a branch by its short name, every other ref by a colon and its full name.

No branch can have a colon in its name, so neither is taken for the other. A commit that is read without a ref has a name too,
below `COMMITS`; no server is asked for it.
"""

from __future__ import annotations

from typing import Final

from dulwich.refs import Ref, check_ref_format

from updater.git.faults import fault

HEADS: Final = b"refs/heads/"
TAGS: Final = b"refs/tags/"
COMMITS: Final = ":refs/commits/"
PEELED: Final = b"^{}"
_MARK: Final = ":"


def named(ref: str) -> str:
    """Return the name in a mirror of the ref whose full name is *ref*."""
    return ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else _MARK + ref


def short(ref: bytes) -> str:
    """Return the name in a mirror of *ref*."""
    return named(ref.decode("utf-8", "surrogateescape"))


def full(name: str) -> bytes:
    """Return the full name of the ref that a mirror calls *name*; raise `GitError` ``branch-name``."""
    text = name.removeprefix(_MARK) if name.startswith(_MARK) else f"refs/heads/{name}"
    ref = text.encode("utf-8", "surrogateescape")
    if not check_ref_format(Ref(ref)):
        raise fault("branch-name", f"{shown(name)!r} cannot be the name of a {'ref' if name.startswith(_MARK) else 'branch'}")
    return ref


def shown(name: str) -> str:
    """Return a name in a mirror for people."""
    return name.removeprefix(_MARK)


def commit_of(name: str) -> str:
    """Return the commit that *name* is, "" where it is the name of a ref."""
    return name.removeprefix(COMMITS) if name.startswith(COMMITS) else ""
