"""What git of an ImageUpdateAutomation means: the cases of the peer run under their ids, and what differs is said in place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from updater.errors import ConfigError, TemplateError
from updater.flux.cluster.automation_landing import AutomationCommit
from updater.flux.request.automations import DEFAULT_MESSAGE
from updater.flux.request.destinations import PushRequest, destination_for
from updater.flux.request.requests import GitRepositoryRequest
from updater.model.checkout_ref import CheckoutRef, RefKind
from updater.model.image import ImageRef, parse_ref
from updater.model.publishing import Direct, PushBranch
from updater.model.subscription import CommitSpec, GitBranch, Locator, Target
from updater.model.update import Change, Commit, Update
from updater.model.view import Part, PartKind, Reading
from updater.model.written import Written
from updater.writeback.message import commit_message
from updater.writeback.message_trial import try_message

CASES = {case["id"]: case for case in json.loads((Path(__file__).parents[1] / "cases_git.json").read_text())}
URL = "https://git.example.org/fleet.git"
DEPLOYMENT = ("apps/v1", "Deployment", "ns1", "a")


def destination(*, ref=None, checkout=None, **push):
    repository = GitRepositoryRequest(key=("flux-system", "fleet"), url=URL, reference=ref or {})
    return destination_for(repository, checkout or ref or {}, PushRequest(**push))


def moved(path="clusters/prod/app.yaml", setter="flux-system:app:tag", identity=DEPLOYMENT):
    name = parse_ref("ghcr.io/o/app").name
    part = Part(kind=PartKind.TAG, line=3, where="spec.tag", text="1.0.0")
    made = Update(
        subscription="flux-system/app",
        target=Target(destination=GitBranch(url=URL, branch="main"), editor="marker", locator=Locator(path="./clusters/prod")),
        reading=Reading(path=path, where="spec", line=3, setter="flux-system:app", parts=(part,), written=Written(tag="1.0.0")),
        image=ImageRef(name=name, tag="1.0.1"),
        written_as=ImageRef(name=name, tag="1.0.1"),
        policy="semver >=1",
        origin="ImagePolicy flux-system/app",
    )
    change = Change(path=path, line=3, where="spec.tag", old="1.0.0", new="1.0.1", setter=setter, object_id=identity)
    return made, change


def said(template="", values=None, *made, owner="flux-system/auto"):
    pairs_of_values = tuple(sorted((values or {}).items()))
    spec = CommitSpec(
        name="bot", email="bot@example.org", message=template or DEFAULT_MESSAGE, values=pairs_of_values, owner=owner
    )
    pairs = made or (moved(),)
    commit = Commit(commit_spec=spec, updates=tuple(update for update, _ in pairs))
    changes = {}
    for update, change in pairs:
        changes[update] = (*changes.get(update, ()), change)
    return commit_message(commit, changes).rpartition("\n\n")[0]


def test_flux_310_the_peers_words_on_a_push():
    case = CASES["flux-310"]
    given = case["input"]
    pushed = AutomationCommit(revision=given["rev"], branch=given["branch"], at=datetime.now(UTC), message=given["msg"])
    assert pushed.summary == case["expected"]


@pytest.mark.parametrize("name", ["flux-311", "flux-312"])
def test_messages_of_the_peer(name):
    case = CASES[name]
    assert said(case["input"]["template"], case["input"].get("values")) == case["expected"]


def test_flux_313_a_removed_field_has_a_code_of_its_own_when_the_object_is_read_and_when_it_is_committed():
    for trial in (lambda: try_message("{{ .Changed.ImageResult }}", owner="ns/auto"), lambda: said("{{ .Updated.Images }}")):
        with pytest.raises(TemplateError) as caught:
            trial()
        assert caught.value.code == "template-removed-field"


def test_flux_314_files_are_named_from_the_path_of_the_update_and_one_object_has_its_changes_together():
    first, second = moved("clusters/prod/base/d.yaml"), moved("clusters/prod/overlays/d.yaml", "flux-system:app:name")
    template = (
        "{{ range $f, $_ := .Changed.FileChanges }}{{ $f }} {{ end }}{{ range $o, $c := .Changed.Objects }}{{ len $c }}{{ end }}"
    )
    assert said(template, None, first, second) == "base/d.yaml overlays/d.yaml 2"


def test_flux_315_the_automation_is_the_one_that_commits():
    case = CASES["flux-315"]
    assert said(case["input"]["template"]) == case["expected"]
    assert said("{{ .AutomationObject }}", owner="other/auto") == "other/auto"


@pytest.mark.parametrize(("name", "words"), [("flux-316", "can't evaluate field Foo"), ("flux-317", "x")])
def test_templates_that_fail(name, words):
    with pytest.raises(TemplateError, match=words) as caught:
        said(CASES[name]["input"]["template"])
    assert caught.value.code != "template-removed-field"


def test_flux_318_changes_are_in_one_order_each_once_where_the_peers_order_varies():
    one, two = moved("clusters/prod/b.yaml"), moved("clusters/prod/a.yaml", "flux-system:app")
    template = "{{ range .Changed.Changes }}{{ .OldValue }}>{{ .NewValue }} {{ .Setter }};{{ end }}"
    expected = "1.0.0>1.0.1 flux-system:app;1.0.0>1.0.1 flux-system:app:tag;"
    assert said(template, None, one, two) == said(template, None, two, one) == said(template, None, one, two, one) == expected


def test_flux_319_files_are_in_sorted_order():
    made = [moved(f"clusters/prod/{name}.yaml") for name in "cab"]
    assert said("{{ range $f,$_ := .Changed.FileChanges }}{{ $f }},{{ end }}", None, *made) == "a.yaml,b.yaml,c.yaml,"


def test_flux_320_an_object_prints_as_the_peer_prints_it():
    case = CASES["flux-320"]
    assert said(f"{case['input']['template']}{{{{ end }}}}") == case["expected"].partition(" (raw")[0]


def test_flux_321_a_push_branch_that_is_another_one_is_built_from_the_branch_that_is_read():
    assert CASES["flux-321"]["expected"] == {"push": "ddd", "switch": True}
    made = destination(ref={"branch": "ccc"}, branch="ddd")
    assert (made.branch, made.push, made.is_rebuilt) == ("ccc", "ddd", True)


def test_flux_322_without_any_ref_master_is_read():
    assert CASES["flux-322"]["expected"]["push"] == "aaa"
    made = destination(branch="aaa")
    assert (made.branch, made.push, made.is_rebuilt) == ("master", "aaa", True)


def test_flux_323_a_ref_name_of_a_branch_is_that_branch_so_nothing_is_forced():
    """The peer compares the push branch with ref.branch alone, which is empty: it forces main and clones at each interval."""
    assert CASES["flux-323"]["expected"]["switch"] is True
    made = destination(checkout={"name": "refs/heads/main"}, branch="main")
    assert (made.branch, made.push, made.is_rebuilt) == ("main", "main", False)


def test_the_ref_of_the_automation_replaces_that_of_the_git_repository_whole():
    made = destination(ref={"tag": "v1", "branch": "main"}, checkout={"branch": "prod"})
    assert (made.branch, made.ref, made.publishing) == ("prod", None, Direct())


def test_without_a_push_branch_the_branch_of_the_ref_is_written():
    assert destination(ref={"branch": "main"}).publishing == Direct()
    options = destination(ref={"branch": "main"}, options={"topic": "x"}, refspec="refs/heads/main:refs/heads/copy")
    assert options.publishing == Direct("refs/heads/copy", ("topic=x",))
    made = destination(ref={"tag": "v1", "branch": "main"})
    assert (made.ref, made.publishing) == (CheckoutRef(RefKind.TAG, "v1"), PushBranch("main"))


@pytest.mark.parametrize("ref", [{}, {"tag": "v1"}, {"semver": ">=1"}, {"commit": "a" * 40}, {"name": "refs/pull/1/head"}])
def test_where_no_branch_can_be_pushed_the_reason_is_said(ref):
    with pytest.raises(ConfigError) as caught:
        destination(ref=ref)
    assert caught.value.code == "missing-key"
