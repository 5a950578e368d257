"""Reads the answers of forges, which are strangers: what has the wrong type is nothing, and a refusal is quoted in short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.forge.base import ForgeUser
from updater.http.redaction import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.http.exchange import Response

_LONGEST_MESSAGE: Final = 300
_LONGEST_LINK: Final = 500
_MOST_WORDS: Final = 5
_LONGEST_NAME: Final = 200
_MOST_LABELS: Final = 100
_EACH_VALUE: Final = 64
_LONGEST_CHARACTER: Final = 4
MOST_MEMORY: Final = 64 * 2**20
"""What one answer may take once it is parsed, in bytes."""


def memory_of(body: bytes) -> int:
    """Return about how many bytes the JSON text *body* takes once it is parsed: empty lists take twenty times their text."""
    values = sum(body.count(sign) for sign in b"[{,:")
    return len(body) * (1 if body.isascii() else _LONGEST_CHARACTER) + values * _EACH_VALUE


def parsed(body: bytes) -> Any:
    """Return the JSON in *body*; raise `ValueError` for what is none, and for what would take more than `MOST_MEMORY`."""
    if memory_of(body) > MOST_MEMORY:
        message = f"the answer takes more than {MOST_MEMORY >> 20} MiB of memory"
        raise ValueError(message)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        message = "the answer is no JSON"
        raise ValueError(message) from None


def mapping(value: object, *path: str) -> Mapping[str, Any]:
    """Return the mapping at *path* of *value*, an empty one where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """Return a list, an empty one for what is none."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return a text, "" for what is none."""
    return value if isinstance(value, str) else ""


def number(value: object) -> int | None:
    """Return a whole number above zero, None for what is none: a bool is an int to Python."""
    return value if type(value) is int and 0 < value < 2**63 else None


def names(values: object, *, of: str = "name") -> frozenset[str]:
    """Return the names in a list of texts, or of mappings that have one under *of*."""
    found = (item.get(of) if isinstance(item, dict) else item for item in listing(values)[:_MOST_LABELS])
    return frozenset(name for name in found if isinstance(name, str) and name)


def read_user(value: object, key: str, name: str) -> ForgeUser | None:
    """Return the user in *value*, whose id is under *key*, a number or a text, and whose name under *name*; None for none."""
    found = mapping(value)
    which = number(found.get(key))
    shown = text(found.get(name))
    shown = shown if len(shown) <= _LONGEST_NAME and shown.isprintable() else ""
    user = ForgeUser(str(which) if which is not None else text(found.get(key)), shown)
    return user if user.id or user.name else None


def page_link(url: object) -> str:
    """Return the page of a pull request as the forge names it, "" where that is no URL."""
    is_url = isinstance(url, str) and url.startswith(("https://", "http://")) and url.isprintable()
    return url.replace(" ", "%20") if is_url and isinstance(url, str) and len(url) <= _LONGEST_LINK else ""


def words_of(answer: Response) -> str:
    """Return what a forge says of a refusal, in one line without what it was shown."""
    try:
        found = parsed(answer.body)
    except ValueError:
        return ""
    words = [words for _, words in zip(range(_MOST_WORDS), _words(found), strict=False)]
    return told("; ".join(words), most=_LONGEST_MESSAGE, secrets=answer.secrets)


def _words(value: object, depth: int = 3) -> Iterator[str]:
    """Yield the texts of a refusal: each forge puts them elsewhere, below ``message``, ``error``, ``errors`` or ``detail``."""
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, list) and depth:
        for item in value[:_MOST_WORDS]:
            yield from _words(item, depth - 1)
    elif isinstance(value, dict) and depth:
        named = [
            value[name]
            for name in ("message", "error_description", "error", "errors", "detail", "exceptionName")
            if name in value
        ]
        # GitLab names the field and lists what is wrong with it
        for item in named or [words for words in list(value.values())[:_MOST_WORDS] if isinstance(words, list)]:
            yield from _words(item, depth - 1)
