"""How the healthy times of followed subscriptions are kept in the cache, so that a restart starts no clock anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.promotion import HealthyRun, RememberedRuns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable


def write_runs(connection: sqlite3.Connection, rows: Iterable[RememberedRuns]) -> None:
    """Keep *rows* in place of all that was kept."""
    connection.execute("DELETE FROM run")
    kept = [(row.key, row.seen, orjson.dumps({"place": row.place, "runs": [_stored(run) for run in row.runs]})) for row in rows]
    connection.executemany("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", kept)


def read_runs(connection: sqlite3.Connection) -> tuple[RememberedRuns, ...]:
    """Return every row that can be read."""
    rows = connection.execute("SELECT key, seen, content FROM run ORDER BY key").fetchall()
    return tuple(found for row in rows if (found := _read(*row)) is not None)


def _stored(run: HealthyRun) -> dict[str, Any]:
    return {
        "revision": run.revision,
        "image": str(run.image),
        "began": run.began,
        "since": run.since,
        "until": run.until,
        "reason": run.reason,
        "is_bad": run.is_bad,
        "is_standing": run.is_standing,
    }


def _read(key: str, seen: float, content: bytes) -> RememberedRuns | None:
    try:
        stored = orjson.loads(content)
        kept = stored if isinstance(stored, dict) else {"place": "", "runs": stored}  # as versions before this one kept it
        runs = tuple(
            HealthyRun(
                revision=str(item["revision"]),
                image=parse_ref(item["image"]),
                began=float(item["began"]),
                since=_number(item["since"]),
                until=_number(item["until"]),
                reason=str(item["reason"]),
                is_bad=bool(item["is_bad"]),
                is_standing=bool(item["is_standing"]),
            )
            for item in kept["runs"]
        )
        return RememberedRuns(key=key, seen=float(seen), runs=runs, place=str(kept["place"]))
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError, ImageSyntaxError):
        return None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
