"""The limits of a template, so that a hostile template ends in an error and not in an outage.

A run has a fixed number of steps. Each node walked and each call is a step; what a call is given and
what it makes is weighed and paid for too, so that time and memory follow the steps, whatever the
template does. Texts and lists that a call would blow up are refused before they are built.
"""

from __future__ import annotations

from typing import Final

from updater.errors import TemplateError
from updater.templates.source import LIMIT
from updater.templates.values import Struct

MAX_SOURCE: Final = 64 * 1024
MAX_STEPS: Final = 500_000
MAX_TEXT: Final = 1024 * 1024
MAX_ITEMS: Final = 100_000
MAX_VALUE_DEPTH: Final = 64
MAX_BLOCK_DEPTH: Final = 40
MAX_RUN_DEPTH: Final = 60

_CHARACTERS_A_STEP: Final = 32


def refuse(message: str) -> TemplateError:
    """Return the error for a template that wants too much."""
    return TemplateError(message, hint="a message needs far less; make the template smaller", code=LIMIT)


def check_text(length: int) -> None:
    """Refuse a text of *length* characters before it is built; raise `TemplateError`."""
    if length > MAX_TEXT:
        raise refuse(f"the template would make a text of {length} characters, more than {MAX_TEXT}")


def check_items(count: int) -> None:
    """Refuse a list of *count* items before it is built; raise `TemplateError`."""
    if count > MAX_ITEMS:
        raise refuse(f"the template would make a list of {count} items, more than {MAX_ITEMS}")


class Meter:
    """Count the steps of one run; every method raises `TemplateError` when the limit is exceeded."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Pay for *steps*."""
        self._left -= steps
        if self._left < 0:
            raise refuse("the template takes too many steps")

    def weigh(self, value: object, *, deep: bool) -> None:
        """Pay for a value: its own length, or with *deep* that of everything in it, as often as it is reached."""
        waiting = [(value, 0)]
        while waiting:
            item, depth = waiting.pop()
            if isinstance(item, str):
                self.spend(len(item) // _CHARACTERS_A_STEP)
            elif isinstance(item, (list, dict, Struct)):
                inner = _contents(item)
                self.spend(len(inner))
                if deep:
                    if depth >= MAX_VALUE_DEPTH:
                        raise refuse(f"a value of the template is nested deeper than {MAX_VALUE_DEPTH}")
                    waiting.extend((part, depth + 1) for part in inner)


def _contents(item: list[object] | dict[object, object] | Struct) -> list[object]:
    if isinstance(item, list):
        return item
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return [value for _, value in item.fields]
