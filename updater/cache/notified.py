"""What each route of notifications was told of each target last, so that a restart does not tell all of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping

    from updater.cache.store import DatabaseFile

Place = tuple[str, str]


class NotifiedStates:
    """The states that routes were told, in *store*."""

    def __init__(self, store: DatabaseFile) -> None:
        self._store = store

    async def read(self, route: str) -> dict[Place, str]:
        """Return what *route* was told, by key and target."""

        def work(connection: sqlite3.Connection) -> dict[Place, str]:
            rows = connection.execute("SELECT key, target, state FROM notified WHERE route = ?", (route,)).fetchall()
            return {(str(key), str(target)): str(state) for key, target, state in rows}

        return await self._store.run(work)

    async def write(self, route: str, states: Mapping[Place, str]) -> None:
        """Keep *states*; an empty one is forgotten."""
        gone = [(route, *place) for place, state in states.items() if not state]
        there = [(route, *place, state) for place, state in states.items() if state]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM notified WHERE route = ? AND key = ? AND target = ?", gone)
            connection.executemany("INSERT OR REPLACE INTO notified VALUES (?, ?, ?, ?)", there)

        await self._store.run(work)

    async def keep(self, routes: Collection[str]) -> None:
        """Forget every route that is not among *routes*."""

        def work(connection: sqlite3.Connection) -> None:
            known = {str(route) for (route,) in connection.execute("SELECT DISTINCT route FROM notified")}
            connection.executemany("DELETE FROM notified WHERE route = ?", [(route,) for route in known.difference(routes)])

        await self._store.run(work)
