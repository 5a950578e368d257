"""What was read of Secrets and ConfigMaps, one by one, remembered for a minute."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from updater.errors import KubeUnavailable
from updater.http.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable

REMEMBERED_SECONDS: Final = 60.0
SOONEST_RENEWAL: Final = 5.0
MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class _Known:
    content: Any
    read_at: float
    good_until: float


class SecretCache:
    """Remembers what was read for a minute. While the API server does not answer, what was known stays in force."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()
        self._flights = SingleFlight()

    async def get(self, key: Hashable, read: Callable[[], Awaitable[Any]]) -> Any:
        """Return what stands for *key*, read anew by *read* when its minute is over; all who wait share one reading."""
        known = self._known.get(key)
        if known and self._clock() < known.good_until:
            return known.content
        try:
            return await self._flights.share(key, lambda: self._read(key, read))
        except KubeUnavailable:
            if known is None:
                raise
            self._known[key] = replace(known, good_until=self._clock() + SOONEST_RENEWAL)
            return known.content

    def expire(self, keys: Iterable[Hashable] | None = None) -> bool:
        """Let *keys*, None for everything, be read anew, a few seconds after they were last read at the soonest.

        Return whether one of them is due now.
        """
        is_due = False
        for key in tuple(self._known) if keys is None else keys:
            if known := self._known.get(key):
                good_until = min(known.good_until, known.read_at + SOONEST_RENEWAL)
                self._known[key] = replace(known, good_until=good_until)
                is_due = is_due or good_until <= self._clock()
        return is_due

    async def _read(self, key: Hashable, read: Callable[[], Awaitable[Any]]) -> Any:
        began = self._clock()  # a refusal while it is read is about what was there before
        content = await read()
        self._known[key] = _Known(content, began, began + REMEMBERED_SECONDS)
        self._known.move_to_end(key)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return content
