"""What each route of notifications was told of each target last, so that a restart does not tell all of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from updater.cache.store import DatabaseFile

Place = tuple[str, str]


class NotifiedStates:
    """The states that routes were told, in the file of a cache."""

    def __init__(self, store: DatabaseFile) -> None:
        self._store = store

    async def of(self, route: str) -> dict[Place, str]:
        """Return what a route was told, by key and target."""
        return await self._store.run(lambda connection: read_notified(connection, route))

    async def remember(self, route: str, states: Mapping[Place, str]) -> None:
        """Remember what a route was told; an empty state is forgotten."""
        await self._store.run(lambda connection: write_notified(connection, route, states))


def read_notified(connection: sqlite3.Connection, route: str) -> dict[Place, str]:
    """Return the states that *route* was told, by key and target."""
    rows = connection.execute("SELECT key, target, state FROM notified WHERE route = ?", (route,)).fetchall()
    return {(str(key), str(target)): str(state) for key, target, state in rows}


def write_notified(connection: sqlite3.Connection, route: str, states: Mapping[Place, str]) -> None:
    """Keep *states*; an empty one is forgotten."""
    gone = [(route, *place) for place, state in states.items() if not state]
    there = [(route, *place, state) for place, state in states.items() if state]
    connection.executemany("DELETE FROM notified WHERE route = ? AND key = ? AND target = ?", gone)
    connection.executemany("INSERT OR REPLACE INTO notified VALUES (?, ?, ?, ?)", there)
