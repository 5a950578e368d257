"""Argo CD lays the file of one Application over `.argocd-source.yaml`: a list made in it brings along the list that it hides."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.argocd.request.test_beside_hostile import deployed
from tests.engine.making import chosen, subscription
from updater.documents import Dialect, read_yaml
from updater.editors import make_editors
from updater.engine.decide import decide
from updater.errors import EditError
from updater.git.objects import BLOB
from updater.git.tree import EntryKind, TreeEntry, object_name
from updater.model.subscription import GitBranch, Locator, Target
from updater.model.update import Commit
from updater.model.view import View
from updater.writeback.file_edits import CommitDrafter
from updater.writeback.reading import BlobReader, Targets

BRANCH = GitBranch(url="https://git.test/fleet.git", branch="main")
SHARED = "apps/.argocd-source.yaml"
PATH = "apps/.argocd-source-web.yaml"
IMAGE = Locator(path=PATH, section="kustomize", spec="ghcr.io/o/app")
TAG = Locator(path=PATH, section="helm", name="image.name", tag="image.tag")


@dataclass
class FlatTree:
    """Files by path, as a tree that reads them."""

    files: dict[str, str]

    def entry(self, path):
        if path not in self.files:
            return None
        return TreeEntry(path=path, id=object_name(BLOB, self.read(path)), kind=EntryKind.FILE, mode=0o100644)

    def read(self, path):
        if path not in self.files:
            raise EditError(f"there is no file {path}", code="no-file", path=path)
        return self.files[path].encode()


def written(files, folder, locator):
    """Write 1.2.3 as the daemon does; gives what the file of the Application says then, and what was refused or not readable."""
    tree = FlatTree(files)
    item = subscription("app", "ghcr.io/o/app", Target(destination=BRANCH, editor="argocd_source", locator=locator))
    targets = Targets(tree=tree, blobs=BlobReader(make_editors(), folder / "found", "rule"), searched={})
    targets.read([item], BRANCH)
    problems = targets.problems["app", 0]
    if problems:
        return {}, problems
    view = View(destination=BRANCH, head="1" * 40, readings=targets.readings, problems=targets.problems, pending={})
    (reading,) = view.readings["app", 0]
    (decision,) = decide(view, [item], {("app", reading.written): chosen("1.2.3")})
    update = decision.places[0].update
    drafting = CommitDrafter(editors=make_editors(), read=tree.read)
    draft = drafting.draft(Commit(commit_spec=item.targets[0].commit_spec, updates=(update,)))
    return content(draft.files.get(PATH, b"")), tuple(drafting.refused.values())


def content(data):
    documents = read_yaml("", data, dialect=Dialect.MANIFEST).documents
    return json.loads(json.dumps(documents[0].value)) if documents else {}


@pytest.mark.parametrize(
    ("shared", "after"),
    [
        ("kustomize: {images: ['ghcr.io/o/side:1.0.5']}", ["ghcr.io/o/side:1.0.5", "ghcr.io/o/app:1.2.3"]),
        ("kustomize: {images: ['old=ghcr.io/o/app:1', 'ghcr.io/o/side:2']}", ["old=ghcr.io/o/app:1.2.3", "ghcr.io/o/side:2"]),
        ("kustomize: {images: []}", ["ghcr.io/o/app:1.2.3"]),
        ("helm: {parameters: [{name: replicas, value: '3'}]}", ["ghcr.io/o/app:1.2.3"]),
        ("", ["ghcr.io/o/app:1.2.3"]),
    ],
    ids=["another image", "the same image", "empty", "another section", "nothing"],
)
def test_images_for_all_applications_of_the_folder_stay_deployed(tmp_path, shared, after):
    """What no file of this Application said was deployed from the shared one, and still is."""
    found, problems = written({SHARED: shared}, tmp_path, IMAGE)
    assert (found, problems) == ({"kustomize": {"images": after}}, ())
    kept = {text for text in content(shared.encode()).get("kustomize", {}).get("images", []) if "o/app" not in text}
    assert kept <= set(deployed(content(shared.encode()), found)["kustomize"]["images"])


def test_parameters_come_along_where_a_copy_says_the_same(tmp_path):
    """A copy is a string: a parameter that is one already is copied, and our own is replaced."""
    shared = "helm: {parameters: [{name: image.tag, value: '1'}, {name: region, value: eu, forceString: true}]}"
    found, problems = written({SHARED: shared}, tmp_path, TAG)
    assert problems == ()
    parameters = {item["name"]: (item["value"], item["forceString"]) for item in found["helm"]["parameters"]}
    assert parameters == {"image.name": ("ghcr.io/o/app", True), "image.tag": ("1.2.3", True), "region": ("eu", True)}


@pytest.mark.parametrize(
    ("shared", "locator", "name"),
    [
        ("helm: {parameters: [{name: replicas, value: '3'}]}", TAG, "replicas"),
        ("helm: {parameters: [{name: replicas, value: '3', forceString: false}]}", TAG, "replicas"),
        ("kustomize: {images: ['ghcr.io/o/side:1', 'ghcr.io/o/side:2']}", IMAGE, "ghcr.io/o/side"),
    ],
    ids=["not a string", "said to be none", "doubled"],
)
def test_what_no_copy_says_as_well_is_refused_and_nothing_is_written(tmp_path, shared, locator, name):
    """A number that became a string, or one of two entries, would be another deployment."""
    found, (problem,) = written({SHARED: shared}, tmp_path, locator)
    assert (found, problem.code) == ({}, "hides-overrides")
    assert problem.message.endswith(f"would hide what .argocd-source.yaml sets there: {name}")


def test_a_shared_file_that_cannot_be_read_stops_the_write_at_its_path(tmp_path):
    """Nobody knows then what a new list would hide."""
    found, (problem,) = written({SHARED: "kustomize: {images: {}}"}, tmp_path, IMAGE)
    assert (found, problem.path, problem.code) == ({}, SHARED, "not-a-list")


def test_a_list_that_is_there_hides_the_shared_one_already(tmp_path):
    """Whoever wrote it knew; nothing is added to it."""
    files = {SHARED: "kustomize: {images: ['ghcr.io/o/side:2']}", PATH: "kustomize: {images: ['ghcr.io/o/app:1.0.0']}\n"}
    assert written(files, tmp_path, IMAGE) == ({"kustomize": {"images": ["ghcr.io/o/app:1.2.3"]}}, ())


def test_the_applications_own_list_is_hidden_by_the_shared_one_already(tmp_path):
    """Argo CD does not deploy it any more, so that it does not come along."""
    locator = Locator(path=PATH, section="kustomize", spec="ghcr.io/o/app", beside=(("ghcr.io/o/db", "ghcr.io/o/db:1"),))
    found, problems = written({SHARED: "kustomize: {images: ['ghcr.io/o/side:2']}"}, tmp_path, locator)
    assert (found, problems) == ({"kustomize": {"images": ["ghcr.io/o/side:2", "ghcr.io/o/app:1.2.3"]}}, ())


def test_the_shared_file_itself_hides_what_the_application_sets_only(tmp_path):
    """A target may be that file; nothing is beneath it but the object."""
    locator = Locator(path=SHARED, section="kustomize", spec="ghcr.io/o/app")
    editor = make_editors()["argocd_source"]
    assert [editor.beneath(item) for item in (locator, IMAGE)] == ["", SHARED]
    assert editor.beneath(Locator(path=".argocd-source-web.yaml", section="kustomize")) == ".argocd-source.yaml"
