"""How Applications and ImageUpdaters ask for pull requests, and what they may not ask for."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, OWN, REPOSITORY, application, codes, image, one, reference, run, updater
from updater.argocd.cluster.pruning import prune_updater
from updater.argocd.request.branch_tracking import follows
from updater.argocd.request.imageupdaters import read_image_updater
from updater.controller.objects import Sharing
from updater.errors import ForgeError
from updater.forge.address import ForgeKind, locate_repository
from updater.inventory.branch_writers import BranchWriters
from updater.inventory.default_branches import DefaultBranches
from updater.model.publishing import AutoMerge, Direct, Proposal, ProposalOptions
from updater.model.subscription import GitBranch
from updater.settings.proposals import ProposalSettings

LIST = {"image-list": "web=ghcr.io/o/web:^1.0, db=ghcr.io/o/db:^1.0"} | GIT
ONE = {"image-list": "web=ghcr.io/o/web:^1.0"} | GIT
FORGED = {"repoURL": "https://git.test/o/fleet.git"}
LIVE = ("ghcr.io/o/web:1.0.0", "ghcr.io/o/db:1.0.0")


def publishing(own=None, *, annotations=ONE, **options):
    """How the only image of an Application is published."""
    return one(application(annotations, own=own), **options).targets[0].destination.publishing


def asked(block, **spec):
    """An ImageUpdater that writes to Git with a `pullRequest` block."""
    return updater(reference("*", image()), writeBackConfig={"method": "git", "gitConfig": {"pullRequest": block}}, **spec)


def of_block(block, **options):
    return one(application(source=FORGED, **options), updaters=[asked(block)]).targets[0].destination.publishing


def flaw(*applications, updaters=()):
    """The only problem of a translation that writes nothing."""
    found = run(*applications, updaters=updaters)
    assert found.snapshot.subscriptions == ()
    (problem,) = found.snapshot.problems
    return problem


def test_true_is_a_pull_request_of_the_image_with_the_defaults():
    defaults = ProposalSettings(labels=("images",), limit=5)
    assert publishing({"proposal": "true"}) == Proposal(
        "updater/main/argocd-web-web", ProposalOptions(), "subscription argocd/web/web"
    )
    made = publishing({"proposal": "true"}, proposal=defaults)
    assert (made.options.labels, made.options.limit) == (("images",), 5)


@pytest.mark.parametrize(
    "text",
    [
        "{labels: [a, b], draft: true, auto_merge: patch, reviewers: [me, org/team], title: 'x {{ 1 }}'}",
        '{"labels": ["a", "b"], "draft": true, "auto_merge": "patch", "reviewers": ["me", "org/team"], "title": "x {{ 1 }}"}',
        "labels: [a, b]\ndraft: true\nauto_merge: patch\nreviewers: [me, org/team]\ntitle: x {{ 1 }}\n",
    ],
)
def test_the_keys_of_the_setting_are_read_from_yaml_and_json(text):
    assert publishing({"web.proposal": text}).options == ProposalOptions(
        labels=("a", "b"), is_draft=True, auto_merge=AutoMerge.PATCH, reviewers=("me", "org/team"), title="x {{ 1 }}"
    )


def test_an_annotation_of_an_image_wins_over_that_of_all():
    found = run(application(LIST, own={"proposal": "{labels: [all]}", "db.proposal": "false"}, images=LIVE))
    web, db = (item.targets[0].destination.publishing for item in found.snapshot.subscriptions)
    assert (codes(found), web.options.labels, db) == ([], ("all",), Direct())


def test_images_of_one_application_have_their_own_pull_requests_or_one():
    for text, count in (("true", 2), ("{per: group, group: shop}", 1), ("{per: destination}", 1)):
        found = run(application(LIST, own={"proposal": text}, images=LIVE))
        assert len({item.targets[0].destination for item in found.snapshot.subscriptions}) == count


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("yes please", "wrong-type", "expected true, false or a mapping"),
        ("[]", "wrong-type", "expected true, false or a mapping"),
        ("{labls: [a]}", "unknown-key", "labls: this key is not known"),
        ("{labels: a}", "wrong-type", "labels: expected a list"),
        ("{labels: ['a,b']}", "proposal-label", "labels[0]"),
        ("{reviewers: ['@me']}", "proposal-account", "reviewers[0]"),
        ("{auto_merge: sometimes}", "bad-value", "auto_merge"),
        ("{token: 'env:TOKEN'}", "unknown-key", "token: this key is not known"),
        ("{forge: {api: 'https://evil.example.org'}}", "unknown-key", "forge: this key is not known"),
        ("{per: group}", "proposal-group", "per: group needs the name"),
        ("{branch: main}", "proposal-branch", "which is the branch that is read"),
        ("{branch: updater}", "proposal-branch", "the folder of all others"),
        ("{branch: updater/main}", "proposal-branch", "the folder of all others"),
        ("{branch: '{{ .Nothing }}'}", "template-data", "branch"),
        ("{title: '{{'}", "template", "title"),
        ("{draft: true", "not-yaml", ""),
        ("{a: &a [*a]}", "", ""),
        ("{labels: [a], labels: [b]}", "duplicate-key", ""),
    ],
)
def test_a_bad_value_ends_the_image_with_place_and_hint(text, code, said):
    problem = flaw(application(ONE, own={"web.proposal": text}))
    assert problem.message.startswith(f"{OWN}web.proposal: ")
    assert said in problem.message
    assert problem.hint
    assert code in {"", problem.code}


def test_an_unknown_annotation_is_still_told_with_the_right_name():
    found = run(application(ONE, own={"propsal": "true"}))
    assert [(problem.code, problem.hint) for problem in found.snapshot.problems] == [("unknown-key", "did you mean 'proposal'?")]


def test_a_live_application_has_no_pull_request():
    problem = flaw(application({"image-list": "web=ghcr.io/o/web:^1.0"}, own={"proposal": "true"}))
    assert (problem.code, "write-back-method: git" in problem.hint) == ("conflict", True)


def test_a_push_branch_and_a_pull_request_are_not_both_meant():
    problem = flaw(application(ONE | {"git-branch": "main:up"}, own={"proposal": "true"}))
    assert (problem.code, "branch of its own" in problem.message) == ("conflict", True)


def test_a_group_is_one_of_the_namespace():
    text = "{per: group, group: shop}"
    teams = [application(ONE, own={"proposal": text}, namespace=name, name=name) for name in ("team-a", "team-b")]
    found = run(*teams)
    assert [item.targets[0].destination.push for item in found.snapshot.subscriptions] == [
        "updater/main/team-a-shop",
        "updater/main/team-b-shop",
    ]


def test_a_pull_request_of_everything_is_one_of_the_namespace():
    for options in ({}, {"proposal": ProposalSettings(per="destination")}):
        text = "true" if options else "{per: destination}"
        teams = [application(ONE, own={"proposal": text}, namespace=name, name=name) for name in ("team-a", "team-b")]
        found = run(*teams, **options)
        assert [item.targets[0].destination.push for item in found.snapshot.subscriptions] == [
            "updater/main/team-a",
            "updater/main/team-b",
        ]


@pytest.mark.parametrize("text", ["{branch: updater/main/team-a-web-web}", "{branch: straight}"])
def test_the_branch_of_another_tenant_is_not_taken(text):
    (mine,) = run(application(ONE, own={"proposal": "true"}, namespace="team-a")).snapshot.subscriptions
    straight = GitBranch(url=REPOSITORY, branch="straight")
    theirs = one(application(ONE, own={"proposal": text}, namespace="team-b", name="else")).targets[0].destination
    known = BranchWriters({mine.targets[0].destination: "team-a", straight: "people"})
    assert list(known.clashes([theirs], is_first=True)) == [theirs]


def test_the_branch_keeps_its_name_when_it_is_known_which_one_head_is():
    text = ONE | {"write-back-target": "kustomization"}
    branches = DefaultBranches()
    item = application(text, own={"proposal": "true"}, source={"targetRevision": "HEAD"})
    before = one(item, branches=branches).targets[0].destination
    branches.learn(before, "trunk")
    after = one(item, branches=branches).targets[0].destination
    assert (before.branch, after.branch) == ("", "trunk")
    assert before.push == after.push == "updater/default/argocd-web-web"


def test_two_applications_of_one_place_are_one_pull_request():
    shared = ONE | {"write-back-target": "kustomization:/shared"}
    found = run(*(application(shared, own={"proposal": "true"}, name=name) for name in ("web", "twin")))
    assert (codes(found), [item.key for item in found.snapshot.subscriptions]) == ([], ["argocd/web/web"])
    assert [answer.code for answer in found.answers] == [None, "shared"]


def test_an_application_does_not_follow_the_branch_of_a_pull_request():
    destination = one(application(ONE, own={"proposal": "true"})).targets[0].destination
    assert not follows({"source": {"repoURL": REPOSITORY, "targetRevision": "HEAD"}}, destination)


def test_an_image_updater_asks_for_those_that_it_lists_and_the_application_has_the_last_word():
    item = updater(reference("*", image(), image("ghcr.io/o/db:^1", "db")), writeBackConfig={"method": "git"})
    item["metadata"]["annotations"] = {f"{OWN}proposal": "{labels: [all]}", f"{OWN}db.proposal": "{labels: [db]}"}
    found = run(application(own={"web.proposal": "false"}, images=LIVE), updaters=[item])
    web, db = (one.targets[0].destination.publishing for one in found.snapshot.subscriptions)
    assert (codes(found), web, db.options.labels) == ([], Direct(), ("db",))


@pytest.mark.parametrize(
    ("key", "text", "code"),
    [("proposal", "{x: 1}", "unknown-key"), ("form", "digest", "unknown-key"), ("no.proposal", "true", "alias")],
)
def test_a_bad_annotation_of_an_image_updater_is_told_on_it(key, text, code):
    item = updater(reference("*", image()), writeBackConfig={"method": "git"})
    item["metadata"]["annotations"] = {f"{OWN}{key}": text, "example.org/x": "1"}
    (found,) = read_image_updater(item).flaws
    assert (found.code, found.place[-1]) == (code, f"{OWN}{key}")
    assert found.hint


def test_the_cluster_keeps_our_annotations_of_an_image_updater():
    item = updater(reference("*", image()))
    item["metadata"]["annotations"] = {f"{OWN}proposal": "true", "example.org/x": "1"}
    assert prune_updater(item, Sharing()).item["metadata"]["annotations"] == {f"{OWN}proposal": "true"}


def test_a_pull_request_block_is_one_pull_request_of_the_application():
    made = of_block({"github": {}, "labels": [" a ", "b", "a"]})
    assert made == Proposal("updater/main/argocd-web", ProposalOptions(labels=("a", "b"), forge="github"), "group argocd/web")
    two = updater(
        reference("*", image(), image("ghcr.io/o/db:^1", "db")),
        writeBackConfig={"method": "git", "gitConfig": {"pullRequest": {"github": {}}}},
    )
    found = run(application(source=FORGED, images=LIVE), updaters=[two])
    assert len({item.targets[0].destination for item in found.snapshot.subscriptions}) == 1


def test_a_block_is_replaced_as_a_whole_by_that_of_a_reference():
    here = {"writeBackConfig": {"gitConfig": {"pullRequest": {"github": {}}}}}
    above = {"method": "git", "gitConfig": {"pullRequest": {"github": {}, "labels": ["above"]}}}
    item = one(application(source=FORGED), updaters=[updater(reference("*", image(), **here), writeBackConfig=above)])
    assert item.targets[0].destination.publishing.options.labels == ()


def test_our_annotation_wins_over_a_block():
    item = application(own={"proposal": "{labels: [ours]}"})
    made = one(item, updaters=[asked({"github": {}, "labels": ["theirs"]})]).targets[0].destination.publishing
    assert (made.options.labels, made.part) == (("ours",), "subscription argocd/web/web")


@pytest.mark.parametrize(
    ("url", "block", "code"),
    [
        ("https://codeberg.org/o/fleet.git", {"github": {}}, "forge"),
        ("https://github.com/o/fleet.git", {"github": {}, "labels": ["x" * 51]}, "proposal-label"),
        pytest.param("https://127.0.0.1:30003/testdata.git", {"github": {}}, "forge-path", id="argo-171"),
    ],
)
def test_a_block_that_the_repository_cannot_have_is_refused_before_anything_is_pushed(url, block, code):
    assert flaw(application(source={"repoURL": url}), updaters=[asked(block)]).code == code


def test_a_block_with_a_push_branch_is_refused():
    item = updater(
        reference("*", image()),
        writeBackConfig={"method": "git", "gitConfig": {"branch": "main:up", "pullRequest": {"github": {}}}},
    )
    assert flaw(application(), updaters=[item]).code == "conflict"


@pytest.mark.parametrize(
    ("url", "kind", "path"),
    [
        pytest.param("git@github.example.com:org/repo.git", ForgeKind.GITHUB, "org/repo", id="argo-170"),
        ("https://github.example.com/org/repo", ForgeKind.GITHUB, "org/repo"),
        pytest.param("git@gitlab.com:group/subgroup/repo.git", None, "gitlab.com/group/subgroup/repo", id="argo-172"),
    ],
)
def test_owner_and_repository_are_read_from_every_kind_of_url(url, kind, path):
    found = locate_repository(url, kind=kind)
    assert path in {found.path, str(found)}


def test_a_url_without_an_owner_is_no_repository_of_a_forge():
    with pytest.raises(ForgeError) as caught:
        locate_repository("https://127.0.0.1:30003/testdata.git", kind=ForgeKind.GITHUB)
    assert caught.value.code == "forge-path"
