"""The `images:` list of a kustomization: entries that rename, retag and pin images.

With `digest` and `newTag` in one entry, kustomize before 5.0 takes the digest alone, later ones write both
(https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/). So the form tag removes a
digest, which would leave the tag without effect, and the form digest removes a tag, which would be a lie.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

from updater.editors import layout, outline, plans, references, scalars
from updater.editors.base import FileReadings
from updater.editors.plans import EditPlan
from updater.errors import EditError, ImageSyntaxError
from updater.model.image import parse_name
from updater.model.update import Answer, Change, Edit
from updater.model.view import Part, PartKind, Reading
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.editors.scalars import Parsed, Splice
    from updater.model.image import ImageName, ImageRef
    from updater.model.subscription import Locator
    from updater.model.update import EditRequest

    #: the numbers of entries by a text, and by the image name that such a text means
    _Written: TypeAlias = tuple[dict[str, list[int]], dict[ImageName, list[int]]]

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_KINDS: Final = {"newName": PartKind.NAME, "newTag": PartKind.TAG, "digest": PartKind.DIGEST}
_SHOWN_LINES: Final = 5
_ORDER: Final = ("name", "newName", "newTag", "digest")


class KustomizeEditor:
    """Read and write the entry with *locator.name*, by `name` first, then by `newName`.

    An entry keeps its name where that is the same image in another spelling, unless *is_as_spelled* asks for
    the name exactly as given.
    """

    name: str = "kustomize"
    needles: tuple[bytes, ...] = ()

    def __init__(self, *, is_as_spelled: bool = False) -> None:
        self._is_as_spelled = is_as_spelled

    def files(self, locator: Locator) -> tuple[str, ...] | None:
        """Name the kustomization files of a folder, or the one that the path is."""
        path = locator.path.strip("/")
        if path.rpartition("/")[2] in NAMES:
            return (path,)
        folder = "" if path in {"", "."} else f"{path}/"
        return tuple(f"{folder}{name}" for name in NAMES)

    def wants(self, path: str) -> bool:
        """Return whether the file has the name of a kustomization."""
        return path.rpartition("/")[2] in NAMES

    def read(self, path: str, data: bytes, locator: Locator | None = None) -> FileReadings:
        """Find the entry of *locator*, or every entry; an entry that is not there yet is a missing place."""
        try:
            images = _read_images(data, path)
            readings = images.named(locator.name) if locator and locator.name else images.all()
        except EditError as error:
            return FileReadings(problems=(plans.problem(error, path),))
        return FileReadings(readings=tuple(readings))

    def edit(self, path: str, data: bytes, requests: Sequence[EditRequest]) -> Edit:
        """Write every request that can be written safely; see `Editor.edit`."""
        missing = [number for number, request in enumerate(requests) if request.reading.is_missing]
        later = missing[1:]
        early = [number for number in range(len(requests)) if number not in set(later)] if later else range(len(requests))
        first = self._edit(path, data, [requests[number] for number in early])
        if not later:
            return first
        second = self._edit(path, first.after, [requests[number] for number in later])
        return _one_after_the_other(first, second, (*early, *later))

    def _edit(self, path: str, data: bytes, requests: Sequence[EditRequest]) -> Edit:
        try:
            images = _read_images(data, path)
        except EditError as error:
            return plans.unchanged(path, data, [plans.problem(error, path, request.reading.line) for request in requests])
        added: list[int] = []
        return plans.carry_out(path, data, images.parsed, requests, lambda request: self._plan(images, request, added))

    def _plan(self, images: _Images, request: EditRequest, added: list[int]) -> EditPlan:
        setter = request.reading.setter
        near = images.named(setter)
        found = next((reading for reading in near if reading.where == request.reading.where), near[0])
        if found.is_missing:
            return _addition(images, request, added)
        steps = _steps(images, found, request.image, is_as_spelled=self._is_as_spelled)
        if steps and found.written != request.reading.written:
            raise plans.moved(images.path, request.reading, found)
        return EditPlan(line=found.line, steps=tuple(steps))


def _read_images(data: bytes, path: str) -> _Images:
    """Read the `images:` of a kustomization, once for all locators that name entries of it."""
    parsed = scalars.parse_once(data, path)
    images = parsed.known.get("images") or _Images(parsed, path)
    parsed.known["images"] = images
    return cast("_Images", images)


class _Images:
    """The `images:` list of one parsed kustomization."""

    def __init__(self, parsed: Parsed, path: str) -> None:
        self.parsed = parsed
        self.path = path
        self.root = _root(parsed)
        outline.check_single(parsed, self.root, "images")
        found = outline.values(parsed, self.root, "images")
        self.list: int | None = found[0] if found else None
        self.entries = self._entries()
        self._by_key: dict[str, _Written] = {}
        self.identity = (*outline.object_id(parsed, found[0] if found else self.root)[:2], "", "")

    def _entries(self) -> list[int]:
        if self.list is None or self._is_null(self.list):
            return []
        if not self.parsed.is_sequence(self.list):
            is_alias = self.parsed.alias(self.list) is not None
            what = "an alias" if is_alias else "no list"
            raise EditError(
                f"images is {what}", hint="write images as a list", code="not-a-list", line=self.parsed.line(self.list)
            )
        return self.parsed.children[self.list]

    def _is_null(self, index: int) -> bool:
        event = self.parsed.scalar(index)
        return event is not None and not event.style and event.value in {"", "~", "null", "Null", "NULL"}

    def all(self) -> list[Reading]:
        """Read every entry that has a name."""
        return [self._reading(position, None) for position, entry in enumerate(self.entries) if self._text(entry, "name")]

    def named(self, name: str) -> list[Reading]:
        """Read the entries for *name*: the one with that name, else all with that new name, else a missing one.

        Raises `EditError`, ``ambiguous`` where an entry is doubled.
        """
        same = _canonical(name)
        for key in ("name", "newName"):
            texts, names = self._written(key)
            for found in (texts.get(name, ()), names.get(same, ()) if same else ()):
                if len(found) > 1 and key == "name":
                    lines = ", ".join(str(self.parsed.line(self.entries[at])) for at in found[:_SHOWN_LINES])
                    line = self.parsed.line(self.entries[found[0]])
                    message = f"{name} has {len(found)} entries in images, on lines {lines}"
                    raise EditError(message, hint="keep one of them", code="ambiguous", line=line)
                if found:
                    return [self._reading(at, name) for at in found]
        return [self._missing(name)]

    def _written(self, key: str) -> _Written:
        """Return the entries by the text under *key*, and by the image name that it means; read once."""
        if key not in self._by_key:
            texts: dict[str, list[int]] = {}
            names: dict[ImageName, list[int]] = {}
            for at, entry in enumerate(self.entries):
                text = self._text(entry, key)
                if text:
                    texts.setdefault(text, []).append(at)
                    same = _canonical(text)
                    if same is not None:
                        names.setdefault(same, []).append(at)
            self._by_key[key] = (texts, names)
        return self._by_key[key]

    def _missing(self, name: str) -> Reading:
        where = f"images[{len(self.entries)}]"
        line = self.parsed.line(self.root if self.list is None else self.list)
        return Reading(
            path=self.path,
            where=where,
            line=line,
            setter=name,
            parts=(),
            written=Written(),
            is_missing=True,
            object_id=self.identity,
        )

    def _reading(self, position: int, name: str | None) -> Reading:
        entry = self.entries[position]
        where = f"images[{position}]"
        parts = []
        for key, kind in _KINDS.items():
            index = self.value(entry, key)
            if index is not None:
                line, text, scalar = self.parsed.line(index), self._text(entry, key), outline.scalar_name(self.parsed, index)
                parts.append(Part(kind=kind, line=line, where=f"{where}.{key}", text=text, scalar=scalar))
        own = self._text(entry, "name")
        said = references.written(parts)
        return Reading(
            path=self.path,
            where=where,
            line=self.parsed.line(entry),
            setter=name or own,
            parts=tuple(parts),
            written=Written(name=said.name or own or None, tag=said.tag, digest=said.digest),
            object_id=self.identity,
        )

    def value(self, entry: int, key: str) -> int | None:
        """Return the event of one key of an entry; raise `EditError` where that cannot be edited."""
        if self.parsed.alias(entry) is not None or not self.parsed.is_mapping(entry):
            what = "an alias" if self.parsed.alias(entry) else "no mapping"
            message = f"images[{self.entries.index(entry)}] is {what}"
            raise EditError(message, hint="write the entry out", code="not-a-mapping", line=self.parsed.line(entry))
        outline.check_single(self.parsed, entry, key)
        found = outline.values(self.parsed, entry, key)
        if found and self.parsed.scalar(outline.resolve(self.parsed, found[0])) is None:
            raise EditError(
                f"{key} is not text", hint=f"write {key} as a text", code="not-a-scalar", line=self.parsed.line(found[0])
            )
        return found[0] if found else None

    def _text(self, entry: int, key: str) -> str:
        index = self.value(entry, key)
        if index is None:
            return ""
        index = outline.resolve(self.parsed, index)
        return "" if self._is_null(index) else str(self.parsed.events[index].value).strip()


def _root(parsed: Parsed) -> int:
    roots = [root for root in parsed.children[-1] if not _is_empty(parsed, root)]
    if not roots:
        hint = "a kustomization has at least apiVersion and kind"
        raise EditError("the file is empty", hint=hint, code="empty", line=1)
    if len(roots) > 1:
        line = parsed.line(roots[1])
        hint = "kustomize reads one document a file"
        raise EditError("the kustomization has several documents", hint=hint, code="several-documents", line=line)
    if not parsed.is_mapping(roots[0]):
        hint = "a kustomization is a mapping"
        raise EditError("the file is not a kustomization", hint=hint, code="not-a-mapping", line=parsed.line(roots[0]))
    return roots[0]


def _is_empty(parsed: Parsed, root: int) -> bool:
    event = parsed.scalar(root)
    return event is not None and event.value == "" and not event.style


def _canonical(text: str) -> ImageName | None:
    try:
        return parse_name(text)
    except ImageSyntaxError:
        return None


def _one_after_the_other(first: Edit, second: Edit, order: Sequence[int]) -> Edit:
    """Join two edits of one file, the second made on the result of the first and only adding lines.

    *order* has the number of each request of the first, then of the second.
    """
    added = second.after.count(b"\n") - first.after.count(b"\n")
    start = min((change.line for change in second.changes), default=0)
    moved = [replace(change, line=change.line + added) if change.line >= start else change for change in first.changes]
    return Edit(
        path=first.path,
        before=first.before,
        after=second.after,
        changes=(*moved, *second.changes),
        refused=(*first.refused, *second.refused),
        answers=_joined(first, second, order),
    )


def _joined(first: Edit, second: Edit, order: Sequence[int]) -> tuple[Answer, ...]:
    """Return the answers of both in the order of all requests; the changes of the second are counted behind the first's."""
    behind = len(first.changes)
    moved = [replace(answer, changes=tuple(number + behind for number in answer.changes)) for answer in second.answers]
    answers = dict(zip(order, (*first.answers, *moved), strict=True))
    return tuple(answers[number] for number in sorted(answers))


def _addition(images: _Images, request: EditRequest, added: list[int]) -> EditPlan:
    """Add an entry for a name that has none; *added* counts those added before it in the same go."""
    name, image, parsed = request.reading.setter, request.image, images.parsed
    if not request.reading.is_missing:
        raise plans.moved(images.path, request.reading, None)
    item = {"name": name}
    item |= {"newName": image.name.spelled} if image.name.spelled != name else {}
    item |= {"newTag": image.tag} if image.tag else {}
    item |= {"digest": str(image.digest)} if image.digest else {}
    splice = _added(images, item)
    first_line = splice.text.count("\n") - len(item) + 2 if "\n" in splice.text else 1
    change = Change(
        path=images.path,
        line=parsed.line_at(splice.start) - 1 + first_line,
        where=f"images[{len(images.entries) + len(added)}]",
        old="",
        new=str(image),
        setter=name,
        object_id=images.identity,
    )
    added.append(splice.at)
    return EditPlan(line=request.reading.line, steps=((splice, change),))


def _added(images: _Images, item: dict[str, str]) -> Splice:
    parsed = images.parsed
    if images.list is None:
        return layout.list_added(parsed, images.root, "images", item)
    if images.entries:
        return layout.item_added(parsed, images.list, item)
    inside = parsed.children[images.root]
    return layout.list_filled(parsed, inside[parsed.position(images.list) - 1], images.list, item)


class _Key(NamedTuple):
    """One key of an entry: the event of its value, its text before and after, None where it must go."""

    name: str
    value: int | None
    old: str
    new: str | None


def _steps(images: _Images, found: Reading, image: ImageRef, *, is_as_spelled: bool) -> list[tuple[Splice, Change | None]]:
    """Plan the keys of one entry: those that change, those to add, those that have no meaning any more."""
    entry = images.entries[int(found.where.removeprefix("images[").removesuffix("]"))]
    there = {key: index for key in _ORDER if (index := images.value(entry, key)) is not None}
    wanted = _wanted(found, image, there, is_as_spelled=is_as_spelled)
    texts = {part.where.rpartition(".")[2]: part.text for part in found.parts}
    steps: list[tuple[Splice, Change | None]] = []
    after = next(there[key] for key in _ORDER if key in there and wanted.get(key, "") is not None)
    for name in _ORDER[1:]:
        key = _Key(name, there.get(name), texts.get(name, ""), wanted.get(name, texts.get(name, "")))
        splice = _step(images, entry, key, after)
        after = key.value if key.value is not None and key.new is not None else after
        if splice is not None:
            steps.append((splice, _change(images, found, key, splice)))
    return steps


def _step(images: _Images, entry: int, key: _Key, after: int) -> Splice | None:
    if key.new is None:
        return None if key.value is None else layout.key_removed(images.parsed, entry, key.value)
    if key.new == key.old:
        return None
    if key.value is None:
        return layout.key_added(images.parsed, entry, after, key.name, key.new)
    return scalars.replacement(images.parsed, outline.resolve(images.parsed, key.value), key.new, images.path)


def _change(images: _Images, found: Reading, key: _Key, splice: Splice) -> Change:
    return Change(
        path=images.path,
        line=images.parsed.line_at(splice.start) + ("\n" in splice.text),
        where=f"{found.where}.{key.name}",
        old=key.old,
        new=key.new or "",
        setter=found.setter,
        object_id=found.object_id,
    )


def _wanted(found: Reading, image: ImageRef, there: dict[str, int], *, is_as_spelled: bool) -> dict[str, str | None]:
    """Return the text that each key must have afterwards; None where the key must go."""
    wanted: dict[str, str | None] = {}
    if not _is_kept(found.written.name, image.name, is_as_spelled=is_as_spelled):
        wanted["newName"] = image.name.spelled
    if image.tag or image.digest:
        for key, text in (("newTag", image.tag), ("digest", image.digest)):
            if text:
                wanted[key] = str(text)
            elif key in there:
                wanted[key] = None
    return wanted


def _is_kept(written: str | None, name: ImageName, *, is_as_spelled: bool) -> bool:
    return written == name.spelled if is_as_spelled else references.is_same_image(written, name)
