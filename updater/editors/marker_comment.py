"""Knows the grammar of a marker: a comment that holds one JSON object and nothing else.

``# {"$imagepolicy": "ns:policy[:tag|:name|:digest]"}``, and the older
``# {"$ref": "#/definitions/io.k8s.cli.setters.ns:policy"}``. Other comments, and the setters of other
tools, are none of ours; what was plainly meant as a marker and is none is said, never ignored.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from updater.errors import EditError
from updater.model.view import PartKind

KEY: Final = "$imagepolicy"
NEEDLES: Final = (b"$imagepolicy", b"io.k8s.cli.setters.")
NEEDLE: Final = re.compile(r"\$imagepolicy|io\.k8s\.cli\.setters\.")
_NEEDLES: Final = tuple(needle.decode() for needle in NEEDLES)
_OLD_PREFIX: Final = "#/definitions/io.k8s.cli.setters."
_SUFFIXES: Final = {"tag": PartKind.TAG, "name": PartKind.NAME, "digest": PartKind.DIGEST}
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_HINT: Final = 'write # {"$imagepolicy": "namespace:policy"}, with :tag, :name or :digest behind it for a part'


def offsets(text: str) -> list[int]:
    """Give the offset of everything that may be a marker, in order."""
    found = []
    for needle in _NEEDLES:
        at = text.find(needle)
        while at >= 0:
            found.append(at)
            at = text.find(needle, at + 1)
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Marker:
    """A policy ``namespace:name`` and the part of the image that the marked value holds."""

    policy: str
    kind: PartKind
    setter: str


@lru_cache(maxsize=1024)
def parse(comment: str) -> Marker | None:
    """Read a comment, its leading signs included; None where it is no marker of ours.

    Raises `EditError` with code ``marker-syntax`` where it was meant as one.
    """
    body = comment.lstrip("#/;-").strip()
    if not NEEDLE.search(body) or "{" not in body:
        return None
    setter = _setter(body)
    return None if setter is None else _marker(setter)


def _setter(body: str) -> str | None:
    value = _load(body)
    if not isinstance(value, dict):
        raise _wrong("it is not one JSON object", _quoted_hint(body))
    if KEY not in value:
        old = value.get("$ref")
        is_ours = isinstance(old, str) and old.startswith(_OLD_PREFIX) and ":" in old.removeprefix(_OLD_PREFIX)
        return str(old).removeprefix(_OLD_PREFIX) if is_ours else None
    for key, item in value.items():
        if not isinstance(item, str):
            raise _wrong(f"the value of {json.dumps(key)} is no string")
    return str(value[KEY])


def _load(body: str) -> object:
    try:
        return json.loads(body)
    except RecursionError:
        raise _wrong("it is not one JSON object") from None
    except ValueError:
        pass
    start, end = body.find("{"), body.rfind("}")
    try:
        json.loads(body[start : end + 1])
    except (ValueError, RecursionError):
        is_twice = len(NEEDLE.findall(body)) > 1
        raise _wrong("two markers stand on one line" if is_twice else "it is not JSON", _quoted_hint(body)) from None
    raise _wrong("there is text around the JSON object", f"write # {body[start : end + 1]}")


def _quoted_hint(body: str) -> str:
    match = re.search(r"""\{\s*['"]?\$imagepolicy['"]?\s*:\s*['"]?([^'"}\s]+)""", body)
    return f'write # {{"{KEY}": "{match.group(1)}"}}' if match else _HINT


def _marker(setter: str) -> Marker:
    parts = setter.split(":")
    if len(parts) < 2:
        near = f'write "{setter.replace("/", ":", 1)}"' if "/" in setter else _HINT
        raise _wrong(f"{setter!r} has no namespace: namespace:policy is wanted", near)
    if len(parts) > 3 or not all(_NAME.fullmatch(part) for part in parts[:2]):
        bare = re.sub(r"\s", "", setter)
        near = f'write "{bare}"' if bare != setter else _HINT
        raise _wrong(f"{setter!r} is not namespace:policy[:tag|:name|:digest]", near)
    if len(parts) == 2:
        return Marker(setter, PartKind.REFERENCE, setter)
    suffix = parts[2]
    if suffix not in _SUFFIXES:
        close = difflib.get_close_matches(suffix.lower(), _SUFFIXES, n=1)
        raise _wrong(f"there is no suffix {':' + suffix!r}", f"did you mean :{close[0]}?" if close else _HINT)
    return Marker(f"{parts[0]}:{parts[1]}", _SUFFIXES[suffix], setter)


def _wrong(reason: str, hint: str = _HINT) -> EditError:
    return EditError(f"this marker is not understood: {reason}", hint=hint, code="marker-syntax")
