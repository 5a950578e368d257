"""Ask the editors what is written at every target of a tree, and what is wrong there.

What an editor found in a blob is remembered by the blob's id: a second look at the same content parses nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Protocol

from updater.editors import scalars
from updater.editors.base import FileReadings, beneath, creates
from updater.errors import EditError
from updater.git.objects import BLOB
from updater.git.tree import EntryKind, TreeEntry, object_name
from updater.model.problem import Problem
from updater.model.text import is_plain
from updater.writeback.patience import within
from updater.writeback.reading_cache import Kept, read_remembered, write_remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from updater.editors.base import Editor
    from updater.git.tree import Tree
    from updater.model.subscription import Destination, GitBranch, Locator, Subscription, Target
    from updater.model.view import Reading

    _Place = tuple[str, str, Locator | None]
    Searched = dict[tuple[str, str], Iterable[TreeEntry]]

REMEMBERED_PLACES: Final = 20_000
BLOBS_OF_A_PLACE: Final = 8  # of as many branches, or of as many commits on one
#: how often a file that was given up is tried again: the machine may have been busy
TRIES: Final = 3
MOST_SLOW: Final = 1000
#: how many unknown names are compared with all known ones, and how long they are: whoever writes markers chooses both
COMPARED: Final = 100
LONGEST_COMPARED: Final = 200
NO_FOLDER: Final = "no-folder"
_FOLDER_HINT: Final = "write a folder of the branch that is read, from the root of the repository"
_REGULAR: Final = 0o100644


class ReadableFiles(Protocol):
    """Where the bytes of a file are read from, as from a `Tree`."""

    def read(self, path: str) -> bytes:
        """Return the bytes of the file at *path*, or raise `EditError`."""
        ...


@dataclass(frozen=True, slots=True)
class _WrittenFile:
    """The one file whose bytes are at hand."""

    data: bytes

    def read(self, path: str) -> bytes:  # noqa: ARG002 - there is one file only
        return self.data


class BlobReader:
    """Asks an editor once per blob and path, and remembers the answer.

    What searches found (they have no locator) is kept in *file* too, where *rule* names everything it depends on.
    """

    def __init__(self, editors: Mapping[str, Editor], file: Path, rule: str) -> None:
        self.editors = editors
        self._file = file
        self._rule = rule
        self._found: OrderedDict[_Place, dict[str, FileReadings]] = OrderedDict()
        self._kept: dict[str, Kept] | None = None
        self._is_new = False
        self._slow: dict[tuple[_Place, str], int] = {}
        self._last: tuple[str, bytes] = ("", b"")

    def read(self, editor: str, entry: TreeEntry, tree: ReadableFiles, locator: Locator | None) -> FileReadings:
        """Return what *editor* finds in one file; a file that cannot be read is a problem."""
        place = (editor, entry.path, locator)
        blobs = self._found.setdefault(place, {})
        self._found.move_to_end(place)
        found = blobs.pop(entry.id, None)
        if found is None:
            found = self._read_kept(place, entry, tree) if locator is None else self._read(place, entry, tree)
            if _is_given_up(found) and self._is_tried_again(place, entry.id):
                return found
        blobs[entry.id] = found
        if len(blobs) > BLOBS_OF_A_PLACE:  # what was written over does not come back
            del blobs[next(iter(blobs))]
        if len(self._found) > REMEMBERED_PLACES:
            self._found.popitem(last=False)
        return found

    def learn(self, editor: str, path: str, data: bytes) -> None:
        """Read what was just written to *path*, while it is at hand: no look, of this process or the next, parses it again."""
        entry = TreeEntry(path=path, id=object_name(BLOB, data), kind=EntryKind.FILE, mode=_REGULAR)
        self.read(editor, entry, _WrittenFile(data), None)

    def _is_tried_again(self, place: _Place, blob: str) -> bool:
        """Return whether a file that was given up is read again at the next look."""
        if len(self._slow) > MOST_SLOW:
            self._slow.clear()
        tries = self._slow[place, blob] = self._slow.get((place, blob), 0) + 1
        return tries <= TRIES

    def save(self) -> None:
        """Keep what searches found for the next process, if anything of it is new; the texts themselves are dropped."""
        self._last = ("", b"")
        scalars.forget()
        if self._kept is not None and self._is_new:
            write_remembered(self._file, self._rule, self._kept)
            self._is_new = False

    def _read_kept(self, place: _Place, entry: TreeEntry, tree: ReadableFiles) -> FileReadings:
        if self._kept is None:
            self._kept = read_remembered(self._file, self._rule)
        # one blob a path: what a path held before is not asked again
        name = f"{place[0]} {entry.path}"
        blob, found = self._kept.get(name, ("", FileReadings()))
        if blob == entry.id:
            return found
        found = self._read(place, entry, tree)
        if is_plain(name) and not _is_given_up(found):  # the file holds text only; the others are read again
            self._kept.pop(name, None)
            self._kept[name] = (entry.id, found)
            self._is_new = True
            if len(self._kept) > REMEMBERED_PLACES:
                del self._kept[next(iter(self._kept))]
        return found

    def _read(self, place: _Place, entry: TreeEntry, tree: ReadableFiles) -> FileReadings:
        editor, _, locator = place
        try:
            data = self._content(entry, tree)
        except EditError as error:
            return FileReadings(problems=(as_problem(error, entry.path),))
        try:
            return within(lambda: self.editors[editor].read(entry.path, data, locator), entry.path, len(data))
        except EditError as error:
            return FileReadings(problems=(as_problem(error, entry.path),))

    def _content(self, entry: TreeEntry, tree: ReadableFiles) -> bytes:
        """Read a blob once for all locators of its file, which ask one after the other."""
        if self._last[0] != entry.id:
            self._last = (entry.id, tree.read(entry.path))
        return self._last[1]


def _is_given_up(found: FileReadings) -> bool:
    return any(problem.code == "too-slow" for problem in found.problems)


def as_problem(error: EditError, path: str) -> Problem:
    """Turn a refusal to read or write a file into a problem of that file."""
    return Problem(path=error.path or path, line=error.line, code=error.code, message=error.message, hint=error.hint)


@dataclass(slots=True, kw_only=True)
class Targets:
    """Reads every target of one tree. *searched* has, by editor and path, the files below it that may hold places."""

    tree: Tree
    blobs: BlobReader
    searched: Searched
    readings: dict[tuple[str, int], tuple[Reading, ...]] = field(default_factory=dict)
    problems: dict[tuple[str, int], tuple[Problem, ...]] = field(default_factory=dict)
    notes: dict[Problem, None] = field(default_factory=dict)
    _below: dict[tuple[str, str], dict[str, list[Reading]]] = field(default_factory=dict)

    def read(self, subscriptions: Sequence[Subscription], destination: Destination) -> None:
        """Fill readings, problems and notes for every target on *destination*."""
        for subscription in subscriptions:
            for index, target in enumerate(subscription.targets):
                if target.destination == destination:
                    self._read_target((subscription.key, index), target)
        self.blobs.save()

    def note_unclaimed(self, names: frozenset[str]) -> None:
        """Note each marker whose policy is none of *names*."""
        near: dict[str, list[str]] = {}
        for setters in self._below.values():
            for setter, readings in setters.items():
                if setter in names:
                    continue
                if setter not in near:
                    is_compared = len(near) < COMPARED and len(setter) <= LONGEST_COMPARED
                    near[setter] = get_close_matches(setter, names, n=1) if is_compared else []
                for reading in readings:
                    self.notes[_unclaimed(reading, near[setter])] = None

    def _read_target(self, place: tuple[str, int], target: Target) -> None:
        editor = self.blobs.editors[target.editor]
        files = editor.files(target.locator)
        if files is None:
            setters = self._setters(target.editor, target.locator.path)
            self.readings[place] = tuple(setters.get(target.locator.name or "", ()))
            if target.may_be_absent and not setters and (flaw := self._folder_flaw(target.locator.path)):
                self.notes[Problem(path=target.locator.path, code=NO_FOLDER, message=flaw, hint=_FOLDER_HINT)] = None
            return
        entry = next((entry for path in files if (entry := self.tree.entry(path)) is not None), None)
        if entry is None and not creates(editor):
            self.problems[place] = (_no_file(files, target),)
            return
        if entry is None:
            found = editor.read(files[0], b"", target.locator)
        else:
            found = self.blobs.read(target.editor, entry, self.tree, target.locator)
        found = self._with_beneath(target, found)
        self.readings[place] = tuple(_judged_by(reading, target) for reading in found.readings)
        self.problems[place] = found.problems

    def _with_beneath(self, target: Target, found: FileReadings) -> FileReadings:
        """Return *found* with what the file beneath sets, where an edit may hide it; if that cannot be read, its problems."""
        path = beneath(self.blobs.editors[target.editor], target.locator)
        entry = self.tree.entry(path) if path and any(reading.is_missing for reading in found.readings) else None
        if entry is None:
            return found
        lower = self.blobs.read(target.editor, entry, self.tree, target.locator)
        if lower.problems:
            return lower
        beside = next((reading.beside for reading in lower.readings), None)
        return replace(found, readings=tuple(replace(reading, beside=beside) for reading in found.readings))

    def _folder_flaw(self, path: str) -> str:
        """Return why nothing can be below *path*, "" where something may."""
        first = next(iter(self.tree.entries(path)), None)
        if first is None:
            return f"there is no folder {path} in the tree"
        if first.path == path and first.kind is not EntryKind.FILE:
            return f"{path} is a {first.kind.value}, which is not followed"
        return ""

    def _setters(self, editor: str, path: str) -> dict[str, list[Reading]]:
        """Read every file below *path* once, for all targets that share it; readings by the name they are found by."""
        if (editor, path) not in self._below:
            setters: dict[str, list[Reading]] = {}
            for entry in self.searched[editor, path]:
                found = self.blobs.read(editor, entry, self.tree, None)
                self.notes.update(dict.fromkeys(found.problems))
                for reading in found.readings:
                    setters.setdefault(reading.setter, []).append(reading)
            self._below[editor, path] = setters
        return self._below[editor, path]


def _judged_by(reading: Reading, target: Target) -> Reading:
    """Let what runs stand for what is written, where nothing is: an edit then says what it changes in truth."""
    is_bare = reading.is_missing and not reading.parts
    return replace(reading, written=target.running) if is_bare and target.running else reading


def _no_file(files: Sequence[str], target: Target) -> Problem:
    absent = f"none of {', '.join(files)} is" if len(files) > 1 else "this file is not"
    return Problem(
        path=files[0],
        code="no-file",
        message=f"{absent} in the tree of {target.destination}",
        hint="commit the file first, or correct its path, which is relative to the root of the repository",
    )


def _unclaimed(reading: Reading, near: Sequence[str]) -> Problem:
    return Problem(
        path=reading.path,
        line=reading.line,
        code="unknown-policy",
        message=f"the marker names {reading.setter!r}, and no target has this marker",
        hint=f"did you mean {near[0]!r}?" if near else "add a target with this marker, or remove the marker",
        setter=reading.setter,
    )


def searches_of(
    editors: Mapping[str, Editor], subscriptions: Sequence[Subscription], branch: GitBranch
) -> tuple[tuple[str, str], ...]:
    """Name each search that the targets need, once: editor and path."""
    return tuple(
        dict.fromkeys(
            (target.editor, target.locator.path)
            for subscription in subscriptions
            for target in subscription.targets
            if target.destination == branch and editors[target.editor].files(target.locator) is None
        )
    )
