"""The override files that Argo CD reads next to manifests: ``.argocd-source.yaml``, ``.argocd-source-<app>.yaml``.

Such a file is a patch of an Application's source (https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/), the first one
for all Applications of the folder, the second one over it. Each entry belongs to the name it has: what else stands in the file
stays, and a file that is not there is made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from updater.editors import layout, overrides, plans, proof, references, scalars
from updater.editors.base import FileReadings
from updater.editors.overrides import LISTS, Overrides, WantedOverride
from updater.editors.plans import EditPlan
from updater.errors import EditError
from updater.model.update import Answer, Change, Edit
from updater.model.view import PartKind, Reading
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.editors.overrides import OverrideEntry
    from updater.editors.scalars import Splice
    from updater.model.image import ImageRef
    from updater.model.subscription import Locator
    from updater.model.update import EditRequest

PREFIX: Final = ".argocd-source"
SHARED: Final = f"{PREFIX}.yaml"
REMEMBERED: Final = 16
_FORCE: Final = "forceString"


class ArgocdSourceEditor:
    """Read and write the entries of a `Locator` in its *section*: helm parameters, kustomize images, plugin env."""

    name: str = "argocd_source"
    needles: tuple[bytes, ...] = ()
    creates: bool = True

    def files(self, locator: Locator) -> tuple[str, ...] | None:
        """Name the one file."""
        return (locator.path,)

    def beneath(self, locator: Locator) -> str:
        """Name the file for all Applications of the folder, "" where *locator* is not in the file of one."""
        folder, slash, name = locator.path.rpartition("/")
        return f"{folder}{slash}{SHARED}" if name.startswith(f"{PREFIX}-") else ""

    def wants(self, path: str) -> bool:
        """Return whether Argo CD reads a file of this name."""
        name = path.rpartition("/")[2]
        return name.startswith(PREFIX) and name.endswith(".yaml")

    def read(self, path: str, data: bytes, locator: Locator | None = None) -> FileReadings:
        """Find the entries of *locator*; those that are not there yet are a missing place. No bytes are an empty file."""
        if locator is None:
            return FileReadings()
        try:
            reading = _reading(_overrides(path, data), locator)
        except EditError as error:
            return FileReadings(problems=(plans.problem(error, path),))
        return FileReadings(readings=(reading,))

    def edit(self, path: str, data: bytes, requests: Sequence[EditRequest]) -> Edit:
        """Write every request that can be written safely; see `Editor.edit`."""
        try:
            found = _overrides(path, data)
        except EditError as error:
            return plans.unchanged(path, data, [plans.problem(error, path, request.reading.line) for request in requests])
        complete = [number for number, request in enumerate(requests) if not request.reading.is_missing]
        edit = plans.carry_out(
            path, data, found.parsed, [requests[number] for number in complete], lambda request: _plan(found, request)
        )
        answers = dict(zip(complete, edit.answers, strict=True))
        for number, request in enumerate(requests):
            if request.reading.is_missing:
                before = edit
                edit = _completed(edit, request, found)
                made = tuple(range(len(before.changes), len(edit.changes)))
                refusal = edit.refused[-1] if len(edit.refused) > len(before.refused) else None
                answers[number] = Answer(changes=made, refusal=refusal)
        return replace(edit, answers=tuple(answers[number] for number in range(len(requests))))


@lru_cache(maxsize=REMEMBERED)  # each place of a text is asked for by itself, one after the other
def _overrides(path: str, data: bytes) -> Overrides:
    """Read a text once; nothing changes what was read."""
    return Overrides(scalars.parse(data, path), path)


def _reading(found: Overrides, locator: Locator) -> Reading:
    section = overrides.section_of(locator)
    entries = _entries(found, locator)
    parts = tuple(
        overrides.part_of(entry, wanted.kind, wanted.where, found.parsed) for wanted, entry in entries if entry is not None
    )
    main, entry = entries[-1]
    first = entry if entry is not None else next((entry for _, entry in entries if entry is not None), None)
    written = first.image if section == "kustomize" and first else references.written(parts)
    return Reading(
        path=found.path,
        where=main.where,
        line=found.parsed.line(first.item) if first else 1,
        setter=main.name,
        parts=parts,
        written=written if parts else Written(),
        is_missing=len(parts) < len(entries),
        beside=_listed(found, locator) if found.path.rpartition("/")[2] == SHARED else None,
    )


def _listed(found: Overrides, locator: Locator) -> tuple[tuple[str, str | None], ...] | None:
    """Return the list of *locator* as `Reading.beside`, None where there is none.

    A text of None is an entry that no copy says as well.
    """
    section = overrides.section_of(locator)
    if not found.has_list(section):
        return None
    entries = found.entries(section)
    times = Counter(entry.name for entry in entries)
    own = {locator.name, locator.tag, locator.spec}

    def is_copied(entry: OverrideEntry) -> bool:
        return times[entry.name] == 1 and (section != "helm" or entry.name in own or found.is_forced(entry))

    return tuple((entry.name, entry.text if is_copied(entry) else None) for entry in entries)


def _entries(found: Overrides, locator: Locator) -> list[tuple[WantedOverride, OverrideEntry | None]]:
    """Return what *locator* names, each with the entry that has it, None where there is none."""
    section = overrides.section_of(locator)
    if section == "kustomize":
        entry = found.of_image(locator)
        name = (entry.name if entry else locator.name or locator.spec) or ""
        return [(WantedOverride(kind=PartKind.REFERENCE, name=name, where=overrides.where(section, name)), entry)]
    return [(wanted, found.named(section, wanted.name)) for wanted in overrides.wanted_of(locator)]


def _plan(found: Overrides, request: EditRequest) -> EditPlan:
    """Plan a request whose entries are all there."""
    reading = _reading(found, request.locator)
    if reading.is_missing:
        raise plans.moved(found.path, request.reading, None)
    steps = [
        (splice, change)
        for wanted, entry in _entries(found, request.locator)
        if entry is not None and (step := _step(found, request, wanted, entry)) is not None
        for splice, change in (step,)
    ]
    if steps and _says(reading) != _says(request.reading):
        raise plans.moved(found.path, request.reading, reading)
    return EditPlan(line=reading.line, steps=tuple(steps))


def _says(reading: Reading) -> dict[str, str]:
    return {part.where: part.text for part in reading.parts}


def _step(found: Overrides, request: EditRequest, wanted: WantedOverride, entry: OverrideEntry) -> tuple[Splice, Change] | None:
    new = _text(request, wanted, entry)
    if new == entry.text:
        return None
    if entry.value is None:
        name = found.parsed.children[entry.item][1]
        splice = layout.key_added(found.parsed, entry.item, name, "value", new)
    else:
        splice = scalars.replacement(found.parsed, entry.value, new, found.path)
    change = Change(
        path=found.path,
        line=found.parsed.line(entry.item if entry.value is None else entry.value),
        where=wanted.where,
        old=entry.text,
        new=new,
        setter=request.reading.setter,
    )
    return splice, change


def _text(request: EditRequest, wanted: WantedOverride, entry: OverrideEntry | None) -> str:
    """Return what an entry must say; raise `EditError` where the image lacks it."""
    image, old = request.image, entry.text if entry else ""
    if request.locator.section == "kustomize":
        return _image_text(request, entry)
    if wanted.kind is PartKind.NAME:
        return references.keep_spelling(old, image.name)
    if wanted.kind is PartKind.TAG:
        tag = references.text_for(PartKind.TAG, image)
        return f"{tag}@{image.digest}" if image.digest else tag
    return references.keep_spelling(references.split(old).name, image.name) + _behind_name(image)


def _image_text(request: EditRequest, entry: OverrideEntry | None) -> str:
    """Return the text of an image entry: the name that it replaces stays, or comes where the image is another."""
    image, locator = request.image, request.locator
    old = entry.image.name if entry else None
    name = references.keep_spelling(old, image.name)
    replaced = entry.renamed if entry else ""
    if not replaced:
        candidates = (entry.name if entry else None, locator.name)
        replaced = next((text for text in candidates if text and not references.is_same_image(text, image.name)), "")
    return (f"{replaced}=" if replaced else "") + name + _behind_name(image)


def _behind_name(image: ImageRef) -> str:
    return str(image).removeprefix(image.name.spelled)


def _completed(edit: Edit, request: EditRequest, first: Overrides) -> Edit:
    """Write a request of which something is missing, all of it or nothing; *first* is the file before all requests."""
    data = edit.after
    changes = list(edit.changes)
    try:
        before = _reading(_overrides(edit.path, data), request.locator)
        if not first.has_list(overrides.section_of(request.locator)):
            before = _reading(first, request.locator)
            data = _with_beside(data, edit.path, request)
        for place in _names(request.locator):
            found = _overrides(edit.path, data)
            wanted, entry = next(pair for pair in _entries(found, request.locator) if place in {None, pair[0].name})
            is_moved = _says(before) != _says(request.reading)
            step = _step(found, request, wanted, entry) if entry is not None else None
            if is_moved and (entry is None or step is not None):
                raise plans.moved(edit.path, request.reading, before)
            if entry is None:
                data, changes = _added(found, request, wanted, (data, changes))
            elif step is not None:
                data = proof.apply(found.parsed, [step[0]], edit.path)
                changes.append(step[1])
    except EditError as error:
        return replace(edit, refused=(*edit.refused, plans.problem(error, edit.path, request.reading.line)))
    return replace(edit, after=data, changes=tuple(changes))


def _names(locator: Locator) -> list[str | None]:
    if locator.section == "kustomize":
        return [None]
    return [wanted.name for wanted in overrides.wanted_of(locator)]


def _added(
    found: Overrides, request: EditRequest, wanted: WantedOverride, done: tuple[bytes, list[Change]]
) -> tuple[bytes, list[Change]]:
    """Add one entry, and say so; the lines of earlier changes below it move."""
    data, changes = done
    section = overrides.section_of(request.locator)
    text = _text(request, wanted, None)
    after = _with_item(found, data, section, _item(found, section, wanted.name, text))
    now = _overrides(found.path, after)
    entry = next(entry for entry in now.entries(section) if entry.text == text and entry.name in {wanted.name, _name_of(text)})
    line = now.parsed.line(entry.item if entry.value is None else entry.value)
    change = Change(path=found.path, line=line, where=wanted.where, old="", new=text, setter=request.reading.setter)
    grown = after.count(b"\n") - data.count(b"\n")
    moved = [replace(item, line=item.line + grown) if item.line >= line else item for item in changes]
    return after, [*moved, change]


def _with_beside(data: bytes, path: str, request: EditRequest) -> bytes:
    """Return the file with what stands in the list beneath: Argo CD replaces that whole list by the one in the file.

    That is the list of the file for all Applications, else the Application's own. Raises `EditError` ``hides-overrides`` where
    something stands there that nobody here may write.
    """
    section = overrides.section_of(request.locator)
    beside, whose = request.locator.beside, "the Application"
    if request.reading.beside is not None:
        beside, whose = request.reading.beside, SHARED
    foreign = list(dict.fromkeys(name for name, text in beside if text is None))
    if foreign:
        message = f"a list {section}.{LISTS[section]} in {path} would hide what {whose} sets there: {', '.join(foreign)}"
        hint = "write those into the file too, or into values of the source; or name a values file by write-back-target"
        raise EditError(message, hint=hint, code="hides-overrides")
    for name, text in beside:
        found = _overrides(path, data)
        if text is not None and all(entry.name != name for entry in found.entries(section)):
            data = _with_item(found, data, section, _item(found, section, name, text))
    return data


def _with_item(found: Overrides, data: bytes, section: str, item: str | Mapping[str, str | Literal[True]]) -> bytes:
    splice = found.added(section, item)
    return _made(data, section, item) if splice is None else proof.apply(found.parsed, [splice], found.path)


def _name_of(text: str) -> str:
    left, equals, right = text.partition("=")
    return left if equals else references.split(right or left).name or ""


def _item(found: Overrides, section: str, name: str, text: str) -> str | Mapping[str, str | Literal[True]]:
    """Return an entry as it is added; a parameter of helm always says that its value is a string."""
    if section == "kustomize":
        return text
    if section == "plugin":
        return {"name": name, "value": text}
    force = _FORCE.lower() if found.spells(_FORCE.lower()) and not found.spells(_FORCE) else _FORCE
    return {"name": name, "value": text, force: True}


def _made(data: bytes, section: str, item: str | Mapping[str, str | Literal[True]]) -> bytes:
    """Return a file that has no content yet, behind the comments that it may have."""
    head = data if not data or data.endswith(b"\n") else data + (b"\r\n" if b"\r\n" in data else b"\n")
    first, *others = layout.text_of(item)
    lines = [f"{section}:", f"  {LISTS[section]}:", f"  - {first}", *(f"    {line}" for line in others)]
    line_break = "\r\n" if b"\r\n" in data else "\n"
    return head + "".join(f"{line}{line_break}" for line in lines).encode()
