"""Harbor: PUSH_ARTIFACT in its own format; the format CloudEvents is read by `cloudevents`.

Shape: https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, host_of, list_at, needed, plain_tag, text_at
from updater.web.webhooks.cloudevents import is_event, read_event
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

MOST_RESOURCES: Final = 100
_PUSHES: Final = frozenset({"PUSH_ARTIFACT", "pushImage"})


def _read(document: Any, delivery: WebhookDelivery) -> Iterator[ImagePush]:
    if is_event(document, delivery):
        yield from read_event(document, delivery)
    elif text_at(document, "type") in _PUSHES:
        path = needed(text_at(document, "event_data", "repository", "repo_full_name"), "event_data.repository.repo_full_name")
        for resource in list_at(document, "event_data", "resources")[:MOST_RESOURCES]:
            registry = host_of(text_at(resource, "resource_url"))
            yield ImagePush(registry=registry, path=path, tag=plain_tag(text_at(resource, "tag")))


HARBOR = WebhookReceiver(verifier=shown(), read=_read)
