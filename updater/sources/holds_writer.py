"""How a decision is written into `holds.yaml`: comments and order stay, and nobody's edit is lost.

What was read is the lease: where the file is another one just before it is replaced, the decision is made on that text again. A
lock keeps two commands apart; an editor knows no locks, and for it there is the lease.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError
from updater.git.regular_files import open_regular
from updater.model.decision import UNREADABLE, Hold
from updater.reasons import reason_of
from updater.settings.decisions import entry_of
from updater.sources.holds import LIMITS, read_holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Edit = Callable[[dict[str, Any]], dict[str, Any]]

ATTEMPTS: Final = 20
READ_ONLY_HINT: Final = "in a cluster set holds: configmap:namespace/name, which you change with your own rights"


def edited_text(where: str, text: str, key: str, edit: Edit) -> str | None:
    """Return *text* with what *edit* makes of the entry of *key*, None where that is what it says already.

    Raises `ConfigError` where the text cannot be read, so that nothing of it is lost.
    """
    from updater.documents.roundtrip import with_entry  # noqa: PLC0415 - it takes half a second, and only commands write

    found = read_holds(where, text.encode("utf-8", "surrogatepass"))
    if found.decisions.for_all:
        raise ConfigError(str(found.problems[0]), hint="mend the file first: nothing was written", code=UNREADABLE)
    own = found.decisions.by_key.get(key, ())
    before = entry_of(own)
    entry = edit(before)
    has_unread = any(isinstance(item, Hold) and item.is_unread for item in own)
    if entry == before and not has_unread:
        return None
    if has_unread and entry:
        raise ConfigError(
            f"the entry of {key} cannot be read: {own[0].reason}", hint="mend it, or release it first", code=UNREADABLE
        )
    try:
        made = with_entry(text, key, entry)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}", hint="mend the file first: nothing was written", code=UNREADABLE) from None
    again = read_holds(where, made.encode("utf-8", "surrogatepass"))
    expected = {name: entry_of(items) for name, items in found.decisions.by_key.items() if name != key} | (
        {key: entry} if entry else {}
    )
    if {name: entry_of(items) for name, items in again.decisions.by_key.items()} != expected:
        raise ConfigError(f"{where}: the change cannot be written safely", hint="edit the file by hand", code=UNREADABLE)
    return made


def write_decision(path: Path, key: str, edit: Edit) -> bool:
    """Let *edit* change the entry of *key* in the file at *path*; return whether anything changed. Raise `ConfigError`."""
    try:
        with _locked(path):
            for _ in range(ATTEMPTS):
                before = _read(path)
                made = edited_text(str(path), (before or b"").decode("utf-8", "surrogatepass"), key, edit)
                if made is None:
                    return False
                if _replaced(path, before, made.encode("utf-8", "surrogatepass")):
                    return True
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be written: {reason_of(error)}", hint=READ_ONLY_HINT, code="holds-unwritable"
        ) from None
    raise ConfigError(f"{path} is changed by others all the time", hint="run the command again", code="holds-unwritable")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other commands from the folder of *path*."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes | None:
    if path.is_symlink():
        hint = "name the file itself in the configuration; a mounted ConfigMap is changed where it comes from"
        raise ConfigError(f"{path} is a symbolic link, which is not replaced", hint=hint, code="holds-unwritable")
    try:
        with open_regular(path) as file:
            data: bytes = file.read(LIMITS.size + 1)
    except FileNotFoundError:
        return None
    return data


def _replaced(path: Path, before: bytes | None, after: bytes) -> bool:
    """Replace the file where it still says what was read; with the rights that it had."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    mode = stat.S_IMODE(path.stat().st_mode) if before is not None else 0o644
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if before is not None:
                os.fchmod(descriptor, mode)  # the umask of who decides must not lock the program out
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        if _read(path) != before:
            return False
        temporary.replace(path)
        return True
    finally:
        temporary.unlink(missing_ok=True)
