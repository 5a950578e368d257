"""That somebody else writes a status too, and how often ours is said again against that.

As long as another controller works on the same objects, each would answer the other's write for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import list_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from updater.kube.kinds import Ref

FREELY: Final = 2  # a person, or a controller at its end, may write over ours
FIRST_WAIT: Final = 10.0
LONGEST_WAIT: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Said:
    """What a status said last, how often it was said again, and until when it is not."""

    words: object
    times: int
    until: float


class Contention:
    """Remembers what was said of each object. *clock* is in seconds. News is never held up.

    The fields named *volatile* say nothing by themselves, wherever they are: times, and what happened in the past.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[Ref, _Said] = {}

    def wait(self, ref: Ref, status: Mapping[str, Any], *, volatile: Collection[str]) -> float:
        """Return the seconds for which *status* is not to be written; above zero only where it says nothing new."""
        said = self._said.get(ref)
        return max(0.0, said.until - self._clock()) if said and said.words == _words(status, volatile) else 0.0

    def note(self, ref: Ref, status: Mapping[str, Any], *, volatile: Collection[str]) -> bool:
        """Note that *status* was written; return whether it is time to tell people, once, that somebody writes over it."""
        said, words = self._said.get(ref), _words(status, volatile)
        times = said.times + 1 if said and said.words == words else 0
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(times - FREELY, 10)) if times >= FREELY else 0.0
        self._said[ref] = _Said(words, times, self._clock() + wait)
        return times == FREELY

    def keep(self, refs: Collection[Ref]) -> None:
        """Forget every object but *refs*."""
        self._said = {ref: said for ref, said in self._said.items() if ref in refs}


def is_mere_refresh(before: Mapping[str, Any], status: Mapping[str, Any], *, volatile: Collection[str]) -> bool:
    """Return whether *status* says what stands there *before* it, but for what is *volatile*: nobody wrote over ours."""
    present = {name: before[name] for name in status if name in before}
    return _words(present, volatile) == _words(status, volatile)


def _words(status: Mapping[str, Any], volatile: Collection[str]) -> object:
    """Return what a status says without the times of its conditions, without what is removed, and without what is *volatile*."""
    conditions = [
        tuple(item.get(name) for name in ("type", "status", "reason", "message")) for item in list_in(status, "conditions")
    ]
    return conditions, _lasting({name: value for name, value in status.items() if name != "conditions"}, volatile)


def _lasting(value: Any, volatile: Collection[str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _lasting(item, volatile) for name, item in value.items() if item is not None and name not in volatile}
