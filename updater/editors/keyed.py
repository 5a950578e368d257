"""Follow a key path through mappings, lists, aliases and merge keys to one node.

``a.b`` may be nested keys or one literal key ``a.b``, also half of each; nested keys win where both exist.
A missing key is explained: how far the path went, and which key there is nearest.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from updater.editors import keypaths, outline
from updater.editors.keypaths import QuotedKey
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.editors.keypaths import Step
    from updater.editors.scalars import Parsed

_MERGE: Final = "<<"


def scalar(parsed: Parsed, path: str) -> int:
    """Find the scalar under a key path, by the index of its event; aliases lead to the anchor's scalar.

    Raises `EditError`: ``key-path``, ``no-such-key``, ``not-a-scalar``, ``duplicate-key``, and ``ambiguous``
    where several documents of the file have the key.
    """
    steps = keypaths.parse(path)
    roots = parsed.children[-1]
    hits = [hit for root in roots if (hit := _descend(parsed, root, steps)) is not None]
    if not hits:
        raise _missing(parsed, path, steps)
    if len(hits) > 1:
        lines = ", ".join(str(parsed.line(hit)) for hit in hits)
        hint = "a values file is one document"
        raise EditError(f"{path} is in {len(hits)} documents, on lines {lines}", hint=hint, code="ambiguous", line=None)
    if parsed.scalar(hits[0]) is None:
        kind = "list" if parsed.is_sequence(hits[0]) else "mapping"
        hint = "name the key of one text" + _keys_hint(parsed, path, hits[0])
        raise EditError(f"{path} is a {kind}", hint=hint, code="not-a-scalar", line=parsed.line(hits[0]))
    return hits[0]


def _descend(parsed: Parsed, node: int, steps: Sequence[Step]) -> int | None:
    node = outline.resolve(parsed, node)
    if not steps:
        return node
    if isinstance(steps[0], int):
        inside = parsed.children[node] if parsed.is_sequence(node) else []
        return _descend(parsed, inside[steps[0]], steps[1:]) if steps[0] < len(inside) else None
    if not parsed.is_mapping(node):
        return None
    for length, key in _keys(steps):
        value = _value(parsed, node, key, set())
        hit = None if value is None else _descend(parsed, value, steps[length:])
        if hit is not None:
            return hit
    return None


def _keys(steps: Sequence[Step]) -> list[tuple[int, str]]:
    """Return the keys with which a path can go on: its next one, then those with dots in them."""
    keys = [(1, str(steps[0]))]
    if not isinstance(steps[0], QuotedKey):
        for length in range(2, len(steps) + 1):
            if isinstance(steps[length - 1], (int, QuotedKey)):
                break
            keys.append((length, ".".join(map(str, steps[:length]))))
    return keys


def _value(parsed: Parsed, mapping: int, key: str, seen: set[int]) -> int | None:
    """Return the value of a key, that of a merged mapping where the key itself is missing."""
    if mapping in seen:
        return None
    seen.add(mapping)
    found = outline.values(parsed, mapping, key)
    if found:
        outline.check_single(parsed, mapping, key)
        return found[0]
    for merged in outline.values(parsed, mapping, _MERGE):
        source = outline.resolve(parsed, merged)
        sources = parsed.children[source] if parsed.is_sequence(source) else [source]
        for item in sources:
            base = outline.resolve(parsed, item)
            value = _value(parsed, base, key, seen) if parsed.is_mapping(base) else None
            if value is not None:
                return value
    return None


def _missing(parsed: Parsed, path: str, steps: Sequence[Step]) -> EditError:
    """Return how far a path leads, at the document where it leads furthest."""
    depth, node = max((_furthest(parsed, root, steps) for root in parsed.children[-1]), default=(0, -1))
    if node < 0:
        return EditError(f"there is no {path}: the file is empty", hint="write the key once", code="no-such-key", line=1)
    here, step = keypaths.show(steps[:depth]), steps[depth]
    where = "the file" if not depth else here
    if parsed.is_sequence(node):
        count = len(parsed.children[node])
        reason = (
            f"[{step}] is out of range, {where} has {count} item{'' if count == 1 else 's'}"
            if isinstance(step, int)
            else f"{where} is a list"
        )
        hint = (
            f"name an item by its number, {here}[0]{f' to [{count - 1}]' if count > 1 else ''}" if count else "the list is empty"
        )
    elif parsed.is_mapping(node):
        reason = f"{where} is not a list" if isinstance(step, int) else f"{where} has no key {str(step)!r}"
        hint = _near(parsed, node, steps[:depth], step) or "write the key once; keys are never made up"
    else:
        reason, hint = f"{where} is a text", "it has no keys below it; name this key, or make it a mapping"
    return EditError(f"there is no {path}: {reason}", hint=hint, code="no-such-key", line=parsed.line(node))


def _furthest(parsed: Parsed, node: int, steps: Sequence[Step]) -> tuple[int, int]:
    node = outline.resolve(parsed, node)
    best = (0, node)
    if isinstance(steps[0], int) and parsed.is_sequence(node):
        following = [(1, item) for number, item in enumerate(parsed.children[node]) if number == steps[0]]
    elif parsed.is_mapping(node) and not isinstance(steps[0], int):
        found = [(length, _value(parsed, node, key, set())) for length, key in _keys(steps)]
        following = [(length, value) for length, value in found if value is not None]
    else:
        following = []
    for length, value in following:
        if length < len(steps):
            depth, end = _furthest(parsed, value, steps[length:])
            best = max(best, (depth + length, end))
    return best


def _near(parsed: Parsed, mapping: int, above: Sequence[Step], step: Step) -> str:
    known = [key for entry in parsed.children[mapping][::2] if (key := outline.key_text(parsed, entry)) and key != _MERGE]
    close = difflib.get_close_matches(str(step), known, n=1)
    if close:
        return f"did you mean {keypaths.show((*above, close[0]))}?"
    return f"there are {', '.join(known[:8])}" if known else ""


def _keys_hint(parsed: Parsed, path: str, node: int) -> str:
    if parsed.is_sequence(node):
        return f", such as {path}[0]"
    first = next((key for entry in parsed.children[node][::2] if (key := outline.key_text(parsed, entry))), None)
    return f", such as {path}{'.' if first else ''}{keypaths.show((first,))}" if first else ""
