"""How the overrides of one live source look as a text, and which JSON patch makes the source what the text became. Pure.

The text is what a file ``.argocd-source.yaml`` would hold: helm parameters, kustomize images and the environment of a plugin.
So one editor reads and changes both, and people see a diff. The rest of a source is not in it, so it cannot be touched.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from updater.documents import Dialect, read_yaml
from updater.editors import quoting
from updater.editors.overrides import LISTS
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.argocd.application_source import Place

    #: the overrides of a source: section, the key of its list, the list
    Overridden: TypeAlias = Mapping[str, Mapping[str, Any]]
    #: one operation of a JSON patch (RFC 6902)
    Step: TypeAlias = dict[str, Any]

_FORCE: Final = "forceString"


def overridden(source: Mapping[str, Any]) -> Overridden:
    """Return what *source* overrides; null counts as not there, and what is of the wrong type is given as it is."""
    found: dict[str, Any] = {}
    for section, key in LISTS.items():
        block = source.get(section)
        if isinstance(block, dict):
            block = {key: block[key]} if block.get(key) is not None else None
        if block is not None:
            found[section] = block
    return found


def write_text(overrides: Overridden) -> bytes:
    """Write overrides as YAML; nothing is no bytes. Raise `EditError` where a value is nested without end."""
    lines: list[str] = []
    try:
        for section, block in overrides.items():
            lines += _block(section, block)
    except RecursionError:
        raise EditError("the overrides are nested too deep", hint="write names and texts", code="too-deep") from None
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def read_text(text: bytes) -> Overridden:
    """Read what `write_text` wrote, also after an edit; raise `EditError` where it is nothing of the kind."""
    found = read_yaml("", text, dialect=Dialect.MANIFEST)
    value = found.documents[0].value if len(found.documents) == 1 and not found.problems else None
    if not isinstance(value, dict):
        raise _unproved("the text is not a map of overrides")
    return value


def wanted_after(before: Overridden, text: bytes, edited: bytes) -> Overridden:
    """Read what an edit of *text* asks for; a parameter that it changed or added says that its value is a string.

    Without that Helm takes 1.20 for the number 1.2. Raise `EditError` ``unproved`` where *text* does not say *before*: then
    the patch would not say what the edit does.
    """
    if (read_text(text) if text else {}) != before:
        raise _unproved("the text of the overrides does not read back as what the Application has")
    after = dict(read_text(edited))
    for block in (after.get("helm"),):
        if block is not None:
            key = LISTS["helm"]
            after["helm"] = {key: _as_strings((before.get("helm") or {}).get(key) or [], block[key])}
    return after


def steps_for(place: Place, source: Mapping[str, Any], wanted: Overridden) -> list[Step]:
    """Return the JSON patch that makes the lists of *source*, which stands at *place*, those of *wanted*; nothing else."""
    steps: list[Step] = []
    for section, key in LISTS.items():
        if section not in wanted:
            continue
        new, block = wanted[section][key], source.get(section)
        old = block.get(key) if isinstance(block, dict) else None
        if block is None:
            steps.append(_step("add", (*place, section), {key: new}))
        elif old is None:
            steps.append(_step("add", (*place, section, key), new))
        else:
            steps += _list_steps((*place, section, key), old, new)
    return steps


def _list_steps(place: Place, old: Sequence[Any], new: Sequence[Any]) -> list[Step]:
    """Change entries where they stand, then append. An index hits no other entry: the patch holds for one version only."""
    steps: list[Step] = []
    for index, (before, after) in enumerate(zip(old, new, strict=False)):
        if isinstance(before, dict) and isinstance(after, dict):
            for name, value in after.items():
                if name not in before or not _is_same(before[name], value):
                    steps.append(_step("replace" if name in before else "add", (*place, index, name), value))
        elif not _is_same(before, after):
            steps.append(_step("replace", (*place, index), after))
    return [*steps, *(_step("add", (*place, "-"), item) for item in new[len(old) :])]


def _step(operation: str, place: Place, value: Any) -> Step:
    path = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)
    return {"op": operation, "path": path, "value": value}


def _as_strings(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    kept = [after if _is_same(before, after) else {**after, _FORCE: True} for before, after in zip(old, new, strict=False)]
    return [*kept, *({**item, _FORCE: True} for item in new[len(old) :])]


def _is_same(first: Any, second: Any) -> bool:
    """Compare as JSON does: 1 is not true."""
    return type(first) is type(second) and bool(first == second)


def _block(section: str, block: Any) -> list[str]:
    if not isinstance(block, dict):
        return [f"{section}: {_flow(block)}"]
    lines = [f"{section}:"]
    for key, items in block.items():
        if not isinstance(items, list) or not items:
            lines.append(f"  {key}: {_flow(items)}")
            continue
        lines.append(f"  {key}:")
        for item in items:
            first, *others = _entry(item)
            lines += [f"  - {first}", *(f"    {line}" for line in others)]
    return lines


def _entry(item: Any) -> list[str]:
    if not isinstance(item, dict) or not item:
        return [_flow(item)]
    return [f"{quoting.write(name)}: {_flow(value)}" for name, value in item.items()]


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoting.write(name)}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return quoting.write(value) if isinstance(value, str) else json.dumps(value)


def _unproved(message: str) -> EditError:
    hint = "write the values of the Application as plain texts; kubectl get application -o yaml shows them"
    return EditError(message, hint=hint, code="unproved")
