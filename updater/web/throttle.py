"""How often a password may be wrong: for a name from an address, and more gently for either of them alone.

Who is often wrong about one name from one address is refused, later where that name signed in there lately. Others who share the
address behind a proxy, or the name, wait a moment; of those who wait for one name, see `turn`, one is let through at a time.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_KEPT: Final = 4096
LONGEST_DELAY: Final = 3.0
#: for how long an address where somebody signed in is known as theirs
KNOWN_FOR: Final = 30 * 86400.0
_SITE: Final = 64  # bits of an IPv6 address that a household or a server has


@dataclass(frozen=True, slots=True)
class FailureRate:
    """How many failures are allowed at once, and after how many seconds one more is."""

    burst: int
    each: float


BY_BOTH: Final = FailureRate(10, 6.0)
#: the same where the name signed in from the address lately
BY_KNOWN: Final = FailureRate(100, 6.0)
BY_ADDRESS: Final = FailureRate(30, 6.0)
BY_NAME: Final = FailureRate(30, 10.0)


class _Failures:
    """Counts failures by a key; the oldest is forgotten first."""

    def __init__(self, rate: FailureRate, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._used: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def add(self, key: tuple[str, ...], count: float) -> None:
        self._used[key] = (min(max(self._now(key) + count, 0.0), self._rate.burst + 1.0), self._clock())
        self._used.move_to_end(key)
        if len(self._used) > MOST_KEPT:
            self._used.popitem(last=False)

    def wait(self, key: tuple[str, ...]) -> float:
        over = self._now(key) - (self._rate.burst - 1)
        return over * self._rate.each if over > 0 else 0.0

    def _now(self, key: tuple[str, ...]) -> float:
        used, since = self._used.get(key, (0.0, self._clock()))
        return max(used - (self._clock() - since) / self._rate.each, 0.0)


class Throttle:
    """Counts failures. *clock* gives seconds; what is not known is allowed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._both = _Failures(BY_BOTH, clock)
        self._both_known = _Failures(BY_KNOWN, clock)
        self._address = _Failures(BY_ADDRESS, clock)
        self._name = _Failures(BY_NAME, clock)
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def is_known(self, address: str, name: str) -> bool:
        """Return whether *name* signed in from *address* lately."""
        return self._clock() - self._known.get((_site(address), name), -KNOWN_FOR) < KNOWN_FOR

    def wait(self, address: str, name: str) -> float:
        """Return how many seconds must pass before another try, 0 where it is allowed now."""
        failures = self._both_known if self.is_known(address, name) else self._both
        return failures.wait((_site(address), name))

    def delay(self, address: str, name: str) -> float:
        """Return for how many seconds a try that is allowed is put off."""
        site = _site(address)
        waits = [self._both.wait((site, name))]
        if not self.is_known(address, name):
            waits += [self._address.wait((site,)), self._name.wait((name,))]
        return min(max(waits), LONGEST_DELAY)

    def turn(self, address: str, name: str) -> tuple[str, str]:
        """Return for what a try that is put off waits: from many addresses for one name, where it signed in lately for itself."""
        return name, _site(address) if self.is_known(address, name) else ""

    def failed(self, address: str, name: str) -> None:
        """Note a wrong password."""
        for failures, key in self._counted(address, name):
            failures.add(key, 1.0)

    def passed(self, address: str, name: str) -> None:
        """Take back one failure that was noted before it was known that the password is right."""
        for failures, key in self._counted(address, name):
            failures.add(key, -1.0)
        self._known[_site(address), name] = self._clock()
        self._known.move_to_end((_site(address), name))
        if len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)

    def _counted(self, address: str, name: str) -> Iterator[tuple[_Failures, tuple[str, ...]]]:
        site = _site(address)
        yield self._both, (site, name)
        yield self._both_known, (site, name)
        yield self._address, (site,)
        yield self._name, (name,)


def _site(address: str) -> str:
    """Return what stands for *address*: one machine has 2 ** 64 of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, _SITE), strict=False)) if found.version == 6 else address
