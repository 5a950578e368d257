"""How a person's decision changes what is decided already: the rows of holds, pins and rejections, and their edits.

Commands and the API make the same decisions by it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError
from updater.model.image import is_tag, parse_digest
from updater.model.moments import rfc3339
from updater.model.text import printable
from updater.settings.decisions import READMIT
from updater.settings.values import read_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[dict[str, Any]], dict[str, Any]]

LONGEST_REASON: Final = 1000


def decision_row(
    *, author: str, reason: str, until: str | None = None, lasts: str | None = None, dash: str = "", **named: str
) -> dict[str, Any]:
    """Return a decision that *author* makes now; raise `ConfigError` for a time that cannot be read.

    It ends at *until* or after *lasts*. *named* is what it is about; *dash* stands before the names of options in messages.
    """
    now = datetime.now(UTC).timestamp()
    end = _end(until, lasts, now, dash)
    if len(reason) > LONGEST_REASON:
        message = f"the reason is longer than {LONGEST_REASON} characters"
        raise ConfigError(message, hint="name a page that tells more", code="usage")
    found = {**named, "author": author, "reason": printable(reason.strip()), "since": rfc3339(now)}
    return {name: text for name, text in {**found, "until": rfc3339(end) if end else ""}.items() if text}


def _end(until: str | None, lasts: str | None, now: float, dash: str) -> float | None:
    if until and lasts:
        raise ConfigError(f"{dash}until and {dash}for are both set", hint="keep one of them", code="usage")
    if lasts:
        return now + read_duration(lasts)
    if not until:
        return None
    try:
        end = datetime.fromisoformat(until).timestamp()  # without a zone it is the time of this machine
    except (ValueError, OverflowError, OSError):
        hint = f"write 2026-12-01T09:00:00Z, 2026-12-01 or {dash}for 4h"
        raise ConfigError(f"{until!r} is not a time", hint=hint, code="usage") from None
    if end <= now:
        raise ConfigError(f"{until} is over", hint="name a time in the future", code="usage")
    return end


def named_tag(tag: str) -> dict[str, str]:
    """Return what a pin is about; raise `ConfigError`."""
    if not is_tag(tag):
        raise ConfigError(f"{tag!r} is not a tag", hint="letters, digits, '_', '.' and '-', at most 128", code="usage")
    return {"tag": tag}


def named_image(image: str) -> dict[str, str]:
    """Return what a rejection is about, a tag or a digest; raise `ConfigError`."""
    if ":" in image:
        return {"digest": str(parse_digest(image))}
    if is_tag(image):
        return {"tag": image}
    raise ConfigError(f"{image!r} is neither a tag nor a digest", hint="write 1.2.3 or sha256:…", code="usage")


def held(row: dict[str, Any]) -> Edit:
    """Return the edit that holds."""
    return lambda entry: entry if _says_the_same(entry.get("hold"), row) else {**entry, "hold": row}


def pinned(row: dict[str, Any]) -> Edit:
    """Return the edit that pins."""
    return lambda entry: entry if _says_the_same(entry.get("pin"), row) else {**entry, "pin": row}


def rejected(row: dict[str, Any], named: dict[str, str]) -> Edit:
    """Return the edit that rejects what *named* says."""

    def edit(entry: dict[str, Any]) -> dict[str, Any]:
        before = entry.get("reject", [])
        if any(_says_the_same(item, row) for item in before):
            return entry
        others = [item for item in before if any(item.get(name) != value for name, value in named.items())]
        return {**entry, "reject": [*others, row]}

    return edit


def released(entry: dict[str, Any]) -> dict[str, Any]:
    """Take back the hold, the pin and the rejections; what may be written again stays so."""
    return {kind: value for kind, value in entry.items() if kind == READMIT}


def _says_the_same(one: dict[str, Any] | None, other: dict[str, Any]) -> bool:
    """Return whether two decisions say the same, whenever and by whom they were made."""
    left, right = ({name: row[name] for name in row if name not in {"since", "author"}} for row in (one or {"": ""}, other))
    return left == right
