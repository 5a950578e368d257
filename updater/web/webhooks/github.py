"""GitHub: pushes to its container registry (package, registry_package) and to branches.

Shapes: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, host_of, plain_tag, text_at
from updater.web.webhooks.git_hosts import read_push
from updater.web.webhooks.signatures import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.model.webhook import Push
    from updater.web.webhooks.base import WebhookDelivery

_ACTIONS: Final = frozenset({"published", "updated"})
_TYPES: Final = frozenset({"container", "docker"})
_HOST: Final = "ghcr.io"


def _read(document: Any, delivery: WebhookDelivery) -> Iterator[Push]:
    event = delivery.header("x-github-event")
    if event == "push":
        yield from read_push(document)
    elif event in {"package", "registry_package"} and text_at(document, "action") in _ACTIONS:
        package = document.get(event)
        if text_at(package, "package_type").lower() in _TYPES:
            yield _pushed(package)


def _pushed(package: Any) -> ImagePush:
    """Read the package; its URL is host/owner/name:tag, may end in a colon, and is lower case in the registry alone."""
    url = text_at(package, "package_version", "package_url").partition("://")[2] or text_at(
        package, "package_version", "package_url"
    )
    name = url.partition("@")[0]
    path, colon, _ = name.rpartition(":")
    name = path if colon and "/" in path else name
    host = host_of(name)
    below = name.removeprefix(f"{host}/") if host else ""
    if not below or "." not in host:
        owner = text_at(package, "owner", "login") or text_at(package, "namespace")
        host, below = _HOST, f"{owner}/{text_at(package, 'name')}"
    tag = text_at(package, "package_version", "container_metadata", "tag", "name")
    return ImagePush(registry=host, path=below.lower(), tag=plain_tag(tag))


GITHUB = WebhookReceiver(verifier=signed("x-hub-signature-256", prefix="sha256="), read=_read)
