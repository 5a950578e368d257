"""Quay: the notification of a push, with all tags that it updated, and without a signature.

Shape: https://docs.quay.io/guides/notifications.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, at, host_of, needed, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

MOST_TAGS: Final = 100
_USUAL: Final = "quay.io"


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read the host from docker_url, which may begin with a slash: then it is the public one."""
    registry = host_of(text_at(document, "docker_url")) or _USUAL
    path = needed(text_at(document, "repository"), "repository")
    updated = at(document, "updated_tags")
    tags = [tag for tag in updated or () if isinstance(tag, str)] if isinstance(updated, (list, dict)) else []
    for tag in tags[:MOST_TAGS] or [""]:
        yield ImagePush(registry=registry, path=path, tag=tag)


QUAY = WebhookReceiver(verifier=shown(), read=_read)
