"""The notifications of distribution, v2 and v3, which GitLab's registry sends too: several events in one envelope.

Shape: https://distribution.github.io/distribution/about/notifications/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import DeliveryError, WebhookReceiver, at, list_at, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

MOST_EVENTS: Final = 1000


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read the pushes of tags: a manifest without a tag is part of another one, or of no interest to anybody."""
    if not isinstance(at(document, "events"), list):
        raise DeliveryError("no list at events")
    for event in list_at(document, "events")[:MOST_EVENTS]:
        path, tag = text_at(event, "target", "repository"), text_at(event, "target", "tag")
        if text_at(event, "action") == "push" and path and tag:
            yield ImagePush(registry=text_at(event, "request", "host"), path=path, tag=tag)


DISTRIBUTION = WebhookReceiver(verifier=shown(), read=_read)
