"""How values of the program become plain data for JSON: every text printable, bounded and without passwords, times in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from updater.model.moments import rfc3339
from updater.model.text import printable
from updater.reporting.logs import mask

LONGEST: Final = 1000


def told(text: str, *, longest: int = LONGEST) -> str:
    """Return *text* as it may be shown: one line, bounded, without passwords."""
    shown = printable(mask(text))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def plain(value: Any) -> Any:
    """Return *value* as maps, lists, texts and numbers; a dataclass becomes a map of its fields."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return told(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {told(str(name)): plain(item) for name, item in value.items()}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return told(str(value))
