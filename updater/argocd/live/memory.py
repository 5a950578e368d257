"""What was written to a live Application last, kept in an annotation of it: a branch has its history, an Application has none.

It is written by the same patch as the values. So a value that somebody sets back is known as that after a restart, and with the
cache lost. The annotation is of this program alone; one that cannot be read says nothing, and is made anew.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.documents.members import mapping_in
from updater.model.gates import MOST_COUNTED
from updater.model.moments import rfc3339
from updater.model.view import NOTHING, PastCommit, place_sum, trailer_key
from updater.settings.decisions import ANNOTATION_PREFIX, LONGEST_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from updater.model.update import Update

WRITTEN: Final = f"{ANNOTATION_PREFIX}written"
BEFORE: Final = "before"
MOST_ENTRIES: Final = 50
_TEXTS: Final = ("image", "old", "new", "at", "place")


def remembered(item: Mapping[str, Any]) -> tuple[PastCommit, ...]:
    """Return what was written for each subscription, as if it were a commit each; the subject of none says anything.

    Only the last one of each says what was written; of those before it is known when they were.
    """
    found = (past for key, row in _entries(item).items() for past in _pasts(key, row))
    return tuple(sorted(found, key=lambda past: past.when, reverse=True))


def memory_steps(item: Mapping[str, Any], updates: Iterable[Update], now: float) -> list[dict[str, Any]]:
    """Return the JSON patch that notes *updates*, written to *item* at *now*."""
    entries = _entries(item)
    for update in updates:
        key = trailer_key(update.subscription)
        before = _moments(entries.pop(key, {}), now)
        entries[key] = {
            "image": str(update.written_as),
            "old": _shown(update.reading.written.tag, update.reading.written.digest),
            "new": _shown(update.image.tag, update.image.digest),
            "at": rfc3339(now),
            "place": place_sum(update.reading.path),
            **({BEFORE: before} if before else {}),
        }
    text = _fitting(dict(list(entries.items())[-MOST_ENTRIES:]))
    if not entries or len(text) > LONGEST_ANNOTATION:
        return []
    annotations = mapping_in(item, "metadata").get("annotations")
    if not isinstance(annotations, dict):
        return [{"op": "add", "path": "/metadata/annotations", "value": {WRITTEN: text}}]
    return [{"op": "add", "path": f"/metadata/annotations/{WRITTEN.replace('/', '~1')}", "value": text}]


def _moments(row: Mapping[str, Any], now: float) -> list[int]:
    """Return when a subscription was written before *now*, the latest first, in Unix time: as many as a rate may count."""
    last = _when(row.get("at"))
    known = [] if last is None or rfc3339(now) == row.get("at") else [int(last.timestamp())]
    earlier = row.get(BEFORE)
    if isinstance(earlier, list):
        known += [at for at in earlier if isinstance(at, int) and not isinstance(at, bool)]
    return known[: MOST_COUNTED - 1]


def _fitting(entries: dict[str, dict[str, Any]]) -> str:
    """Return the text of *entries*; where it is too long for an annotation, the oldest ones lose their earlier moments."""
    text = orjson.dumps(entries).decode()
    for key in list(entries):
        if len(text) <= LONGEST_ANNOTATION:
            break
        entries[key] = {name: value for name, value in entries[key].items() if name != BEFORE}
        text = orjson.dumps(entries).decode()
    return text


def _when(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _shown(tag: str | None, digest: object) -> str:
    return "@".join(str(part) for part in (tag, digest) if part) or NOTHING


def _entries(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the readable entries, by the key of the subscription."""
    text = mapping_in(mapping_in(item, "metadata"), "annotations").get(WRITTEN)
    if not isinstance(text, str) or len(text) > LONGEST_ANNOTATION:
        return {}
    try:
        found = orjson.loads(text)
    except ValueError:
        return {}
    rows = found.items() if isinstance(found, dict) else ()
    return {key: row for key, row in rows if isinstance(row, dict) and all(isinstance(row.get(name), str) for name in _TEXTS)}


def _pasts(key: str, row: Mapping[str, Any]) -> Iterator[PastCommit]:
    when = _when(row["at"])
    if when is None:
        return
    told = sorted((name, row[name]) for name in _TEXTS)
    name = hashlib.sha1(f"{key} {told}".encode(), usedforsecurity=False).hexdigest()
    last = PastCommit(
        revision=name,
        when=when,
        subject="",
        subscriptions=(key,),
        images=(row["image"],),
        policies=(),
        changes=(f"{key} {row['old']} {row['new']}",),
        places=(f"{key} {row['place']}",),
    )
    yield last
    for number, at in enumerate(_moments({BEFORE: row.get(BEFORE)}, 0.0), 1):
        with suppress(ValueError, OverflowError, OSError):
            before = datetime.fromtimestamp(at, UTC)
            yield replace(last, revision=f"{name}-{number}", when=before, images=(), changes=(), places=())
