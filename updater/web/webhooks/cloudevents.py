"""CloudEvents, structured and binary: of zot, Harbor, ECR and pipelines that speak CDEvents.

Format: https://github.com/cloudevents/spec, HTTP protocol binding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from updater.model.webhook import ImagePush
from updater.web.webhooks.amazon import read_action
from updater.web.webhooks.base import WebhookReceiver, at, host_of, list_at, plain_tag, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

MOST_RESOURCES: Final = 100
_CDEVENTS: Final = "dev.cdevents.artifact."


def is_event(document: Any, delivery: WebhookDelivery) -> bool:
    """Return whether a delivery is a CloudEvent, or a CDEvent by itself."""
    return bool(_type_of(document, delivery))


def read_event(document: Any, delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read what an event says was pushed; an event of another kind says nothing."""
    kind = _type_of(document, delivery)
    data = document if delivery.header("ce-type") else at(document, "data")
    if kind.startswith("zotregistry.image.updated"):
        yield ImagePush(registry="", path=text_at(data, "name"), tag=plain_tag(text_at(data, "reference")))
    elif kind == "harbor.artifact.pushed":
        path = text_at(data, "repository", "repo_full_name")
        for resource in list_at(data, "resources")[:MOST_RESOURCES]:
            registry = host_of(text_at(resource, "resource_url"))
            yield ImagePush(registry=registry, path=path, tag=plain_tag(text_at(resource, "tag")))
    elif kind.startswith(_CDEVENTS):
        yield from _of_purl(text_at(data if at(data, "subject") else document, "subject", "id"))
    elif kind.startswith("com.amazon.ecr"):
        yield from read_action(_ecr_detail(document, data))
    elif ("container" in kind or "image" in kind) and "delet" not in kind:
        yield from _lenient(document, data, delivery)


def _type_of(document: Any, delivery: WebhookDelivery) -> str:
    return (
        delivery.header("ce-type")
        or text_at(document, "type") * bool(text_at(document, "specversion"))
        or text_at(document, "context", "type")
    )


def _of_purl(purl: str) -> Iterator[ImagePush]:
    """Read a package URL: ``pkg:oci/app@sha256…?repository_url=ghcr.io/acme/app&tag=1.2.3``."""
    kind, _, rest = purl.partition("/")
    if kind not in {"pkg:oci", "pkg:docker"}:
        return
    place, _, query = rest.partition("?")
    named = {name: values[0] for name, values in parse_qs(query, max_num_fields=20).items()}
    path, _, version = place.partition("@")
    path, version = unquote(path), unquote(version)
    url = named.get("repository_url", "")
    if url:
        host = host_of(url)
        below = (url.partition("://")[2] or url).removeprefix(f"{host}/")
        # the type docker has a host alone there, the type oci the whole name
        path = below if host else path
        host = host or url
    else:
        host = ""
    tag = named.get("tag") or plain_tag(version)
    if path:
        yield ImagePush(registry=host, path=path, tag=tag)


def _ecr_detail(document: Any, data: Any) -> dict[str, Any]:
    """Return the event as EventBridge has it, from what a pipe made of it."""
    inner = at(data, "detail")
    detail = inner if isinstance(inner, dict) else data
    account = text_at(data, "account") or text_at(document, "account")
    region = text_at(data, "region") or text_at(document, "region")
    said = {"action-type": "PUSH", "result": "SUCCESS", **(detail if isinstance(detail, dict) else {})}
    return {"detail": said, "account": account, "region": region}


def _lenient(document: Any, data: Any, delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read the usual names of image and tag in events of senders that are not known."""
    found = next((text for name in ("repository", "image", "name") if (text := text_at(data, name))), "")
    subject = delivery.header("ce-subject") or text_at(document, "subject")
    name = found or subject
    if not name:
        return
    host = host_of(name)
    host = host if "." in host or ":" in host else ""
    path = name.removeprefix(f"{host}/") if host else name
    path, _, behind = path.partition(":")
    yield ImagePush(registry=host or text_at(data, "registry"), path=path, tag=text_at(data, "tag") or plain_tag(behind))


CLOUDEVENTS = WebhookReceiver(verifier=shown(), read=read_event)
