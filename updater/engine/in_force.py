"""A subscription with what is in force at this moment: decisions of people, and what the one that it follows offers. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from updater.model.decision import in_force

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.model.promotion import Follows, Offer
    from updater.model.subscription import Subscription


def decided(subscription: Subscription, now: float) -> Subscription:
    """Return *subscription* with the decisions of people that are in force; the same object where none has ended."""
    decisions = in_force(subscription.decisions, now)
    return subscription if decisions is subscription.decisions else replace(subscription, decisions=decisions)


def offered(subscription: Subscription, offers: Callable[[Follows], Offer]) -> Subscription:
    """Return *subscription* with what the one that it follows offers; the same object where it follows none."""
    follows = subscription.gates.follows
    return subscription if follows is None else replace(subscription, offer=offers(follows))
