"""What was written to a live Application last, kept in an annotation of it: a branch has its history, an Application has none.

It is written by the same patch as the values. So a value that somebody sets back is known as that after a restart, and with the
cache lost. The annotation is of this program alone; one that cannot be read says nothing, and is made anew.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.documents.members import mapping_in
from updater.model.decision import rfc3339
from updater.model.view import PastCommit, place_sum
from updater.settings.decisions import ANNOTATION_PREFIX, LONGEST_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.model.update import Update

WRITTEN: Final = f"{ANNOTATION_PREFIX}written"
MOST_ENTRIES: Final = 50
_NOTHING: Final = "-"
_TEXTS: Final = ("image", "old", "new", "at", "place")


def remembered(item: Mapping[str, Any]) -> tuple[PastCommit, ...]:
    """Return what was written last for each subscription, as if it were a commit each; the subject of none says anything."""
    found = (_past(key, row) for key, row in _entries(item).items())
    return tuple(sorted((past for past in found if past), key=lambda past: past.when, reverse=True))


def memory_steps(item: Mapping[str, Any], updates: Iterable[Update], now: float) -> list[dict[str, Any]]:
    """Return the JSON patch that notes *updates*, written to *item* at *now*."""
    entries = _entries(item)
    for update in updates:
        key = " ".join(update.subscription.split())
        entries.pop(key, None)
        entries[key] = {
            "image": str(update.written_as),
            "old": _shown(update.reading.written.tag, update.reading.written.digest),
            "new": _shown(update.image.tag, update.image.digest),
            "at": rfc3339(now),
            "place": place_sum(update.reading.path),
        }
    text = orjson.dumps(dict(list(entries.items())[-MOST_ENTRIES:])).decode()
    if not entries or len(text) > LONGEST_ANNOTATION:
        return []
    annotations = mapping_in(item, "metadata").get("annotations")
    if not isinstance(annotations, dict):
        return [{"op": "add", "path": "/metadata/annotations", "value": {WRITTEN: text}}]
    return [{"op": "add", "path": f"/metadata/annotations/{WRITTEN.replace('/', '~1')}", "value": text}]


def _shown(tag: str | None, digest: object) -> str:
    return "@".join(str(part) for part in (tag, digest) if part) or _NOTHING


def _entries(item: Mapping[str, Any]) -> dict[str, dict[str, str]]:
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


def _past(key: str, row: Mapping[str, str]) -> PastCommit | None:
    try:
        when = datetime.fromisoformat(row["at"]).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    name = hashlib.sha1(f"{key} {sorted(row.items())}".encode(), usedforsecurity=False).hexdigest()
    return PastCommit(
        revision=name,
        when=when,
        subject="",
        subscriptions=(key,),
        images=(row["image"],),
        policies=(),
        changes=(f"{key} {row['old']} {row['new']}",),
        places=(f"{key} {row['place']}",),
    )
