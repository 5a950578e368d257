"""Deliveries of anything that can send JSON: a pipeline, a script, a registry without a kind of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.webhook import ImagePush
from updater.web.webhooks.base import DeliveryError, WebhookReceiver, list_at, text_at
from updater.web.webhooks.signatures import either, shown, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

MOST_IMAGES = 1000


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read ``{"image": "host/path:tag"}``, or ``{"images": […]}`` of such texts."""
    spelled = [text_at(document, "image"), *(item for item in list_at(document, "images") if isinstance(item, str))]
    named = [text for text in spelled if text]
    if not named:
        raise DeliveryError("no text at image, and no list at images")
    for text in named[:MOST_IMAGES]:
        try:
            ref = parse_ref(text)
        except ImageSyntaxError:
            raise DeliveryError("image is not an image reference, such as ghcr.io/myorg/app:1.2.3") from None
        yield ImagePush(registry=ref.name.registry, path=ref.name.path, tag=ref.tag or "")


GENERIC = WebhookReceiver(verifier=either(signed("x-hub-signature-256", "x-signature", prefix="sha256="), shown()), read=_read)
