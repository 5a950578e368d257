"""The SQLite file: one connection in one thread, a schema that is recreated when its version differs, recovery from damage.

A store never fails its caller. What cannot be used is said once and the store goes on in memory: the cache
is a saving, and its loss may cost requests but never a decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self, TypeVar

from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

SCHEMA_VERSION: Final = 1
IN_MEMORY: Final = ":memory:"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS description (digest TEXT PRIMARY KEY, content BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS description_used ON description (used);
CREATE TABLE IF NOT EXISTS listing (image TEXT PRIMARY KEY, present BLOB NOT NULL, gone BLOB NOT NULL, used INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (image TEXT NOT NULL, digest TEXT NOT NULL, first INTEGER NOT NULL, used INTEGER NOT NULL,
  PRIMARY KEY (image, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdict (key TEXT NOT NULL, revision TEXT NOT NULL, content BLOB NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (key, revision)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (key TEXT PRIMARY KEY, seen REAL NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notified (route TEXT NOT NULL, key TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (route, key, target)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcome (key TEXT NOT NULL, target TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (key, target))
  WITHOUT ROWID;
"""
# what a locked, full or forbidden disk says: the file may be whole, and a new one would fare no better
_OF_THE_DISK: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
# what bytes that nobody wrote lead to besides: texts that are no UTF-8, values of another kind, moments out of range
_FOREIGN: Final = (sqlite3.Error, ValueError, TypeError, LookupError, ArithmeticError, OSError)


class DatabaseFile:
    """One database file. With *path* None everything stays in memory; *say* is called with a problem, in one sentence.

    Every call runs in the store's own thread; `close` ends it.
    """

    def __init__(self, path: Path | None, *, say: Callable[[str], None] = lambda _sentence: None) -> None:
        self._path = path
        self._say = say
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache")
        self._connection: sqlite3.Connection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Write what is due and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of *work* on the database, as one transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._opened()
            with connection:
                return work(connection)
        except UnicodeEncodeError:  # of what is to be written; the file is whole
            raise
        except _FOREIGN as error:
            self._step_back(error)
        with self._opened() as connection:
            return work(connection)

    def _opened(self) -> sqlite3.Connection:
        if self._path:
            _require_regular(self._path)
        if self._connection is None:
            self._connection = _open(self._path) if self._path else _open_memory()
        return self._connection

    def _step_back(self, error: Exception) -> None:
        """Go on without what broke: a broken file is made anew, with trouble of the disk memory must do."""
        path = self._path
        self._close()
        if path and (_is_damage(error) or not path.is_file()) and _remove(path):
            try:
                self._connection = _open(path)
            except sqlite3.Error as again:
                error = again
            else:
                self._say(f"the cache {path} was broken ({_words(error)}); it was recreated and fills up again")
                return
        self._path = None
        self._say(f"the cache {path} cannot be used ({_words(error)}); going on without it, at the price of more requests")

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


_WORDS: Final = {
    "file is not a database": "the file is not a cache",
    "database disk image is malformed": "the file is damaged",
    "malformed database schema": "the file is damaged",
    "unsupported file format": "the file is damaged",
    "Could not decode": "the file is damaged",
    "disk I/O error": "the disk reports an error",
    "database is locked": "another program uses it",
    "unable to open database file": "the file cannot be opened",
    "attempt to write a readonly database": "the file must not be written",
    "database or disk is full": "the disk is full",
}


def _is_damage(error: Exception) -> bool:
    """Return whether *error* comes from the content of the file."""
    if not isinstance(error, sqlite3.Error):
        return True
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF not in _OF_THE_DISK  # the rest of a code is its detail


def _words(error: Exception) -> str:
    if not isinstance(error, sqlite3.Error):
        return "the file is damaged"
    text = str(error)
    return next((words for begin, words in _WORDS.items() if text.startswith(begin)), text)


def _require_regular(path: Path) -> None:
    """Raise `sqlite3.OperationalError` where the database or its journal is a pipe or the like: SQLite would wait for its end."""
    for name in (path, path.with_name(f"{path.name}-journal")):
        try:
            is_regular = stat.S_ISREG(name.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            continue  # opening says why, or makes it
        except OSError:
            is_regular = False  # a link to itself
        if not is_regular:
            raise sqlite3.OperationalError(f"{name.name} is not a regular file")


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sqlite3.OperationalError(reason_of(error) or "the folder cannot be made") from error
    connection = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        # no file of it is mapped into memory, as WAL's index is: one that is cut while it is mapped kills the process
        connection.execute("PRAGMA journal_mode=TRUNCATE")
        connection.execute("PRAGMA synchronous=OFF")  # what a power failure takes costs requests, no more
        connection.execute("PRAGMA cell_size_check=ON")
        _prepare(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _open_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(IN_MEMORY, check_same_thread=False)
    _prepare(connection)
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables; those of another version are dropped, since all they hold can be asked again."""
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found not in {0, SCHEMA_VERSION}:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            quoted = name.replace('"', '""')
            connection.execute(f'DROP TABLE "{quoted}"')
    connection.executescript(_SCHEMA)
    if found != SCHEMA_VERSION:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.commit()


def _remove(path: Path) -> bool:
    try:
        for name in (path, *(path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm"))):
            if name.is_dir() and not name.is_symlink():
                name.rmdir()
            else:
                name.unlink(missing_ok=True)
    except OSError:
        return False
    return True
