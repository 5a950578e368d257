"""Docker Hub: webhooks of one repository, without a signature.

Shape: https://docs.docker.com/docker-hub/repos/manage/webhooks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.model.image import DOCKER_HUB
from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, needed, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    path = text_at(document, "repository", "repo_name")
    if not path:
        namespace, name = text_at(document, "repository", "namespace"), text_at(document, "repository", "name")
        path = f"{namespace}/{name}" if namespace and name else ""
    tag = text_at(document, "push_data", "tag")
    yield ImagePush(registry=DOCKER_HUB, path=needed(path, "repository.repo_name"), tag=tag)


DOCKER_HUB_RECEIVER = WebhookReceiver(verifier=shown(), read=_read)
