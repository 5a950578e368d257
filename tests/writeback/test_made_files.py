"""A file that an editor makes: read as missing, judged by what runs, and written with the others of its commit."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.engine.making import chosen, subscription
from updater.editors import make_editors
from updater.engine.decide import decide
from updater.errors import EditError
from updater.model.outcome import Status
from updater.model.subscription import GitBranch, Locator, Target
from updater.model.update import Commit
from updater.model.view import View
from updater.model.written import Written
from updater.writeback.file_edits import CommitDrafter
from updater.writeback.reading import BlobReader, Targets

BRANCH = GitBranch(url="https://git.test/fleet.git", branch="main")
PATH = "apps/.argocd-source-web.yaml"


@dataclass
class FlatTree:
    """Files by path, as a tree that reads them."""

    files: dict[str, bytes] = field(default_factory=dict)

    def entry(self, path):
        return None

    def read(self, path):
        if path not in self.files:
            raise EditError(f"there is no file {path}", code="no-file", path=path)
        return self.files[path]


def wanted(*, running=None, editor="argocd_source"):
    locator = Locator(path=PATH, name="image.name", tag="image.tag", section="helm")
    return subscription("app", "ghcr.io/o/app", Target(destination=BRANCH, editor=editor, locator=locator, running=running))


def look(item, folder):
    targets = Targets(tree=FlatTree(), blobs=BlobReader(make_editors(), folder / "found", "rule"), searched={})
    targets.read([item], BRANCH)
    return View(destination=BRANCH, head="1" * 40, readings=targets.readings, problems=targets.problems, pending={})


def judge(item, folder, tag="1.2.3"):
    view = look(item, folder)
    (reading,) = view.readings["app", 0]
    (decision,) = decide(view, [item], {("app", reading.written): chosen(tag)})
    return reading, decision.places[0]


def test_a_missing_file_is_made_with_what_the_policy_wants(tmp_path):
    item = wanted()
    _, verdict = judge(item, tmp_path)
    drafting = CommitDrafter(editors=make_editors(), read=FlatTree().read)
    draft = drafting.draft(Commit(commit_spec=item.targets[0].commit_spec, updates=(verdict.update,)))
    assert draft.files[PATH].startswith(b"helm:\n  parameters:\n  - name: image.name\n    value: ghcr.io/o/app\n")
    assert [(change.old, change.new) for change in draft.changes[verdict.update]] == [("", "ghcr.io/o/app"), ("", "1.2.3")]
    assert drafting.edits()[0].before == b""


def test_what_runs_already_needs_no_entry(tmp_path):
    reading, verdict = judge(wanted(running=Written(name="ghcr.io/o/app", tag="1.2.3")), tmp_path)
    assert (reading.written.tag, reading.is_missing) == ("1.2.3", True)
    assert verdict.status is Status.UNCHANGED


def test_what_runs_is_what_a_new_entry_moves_from(tmp_path):
    _, verdict = judge(wanted(running=Written(name="ghcr.io/o/app", tag="1.0.0")), tmp_path)
    assert (verdict.status, verdict.detail) == (Status.UPDATED, "1.0.0 → 1.2.3")
    _, moved = judge(wanted(running=Written(name="old/app", tag="1.2.3")), tmp_path)
    assert moved.status is Status.UPDATED


def test_other_editors_make_no_files(tmp_path):
    view = look(wanted(editor="helm"), tmp_path)
    assert view.readings.get(("app", 0), ()) == ()
    assert len(view.problems["app", 0]) == 1


def test_a_file_that_vanished_since_it_was_read_is_not_made_of_its_values(tmp_path):
    item = wanted()
    view = look(item, tmp_path)
    (reading,) = view.readings["app", 0]
    text = b"helm: {parameters: [{name: image.name, value: ghcr.io/o/app}, {name: image.tag, value: '1'}]}"
    found = make_editors()["argocd_source"].read(PATH, text, item.targets[0].locator)
    (verdict,) = decide(
        View(destination=BRANCH, head="1", readings={("app", 0): found.readings}, problems={}, pending={}),
        [item],
        {("app", found.readings[0].written): chosen("1.2.3")},
    )[0].places
    drafting = CommitDrafter(editors=make_editors(), read=FlatTree().read)
    assert drafting.draft(Commit(commit_spec=item.targets[0].commit_spec, updates=(verdict.update,))).files == {}
    assert drafting.refused[verdict.update].code == "no-file"
    assert reading.is_missing
