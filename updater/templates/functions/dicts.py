"""Sprig's functions on maps. `set`, `unset` and `merge` change their argument, as in sprig.

Source: https://masterminds.github.io/sprig/dicts.html. Keys and values come in sorted order here, where sprig's order is random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare, with_strict_names
from updater.templates.printing import show
from updater.templates.values import Strings, is_empty, sorted_items, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_Map = dict[Any, Any]


def _dict(*pairs: object) -> _Map:
    made: _Map = {}
    for index in range(0, len(pairs), 2):
        made[show(pairs[index])] = pairs[index + 1] if index + 1 < len(pairs) else ""
    return made


def _set(entries: _Map, key: str, value: object) -> _Map:
    entries[key] = value
    return entries


def _unset(entries: _Map, key: str) -> _Map:
    entries.pop(key, None)
    return entries


def _keys(*maps: _Map) -> Strings:
    return Strings(key for entries in maps for key, _ in sorted_items(entries))


def _pick(entries: _Map, *keys: str) -> _Map:
    return {key: entries[key] for key in keys if key in entries}


def _omit(entries: _Map, *keys: str) -> _Map:
    return {key: value for key, value in entries.items() if key not in keys}


def _merge(into: _Map, *sources: _Map) -> _Map:
    for source in sources:
        _merge_one(into, source, is_overwriting=False)
    return into


def _merge_over(into: _Map, *sources: _Map) -> _Map:
    for source in sources:
        _merge_one(into, source, is_overwriting=True)
    return into


def _merge_one(into: _Map, source: _Map, *, is_overwriting: bool) -> None:
    """Maps merge into maps; else a value gives way where it is empty, or when overwriting."""
    for key, value in source.items():
        known = into.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            if known is not value:
                _merge_one(known, value, is_overwriting=is_overwriting)
        elif is_overwriting or (is_empty(known) and value is not None):
            into[key] = value


def _dig(*steps: object) -> object:
    if len(steps) < 3:
        raise fault("dig wants at least 3 arguments", hint='write dig "key" "key" default map')
    *keys, default, value = steps
    for key in keys:
        if not isinstance(value, dict) or not isinstance(key, str):
            raise fault(f"dig cannot follow {show(key)} into a {type_name(value)}")
        if key not in value:
            return default
        value = value[key]
    return value


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return type(value)((key, _copy(item)) for key, item in value.items())
    if isinstance(value, list):
        return type(value)(_copy(item) for item in value)
    return value


def _pluck(key: str, *maps: _Map) -> list[Any]:
    return [entries[key] for entries in maps if key in entries]


_STRICT: Final[Mapping[str, Function]] = {
    "deepCopy": declare(_copy, "a", deep=True),
    "merge": declare(_merge, "mm*", deep=True),
    "mergeOverwrite": declare(_merge_over, "mm*", deep=True),
}

DICTS: Final[Mapping[str, Function]] = {
    **with_strict_names(_STRICT, *_STRICT),
    "dict": declare(_dict, "a*"),
    "dig": declare(_dig, "a*"),
    "get": declare(lambda entries, key: entries.get(key, ""), "ms"),
    "hasKey": declare(lambda entries, key: key in entries, "ms"),
    "keys": declare(_keys, "m*"),
    "omit": declare(_omit, "ms*"),
    "pick": declare(_pick, "ms*"),
    "pluck": declare(_pluck, "sm*"),
    "set": declare(_set, "msa"),
    "unset": declare(_unset, "ms"),
    "values": declare(lambda entries: [value for _, value in sorted_items(entries)], "m"),
}
