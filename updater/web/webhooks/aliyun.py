"""Aliyun Container Registry: triggers of one repository, without a signature."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, needed, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")


def _read(document: Any, delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read the repository; the host follows from its region, unless the query names one (registry_url)."""
    path = text_at(document, "repository", "repo_full_name")
    if not path:
        namespace, name = text_at(document, "repository", "namespace"), text_at(document, "repository", "name")
        path = f"{namespace}/{name}" if namespace and name else ""
    region = text_at(document, "repository", "region")
    registry = f"registry.{region}.aliyuncs.com" if _REGION.fullmatch(region) else ""
    registry = delivery.query.get("registry_url") or registry
    tag = text_at(document, "push_data", "tag")
    yield ImagePush(registry=registry, path=needed(path, "repository.repo_full_name"), tag=tag)


ALIYUN = WebhookReceiver(verifier=shown(), read=_read)
