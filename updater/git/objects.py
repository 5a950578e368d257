"""How Git names an object: the hash of its kind, length and bytes; so a name proves what was read under it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from dulwich.objects import Blob, Commit, Tag, Tree

from updater.git.faults import fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

BLOB: Final = Blob.type_num
COMMIT: Final = Commit.type_num
TREE: Final = Tree.type_num
TAG: Final = Tag.type_num
NAMES: Final = {BLOB: b"blob", COMMIT: b"commit", TREE: b"tree", TAG: b"tag"}


class Objects(Protocol):
    """Where objects are read from."""

    def load(self, name: str, kind: int) -> bytes:
        """Read and prove one object; raise `GitUnavailable` where it is missing or broken, `GitError` for another kind."""
        ...

    def size(self, name: str) -> int:
        """Return the length of one object, without reading it where that is possible; raise as `load` does."""
        ...

    def holding(self, names: Collection[str], needles: Collection[bytes]) -> Iterator[tuple[str, bool]]:
        """Prove many blobs, in any order, and say of each whether one of *needles* is in it; of other kinds, that it is."""
        ...


def object_name(kind: int, data: bytes) -> str:
    """The name Git gives an object of this *kind* (a number of `BLOB`, `COMMIT`, `TREE`, `TAG`)."""
    return hashlib.sha1(b"%s %d\0" % (NAMES[kind], len(data)) + data, usedforsecurity=False).hexdigest()


def require_kind(name: str, kind: int, found: int) -> None:
    """Raise `GitError` ``git-object`` where the object *name*, which is whole, is *found* to be of another *kind* than named.

    That is how the repository is: fetching it again would change nothing.
    """
    if found != kind:
        actual, expected = NAMES[found].decode(), NAMES[kind].decode()
        raise fault("git-object", f"the object {name[:12]} is a {actual}, and the repository names it as a {expected}")


def commit_tree(raw: bytes) -> str:
    """The tree that a raw commit names, in its first line."""
    return raw[5:45].decode("ascii", "replace")


def is_object_id(text: str) -> bool:
    """Return whether *text* is a full SHA-1 name."""
    return len(text) == 40 and set(text) <= set("0123456789abcdef")
