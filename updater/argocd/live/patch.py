"""How the updates of several commits become one JSON patch of a live Application, and what became of each. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from updater.argocd.live.overrides_text import overridden, steps_for, wanted_after, write_text
from updater.argocd.live.reading import EDITOR, without_line
from updater.errors import EditError, PushRefused
from updater.model.problem import Problem
from updater.model.update import Commit, WriteResult
from updater.writeback.file_edits import CommitDrafter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from updater.argocd.live.overrides_text import Step
    from updater.argocd.live.reading import LiveState
    from updater.errors import UpdaterError
    from updater.model.update import Change, Edit, Update
    from updater.model.view import PartKind, Reading


@dataclass(slots=True, kw_only=True)
class LivePatch:
    """One patch to be. *steps* are its operations, *edits* the overrides of each source before and after."""

    live: LiveState
    steps: list[Step] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    changes: dict[Update, tuple[Change, ...]] = field(default_factory=dict)
    refused: dict[Update, Problem] = field(default_factory=dict)

    def landed(self, *, revision: str = "", is_dry: bool = False) -> WriteResult:
        """Return what became of every update; *revision* is the version of the Application that carries the changes."""
        moved = [update for update, changes in self.changes.items() if changes and revision]
        return WriteResult(
            changes=self.changes,
            refused=self.refused,
            revisions=dict.fromkeys(moved, revision),
            edits=tuple(self.edits),
            is_dry=is_dry,
        )

    def refuse(self, updates: Iterable[Update], error: UpdaterError) -> None:
        """Let *updates* end as refused: nothing of them is written, or not as it was sent."""
        problem = Problem(path=self.live.name, code=error.code, message=error.message, hint=error.hint)
        for update in updates:
            self.changes[update] = ()
            self.refused[update] = problem

    def lost(self, answer: LiveState) -> list[Update]:
        """Name the updates of which *answer*, the Application after the patch, does not say what was sent."""
        after = {edit.path: edit.after for edit in self.edits}
        lost = []
        for update in [update for update, changes in self.changes.items() if changes]:
            located = self.live.located(update.target.locator)
            sent = EDITOR.read(update.reading.path, after[update.reading.path], located)
            found = answer.read(located)
            if [_shape(reading) for reading in sent.readings] != [_shape(reading) for reading in found.readings]:
                lost.append(update)
        return lost


def plan_of(live: LiveState, commits: Sequence[Commit]) -> LivePatch:
    """Plan everything that *commits* ask of *live*, each commit on top of the one before.

    Raises `PushRefused` where a place does not say what it said when the decision fell.
    """
    fresh = {update: _fresh(live, update) for commit in commits for update in commit.updates}
    paths = {update.reading.path: update.target.locator.path for update in fresh.values()}
    drafting = CommitDrafter(
        editors={update.target.editor: EDITOR for update in fresh.values()}, read=lambda file: live.text(paths[file])
    )
    for commit in commits:
        drafting.draft(Commit(commit_spec=commit.commit_spec, updates=tuple(fresh[update] for update in commit.updates)))
    plan = LivePatch(live=live)
    for update, now in fresh.items():
        plan.changes[update] = drafting.changes.get(now, ())
        if now in drafting.refused:
            plan.refused[update] = without_line(drafting.refused[now])
    for edit in drafting.edits():
        _add(plan, edit, paths[edit.path])
    return plan


def _fresh(live: LiveState, update: Update) -> Update:
    """Return *update* as of the Application that was read now; raise `PushRefused` where its place says something else.

    Only that counts, not the version: Argo CD writes the status of a busy Application many times a minute.
    """
    found = live.read(update.target.locator)
    if [_shape(reading) for reading in found.readings] != [_shape(update.reading)]:
        message = f"{update.reading.where} of {live.name} changed since it was read"
        raise PushRefused(message, hint="it is read again and re-evaluated")
    target = replace(update.target, locator=live.located(update.target.locator))
    return replace(update, target=target, reading=replace(found.readings[0], written=update.reading.written))


def _add(plan: LivePatch, edit: Edit, path: str) -> None:
    """Add what one edited source comes to; what cannot be proved is refused."""
    source = plan.live.source(path)
    mine = [update for update, changes in plan.changes.items() if update.reading.path == edit.path and changes]
    try:
        wanted = wanted_after(overridden(source), edit.before, edit.after)
    except EditError as error:
        plan.refuse(mine, error)
        return
    after = write_text(wanted)
    for update in mine:
        plan.changes[update] = _with_lines(plan, update, after)
    plan.steps += steps_for(plan.live.place(path), source, wanted)
    plan.edits.append(replace(edit, after=after, changes=tuple(change for update in mine for change in plan.changes[update])))


def _with_lines(plan: LivePatch, update: Update, text: bytes) -> tuple[Change, ...]:
    """Return the changes of *update* with their lines in *text*."""
    found = EDITOR.read(update.reading.path, text, plan.live.located(update.target.locator))
    lines = {part.where: part.line for reading in found.readings for part in reading.parts}
    return tuple(replace(change, line=lines.get(change.where, change.line)) for change in plan.changes[update])


def _shape(reading: Reading) -> tuple[str, str, bool, tuple[tuple[PartKind, str, str], ...]]:
    """Return what a place says, without its lines: an entry added above it changes nothing for it."""
    parts = tuple((part.kind, part.where, part.text) for part in reading.parts)
    return reading.path, reading.where, reading.is_missing, parts
