"""The cached data and its lifetime: descriptions, listings, first-seen times of digests, outcomes.

Deleting the file between any two steps costs requests and starts first-seen times again; it never changes
what is right to write.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from updater.cache.notified import NotifiedStates
from updater.cache.runs import read_runs, write_runs
from updater.cache.store import DatabaseFile
from updater.cache.verdicts import read_verdicts, write_verdicts
from updater.model.candidate import Description
from updater.model.image import Platform
from updater.model.outcome import Move, Outcome, Status
from updater.model.update import Change
from updater.model.written import Written

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from updater.model.image import Digest
    from updater.model.promotion import RememberedRuns
    from updater.model.release import PastVerdict

_DAY: Final = 24 * 3600
MOST_DESCRIPTIONS: Final = 200_000
DESCRIPTIONS_KEPT: Final = 90 * _DAY
LISTINGS_KEPT: Final = 90 * _DAY
GONE_TAGS_KEPT: Final = 30 * _DAY
_PRUNED_EVERY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedListing:
    """The comparison of a tag list with the *previous* one, which is None if none is cached.

    *first_seen* holds, for each tag of the new list, when it was first seen here (aware, in UTC).
    """

    previous: frozenset[str] | None
    first_seen: Mapping[str, datetime]


class Cache:
    """The cache of one daemon. With *path* None it stays in memory; *say* is called once with the problem of the file.

    *wall* gives seconds since 1970. `notified` is what routes of notifications were told. No method fails: what was lost is not
    there.
    """

    def __init__(
        self, path: Path | None, *, say: Callable[[str], None] = lambda _sentence: None, wall: Callable[[], float] = time.time
    ) -> None:
        self._store = DatabaseFile(path, say=say)
        self.notified = NotifiedStates(self._store)
        self._wall = wall
        self._written = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the file."""
        await self._store.close()

    async def description(self, digest: Digest) -> Description | None:
        """Return what is remembered of *digest*."""

        def work(connection: sqlite3.Connection) -> Description | None:
            row = connection.execute("SELECT content, used FROM description WHERE digest = ?", (str(digest),)).fetchone()
            if row is None:
                return None
            if now - row[1] > _DAY:  # once a day is enough to know what is still in use
                connection.execute("UPDATE description SET used = ? WHERE digest = ?", (now, str(digest)))
            return _description(row[0])

        now = int(self._wall())
        return await self._store.run(work)

    async def remember_description(self, digest: Digest, description: Description) -> None:
        """Remember what hangs on *digest*."""
        now = int(self._wall())
        content = _described(description)
        self._written += 1
        is_time_to_prune = self._written % _PRUNED_EVERY == 0

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO description VALUES (?, ?, ?)", (str(digest), content, now))
            if is_time_to_prune:
                _prune(connection, now)

        await self._store.run(work)

    async def record_listing(self, image: str, tags: Iterable[str]) -> ComparedListing:
        """Compare a complete tag list of *image* with the one before, and remember it in its place.

        *image* is any text that names the list: the canonical name, and the credential where one is used. A
        tag that was gone for less than a month keeps its first-seen time; one in the future, left by a clock that was
        ahead, becomes the last moment before now.
        """
        wanted = dict.fromkeys(tags)
        now = int(self._wall())

        def work(connection: sqlite3.Connection) -> ComparedListing:
            row = connection.execute("SELECT present, gone, used FROM listing WHERE image = ?", (image,)).fetchone()
            before, gone = (_counts(row[0]), _counts(row[1])) if row else ({}, {})
            is_ahead = _anchor(before, gone, now)
            present = {tag: before.get(tag) or gone.get(tag, (now,))[0] for tag in wanted}
            if row is None or is_ahead or present.keys() != before.keys() or not 0 <= now - row[2] <= _DAY:
                _write_listing(connection, image, present=present, before=before, gone=gone, now=now)
            first_seen = {tag: datetime.fromtimestamp(moment, tz=UTC) for tag, moment in present.items()}
            return ComparedListing(previous=frozenset(before) if row else None, first_seen=first_seen)

        return await self._store.run(work)

    async def first_seen(self, image: str, digest: Digest) -> datetime:
        """Return when *digest* of *image* was seen here first, which is now where it is not remembered; aware, in UTC.

        *image* names the list as in `record_listing`. A time in the future, left by a clock that was ahead, becomes now.
        """
        now = int(self._wall())
        self._written += 1
        is_time_to_prune = self._written % _PRUNED_EVERY == 0

        def work(connection: sqlite3.Connection) -> datetime:
            row = connection.execute(
                "SELECT first, used FROM seen WHERE image = ? AND digest = ?", (image, str(digest))
            ).fetchone()
            first = min(row[0], now) if row else now
            if row is None or row[0] > now or not 0 <= now - row[1] <= _DAY:
                connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", (image, str(digest), first, now))
            if is_time_to_prune:
                _prune(connection, now)
            return datetime.fromtimestamp(first, tz=UTC)

        return await self._store.run(work)

    async def outcomes(self) -> tuple[Outcome, ...]:
        """Return the last outcome of every target, ordered by subscription key and target."""

        def work(connection: sqlite3.Connection) -> tuple[Outcome, ...]:
            rows = connection.execute("SELECT content FROM outcome ORDER BY key, target").fetchall()
            return tuple(outcome for (content,) in rows if (outcome := _outcome(content)))

        return await self._store.run(work)

    async def remember_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Remember how targets ended, each in place of what was remembered of it."""
        rows = [(outcome.key, outcome.target, _stored(outcome)) for outcome in outcomes]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?)", rows)

        await self._store.run(work)

    async def verdicts(self) -> tuple[PastVerdict, ...]:
        """Return how releases ended, the oldest first."""
        return await self._store.run(read_verdicts)

    async def remember_verdicts(self, verdicts: Sequence[PastVerdict]) -> None:
        """Remember how releases ended."""
        await self._store.run(lambda connection: write_verdicts(connection, verdicts))

    async def runs(self) -> tuple[RememberedRuns, ...]:
        """Return for how long followed subscriptions were seen healthy."""
        return await self._store.run(read_runs)

    async def remember_runs(self, rows: Sequence[RememberedRuns]) -> None:
        """Remember for how long followed subscriptions were seen healthy, in place of what was remembered."""
        await self._store.run(lambda connection: write_runs(connection, rows))

    async def forget_outcomes(self, *, except_keys: Iterable[str]) -> None:
        """Forget the outcomes of subscriptions that are no more."""
        kept = set(except_keys)

        def work(connection: sqlite3.Connection) -> None:
            known = {row[0] for row in connection.execute("SELECT DISTINCT key FROM outcome")}
            connection.executemany("DELETE FROM outcome WHERE key = ?", [(key,) for key in known - kept])
            judged = {row[0] for row in connection.execute("SELECT DISTINCT key FROM verdict")}
            connection.executemany("DELETE FROM verdict WHERE key = ?", [(key,) for key in judged - kept])

        await self._store.run(work)


def _anchor(before: dict[str, int], gone: dict[str, tuple[int, int]], now: int) -> bool:
    """Move first-seen times that are in the future to just before *now*, in their order; returns whether there were any."""
    ahead = sorted(
        {moment for moment in before.values() if moment > now} | {times[0] for times in gone.values() if times[0] > now}
    )
    anchored = {moment: now - len(ahead) + place for place, moment in enumerate(ahead)}
    before.update({tag: anchored[moment] for tag, moment in before.items() if moment in anchored})
    gone.update({tag: (anchored.get(first, first), min(left, now)) for tag, (first, left) in gone.items()})
    return bool(ahead)


def _write_listing(
    connection: sqlite3.Connection,
    image: str,
    *,
    present: dict[str, int],
    before: dict[str, int],
    gone: dict[str, tuple[int, int]],
    now: int,
) -> None:
    """Write a listing; a tag that is gone keeps its first-seen time and the time it went."""
    left = {tag: (moment, now) for tag, moment in before.items() if tag not in present}
    left.update({tag: times for tag, times in gone.items() if tag not in present and now - times[1] < GONE_TAGS_KEPT})
    values = (image, orjson.dumps(present), orjson.dumps(left), now)
    connection.execute("INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?)", values)


def _prune(connection: sqlite3.Connection, now: int) -> None:
    connection.execute("DELETE FROM description WHERE used < ?", (now - DESCRIPTIONS_KEPT,))
    connection.execute("DELETE FROM listing WHERE used < ?", (now - LISTINGS_KEPT,))
    connection.execute("DELETE FROM seen WHERE used < ?", (now - LISTINGS_KEPT,))
    excess = connection.execute("SELECT count(*) FROM description").fetchone()[0] - MOST_DESCRIPTIONS
    if excess > 0:
        connection.execute(
            "DELETE FROM description WHERE digest IN (SELECT digest FROM description ORDER BY used LIMIT ?)", (excess,)
        )


def _counts(content: bytes) -> dict[str, Any]:
    """Return a remembered map of tags; what cannot be read is not there."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _described(description: Description) -> bytes:
    platforms = [[item.os, item.architecture, item.variant] for item in description.platforms]
    created = description.created.isoformat() if description.created else None
    return orjson.dumps({"created": created, "labels": dict(description.labels), "platforms": platforms})


def _description(content: bytes) -> Description | None:
    try:
        found = orjson.loads(content)
        return Description(
            created=datetime.fromisoformat(found["created"]) if found["created"] else None,
            labels=found["labels"],
            platforms=tuple(Platform(os=item[0], architecture=item[1], variant=item[2]) for item in found["platforms"]),
        )
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError):
        return None


def _stored(outcome: Outcome) -> bytes:
    """Return an outcome as it is kept: its texts and moves. Whoever asked for it may ask otherwise by then."""
    return orjson.dumps(replace(outcome, origin=None, target_spec=None))


def _outcome(content: bytes) -> Outcome | None:
    try:
        found = orjson.loads(content)
        changes = tuple(Change(**{**item, "object_id": tuple(item["object_id"])}) for item in found.pop("changes"))
        moves = tuple(Move(old=Written(**item["old"]), new=Written(**item["new"])) for item in found.pop("moves"))
        opens_at = datetime.fromisoformat(found["opens_at"]) if found.get("opens_at") else None
        status = Status(found["status"])
        return Outcome(**{**found, "status": status, "changes": changes, "moves": moves, "opens_at": opens_at})
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError):
        return None
