"""What people may be told of, and how a message reaches them."""

from __future__ import annotations

from enum import StrEnum


class NotifiedEvent(StrEnum):
    """What happened to a target, as far as somebody wants to hear of it."""

    UPDATED = "updated"
    PROPOSED = "proposed"
    HELD = "held"
    FAILED = "failed"
    REVERTED = "reverted"
    RECOVERED = "recovered"


class RouteKind(StrEnum):
    """How a message is sent: to one of the services of Apprise, or as CloudEvents over HTTP."""

    APPRISE = "apprise"
    CLOUDEVENTS = "cloudevents"
