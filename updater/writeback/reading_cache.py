"""How readings are kept beside a mirror, so that a new process parses only blobs that were never seen.

The file is a cache: another version, another rule or any damage (its sum is wrong), and it is empty. A wrong reading could write
nothing, because an editor finds the place again and refuses what is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Any, Final

import orjson

from updater import __version__
from updater.editors.base import FileReadings
from updater.git.regular_files import read_regular
from updater.model.problem import Problem
from updater.model.view import Part, PartKind, Reading
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 2
Kept = tuple[str, FileReadings]  # the id of a blob, and what it holds
LARGEST: Final = 64 * 2**20


def read_remembered(path: Path, rule: str) -> dict[str, Kept]:
    """Return what the file at *path* holds under *rule*, by editor and path; nothing where it cannot be used."""
    try:
        if path.stat().st_size > LARGEST:
            return {}
        total, _, body = read_regular(path).partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != total:
            return {}
        content = orjson.loads(body)
        if content["head"] != [FORMAT, __version__, rule]:
            return {}
        return {key: (blob, _found(row)) for key, (blob, row) in content["found"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_remembered(path: Path, rule: str, found: Mapping[str, Kept]) -> None:
    """Write the whole file in one step; a disk that is full or read-only costs the next start a parse."""
    body = orjson.dumps({"head": [FORMAT, __version__, rule], "found": dict(found)})
    content = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        try:
            draft.write_bytes(content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def _found(row: Mapping[str, Any]) -> FileReadings:
    return FileReadings(
        readings=tuple(map(_reading, row["readings"])),
        problems=tuple(Problem(**problem) for problem in row["problems"]),
    )


def _reading(row: dict[str, Any]) -> Reading:
    return Reading(
        **{
            **row,
            "parts": tuple(Part(**{**part, "kind": PartKind(part["kind"])}) for part in row["parts"]),
            "written": Written(**row["written"]),
            "object_id": tuple(row["object_id"]),
        }
    )
