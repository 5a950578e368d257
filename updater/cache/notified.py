"""What each route of notifications was told of each target last, so that a restart does not tell all of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

Place = tuple[str, str]


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
