"""CloudEvents 1.0 over HTTP: what programs are told, one event for each kind of end in a landing.

Structured mode (CloudEvents HTTP binding §3.2). The id is the same at each attempt, so that a receiver knows what it has already.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import orjson

from updater.http.exchange import Allowance, FailureKind, HttpFailure, HttpRequest
from updater.http.masking import masked
from updater.model.credential import read_token
from updater.model.moments import rfc3339
from updater.model.text import printable_data
from updater.reporting.notifications.queue import NotifyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from datetime import datetime

    from updater.http.client import HttpClient
    from updater.model.outcome import Move
    from updater.model.update import Change
    from updater.model.written import Written
    from updater.reporting.notifications.notices import Notice, NoticeLine

TYPE_PREFIX: Final = "io.gitops-image-updater.image."
TEST_TYPE: Final = "io.gitops-image-updater.test"
SOURCE: Final = "gitops-image-updater"
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
MOST_ENTRIES: Final = 200
_ANSWER: Final = 64 * 1024
_TAKES: Final = 25.0
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LASTING: Final = frozenset({FailureKind.REDIRECT, FailureKind.PROTOCOL, FailureKind.SETTINGS})


class CloudEventsReceiver:
    """Posts events to the URL that *address* returns at each message, with what *credentials* returns, "" for none."""

    def __init__(
        self, http: HttpClient, *, address: Callable[[], Awaitable[str]], credentials: Callable[[], Awaitable[str]]
    ) -> None:
        self._http = http
        self._address = address
        self._credentials = credentials
        self._taken: set[str] = set()

    async def send(self, notice: Notice) -> None:
        """Post the events of a notice, one after the other; raise `UpdaterError`."""
        url, own = _split(await self._address())
        header = _authorization(await self._credentials() or own)
        for event in await asyncio.to_thread(lambda: tuple(events_of(notice))):  # of ten thousand targets it takes a while
            if event["id"] not in self._taken:  # an attempt before this one may have got so far
                await self._post(url, header, event)
                self._taken.add(event["id"])
        self._taken.clear()

    async def _post(self, url: str, header: Mapping[str, str], event: Mapping[str, Any]) -> None:
        request = HttpRequest(
            url=url,
            method="POST",
            headers={"Content-Type": CONTENT_TYPE, **header},
            body=orjson.dumps(event),
            limit=_ANSWER,
            secrets=_secrets(url),
            allowance=Allowance(_TAKES),
            what="the receiver of CloudEvents",
        )
        host = urlsplit(url).netloc
        try:
            answer = await self._http.send(request)
        except HttpFailure as failure:
            lasting = failure.trouble in _LASTING
            message = f"{host}: {masked(failure.message, _secrets(url))}"
            code = "notify-refused" if lasting else "notify-unavailable"
            hint = "check the address that to: names"
            raise NotifyError(message, hint=hint, code=code, is_lasting=lasting, retry_after=failure.retry_after) from None
        if not 200 <= answer.status < 300:
            is_lasting = answer.status not in _AGAIN
            raise NotifyError(
                f"{host} returned HTTP {answer.status}",
                hint="check the address that to: names, and credentials:" if is_lasting else "it is tried again",
                code="notify-refused" if is_lasting else "notify-unavailable",
                is_lasting=is_lasting,
                retry_after=self._http.wait_asked(answer),
            )


def events_of(notice: Notice) -> Iterator[dict[str, Any]]:
    """Yield the events of a notice: for each destination one of each kind, in the order of its lines."""
    groups: dict[tuple[str, str], list[NoticeLine]] = {}
    for line in notice.lines:
        groups.setdefault((line.event.value, line.destination), []).append(line)
    for (event, destination), lines in groups.items():
        entries = [_entry(line) for line in lines]
        for start in range(0, len(entries), MOST_ENTRIES):
            part = entries[start : start + MOST_ENTRIES]
            data = printable_data({"destination": destination or None, "targets": part})
            yield {
                "specversion": "1.0",
                "id": _id(notice.at, event, data),
                "source": SOURCE,
                "type": TEST_TYPE if notice.is_test else TYPE_PREFIX + event,
                "time": rfc3339(notice.at, "milliseconds"),
                "datacontenttype": "application/json",
                **({"subject": data["destination"]} if destination else {}),
                "data": data,
            }


def _entry(line: NoticeLine) -> dict[str, Any]:
    return {
        "subscription": line.key,
        "target": line.target,
        "event": line.event.value,
        "detail": line.detail,
        "code": line.code,
        "hint": line.hint or None,
        "moves": [_move(move) for move in line.moves],
        "changes": [_change(change) for change in line.changes[:MOST_ENTRIES]],
        "revision": line.revision,
        "link": line.link,
    }


def _move(move: Move) -> dict[str, Any]:
    return {"old": _written(move.old), "new": _written(move.new)}


def _written(written: Written) -> dict[str, str | None]:
    return {"name": written.name, "tag": written.tag, "digest": written.digest}


def _change(change: Change) -> dict[str, Any]:
    return {"path": change.path, "line": change.line, "where": change.where, "old": change.old, "new": change.new}


def _id(at: datetime, event: str, data: Mapping[str, Any]) -> str:
    content = orjson.dumps([at.isoformat(), event, data])
    return hashlib.sha256(content).hexdigest()[:32]


def _split(text: str) -> tuple[str, str]:
    """Return the URL without user and password, and ``user:password``, "" where there is none; raise `NotifyError`."""
    try:
        parts = urlsplit(text.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise NotifyError(
            "the address is not an http or https URL",
            hint="write the URL of the receiver into what to: names",
            code="notify-address",
            is_lasting=True,
        )
    own, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host, fragment="")), unquote(own) if at else ""


def _authorization(text: str) -> dict[str, str]:
    if not text:
        return {}
    found = read_token(text)
    if found.username:
        pair = f"{found.username}:{found.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {"Authorization": f"Bearer {found.registry_token or found.password}"}


def _secrets(url: str) -> tuple[str, ...]:
    """Return what of an address may be a token: its path and its query, whole and in parts."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)]
    segments = [unquote(segment) for segment in parts.path.split("/")]
    return tuple(dict.fromkeys(text for text in (parts.path, parts.query, *values, *segments) if len(text) > 1))
