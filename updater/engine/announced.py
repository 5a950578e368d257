"""Which images need not be asked often, because webhooks tell of their pushes; one that was missed ends that.

What is known is lost with a restart: then everything is asked at its own interval until the next webhook.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from updater.inventory.plan import Plan
    from updater.model.scan_key import ScanKey

#: for how many seconds a registry that says nothing is believed
LONGEST_SILENCE: Final = 86400.0
#: how many seconds a webhook may come before the scan that finds what it tells of
AHEAD: Final = 60.0


class AnnouncedImages:
    """Images of which webhooks tell. They are asked every *longest* seconds instead of their interval; None changes nothing.

    An image counts from the first webhook that names it. It counts no more, and nor does any image of its registry, once a
    scan finds a change that nobody told of, or once the registry was silent for `LONGEST_SILENCE`.
    """

    def __init__(self, longest: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._clock = clock
        self._heard: dict[ScanKey, float] = {}
        self._last: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def hear(self, images: Iterable[ScanKey]) -> bool:
        """Note that a webhook told of *images*; return whether that makes another plan."""
        if self._longest is None:
            return False
        now, known = self._clock(), len(self._heard)
        for listed in images:
            self._heard[listed] = self._last[listed.image.registry] = now
        return len(self._heard) != known

    def scanned(self, listed: ScanKey, *, has_changed: bool) -> bool:
        """Note what a scan found that is not the first; return whether that makes another plan."""
        if listed not in self._heard:
            return False
        registry, now = listed.image.registry, self._clock()
        is_missed = has_changed and now - self._heard[listed] > AHEAD
        if not is_missed and now - self._last[registry] <= LONGEST_SILENCE:
            return False
        self._heard = {known: at for known, at in self._heard.items() if known.image.registry != registry}
        return True

    def stretched(self, plan: Plan, kept: Collection[ScanKey]) -> Plan:
        """Return *plan* with longer intervals for the images of which webhooks tell, but not for those *kept*."""
        longest = self._longest
        if longest is None or not self._heard:
            return plan
        self._heard = {listed: at for listed, at in self._heard.items() if listed in plan.images}
        longer = {listed: max(plan.images[listed], longest) for listed in self._heard if listed not in kept}
        return replace(plan, images={**plan.images, **longer})
