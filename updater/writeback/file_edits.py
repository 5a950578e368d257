"""How the updates of several commits become files: each commit edits on top of the one before. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from updater.editors import scalars
from updater.editors.base import creates
from updater.errors import EditError
from updater.model.problem import Problem
from updater.model.update import Edit, EditRequest
from updater.writeback.patience import within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.editors.base import Editor
    from updater.model.update import Change, Commit, Update


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitDraft:
    """One commit to be: the files it writes, and what each of its updates changed."""

    commit: Commit
    files: Mapping[str, bytes]
    changes: Mapping[Update, tuple[Change, ...]]


@dataclass(slots=True)
class CommitDrafter:
    """Edits file by file; *read* gives a file of the tree that was looked at, or raises `EditError`."""

    editors: Mapping[str, Editor]
    read: Callable[[str], bytes]
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)
    changes: dict[Update, tuple[Change, ...]] = field(default_factory=dict)
    refused: dict[Update, Problem] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)

    def draft(self, commit: Commit) -> CommitDraft:
        """Edit every file that *commit* touches; a refused place does not stop the others."""
        files: dict[str, bytes] = {}
        for (path, editor), updates in _by_file(commit.updates).items():
            if self._edit(path, self.editors[editor], updates):
                files[path] = self.after[path]
        scalars.forget()
        changes = {update: self.changes[update] for update in commit.updates if self.changes.get(update)}
        return CommitDraft(commit=commit, files=files, changes=changes)

    def edits(self) -> tuple[Edit, ...]:
        """Return every changed file once, before and after all commits."""
        by_path: dict[str, list[Change]] = {}
        for changes in self.changes.values():
            for change in changes:
                by_path.setdefault(change.path, []).append(change)
        return tuple(
            Edit(
                path=path,
                before=self.before[path],
                after=self.after[path],
                changes=tuple(by_path.get(path, ())),
                is_made=path in self.made,
            )
            for path in sorted(self.after)
            if self.before[path] != self.after[path]
        )

    def _edit(self, path: str, editor: Editor, updates: Sequence[Update]) -> bool:
        try:
            data = self._content(path, is_made=creates(editor) and all(update.reading.is_missing for update in updates))
        except EditError as error:
            self._refuse_all(path, error, updates)
            return False
        requests = [EditRequest(locator=update.target.locator, reading=update.reading, image=update.image) for update in updates]
        try:
            edit = within(lambda: editor.edit(path, data, requests), path, len(data))
        except EditError as error:
            self._refuse_all(path, error, updates)
            return False
        if len(edit.answers) != len(updates):  # nothing is written then: an outcome is never guessed
            message = f"the editor {editor.name!r} did not say what became of each place"
            hint = "update or remove the package that brings it"
            self._refuse_all(path, EditError(message, hint=hint, code="editor"), updates)
            return False
        self._assign(edit, updates)
        self.after[path] = edit.after
        return edit.after != data

    def _refuse_all(self, path: str, error: EditError, updates: Sequence[Update]) -> None:
        problem = Problem(path=path, line=error.line, code=error.code, message=error.message, hint=error.hint)
        self.refused.update(dict.fromkeys(updates, problem))

    def _content(self, path: str, *, is_made: bool) -> bytes:
        """Return a file of the tree, or what an earlier commit made of it; one that is to be made is empty."""
        if path not in self.after:
            try:
                self.before[path] = self.after[path] = self.read(path)
            except EditError as error:
                if not is_made or error.code != "no-file":
                    raise
                self.before[path] = self.after[path] = b""
                self.made.add(path)
        return self.after[path]

    def _assign(self, edit: Edit, updates: Sequence[Update]) -> None:
        """Assign to each update what became of its own request."""
        for update, answer in zip(updates, edit.answers, strict=True):
            self.changes[update] = tuple(edit.changes[number] for number in answer.changes)
            if answer.refusal is not None:
                self.refused[update] = answer.refusal


def _by_file(updates: Sequence[Update]) -> dict[tuple[str, str], list[Update]]:
    grouped: dict[tuple[str, str], list[Update]] = {}
    for update in updates:
        grouped.setdefault((update.reading.path, update.target.editor), []).append(update)
    return grouped
