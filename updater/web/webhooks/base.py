"""The shape of a delivery, and of what receives the deliveries of one kind of sender; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.model.webhook import Push


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """One request of a sender: header names in lower case, the query, and the raw body (b"" until it was read)."""

    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """Return a header, "" where it is absent."""
        return self.headers.get(name, "")


class Proof(StrEnum):
    """Whether a delivery shows that it comes from who has the secret."""

    FITS = "fits"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """How one kind of sender proves itself: *check* compares with the secret in constant time.

    Without *needs_body* it looks at headers and query alone, so that strangers are refused before their body is read.
    """

    check: Callable[[WebhookDelivery, bytes], Proof]
    needs_body: bool = False


class DeliveryError(Exception):
    """A delivery that was verified and cannot be understood; the message says which part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReceiver:
    """How the deliveries of one kind are verified, and what they say was pushed.

    *read* takes the parsed body, which may be anything that JSON can hold, and returns nothing for what is no push. It raises
    `DeliveryError`.
    """

    verifier: Verifier
    read: Callable[[Any, WebhookDelivery], Iterable[Push]]


def at(document: Any, *path: str | int) -> Any:
    """Return the value below *path*, None where there is none."""
    for part in path:
        if isinstance(part, str) and isinstance(document, dict):
            document = document.get(part)
        elif isinstance(part, int) and isinstance(document, list) and -len(document) <= part < len(document):
            document = document[part]
        else:
            return None
    return document


def text_at(document: Any, *path: str | int) -> str:
    """Return the text below *path*, "" where there is none."""
    found = at(document, *path)
    return found if isinstance(found, str) else ""


def list_at(document: Any, *path: str | int) -> list[Any]:
    """Return the list below *path*, an empty one where there is none."""
    found = at(document, *path)
    return found if isinstance(found, list) else []


def needed(text: str, what: str) -> str:
    """Return *text*; raise `DeliveryError` where it is empty."""
    if not text:
        raise DeliveryError(f"no text at {what}")
    return text


def plain_tag(text: str) -> str:
    """Return *text* where it is a tag; a digest is none."""
    return "" if ":" in text else text


def host_of(url: str) -> str:
    """Return host and port of a URL or of a reference without scheme, "" where it has none."""
    place = url.partition("://")[2] or url
    host, slash, _ = place.partition("/")
    return host.rpartition("@")[2] if slash or "://" in url else ""
