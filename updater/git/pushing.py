"""One push: what is compared before anything is sent, and what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dulwich.pack import pack_objects_to_data
from dulwich.protocol import CAPABILITY_PUSH_OPTIONS

from updater.git.faults import fault
from updater.git.ref_names import HEADS, short, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dulwich.objects import ShaFile

    from updater.git.access import GitAddress

ZERO: Final = b"0" * 40


class RefUpdate:
    """One try to move *ref* of the server at *address* from the first to the second of *heads*, sending *objects*.

    *talk* is what the server says meanwhile, *branches* what it listed, *offered* what it can do, *is_sent* whether the pack was
    asked for. With *options* the server must take push options.
    """

    def __init__(
        self,
        address: GitAddress,
        ref: bytes,
        heads: tuple[bytes, bytes],
        objects: Sequence[ShaFile],
        *,
        options: Sequence[str] = (),
    ) -> None:
        self.ref = ref
        self.old, self._new = heads
        self.options = [option.encode() for option in options]
        self.offered: Collection[bytes] = ()
        self.talk = bytearray()
        self.branches: list[str] = []
        self.is_sent = False
        self._address = address
        self._objects = objects

    def update(self, refs: dict[Any, Any]) -> dict[Any, Any]:
        """Return what to change of *refs*, which the server listed; raise `PushRefused` where the ref stands elsewhere.

        Raises `GitError` ``push-options-unsupported`` where the server takes no push options and there are some.
        """
        self.branches += [short(name) for name in refs if name.startswith(HEADS)]
        if self.options and CAPABILITY_PUSH_OPTIONS not in self.offered:
            raise fault("push-options-unsupported", f"{self._address} takes no push options")
        if refs.get(self.ref, ZERO) != self.old:
            raise fault("push-refused", f"{shown(short(self.ref))} of {self._address} moved since it was read")
        return {self.ref: self._new}

    def pack(self, *_sets: Any, **_options: Any) -> Any:
        """Return what is sent."""
        self.is_sent = True
        return pack_objects_to_data(list(self._objects))


def nothing_sent(*_sets: Any, **_options: Any) -> Any:
    """Stand for the pack of a push of nothing."""
    raise AssertionError("a push of nothing sends no pack")
