"""How a person's own requests are written into a checkout, with the editors and no registry or policy.

The same code edits a folder on disk and, when a push was refused, the tree of the new head.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from updater.editors import fitting, helm, kustomize, marker
from updater.editors.breaks import LINE_BREAKS
from updater.errors import EditError
from updater.model.problem import Problem
from updater.model.subscription import Locator
from updater.model.update import Change, Edit, EditRequest
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from updater.editors.base import Editor
    from updater.model.image import ImageRef
    from updater.model.view import Reading

_UNREADABLE: Final = frozenset({"not-yaml", "not-utf8", "too-large"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRequest:
    """One request as it was *given*: the policy or the entry called *name* is to be *image*."""

    name: str
    image: ImageRef
    given: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """One request as it was *given*: *key* of the values file *file* is to say *value*."""

    file: str
    key: str
    value: str
    given: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRequest:
    """Everything asked for in one go; *text_markers* are globs of non-YAML files in which markers count.

    *is_forced* writes values that have another shape than what is written at their place, too.
    """

    markers: tuple[NamedRequest, ...] = ()
    entries: tuple[NamedRequest, ...] = ()
    keys: tuple[KeyRequest, ...] = ()
    text_markers: tuple[str, ...] = ()
    is_forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResult:
    """What came of `SetRequest`: one edit a changed file, the places refused, and the requests that found no place."""

    edits: tuple[Edit, ...] = ()
    refused: tuple[Problem, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change, by path and line."""
        changes = (change for edit in self.edits for change in edit.changes)
        return tuple(sorted(changes, key=lambda change: (change.path, change.line, change.where)))

    @property
    def is_whole(self) -> bool:
        """Return whether every request stands somewhere and none was refused."""
        return not self.refused and not self.unmatched


class Files(Protocol):
    """Files by name, with `/` between folders; *only* is the name of the one file that was asked for."""

    @property
    def only(self) -> str | None:
        """The one file that was asked for, None where a folder was."""
        ...

    def names(self) -> Iterable[str]:
        """Return the names of all files."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, None where there is none; raise `EditError` where it may not be read."""
        ...


class FolderFiles:
    """The files below a folder on disk, or one of them; `.git` is never entered, no symlink followed.

    *root* is the folder, *only* the name of the one file that was asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.only: str | None = None if path.is_dir() else path.name
        self.root = path if self.only is None else path.parent

    def names(self) -> Iterator[str]:
        """Return the names of all regular files, in order."""
        if self.only is not None:
            yield self.only
            return
        yield from self._walk("")

    def _walk(self, folder: str) -> Iterator[str]:
        try:
            found = sorted(os.scandir(self.root / folder), key=lambda item: item.name)
        except OSError as error:
            raise _unreadable(folder or ".", error) from error
        for item in found:
            if item.name == ".git":
                continue
            if item.is_dir(follow_symlinks=False):
                yield from self._walk(f"{folder}{item.name}/")
            elif item.is_file(follow_symlinks=False):
                yield f"{folder}{item.name}"

    def read(self, name: str) -> bytes | None:
        """See `Files.read`."""
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or ".git" in parts:
            hint = "name a file below PATH, outside .git"
            raise EditError(f"{name} lies outside of what may be edited", hint=hint, code="path", path=name)
        for depth in range(1, len(parts) + 1):
            if (self.root / Path(*parts[:depth])).is_symlink():
                hint = "edit the file that it points to"
                raise EditError(f"{name} is a symlink, or below one", hint=hint, code="symlink", path=name)
        try:
            return (self.root / name).read_bytes() if (self.root / name).is_file() else None
        except OSError as error:
            raise _unreadable(name, error) from error

    def write(self, edit: Edit) -> None:
        """Replace a file at once or not at all, keeping its mode; raise `EditError`.

        A file that somebody changed since it was read is left alone, code ``moved``.
        """
        target = self.root / edit.path
        if self.read(edit.path) != edit.before:
            hint = "run the command again"
            raise EditError("the file changed in the meantime", hint=hint, code="moved", path=edit.path)
        try:
            mode = stat.S_IMODE(target.stat().st_mode)
            with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".updater-", delete=False) as file:
                try:
                    file.write(edit.after)
                    file.flush()
                    os.fchmod(file.fileno(), mode)
                    Path(file.name).replace(target)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            hint = "check the rights and the free space of the checkout"
            reason = reason_of(error)
            raise EditError(f"the file cannot be written: {reason}", hint=hint, code="not-written", path=edit.path) from error


def prefix_in_checkout(folder: Path) -> str:
    """Return the way from the root of the checkout around *folder* to it, ending in a slash; "" at the root or outside of one."""
    here = folder.resolve()
    root = next((above for above in (here, *here.parents) if os.path.lexists(above / ".git")), here)
    return "" if root == here else f"{here.relative_to(root).as_posix()}/"


def _unreadable(name: str, error: OSError) -> EditError:
    reason = reason_of(error)
    return EditError(f"{name} cannot be read: {reason}", hint="check its rights", code="not-read", path=name)


@dataclass(slots=True)
class _Draft:
    """The files as they stand after the edits so far."""

    files: Files
    edits: dict[str, Edit] = field(default_factory=dict)
    refused: list[Problem] = field(default_factory=list)

    def read(self, name: str) -> bytes | None:
        known = self.edits.get(name)
        return known.after if known else self.files.read(name)

    def add(self, edit: Edit) -> None:
        self.refused += edit.refused
        if edit.changes:
            known = self.edits.get(edit.path)
            before, changes = (known.before, known.changes) if known else (edit.before, ())
            self.edits[edit.path] = Edit(
                path=edit.path, before=before, after=edit.after, changes=(*changes, *edit.changes), refused=()
            )

    def refuse_at(self, error: EditError, reading: Reading) -> None:
        error.line = error.line or reading.line
        self.refuse(error, reading.path)

    def refuse(self, error: EditError, path: str) -> None:
        problem = Problem(path=error.path or path, line=error.line, code=error.code, message=error.message, hint=error.hint)
        self.refused.append(problem)


def edit_files(files: Files, requests: SetRequest) -> SetResult:
    """Make every edit that can be made safely; nothing is written to *files*."""
    draft = _Draft(files)
    unmatched = _edit_markers(draft, requests) if requests.markers else []
    _edit_entries(draft, requests.entries, is_forced=requests.is_forced)
    _edit_keys(draft, requests.keys, is_forced=requests.is_forced)
    edits = tuple(edit for _, edit in sorted(draft.edits.items()) if edit.before != edit.after)
    refused = sorted(dict.fromkeys(draft.refused), key=lambda problem: (problem.path, problem.line or 0, problem.code))
    return SetResult(edits=edits, refused=tuple(refused), unmatched=tuple(unmatched))


def write_files(folder: FolderFiles, written: SetResult) -> SetResult:
    """Put the edits on disk; return what really stands there, with each file that could not be written refused."""
    kept: list[Edit] = []
    refused = list(written.refused)
    for edit in written.edits:
        try:
            folder.write(edit)
            kept.append(edit)
        except EditError as error:
            refused.append(Problem(path=edit.path, code=error.code, message=error.message, hint=error.hint))
    return SetResult(edits=tuple(kept), refused=tuple(refused), unmatched=written.unmatched)


def _edit_markers(draft: _Draft, requests: SetRequest) -> list[str]:
    editor = marker.MarkerEditor(requests.text_markers, is_forced=requests.is_forced)
    images = {named.name: named.image for named in requests.markers}
    met: set[str] = set()
    for name in draft.files.names():
        if not editor.wants(name):
            continue
        try:
            data = draft.read(name)
        except EditError as error:
            draft.refuse(error, name)
            continue
        if data is not None and any(needle in data for needle in editor.needles):
            met |= _edit_marked(draft, editor, (name, data), images, is_forced=requests.is_forced)
    return [named.given for named in requests.markers if named.name not in met]


def _edit_marked(
    draft: _Draft, editor: Editor, file: tuple[str, bytes], images: dict[str, ImageRef], *, is_forced: bool
) -> set[str]:
    """Edit the marked places of one file; return the policies that it knows of, also by a place that is wrong."""
    name, data = file
    found = editor.read(name, data)
    lines = LINE_BREAKS.split(data.decode(errors="replace"))
    met = {reading.setter for reading in found.readings} & images.keys()
    for problem in found.problems:
        is_whole = problem.code in _UNREADABLE or not problem.line or problem.line > len(lines)
        text = data.decode(errors="replace") if is_whole else lines[(problem.line or 1) - 1]
        meant = {policy for policy in images if f'"{policy}' in text or f".{policy}" in text}
        if meant:
            draft.refused.append(problem)
            met |= meant
    wanted = [item for item in found.readings if item.setter in met]
    pairs = [(item, images[item.setter]) for item in wanted] if is_forced else _fitting(draft, wanted, images)
    draft.add(editor.edit(name, data, [_request(Locator(), item, image) for item, image in pairs]))
    return met


def _fitting(draft: _Draft, readings: Sequence[Reading], images: dict[str, ImageRef]) -> list[tuple[Reading, ImageRef]]:
    """Return what to write at each place that the image of its policy fits; the others are refused."""
    fitting_pairs = []
    for reading in readings:
        try:
            fitting_pairs.append((reading, fitting.fitted(reading, images[reading.setter])))
        except EditError as error:
            draft.refuse_at(error, reading)
    return fitting_pairs


def _edit_entries(draft: _Draft, entries: Sequence[NamedRequest], *, is_forced: bool) -> None:
    if not entries:
        return
    editor = kustomize.KustomizeEditor(is_as_spelled=True)
    try:
        name, data = _kustomization(draft)
    except EditError as error:
        draft.refuse(error, error.path)
        return
    wanted: list[EditRequest] = []
    for entry in entries:
        locator = Locator(path=name, name=entry.name)
        found = editor.read(name, data, locator)
        draft.refused += found.problems
        for reading in found.readings:
            try:
                if not is_forced:
                    fitting.check_entry(reading, entry.image)
                wanted.append(_request(locator, reading, entry.image))
            except EditError as error:
                draft.refuse_at(error, reading)
    draft.add(editor.edit(name, data, wanted))


def _kustomization(draft: _Draft) -> tuple[str, bytes]:
    only = draft.files.only
    names = kustomize.NAMES if only is None else (only,)
    for name in names:
        data = draft.read(name) if name in kustomize.NAMES else None
        if data is not None:
            return name, data
    hint = f"PATH must be a folder with {', '.join(kustomize.NAMES[:-1])} or {kustomize.NAMES[-1]}, or one of these"
    raise EditError("there is no kustomization file", hint=hint, code="no-file", path=only or ".")


def _edit_keys(draft: _Draft, keys: Sequence[KeyRequest], *, is_forced: bool) -> None:
    by_file: dict[str, list[tuple[str, str]]] = {}
    for request in keys:
        by_file.setdefault(request.file.removeprefix("./"), []).append((request.key, request.value))
    for name, values in by_file.items():
        try:
            data = draft.read(name)
            if data is None:
                hint = "FILE is relative to PATH"
                raise EditError("there is no such file", hint=hint, code="no-file", path=name)  # noqa: TRY301 - one door
            draft.add(helm.set_values(name, data, values, is_forced=is_forced))
        except EditError as error:
            draft.refuse(error, name)


def _request(locator: Locator, reading: Reading, image: ImageRef) -> EditRequest:
    return EditRequest(locator=locator, reading=reading, image=image)
