"""Flagger, and Argo Rollouts: which Canary a hook is about, what an event says. They ask, and tell of no push.

https://docs.flagger.app/usage/webhooks
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.model.text import printable
from updater.web.webhooks.base import DeliveryError, WebhookReceiver, needed, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.model.webhook import Push
    from updater.web.webhooks.base import WebhookDelivery

LONGEST_NAME: Final = 253
LONGEST_WORDS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryCall:
    """The Canary that a hook is about, its phase, and the words of an event; *is_warning* where Flagger warns.

    It is in the cluster of *context*, "" for that of updater.
    """

    namespace: str
    name: str
    phase: str = ""
    words: str = ""
    is_warning: bool = False
    context: str = ""


def canary_of(document: Any) -> CanaryCall:
    """Return what the body of a hook says; raise `DeliveryError`."""
    namespace, name = (needed(text_at(document, key), key) for key in ("namespace", "name"))
    if max(len(namespace), len(name)) > LONGEST_NAME:
        raise DeliveryError("the name of the canary is too long")
    return CanaryCall(
        namespace=namespace,
        name=name,
        phase=printable(text_at(document, "phase")[:LONGEST_NAME]),
        words=printable(text_at(document, "metadata", "eventMessage")[:LONGEST_WORDS]),
        is_warning=text_at(document, "metadata", "eventType") == "Warning",
        context=text_at(document, "metadata", "context"),
    )


def _read(_document: Any, _delivery: WebhookDelivery) -> Iterable[Push]:
    raise DeliveryError("the address of a hook ends with its type, such as /confirm-rollout")


def _ask(_document: Any, _delivery: WebhookDelivery) -> Iterable[Push]:
    raise DeliveryError("Argo Rollouts asks GET /api/v1/releases/ and the key of a subscription")


FLAGGER: Final = WebhookReceiver(verifier=shown(), read=_read)
ARGO_ROLLOUTS: Final = WebhookReceiver(verifier=shown(), read=_ask)
