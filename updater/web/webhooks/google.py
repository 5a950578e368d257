"""Artifact Registry and Container Registry: messages of the topic `gcr`, pushed by Pub/Sub.

Shape: https://cloud.google.com/artifact-registry/docs/configure-notifications
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from updater.documents.base import DocumentLimits
from updater.documents.json_text import load_json
from updater.errors import ConfigError, ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.webhook import ImagePush
from updater.web.webhooks.base import DeliveryError, WebhookReceiver, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

_LIMITS: Final = DocumentLimits(size=64 * 1024, depth=10)


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read the message in the envelope, whose tag and digest are whole references; only pushes with a tag count."""
    try:
        message = load_json("", base64.b64decode(text_at(document, "message", "data"), validate=True), caps=_LIMITS)
    except (binascii.Error, ValueError, ConfigError):
        raise DeliveryError("message.data is not JSON in base64") from None
    tag = text_at(message, "tag")
    if text_at(message, "action") != "INSERT" or not tag:
        return
    try:
        ref = parse_ref(tag)
    except ImageSyntaxError:
        raise DeliveryError("tag of the message is not an image reference") from None
    yield ImagePush(registry=ref.name.registry, path=ref.name.path, tag=ref.tag or "")


GOOGLE = WebhookReceiver(verifier=shown(), read=_read)
