"""What is kept of an object whose status is written, and as how much of it an Event names it.

Nothing that stands in an object makes this raise: that would end the watch of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import list_in, mapping_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.kube.kinds import Key, Kind, Object

NAMES: Final = ("namespace", "name", "uid", "creationTimestamp")
DELETED: Final = "deletionTimestamp"
_DEEPEST: Final = 16  # the kinds that are served are 8 deep; what nests without end would end a comparison with it
_LONGEST_SHARED: Final = 256
_MOST_SHARED: Final = 65_536


class Sharing:
    """Returns equal short texts as one object: thousands of objects name the same repositories, labels and images."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def text(self, value: str) -> str:
        """Return the text that was seen first."""
        if len(value) > _LONGEST_SHARED:
            return value
        if len(self._texts) >= _MOST_SHARED:  # it saves memory, so it must not hold what is long gone
            self._texts.clear()
        return self._texts.setdefault(value, value)

    def whole(self, value: Any, depth: int = _DEEPEST) -> Any:
        """Return a value with every text of it shared; what nests deeper than *depth* is None."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.whole(item, depth - 1) for key, item in value.items()} if depth else None
        if isinstance(value, list):
            return [self.whole(item, depth - 1) for item in value] if depth else None
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptObject:
    """What is kept of an object whose status is written: *item* is what translation reads, the rest is needed to write to it.

    *item* is without version and status, so that our own writes of the status leave it as it is. *finalizers* are those of
    an object that somebody deleted, for which the API server waits; of others there are none.
    """

    item: Mapping[str, Any]
    generation: int
    version: str
    status: Mapping[str, Any]
    finalizers: tuple[str, ...] = ()


def keep_object(item: Mapping[str, Any], sharing: Sharing, *, metadata: Mapping[str, Any] | None = None) -> KeptObject:
    """Return what is kept of an object: names, spec and status; *metadata* is what translation reads besides names."""
    found = mapping_in(item, "metadata")
    generation, version = found.get("generation"), found.get("resourceVersion")
    return KeptObject(
        item={"metadata": {**names_in(found), **(metadata or {})}, "spec": sharing.whole(item.get("spec"))},
        generation=generation if isinstance(generation, int) and not isinstance(generation, bool) else 0,
        version=version if isinstance(version, str) else "",
        status=sharing.whole(mapping_in(item, "status")),
        finalizers=tuple(name for name in list_in(found, "finalizers") if isinstance(name, str) and found.get(DELETED)),
    )


def asks_otherwise(before: KeptObject, now: KeptObject) -> bool:
    """Return whether an object asks for something else than before; our own writes of the status do not."""
    return before.item != now.item


def names_in(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the metadata tells one object from another."""
    return {key: metadata[key] for key in NAMES if isinstance(metadata.get(key), str)}


def items_of(kept: Mapping[Key, KeptObject], before: Mapping[Key, Mapping[str, Any]]) -> dict[Key, Mapping[str, Any]]:
    """Return the items of objects, the same one as *before* where only the status moved: it is not translated anew."""
    items: dict[Key, Mapping[str, Any]] = {}
    for key, each in kept.items():
        known = before.get(key)
        items[key] = known if known is not None and known == each.item else each.item
    return items


class KnownItems:
    """The items of the objects of one kind, each compared only where its object is another one than before; see `items_of`."""

    def __init__(self) -> None:
        self._kept: Mapping[Key, KeptObject] = {}
        self.items: dict[Key, Mapping[str, Any]] = {}

    def renew(self, kept: Mapping[Key, KeptObject]) -> dict[Key, Mapping[str, Any]]:
        """Take over the objects that there are, and return their items: the very same mapping where no item is another one."""
        moved = {key: each for key, each in kept.items() if self._kept.get(key) is not each}
        changed = items_of(moved, self.items)
        if len(kept) != len(self.items) or any(self.items.get(key) is not item for key, item in changed.items()):
            self.items = {key: changed[key] if key in changed else self.items[key] for key in kept}
        self._kept = kept
        return self.items


def event_subject(kind: Kind, key: Key, metadata: Mapping[str, Any]) -> Object:
    """Return as much of an object as names it in an Event; the uid is what ``kubectl describe`` finds Events by."""
    namespace, name = key
    uid = metadata.get("uid")
    known = {"uid": uid} if isinstance(uid, str) else {}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": name, "namespace": namespace, **known}}
