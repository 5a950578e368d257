"""The override lists of an Argo CD source, and the image of each entry.

Source: `ApplicationSource` of `argoproj.io/v1alpha1`: ``helm.parameters`` and ``plugin.env`` hold names and values,
``kustomize.images`` texts of the form ``[old=]new[:tag][@digest]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from updater.editors import layout, outline, references
from updater.errors import EditError, ImageSyntaxError
from updater.model.image import parse_name
from updater.model.view import Part, PartKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from updater.editors.layout import Item
    from updater.editors.scalars import Parsed, Splice
    from updater.model.subscription import Locator
    from updater.model.written import Written

LISTS: Final = {"helm": "parameters", "kustomize": "images", "plugin": "env"}


class OverrideEntry(NamedTuple):
    """One entry: its event, its name, the event of its value (None if it has none) and the text of the value."""

    item: int
    name: str
    value: int | None
    text: str

    @property
    def renamed(self) -> str:
        """The name before ``=`` of an image, "" where there is none."""
        left, equals, _ = self.text.partition("=")
        return left if equals else ""

    @property
    def image(self) -> Written:
        """What an image entry says behind its ``=``."""
        return references.split(self.text.rpartition("=")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedOverride:
    """One value that a locator names: its part of the image, its name, and its path for messages."""

    kind: PartKind
    name: str
    where: str


def section_of(locator: Locator) -> str:
    """Return the section that a locator names; raise `EditError`."""
    if locator.section not in LISTS:
        message = f"{locator.section!r} is not a section of a source" if locator.section else "the target names no section"
        raise EditError(message, hint=f"write one of {', '.join(LISTS)}", code="section")
    return locator.section


def wanted_of(locator: Locator) -> list[WantedOverride]:
    """Return the values that a locator of `helm` or `plugin` names; raise `EditError`."""
    section = section_of(locator)
    if locator.spec:
        named = [(PartKind.REFERENCE, locator.spec)]
    else:
        named = [(kind, name) for kind, name in ((PartKind.NAME, locator.name), (PartKind.TAG, locator.tag)) if name]
    if not named:
        hint = "name a parameter for the tag, or one for the full reference"
        raise EditError("the target names no parameter", hint=hint, code="no-such-key")
    return [WantedOverride(kind=kind, name=name, where=where(section, name)) for kind, name in named]


def where(section: str, name: str) -> str:
    """Write the place of an entry."""
    return f"{section}.{LISTS[section]}[{name}]"


class Overrides:
    """The sections of one parsed file. The entries of each are read once."""

    def __init__(self, parsed: Parsed, path: str) -> None:
        self.parsed = parsed
        self.path = path
        self._entries: dict[str, list[OverrideEntry]] = {}
        self.root = self._root()

    def _root(self) -> int | None:
        roots = [root for root in self.parsed.children[-1] if not _is_null(self.parsed, root)]
        if len(roots) > 1:
            hint = "Argo CD reads one document a file"
            line = self.parsed.line(roots[1])
            raise EditError("the file has several documents", hint=hint, code="several-documents", line=line)
        if roots and not self.parsed.is_mapping(roots[0]):
            hint = "write sections such as helm: and kustomize:, or delete the file: it is created again"
            line = self.parsed.line(roots[0])
            raise EditError("the file is not a patch of a source", hint=hint, code="not-a-mapping", line=line)
        return roots[0] if roots else None

    def entries(self, section: str) -> list[OverrideEntry]:
        """Read the entries of a section; raise `EditError` where its shape is another."""
        if section not in self._entries:
            found = self._list(section)
            items = [] if found is None or _is_null(self.parsed, found) else self.parsed.children[found]
            read = _read_image if section == "kustomize" else _read_named
            self._entries[section] = [read(self.parsed, item, f"{section}.{LISTS[section]}") for item in items]
        return self._entries[section]

    def named(self, section: str, name: str) -> OverrideEntry | None:
        """Return the entry of a name; raise `EditError` ``ambiguous`` where it is doubled."""
        return self._single([entry for entry in self.entries(section) if entry.name == name], name)

    def of_image(self, locator: Locator) -> OverrideEntry | None:
        """Return the image entry that replaces the name of *locator*, else one that already carries its image."""
        entries = self.entries("kustomize")
        name, image = locator.name or locator.spec or "", locator.spec or ""
        for is_like in (str.__eq__, is_same):
            found = [entry for entry in entries if is_like(entry.name, name)]
            if found:
                return self._single(found, name)
        carrying = [entry for entry in entries if is_same(entry.image.name or "", image) and not (locator.name and entry.renamed)]
        return self._single(carrying, image)

    def has_list(self, section: str) -> bool:
        """Return whether the file says anything of this list, which then holds in place of the Application's own."""
        if self.root is None or not outline.values(self.parsed, self.root, section):
            return False
        block = outline.values(self.parsed, self.root, section)[0]
        return not self.parsed.is_mapping(block) or bool(outline.values(self.parsed, block, LISTS[section]))

    def added(self, section: str, item: Item) -> Splice | None:
        """Return the splice that adds an entry; None where the file has no root yet."""
        if self.root is None:
            return None
        block = self._block(section)
        if block is None:
            return layout.list_added(self.parsed, self.root, (section, LISTS[section]), item)
        found = self._list(section)
        if found is None:
            return layout.list_added(self.parsed, block, LISTS[section], item)
        if self.parsed.is_sequence(found) and self.parsed.children[found]:
            return layout.item_added(self.parsed, found, item)
        inside = self.parsed.children[block]
        return layout.list_filled(self.parsed, inside[inside.index(found) - 1], found, item)

    def spells(self, key: str) -> bool:
        """Return whether an entry of the helm parameters has this very key."""
        return any(outline.values(self.parsed, entry.item, key) for entry in self.entries("helm"))

    def is_forced(self, entry: OverrideEntry) -> bool:
        """Return whether a parameter of helm says that its value is a string, as every parameter does that is written here."""
        forced = outline.values(self.parsed, entry.item, "forceString")
        event = self.parsed.scalar(outline.resolve(self.parsed, forced[0])) if len(forced) == 1 else None
        return event is not None and not event.style and event.value in {"true", "True", "TRUE"}

    def _single(self, found: Sequence[OverrideEntry], name: str) -> OverrideEntry | None:
        if len(found) > 1:
            # by position, not by line: the text may be made of a live object, and nobody saw its lines
            siblings = self.parsed.children[self.parsed.parents[found[0].item]]
            places = " and ".join(f"[{siblings.index(entry.item)}]" for entry in found)
            message = f"{name} has {len(found)} entries in the list: {places}"
            raise EditError(message, hint="keep one of them", code="ambiguous", line=self.parsed.line(found[0].item))
        return found[0] if found else None

    def _block(self, section: str) -> int | None:
        if self.root is None:
            return None
        outline.check_single(self.parsed, self.root, section)
        found = outline.values(self.parsed, self.root, section)
        if not found:
            return None
        if not self.parsed.is_mapping(found[0]):
            hint = f"write {LISTS[section]}: below {section}:, or take the key out"
            raise EditError(f"{section} is not a mapping", hint=hint, code="not-a-mapping", line=self.parsed.line(found[0]))
        return found[0]

    def _list(self, section: str) -> int | None:
        block = self._block(section)
        if block is None:
            return None
        key = LISTS[section]
        outline.check_single(self.parsed, block, key)
        found = outline.values(self.parsed, block, key)
        if not found:
            return None
        if not self.parsed.is_sequence(found[0]) and not _is_null(self.parsed, found[0]):
            line = self.parsed.line(found[0])
            raise EditError(f"{section}.{key} is not a list", hint=f"write {key} as a list", code="not-a-list", line=line)
        return found[0]


def part_of(entry: OverrideEntry, kind: PartKind, place: str, parsed: Parsed) -> Part:
    """Return what an entry says as a part of a reading."""
    text = entry.text.rpartition("=")[2] if place.startswith("kustomize.") else entry.text
    name = "" if entry.value is None else outline.scalar_name(parsed, entry.value)
    line = parsed.line(entry.item if entry.value is None else entry.value)
    return Part(kind=kind, line=line, where=place, text=text, scalar=name)


def is_same(written: str, name: str) -> bool:
    """Return whether two texts name one image."""
    try:
        return parse_name(written) == parse_name(name)
    except ImageSyntaxError:
        return False


def _read_image(parsed: Parsed, item: int, at: str) -> OverrideEntry:
    event = parsed.scalar(item)
    if event is None:
        line = parsed.line(item)
        raise EditError(f"{at} has an entry that is not text", hint="write name:tag", code="not-a-scalar", line=line)
    text = str(event.value).strip()
    left, equals, right = text.partition("=")
    return OverrideEntry(item, left if equals else references.split(right or left).name or "", item, text)


def _read_named(parsed: Parsed, item: int, at: str) -> OverrideEntry:
    if not parsed.is_mapping(item):
        line = parsed.line(item)
        raise EditError(f"{at} has an entry that is not a mapping", hint="write name and value", code="not-a-mapping", line=line)
    texts = dict(_texts(parsed, item, at))
    name, value = texts.get("name", (None, "")), texts.get("value", (None, ""))
    return OverrideEntry(item, name[1], value[0], value[1])


def _texts(parsed: Parsed, item: int, at: str) -> Iterator[tuple[str, tuple[int, str]]]:
    for key in ("name", "value"):
        outline.check_single(parsed, item, key)
        for found in outline.values(parsed, item, key):
            index = outline.resolve(parsed, found)
            event = parsed.scalar(index)
            if event is None:
                line = parsed.line(found)
                raise EditError(f"{key} in {at} is not text", hint=f"write {key} as a text", code="not-a-scalar", line=line)
            yield key, (index, "" if _is_null(parsed, index) else str(event.value).strip())


def _is_null(parsed: Parsed, index: int) -> bool:
    event = parsed.scalar(index)
    return event is not None and not event.style and event.value in {"", "~", "null", "Null", "NULL"}
