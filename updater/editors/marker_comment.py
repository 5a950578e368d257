"""The grammar of a marker: a comment that contains one JSON object and nothing else.

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
#: spellings of the key that were plainly meant, by the bytes that stand in a comment
_MISSPELT: Final = (b"$imagePolicy", b"$ImagePolicy", b'"imagepolicy"', b'"imagePolicy"', b'"ImagePolicy"')
NEEDLES: Final = (b"$imagepolicy", b"io.k8s.cli.setters.", *_MISSPELT)
_NEEDLES: Final = tuple(needle.decode() for needle in NEEDLES)
_MEANT: Final = frozenset(needle.decode().strip('"') for needle in _MISSPELT)
NEEDLE: Final = re.compile("|".join(re.escape(needle) for needle in _NEEDLES))
_LONGEST_KEPT: Final = 512
_SHOWN: Final = 100
_OLD_PREFIX: Final = "#/definitions/io.k8s.cli.setters."
_SUFFIXES: Final = {"tag": PartKind.TAG, "name": PartKind.NAME, "digest": PartKind.DIGEST}
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_HINT: Final = 'write # {"$imagepolicy": "namespace:policy"}, followed by :tag, :name or :digest for one part'


def offsets(text: str) -> list[int]:
    """Return the offset of everything that may be a marker, in order."""
    found = []
    for needle in _NEEDLES:
        at = text.find(needle)
        while at >= 0:
            found.append(at)
            at = text.find(needle, at + 1)
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Marker:
    """A policy ``namespace:name``, and the part of the image in the marked value."""

    policy: str
    kind: PartKind
    setter: str


def parse(comment: str) -> Marker | None:
    """Read a comment, its leading signs included; None where it is no marker of ours.

    Raises `EditError` with code ``marker-syntax`` where it was meant as one.
    """
    return _remembered(comment) if len(comment) <= _LONGEST_KEPT else _parse(comment)


def is_bare(comment: str, *, has_value: bool) -> bool:
    """Return whether a comment alone on its line can be a marker: what is written around one, or above no value, is prose."""
    body = comment.lstrip("#").strip()
    return body.startswith("{") and (has_value or body.endswith("}") or "}" not in body)


def at_end(text: str) -> str | None:
    """Return what looks like a marker's comment at the end of a line of text, None where nothing does."""
    stripped = text.rstrip()
    if not stripped.endswith("}"):
        return None
    start = stripped.find("#")
    while start >= 0:
        behind = start + 1
        while stripped.startswith(("#", " ", "\t"), behind):
            behind += 1
        if stripped.startswith("{", behind) and (start == 0 or stripped[start - 1].isspace()):
            return stripped[start:]
        start = stripped.find("#", behind)
    return None


def _parse(comment: str) -> Marker | None:
    body = comment.lstrip("#/;-").strip()
    if not NEEDLE.search(body) or "{" not in body:
        return None
    setter = _setter(body)
    return None if setter is None else _marker(setter)


_remembered = lru_cache(maxsize=1024)(_parse)


def _setter(body: str) -> str | None:
    value = _load(body)
    if not isinstance(value, dict):
        raise _wrong("it is not one JSON object", _quoted_hint(body))
    if KEY not in value:
        _check_spelling(value)
        old = value.get("$ref")
        is_ours = isinstance(old, str) and old.startswith(_OLD_PREFIX) and ":" in old.removeprefix(_OLD_PREFIX)
        return str(old).removeprefix(_OLD_PREFIX) if is_ours else None
    for key, item in value.items():
        if not isinstance(item, str):
            raise _wrong(f"the value of {json.dumps(key)} is not a string")
    return str(value[KEY])


def _check_spelling(value: dict[str, object]) -> None:
    """Refuse a key that differs from ours only in its letters or in the dollar sign."""
    for key, setter in value.items():
        if key in _MEANT:
            hint = f'write # {{"{KEY}": {json.dumps(setter)}}}' if isinstance(setter, str) and len(setter) <= _SHOWN else _HINT
            raise _wrong(f"unknown key {json.dumps(key)}", hint)


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
        raise _wrong("there are two markers on one line" if is_twice else "it is not JSON", _quoted_hint(body)) from None
    raise _wrong("there is text around the JSON object", f"write # {body[start : end + 1]}")


def _quoted_hint(body: str) -> str:
    match = re.search(r"""\{\s*['"]?\$imagepolicy['"]?\s*:\s*['"]?([^'"}\s]+)""", body)
    return f'write # {{"{KEY}": "{match.group(1)}"}}' if match and len(match.group(1)) <= _SHOWN else _HINT


def _marker(setter: str) -> Marker:
    parts = setter.split(":")
    if len(parts) < 2:
        near = f'write "{setter.replace("/", ":", 1)}"' if "/" in setter else _HINT
        raise _wrong(f"{setter!r} has no namespace: expected namespace:policy", near)
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
