"""Sprig's functions on lists. None changes its argument.

Source: https://masterminds.github.io/sprig/lists.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.templates.functions.arithmetic import to_int
from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare, with_strict_names
from updater.templates.functions.standard import slice_text
from updater.templates.limits import check_items
from updater.templates.printing import show
from updater.templates.values import Strings, freeze, is_empty, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping


def items_of(value: object, doing: str) -> list[Any]:
    """Return the items of a list; raise `TemplateError` where *value* is none."""
    if isinstance(value, list):
        return value
    raise fault(f"cannot {doing} a {type_name(value)}", hint="give it a list")


def texts_of(value: object) -> Strings:
    """Return the texts of a list's items, nothing left out but nil; what is no list counts as its one item."""
    if value is None:
        return Strings()
    items = value if isinstance(value, list) else [value]
    return Strings(show(item) for item in items if item is not None)


def _append(values: object, item: object) -> list[Any]:
    return [*items_of(values, "append to"), item]


def _prepend(values: object, item: object) -> list[Any]:
    return [item, *items_of(values, "prepend to")]


def _chunk(size: int, values: object) -> list[Any]:
    items = items_of(values, "chunk")
    if size < 1:
        raise fault(f"chunks of {size} items")
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def _rest(values: object) -> list[Any] | None:
    items = items_of(values, "take the rest of")
    return list(items[1:]) if items else []


def _initial(values: object) -> list[Any]:
    return list(items_of(values, "take all but the last of")[:-1])


def _first(values: object) -> object:
    return next(iter(items_of(values, "take the first of")), None)


def _last(values: object) -> object:
    items = items_of(values, "take the last of")
    return items[-1] if items else None


def _unique(values: object) -> list[Any]:
    seen: dict[object, Any] = {}
    for item in items_of(values, "drop doubles of"):
        seen.setdefault(freeze(item), item)
    return list(seen.values())


def _without(values: object, *omitted: object) -> list[Any]:
    unwanted = {freeze(item) for item in omitted}
    return [item for item in items_of(values, "leave items out of") if freeze(item) not in unwanted]


def _has(item: object, values: object) -> bool:
    wanted = freeze(item)
    return values is not None and any(freeze(known) == wanted for known in items_of(values, "look into"))


def _slice(values: object, *indexes: object) -> object:
    """Cut a list as sprig does, and a text as Go's own `slice` does, so that templates of both peers work."""
    if isinstance(values, str):
        return slice_text(values, *indexes)
    items = items_of(values, "slice")
    if not items:
        return None
    start = to_int(indexes[0]) if indexes else 0
    end = to_int(indexes[1]) if len(indexes) > 1 else len(items)
    if not 0 <= start <= end <= len(items):
        raise fault(f"there is no part {start} to {end} of {len(items)} items")
    return type(items)(items[start:end])


def _concat(*lists: object) -> list[Any]:
    check_items(sum(len(items_of(values, "concat")) for values in lists))
    return [item for values in lists for item in items_of(values, "concat")]


def _sort(values: object) -> Strings:
    return Strings(sorted(texts_of(values) if isinstance(values, list) else [show(values)]))


_SIMPLE: Final[Mapping[str, Function]] = {
    "append": declare(_append, "aa"),
    "push": declare(_append, "aa"),
    "prepend": declare(_prepend, "aa"),
    "chunk": declare(_chunk, "ia"),
    "compact": declare(lambda values: [item for item in items_of(values, "compact") if not is_empty(item)], "a"),
    "first": declare(_first, "a"),
    "has": declare(_has, "aa", deep=True),
    "initial": declare(_initial, "a"),
    "last": declare(_last, "a"),
    "rest": declare(_rest, "a"),
    "reverse": declare(lambda values: items_of(values, "reverse")[::-1], "a"),
    "slice": declare(_slice, "aa*"),
    "uniq": declare(_unique, "a", deep=True),
    "without": declare(_without, "aa*", deep=True),
}

LISTS: Final[Mapping[str, Function]] = {
    **with_strict_names(_SIMPLE, *_SIMPLE),
    "concat": declare(_concat, "a*"),
    "list": declare(lambda *items: list(items), "a*"),
    "sortAlpha": declare(_sort, "a", deep=True),
    "tuple": declare(lambda *items: list(items), "a*"),
}
