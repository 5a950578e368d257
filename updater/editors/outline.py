"""The structure of a parsed text, from its events: keys, paths, documents, aliases, objects."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, TypeAlias

from updater.editors import keypaths
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.editors.keypaths import Step
    from updater.editors.scalars import Parsed

ObjectId: TypeAlias = tuple[str, str, str, str]

NO_OBJECT: ObjectId = ("", "", "", "")
_SHOWN_LINES: Final = 5


def key_text(parsed: Parsed, key: int) -> str | None:
    """Return the text of a key; None where the key is an alias or a collection."""
    event = parsed.scalar(key)
    return None if event is None else str(event.value)


def values(parsed: Parsed, mapping: int, key: str) -> Sequence[int]:
    """Return the values under *key*: one, none, or several where the key is written twice."""
    return table(parsed, mapping).get(key, ())


def table(parsed: Parsed, mapping: int) -> dict[str | None, tuple[int, ...]]:
    """Return the values of a mapping by their keys; under None those whose key is no text."""
    found = parsed.tables.get(mapping)
    if found is None:
        inside = parsed.children[mapping]
        keys = [getattr(parsed.events[key], "value", None) for key in inside[::2]]
        found = dict(zip(keys, zip(inside[1::2])))  # noqa: B905 - a mapping has as many values as keys, the parser says
        if len(found) < len(keys):
            found = _doubled(keys, inside[1::2])
        parsed.tables[mapping] = found
    return found


def _doubled(keys: Sequence[str | None], inside: Sequence[int]) -> dict[str | None, tuple[int, ...]]:
    found: dict[str | None, list[int]] = {}
    for key, value in zip(keys, inside, strict=True):
        found.setdefault(key, []).append(value)
    return {key: tuple(several) for key, several in found.items()}


def is_key(parsed: Parsed, index: int) -> bool:
    """Return whether the event is a key of its mapping."""
    parent = parsed.parents[index]
    return parent >= 0 and parsed.is_mapping(parent) and parsed.position(index) % 2 == 0


def where(parsed: Parsed, index: int) -> str:
    """Return the key path of a value, as `keypaths` writes it.

    A value whose key is no text has its position among the keys and values of its mapping instead. Raise `EditError` with
    code ``duplicate-key`` where a key on the way is written twice: which one counts depends on who reads the file.
    """
    return _where(parsed, index) or "."


def _where(parsed: Parsed, index: int) -> str:
    known = parsed.paths.get(index)
    if known is not None:
        return known
    parent = parsed.parents[index]
    if parent < 0:
        document = parsed.position(index)
        path = f"---[{document}]" if document else ""
    else:
        position = parsed.position(index)
        step: Step = position
        if parsed.is_mapping(parent) and position % 2:  # a key that is a mapping itself has its position
            key = getattr(parsed.events[parsed.children[parent][position - 1]], "value", None)
            if key is not None:
                if len(table(parsed, parent)[key]) > 1:
                    check_single(parsed, parent, key)
                step = key
        path = keypaths.below(_where(parsed, parent), step)
    parsed.paths[index] = path
    return path


def scalar_name(parsed: Parsed, index: int) -> str:
    """Return the one name of the physical scalar at *index*, an alias followed to its anchor; "" where none stands there.

    It is its path as `where` writes it. What no key names alone (a key itself, the value of a doubled key or of one
    that is no text) has its position among the keys and values of its mapping instead. Raise `EditError` ``no-anchor``.
    """
    found = resolve(parsed, index)
    return "" if parsed.scalar(found) is None else _name(parsed, found) or "."


def _name(parsed: Parsed, index: int) -> str:
    known = parsed.names.get(index)
    if known is not None:
        return known
    known = parsed.paths.get(index)
    if known is None:
        parent = parsed.parents[index]
        known = _where(parsed, index) if parent < 0 else keypaths.below(_name(parsed, parent), _own_step(parsed, index))
    parsed.names[index] = known
    return known


def _own_step(parsed: Parsed, index: int) -> Step:
    """Return a step that leads from its parent to this node alone."""
    parent = parsed.parents[index]
    position = parsed.position(index)
    if position % 2 == 0 or not parsed.is_mapping(parent):
        return position
    key = key_text(parsed, parsed.children[parent][position - 1])
    return position if key is None or len(values(parsed, parent, key)) > 1 else key


def check_single(parsed: Parsed, mapping: int, key: str | None) -> None:
    """Refuse a key that stands twice in one mapping; raise `EditError`."""
    if key is None or len(table(parsed, mapping).get(key, ())) < 2:
        return
    values_found = table(parsed, mapping)[key]
    keys = [parsed.children[mapping][parsed.position(value) - 1] for value in values_found[:_SHOWN_LINES]]
    lines = ", ".join(str(parsed.line(entry)) for entry in keys) + (", …" if len(values_found) > _SHOWN_LINES else "")
    raise EditError(
        f"the key {key!r} is defined {len(values_found)} times, on lines {lines}",
        hint="keep one of them: which one counts depends on who reads the file",
        code="duplicate-key",
        line=parsed.line(keys[0]),
    )


def object_id(parsed: Parsed, index: int) -> ObjectId:
    """Return apiVersion, kind, namespace and name of the nearest object around an event, "" for what it lacks."""
    parent = parsed.parents[index]
    if parent < 0:
        return NO_OBJECT
    found = parsed.objects.get(parent)
    if found is None:
        keys = table(parsed, parent) if parsed.is_mapping(parent) else {}
        is_object = bool(keys) and (parsed.parents[parent] < 0 or ("kind" in keys and "apiVersion" in keys))
        found = parsed.objects[parent] = _object(parsed, parent) if is_object else object_id(parsed, parent)
    return found


def _object(parsed: Parsed, mapping: int) -> ObjectId:
    metadata = values(parsed, mapping, "metadata")
    inner = metadata[0] if metadata and parsed.is_mapping(metadata[0]) else None
    return (
        _text(parsed, mapping, "apiVersion"),
        _text(parsed, mapping, "kind"),
        _text(parsed, inner, "namespace"),
        _text(parsed, inner, "name"),
    )


def _text(parsed: Parsed, mapping: int | None, key: str) -> str:
    found = () if mapping is None else values(parsed, mapping, key)
    event = parsed.scalar(found[0]) if found else None
    return "" if event is None else str(event.value)


def last_event(parsed: Parsed, index: int) -> int:
    """Return the index of the last event of a node: its own, or the end of the collection."""
    if not parsed.is_collection(index):
        return index
    inside = parsed.children[index]
    return (last_event(parsed, inside[-1]) if inside else index) + 1


def text_end(parsed: Parsed, index: int) -> int:
    """Return the offset behind the last character of a node, line ends of block scalars left out."""
    inside = parsed.children[index] if parsed.is_collection(index) else None
    if inside and not parsed.is_flow(index):
        return text_end(parsed, inside[-1])
    start, end = parsed.span(index) if inside is None else (parsed.span(index)[0], parsed.span(last_event(parsed, index))[1])
    return start + len(parsed.text[start:end].rstrip())


def resolve(parsed: Parsed, index: int) -> int:
    """Follow an alias to the node that it stands for; raise `EditError` where there is none."""
    name = parsed.alias(index)
    if name is None:
        return index
    root = index
    while parsed.parents[root] >= 0:
        root = parsed.parents[root]
    anchored = _anchors(parsed).get(name, [])
    before = bisect_left(anchored, index) - 1
    if before >= 0 and anchored[before] >= root:
        return anchored[before]
    hint = f"write &{name} before the alias, in the same document"
    raise EditError(f"the alias *{name} has no anchor", hint=hint, code="no-anchor", line=parsed.line(index))


def _anchors(parsed: Parsed) -> dict[str, list[int]]:
    """Return the events that have each anchor, in order; looked for once a text."""
    if not parsed.anchors:
        found: dict[str, list[int]] = {}
        for index, event in enumerate(parsed.events):
            name = getattr(event, "anchor", None)
            if name is not None and parsed.alias(index) is None:
                found.setdefault(name, []).append(index)
        parsed.anchors.update(found)
    return parsed.anchors
