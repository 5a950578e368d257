"""Nexus: the webhook of a repository for components, signed with HMAC-SHA1.

Shape: https://help.sonatype.com/en/working-with-webhooks.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, needed, text_at
from updater.web.webhooks.signatures import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery


def _read(document: Any, delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read the component; the host of the connector is not said."""
    if delivery.header("x-nexus-webhook-id") not in {"", "rm:repository:component"}:
        return
    is_push = text_at(document, "action") in {"CREATED", "UPDATED"}
    if is_push and text_at(document, "component", "format") == "docker":
        path = needed(text_at(document, "component", "name"), "component.name")
        yield ImagePush(registry="", path=path, tag=text_at(document, "component", "version"))


NEXUS = WebhookReceiver(verifier=signed("x-nexus-webhook-signature", algorithm="sha1"), read=_read)
