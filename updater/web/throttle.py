"""How often a password may be wrong: by the address that asks and by the name that it asks for."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class FailureRate:
    """How many failures are allowed at once, and after how many seconds one more is."""

    burst: int
    each: float


BY_ADDRESS: Final = FailureRate(10, 6.0)
BY_NAME: Final = FailureRate(30, 10.0)


class Throttle:
    """Counts failures. *clock* gives seconds; what is not known is allowed, and the oldest is forgotten first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._used: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def wait(self, address: str, name: str) -> float:
        """Return how many seconds must pass before another try, 0 where it is allowed now."""
        return max(self._wait(("address", address), BY_ADDRESS), self._wait(("name", name), BY_NAME))

    def failed(self, address: str, name: str) -> None:
        """Note a wrong password."""
        for key, rate in ((("address", address), BY_ADDRESS), (("name", name), BY_NAME)):
            used = self._now(key, rate)
            self._used[key] = (min(used + 1.0, rate.burst + 1.0), self._clock())
            self._used.move_to_end(key)
        while len(self._used) > MOST_KEPT:
            self._used.popitem(last=False)

    def passed(self, address: str, name: str) -> None:
        """Take back one failure that was noted before it was known that the password is right."""
        for key, rate in ((("address", address), BY_ADDRESS), (("name", name), BY_NAME)):
            self._used[key] = (max(self._now(key, rate) - 1.0, 0.0), self._clock())

    def _now(self, key: tuple[str, str], rate: FailureRate) -> float:
        used, since = self._used.get(key, (0.0, self._clock()))
        return max(used - (self._clock() - since) / rate.each, 0.0)

    def _wait(self, key: tuple[str, str], rate: FailureRate) -> float:
        over = self._now(key, rate) - (rate.burst - 1)
        return over * rate.each if over > 0 else 0.0
