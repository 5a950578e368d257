"""ACR: webhooks of a registry, whose custom headers carry the secret.

Shape: https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, needed, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    if text_at(document, "action") == "push":
        path = needed(text_at(document, "target", "repository"), "target.repository")
        registry = text_at(document, "request", "host")
        yield ImagePush(registry=registry, path=path, tag=text_at(document, "target", "tag"))


ACR = WebhookReceiver(verifier=shown(), read=_read)
