"""What followed subscriptions offer to those that follow them, in one generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.gates.promotion import offer_of
from updater.model.promotion import Offer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.model.promotion import Follows, HealthyRun
    from updater.model.subscription import Subscription


class Offers:
    """Answers what is on offer.

    *asked* returns what all sources ask for, *runs* what is known of the runs of a subscription, the latest first; *clock* gives
    Unix time.
    """

    def __init__(
        self,
        asked: Callable[[], tuple[Subscription, ...]],
        runs: Callable[[str], Iterable[HealthyRun]],
        clock: Callable[[], float],
    ) -> None:
        self._asked = asked
        self._runs = runs
        self._clock = clock
        self._index: tuple[tuple[Subscription, ...], Mapping[str, Subscription]] = ((), {})

    def offer(self, follows: Follows) -> Offer:
        """Return what is on offer now."""
        reason = self._impossible(follows)
        if reason:
            return Offer(follows=follows, reason=reason)
        return offer_of(follows, self._runs(follows.subscription), self._clock())

    def _impossible(self, follows: Follows) -> str:
        """Return why nothing can be on offer, whatever the cluster says; "" where it can."""
        key, index = follows.subscription, self._by_key()
        if key not in index:
            return "there is no such subscription"
        if index[key].delivery is None:
            return "its releases are not followed: it has no delivery"
        chain = [key]
        while (further := index[chain[-1]].gates.follows) is not None and further.subscription in index:
            if further.subscription in chain:
                return f"it follows itself, by way of {', '.join(chain)}"
            chain.append(further.subscription)
        return ""

    def _by_key(self) -> Mapping[str, Subscription]:
        asked = self._asked()
        if self._index[0] is not asked:
            self._index = asked, {item.key: item for item in asked}
        return self._index[1]
