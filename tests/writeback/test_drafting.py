"""What became of each place of a file is told for that very place, however alike its neighbours are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.making import chosen, subscription
from updater.editors import make_editors
from updater.engine.decide import decide
from updater.engine.landing import by_commit_spec
from updater.engine.outcomes import outcomes
from updater.model.outcome import Status
from updater.model.subscription import CommitSpec, GitBranch, Locator, Target
from updater.model.update import Commit, Edit, WriteResult
from updater.model.view import View
from updater.writeback.file_edits import CommitDrafter

BRANCH = GitBranch(url="https://git.test/fleet.git", branch="main")
MARKER = '# {"$imagepolicy": "ns:app"}'
MARKED = (Locator(path=".", name="ns:app"),)
IMAGE = "ghcr.io/o/app:1.0.0"
TWO_LINES = f"| {MARKER}\n  {IMAGE}\n  second line\n"


def drafted(text, *, path="a.yaml", editor="marker", locators=MARKED, editors=None):
    """Decide and draft one file; gives the drafting, its updates and the outcome of each target."""
    editors = editors or make_editors(("*.env",))
    item = subscription("app", "ghcr.io/o/app", *(Target(destination=BRANCH, editor=editor, locator=one) for one in locators))
    readings = {("app", number): editors[editor].read(path, text.encode(), one).readings for number, one in enumerate(locators)}
    view = View(destination=BRANCH, head="1" * 40, readings=readings, problems={}, pending={})
    written = {reading.written for found in readings.values() for reading in found}
    decisions = decide(view, [item], {("app", value): chosen("1.1.0") for value in written})
    updates = tuple(update for decision in decisions for update in decision.updates)
    drafting = CommitDrafter(editors=editors, read=lambda _: text.encode())
    draft = drafting.draft(Commit(commit_spec=item.targets[0].commit_spec, updates=updates))
    revisions = dict.fromkeys(draft.changes, "2" * 40)
    return (
        drafting,
        updates,
        outcomes(decisions, WriteResult(changes=drafting.changes, refused=drafting.refused, revisions=revisions)),
    )


@pytest.mark.parametrize(
    "text",
    [
        f"img: {TWO_LINES}img2: {IMAGE} {MARKER}\n",
        f"img2: {IMAGE} {MARKER}\nimg: {TWO_LINES}",
        f"a:\n  b: {IMAGE} {MARKER}\na.b: {TWO_LINES}",
        f"l:\n- {IMAGE} {MARKER}\n- {TWO_LINES}".replace("\n  ghcr", "\n    ghcr").replace("\n  second", "\n    second"),
        f"? [x]\n: {IMAGE} {MARKER}\n? [y]\n: {TWO_LINES}",
    ],
    ids=["prefix", "prefix-behind", "dotted-key", "list", "keys-that-are-no-text"],
)
def test_a_refused_place_is_failed_and_its_neighbour_moves(text):
    drafting, updates, (end,) = drafted(text)
    assert (end.status, end.code) == (Status.FAILED, "block-scalar")
    (moved,) = [update for update in updates if drafting.changes.get(update)]
    (refused,) = drafting.refused
    assert moved != refused
    assert drafting.after["a.yaml"].decode() == text.replace(IMAGE, "ghcr.io/o/app:1.1.0", 1) or "img: |" in text[:6]


def test_two_places_without_a_key_of_their_own_are_both_written():
    text = f"? [x]\n: {IMAGE} {MARKER}\n? [y]\n: {IMAGE} {MARKER}\n"
    drafting, updates, (end,) = drafted(text)
    assert drafting.after["a.yaml"].decode() == text.replace("1.0.0", "1.1.0")
    assert [len(drafting.changes[update]) for update in updates] == [1, 1]
    assert end.status is Status.UPDATED


def test_two_targets_that_lead_to_one_scalar_both_have_its_change():
    locators = [Locator(path="values.yaml", spec=key) for key in ("image", "again")]
    drafting, updates, ends = drafted(f"image: &it {IMAGE}\nagain: *it\n", path="values.yaml", editor="helm", locators=locators)
    assert [end.status for end in ends] == [Status.UPDATED, Status.UPDATED]
    assert drafting.changes[updates[0]] == drafting.changes[updates[1]]
    assert drafting.after["values.yaml"].decode() == "image: &it ghcr.io/o/app:1.1.0\nagain: *it\n"


def test_added_entries_are_told_for_the_target_that_asked_for_each():
    path = "kustomization.yaml"
    locators = [Locator(path=path, name=name) for name in ("ghcr.io/o/app", "b", "ghcr.io/o/app2", "app")]
    drafting, updates, ends = drafted("images:\n- name: b\n  newTag: 1.0.0\n", path=path, editor="kustomize", locators=locators)
    assert {end.status for end in ends} == {Status.UPDATED}
    added = [change for update in updates for change in drafting.changes[update]]
    assert len(set(added)) == len(added)
    lines = drafting.after[path].decode().splitlines()
    for update, locator in zip(updates, locators, strict=True):
        if locator.name != "b":
            (change,) = drafting.changes[update]
            assert lines[change.line - 1] == f"- name: {locator.name}"
    assert {change.where for change in drafting.changes[updates[1]]} == {"images[0].newName", "images[0].newTag"}


def test_one_place_that_cannot_be_proved_stops_no_other():
    odd = f"odd: {IMAGE} {MARKER}\n"
    text = "".join(f"k{n}: {IMAGE} {MARKER}\n" for n in range(20)) + odd
    drafting, updates, (end,) = drafted(text)
    assert end.status is Status.UPDATED
    assert len(updates) == 21
    assert not drafting.refused


class Silent:
    """An editor of another package that does not answer."""

    name = "marker"
    needles: tuple[bytes, ...] = ()

    def files(self, locator):
        return None

    def wants(self, path):
        return True

    def read(self, path, data, locator=None):
        return make_editors()["marker"].read(path, data, locator)

    def edit(self, path, data, requests):
        return Edit(path=path, before=data, after=b"anything", changes=())


def test_an_editor_that_does_not_say_what_became_of_its_places_writes_nothing():
    drafting, _, (end,) = drafted(f"a: {IMAGE} {MARKER}\n", editors={"marker": Silent()})
    assert (end.status, end.code) == (Status.FAILED, "editor")
    assert drafting.edits() == ()


def test_of_two_commit_specs_at_one_place_the_first_commits_and_the_other_has_nothing_to_do():
    editors, path = make_editors(()), "a.yaml"
    text = f"image: {IMAGE} {MARKER}\n"
    item = subscription(
        "app", "ghcr.io/o/app", *(Target(destination=BRANCH, editor="marker", locator=MARKED[0]) for _ in range(2))
    )
    first, second = item.targets
    item = replace(item, targets=(first, replace(second, commit_spec=CommitSpec(name="ben"))))
    readings = {("app", number): editors["marker"].read(path, text.encode(), MARKED[0]).readings for number in range(2)}
    view = View(destination=BRANCH, head="1" * 40, readings=readings, problems={}, pending={})
    decisions = decide(view, [item], {("app", found[0].written): chosen("1.1.0") for found in readings.values()})
    drafting = CommitDrafter(editors=editors, read=lambda _: text.encode())
    drafts = [drafting.draft(commit) for commit in by_commit_spec(decisions)]
    assert [(draft.commit.commit_spec.name, list(draft.files)) for draft in drafts] == [("updater", [path]), ("ben", [])]
    revisions = dict.fromkeys(drafts[0].changes, "2" * 40)
    ends = outcomes(decisions, WriteResult(changes=drafting.changes, refused=drafting.refused, revisions=revisions))
    assert [end.status for end in ends] == [Status.UPDATED, Status.UNCHANGED]
