"""Gitea and Forgejo: pushes to their package registry and to branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, host_of, plain_tag, text_at
from updater.web.webhooks.git_hosts import read_push
from updater.web.webhooks.signatures import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.model.webhook import Push
    from updater.web.webhooks.base import WebhookDelivery


def _read(document: Any, delivery: WebhookDelivery) -> Iterator[Push]:
    event = delivery.header("x-gitea-event") or delivery.header("x-forgejo-event") or delivery.header("x-github-event")
    if event == "push":
        yield from read_push(document)
    elif (event, text_at(document, "action"), text_at(document, "package", "type")) == ("package", "created", "container"):
        yield _pushed(document)


def _pushed(document: Any) -> ImagePush:
    """Read the package, whose host is only in its URL; a version is a tag, or a digest for what has none."""
    owner, name = text_at(document, "package", "owner", "login"), text_at(document, "package", "name")
    registry = host_of(text_at(document, "package", "html_url"))
    tag = plain_tag(text_at(document, "package", "version"))
    return ImagePush(registry=registry, path=f"{owner}/{name}".lower(), tag=tag)


GITEA = WebhookReceiver(
    verifier=signed("x-gitea-signature", "x-forgejo-signature", "x-hub-signature-256", prefix="sha256="), read=_read
)
