"""What was made of something is made again only when one of the things that it was made of is another object."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.kube.kinds import Key

_T = TypeVar("_T")


class Memo(Generic[_T]):
    """What was made by key, with the objects that it was made of."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[tuple[object, ...], _T]] = {}

    def renew(self, wanted: Mapping[Key, tuple[object, ...]], make: Callable[..., _T]) -> dict[Key, _T]:
        """Return what *make* makes of the objects of each key, and forget all other keys.

        What is equal to what was made before is that very object.
        """
        kept: dict[Key, tuple[tuple[object, ...], _T]] = {}
        for key, parts in wanted.items():
            known = self._known.get(key)
            if known is None:
                kept[key] = (parts, make(*parts))
            elif are_same(known[0], parts):
                kept[key] = known
            else:
                made = make(*parts)
                kept[key] = (parts, known[1] if known[1] == made else made)
        self._known = kept
        return {key: made for key, (_, made) in kept.items()}


def are_same(before: Sequence[object], now: Sequence[object]) -> bool:
    """Return whether two sequences hold the very same objects."""
    return len(before) == len(now) and all(map(operator.is_, before, now))
