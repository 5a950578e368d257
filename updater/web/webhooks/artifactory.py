"""Artifactory: the event `pushed` of the domain docker, signed, or with the secret itself where signing is off.

Shape: https://jfrog.com/help/r/jfrog-platform-administration-documentation/event-types
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import Proof, Verifier, WebhookReceiver, host_of, needed, text_at
from updater.web.webhooks.signatures import shown, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

_HEADER: Final = "x-jfrog-event-auth"
_SIGNED: Final = signed(_HEADER)
_SHOWN: Final = shown(_HEADER)


def _check(delivery: WebhookDelivery, secret: bytes) -> Proof:
    """Accept the signature or the secret: which of them is sent is a setting of the sender."""
    found = _SIGNED.check(delivery, secret)
    return found if found is Proof.FITS else _SHOWN.check(delivery, secret)


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read the image below its repository: a path of the host, ``host/repository/image``."""
    if text_at(document, "domain") != "docker" or text_at(document, "event_type") != "pushed":
        return
    repository = needed(text_at(document, "data", "repo_key"), "data.repo_key")
    name = text_at(document, "data", "image_name") or "/".join(text_at(document, "data", "path").split("/")[:-2])
    host, tag = host_of(text_at(document, "jpd_origin")), text_at(document, "data", "tag")
    yield ImagePush(registry=host, path=f"{repository}/{needed(name, 'data.image_name')}", tag=tag)
    if host:  # a repository may have a host of its own: repository-host, or repository.host
        yield ImagePush(registry=f"{repository}.{host}", path=name, tag=tag)
        yield ImagePush(registry=f"{repository}-{host}", path=name, tag=tag)


ARTIFACTORY = WebhookReceiver(verifier=Verifier(check=_check, needs_body=True), read=_read)
