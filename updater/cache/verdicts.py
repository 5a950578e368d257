"""How verdicts on releases are kept in the cache: for `updater history`, and for what ran well before a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.release import PastVerdict, ReleaseVerdict

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

MOST_VERDICTS: Final = 100
"""Of one subscription."""


def write_verdicts(connection: sqlite3.Connection, verdicts: Iterable[PastVerdict]) -> None:
    """Keep *verdicts*, each in place of what was kept of its commit, and of each subscription the newest alone."""
    rows = [(item.key, item.revision, _stored(item), int(item.at)) for item in verdicts]
    connection.executemany("INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?)", rows)
    for key in {row[0] for row in rows}:
        connection.execute(
            "DELETE FROM verdict WHERE key = ? AND revision NOT IN"
            " (SELECT revision FROM verdict WHERE key = ? ORDER BY at DESC LIMIT ?)",
            (key, key, MOST_VERDICTS),
        )


def read_verdicts(connection: sqlite3.Connection) -> tuple[PastVerdict, ...]:
    """Return every verdict that can be read, the oldest first."""
    rows = connection.execute("SELECT key, revision, content, at FROM verdict ORDER BY at").fetchall()
    return tuple(found for row in rows if (found := _read(*row)) is not None)


def _stored(item: PastVerdict) -> bytes:
    row = {"verdict": item.verdict.value, "image": str(item.image), "reason": item.reason, "seconds": item.seconds, "at": item.at}
    return orjson.dumps(row)


def _read(key: str, revision: str, content: bytes, _at: int) -> PastVerdict | None:
    try:
        found = orjson.loads(content)
        return PastVerdict(
            key=key,
            revision=revision,
            image=parse_ref(found["image"]),
            verdict=ReleaseVerdict(found["verdict"]),
            reason=str(found["reason"]),
            seconds=float(found["seconds"]) if found["seconds"] is not None else None,
            at=float(found["at"]),
        )
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError, ImageSyntaxError):
        return None
