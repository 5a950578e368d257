"""Reports by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.inventory.asking import MAIN, asked
from updater.inventory.destinations import destinations_of
from updater.model.outcome import Outcome, Status
from updater.model.report import DestinationLanded, InventoryChanged, LandingEnd, SourceState

BEGIN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def at(minutes=0.0):
    return BEGIN + timedelta(minutes=minutes)


def ended(key="web", status=Status.UNCHANGED, detail="1.0.0 is the newest", **options):
    return Outcome(key=key, target=options.pop("target", "somewhere"), status=status, detail=detail, **options)


def failed(key="web", detail="the server is down", code="git-unavailable", **options):
    return ended(key, Status.FAILED, detail, code=code, **options)


def landed(*outcomes, minutes=0.0, destination=MAIN, **options):
    options = {"end": LandingEnd.QUIET, "notes": ()} | options
    return DestinationLanded(destination=destination, outcomes=outcomes, at=at(minutes), **options)


def inventory(*subscriptions, minutes=0.0, **options):
    items = subscriptions or (asked("web", MAIN),)
    destinations = frozenset(destinations_of(items))
    sources = (SourceState(name="file", subscriptions=len(items)),)
    return InventoryChanged(subscriptions=tuple(items), destinations=destinations, sources=sources, at=at(minutes), **options)
