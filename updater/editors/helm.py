"""Helm values files: an image is written under keys for its name and tag, or as one full reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.editors import fitting, keyed, outline, plans, references, scalars
from updater.editors.base import FileReadings
from updater.editors.plans import EditPlan
from updater.errors import EditError, ImageSyntaxError
from updater.model.image import parse_name
from updater.model.update import Change
from updater.model.view import Part, PartKind, Reading
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.editors.scalars import Parsed
    from updater.model.image import ImageName, ImageRef
    from updater.model.subscription import Locator
    from updater.model.update import Edit, EditRequest

_REGISTRY = "registry"
_DIGEST = "digest"


class HelmEditor:
    """Read and write the keys of a `Locator`: *spec* for a full reference, or one or more of *name*, *tag* and *digest*.

    A tag key holds ``tag`` or ``tag@digest``; beside a digest key of the target it holds the tag alone. A name keeps its
    short form, and stays without its registry where
    that stands beside it under ``registry``, or wherever else the chart takes it from.
    """

    name: str = "helm"
    needles: tuple[bytes, ...] = ()

    def files(self, locator: Locator) -> tuple[str, ...] | None:
        """Name the one values file."""
        return (locator.path,)

    def wants(self, path: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return yes: a values file is named, never searched for."""
        return True

    def read(self, path: str, data: bytes, locator: Locator | None = None) -> FileReadings:
        """Find the place that *locator* names; without one there is nothing to find."""
        if locator is None:
            return FileReadings()
        try:
            reading, _ = _reading(scalars.parse_once(data, path), path, locator)
        except EditError as error:
            return FileReadings(problems=(plans.problem(error, path),))
        return FileReadings(readings=(reading,))

    def edit(self, path: str, data: bytes, requests: Sequence[EditRequest]) -> Edit:
        """Write every request that can be written safely; see `Editor.edit`."""
        try:
            parsed = scalars.parse(data, path)
        except EditError as error:
            return plans.unchanged(path, data, [plans.problem(error, path, request.reading.line) for request in requests])
        return plans.carry_out(path, data, parsed, requests, lambda request: _plan(parsed, path, request))


def set_values(path: str, data: bytes, values: Sequence[tuple[str, str]], *, is_forced: bool = False) -> Edit:
    """Write each text under its key path as it is given, where it fits what is written there or *is_forced*; adds no keys."""
    joint = plans.JointPlan(path)
    refused = []
    try:
        parsed = scalars.parse(data, path)
    except EditError as error:
        return plans.unchanged(path, data, [plans.problem(error, path)])
    for key, text in values:
        line = None
        try:
            index = keyed.scalar(parsed, key)
            line = parsed.line(index)
            if not is_forced:
                fitting.check_text(_text(parsed, index), text)
            steps = _steps(parsed, path, ((index, key, _text(parsed, index), text),), key)
            joint.add(EditPlan(line=line, steps=steps))
        except EditError as error:
            refused.append(plans.problem(error, path, line))
    return plans.write(path, data, parsed, joint.plans, refused)


def _reading(parsed: Parsed, path: str, locator: Locator) -> tuple[Reading, tuple[int, ...]]:
    """Read the place of *locator*, with the event index of each part; raise `EditError`."""
    keys = _keys(locator)
    indexes = tuple(keyed.scalar(parsed, key) for _, key in keys)
    parts = tuple(
        Part(
            kind=kind,
            line=parsed.line(index),
            where=key,
            text=_text(parsed, index),
            scalar=outline.scalar_name(parsed, index),
        )
        for (kind, key), index in zip(keys, indexes, strict=True)
    )
    written = references.written(parts)
    if parts[0].kind is PartKind.NAME and (registry := _registry(parsed, indexes[0], parts[0].text)):
        written = Written(name=f"{registry}/{written.name}", tag=written.tag, digest=written.digest)
    main = parts[-1]
    reading = Reading(path=path, where=main.where, line=main.line, setter=main.where, parts=parts, written=written)
    return reading, indexes


def _keys(locator: Locator) -> list[tuple[PartKind, str]]:
    if locator.spec:
        return [(PartKind.REFERENCE, locator.spec)]
    keys = [(PartKind.NAME, locator.name), (PartKind.TAG, locator.tag), (PartKind.DIGEST, locator.digest)]
    named = [(kind, key) for kind, key in keys if key]
    if not named:
        hint = "say tag: image.tag, digest: image.digest, or spec: image for a full reference"
        raise EditError("the target names no key of the values file", hint=hint, code="no-such-key")
    return named


def _text(parsed: Parsed, index: int) -> str:
    event = parsed.events[index]
    is_null = not event.style and event.tag is None and event.value in {"~", "null", "Null", "NULL"}
    return "" if is_null else str(event.value).strip()


def _registry(parsed: Parsed, name: int, text: str) -> str:
    """Return the registry that stands beside a name, "" where there is none or the name has its own."""
    registry = _beside(parsed, name, _REGISTRY) if text else ""
    return "" if registry and text.startswith(f"{registry}/") else registry


def _beside(parsed: Parsed, index: int, key: str) -> str:
    """Return the text under *key* in the mapping that holds the value at *index*, "" where there is none."""
    parent = parsed.parents[index]
    if parent < 0 or not parsed.is_mapping(parent):
        return ""
    found = [outline.resolve(parsed, value) for value in outline.values(parsed, parent, key)]
    return _text(parsed, found[0]) if len(found) == 1 and parsed.scalar(found[0]) is not None else ""


def _check_digest_beside(parsed: Parsed, found: Reading, indexes: Sequence[int]) -> None:
    """Refuse to move a tag beside a digest that stays: charts with both take the digest, so nothing would be deployed."""
    if any(part.kind is PartKind.DIGEST for part in found.parts):
        return
    for part, index in zip(found.parts, indexes, strict=True):
        digest = _beside(parsed, index, _DIGEST) if part.kind is PartKind.TAG else ""
        if ":" in digest:
            key = f"{part.where.rpartition('.')[0]}.{_DIGEST}".lstrip(".")
            raise EditError(
                f"there is a digest beside {part.where}, and a chart that reads both takes the digest",
                hint=f"add digest: {key} to the target, so that both move, or empty that key",
                code="digest-beside",
                line=part.line,
            )


def _plan(parsed: Parsed, path: str, request: EditRequest) -> EditPlan:
    found, indexes = _reading(parsed, path, request.locator)
    named = zip(found.parts, indexes, strict=True)
    texts = [(index, part.where, part.text, _wanted(parsed, part, index, request.image, found)) for part, index in named]
    steps = _steps(parsed, path, texts, found.setter)
    if steps and found.written != request.reading.written:
        raise plans.moved(path, request.reading, found)
    if steps:
        _check_digest_beside(parsed, found, indexes)
    return EditPlan(line=found.line, steps=steps)


def _wanted(parsed: Parsed, part: Part, index: int, image: ImageRef, found: Reading) -> str:
    if part.kind is PartKind.TAG:
        if image.tag is None:
            raise EditError(
                f"{part.where} is named as the key of a tag, and the form digest writes none",
                hint=f"if it holds a digest, write digest: {part.where} in the target instead of tag:; else change the form",
                code="no-tag",
                line=part.line,
            )
        tag = image.tag
        has_own_key = any(other.kind is PartKind.DIGEST for other in found.parts)
        return f"{tag}@{image.digest}" if image.digest and not has_own_key else tag
    if part.kind is PartKind.NAME:
        registry = _registry(parsed, index, part.text)
        return _below_registry(part, registry, image.name, found) if registry else _spelled(part.text, image.name)
    text = references.text_for(part.kind, image)
    if part.kind is PartKind.DIGEST:
        return text
    return _spelled(found.written.name or "", image.name) + text.removeprefix(image.name.spelled)


def _spelled(text: str, name: ImageName) -> str:
    """Keep a name that lacks its registry alone: a chart may put any before it, such as ``global.imageRegistry``."""
    is_same_path = text == name.path and not references.has_registry(text)
    return text if is_same_path else references.keep_spelling(text, name)


def _below_registry(part: Part, registry: str, name: ImageName, found: Reading) -> str:
    if references.is_same_image(found.written.name, name):
        return part.text
    try:
        is_same = parse_name(f"{registry}/x").registry == name.registry
    except ImageSyntaxError:
        is_same = False
    if is_same:
        return name.path
    raise EditError(
        f"{name} is not on {registry}, the registry next to {part.where}",
        hint="change the key registry by hand once, it is not part of this target",
        code="registry",
        line=part.line,
    )


def _steps(
    parsed: Parsed, path: str, texts: Sequence[tuple[int, str, str, str]], setter: str
) -> tuple[tuple[scalars.Splice, Change | None], ...]:
    return tuple(
        (
            scalars.replacement(parsed, index, new, path),
            Change(path=path, line=parsed.line(index), where=where, old=old, new=new, setter=setter),
        )
        for index, where, old, new in texts
        if new != old
    )
