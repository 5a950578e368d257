"""One push: what is compared before anything is sent, and what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dulwich.pack import pack_objects_to_data

from updater.git.faults import fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dulwich.objects import ShaFile

    from updater.git.access import GitAddress

ZERO: Final = b"0" * 40
HEADS: Final = b"refs/heads/"


class RefUpdate:
    """One try to move the branch *ref* of the server at *address* from *old* to *new*, sending *objects*.

    *talk* is what the server says meanwhile, *branches* what it listed, *is_sent* whether the pack was asked for.
    """

    def __init__(self, address: GitAddress, ref: bytes, old: bytes, new: bytes, objects: Sequence[ShaFile]) -> None:
        self.ref = ref
        self.old = old
        self.talk = bytearray()
        self.branches: list[str] = []
        self.is_sent = False
        self._address = address
        self._new = new
        self._objects = objects

    @property
    def branch(self) -> str:
        """The name of the branch."""
        return short(self.ref)

    def update(self, refs: dict[Any, Any]) -> dict[Any, Any]:
        """Return what to change of *refs*, which the server listed; raise `PushRefused` where the branch stands elsewhere."""
        self.branches += [short(name) for name in refs if name.startswith(HEADS)]
        if refs.get(self.ref, ZERO) != self.old:
            raise fault("push-refused", f"{self.branch} of {self._address} moved since it was read")
        return {self.ref: self._new}

    def pack(self, *_sets: Any, **_options: Any) -> Any:
        """Return what is sent."""
        self.is_sent = True
        return pack_objects_to_data(list(self._objects))


def nothing_sent(*_sets: Any, **_options: Any) -> Any:
    """Stand for the pack of a push of nothing."""
    raise AssertionError("a push of nothing sends no pack")


def short(ref: bytes) -> str:
    """Return the name of the branch *ref*."""
    return ref.removeprefix(HEADS).decode("utf-8", "surrogateescape")
