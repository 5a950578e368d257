"""ImageUpdater objects: whom they select, what is inherited, and that what is wrong ends what it belongs to."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, application, codes, image, one, reference, run, updater
from tests.engine.making import git_branch
from updater.argocd.request.fields import PullRequest, read_pull_request
from updater.argocd.request.selectors import check_selector, is_selected, specificity
from updater.errors import ConfigError
from updater.model.subscription import Downgrade, Form, PolicySpec, Variant

LIST = {"image-list": "web=ghcr.io/o/web:^1.0"}


@pytest.mark.parametrize(
    ("pattern", "labels", "score"),
    [
        pytest.param("app-one", None, 1000007, id="argo-149"),
        pytest.param("app-*", None, 4, id="argo-150"),
        pytest.param("", None, 1000000, id="argo-151"),
        ("*", None, 0),
        ("app-[a-z]?", None, 4),
        ("app-*", 0, 10004),
        ("app-*", 2, 10204),
    ],
)
def test_names_without_globs_are_the_most_exact_then_labels_then_letters(pattern, labels, score):
    assert specificity(pattern, labels=labels) == score


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({}, True),
        ({"matchLabels": {"team": "a"}}, True),
        ({"matchLabels": {"team": "b"}}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_labels_are_selected_as_kubernetes_does(selector, fits):
    check_selector(selector)
    assert is_selected({"team": "a"}, selector) is fits


@pytest.mark.parametrize(
    "selector",
    [
        [],
        {"matchLabels": []},
        {"matchExpressions": {}},
        {"matchExpressions": ["x"]},
        {"matchExpressions": [{"key": "a", "operator": "Is"}]},
        {"matchExpressions": [{"key": "a", "operator": "In"}]},
        {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]},
    ],
)
def test_a_selector_that_kubernetes_would_refuse_is_refused(selector):
    with pytest.raises(ConfigError):
        check_selector(selector)
    assert len(codes(run(application(), updaters=[updater(reference("*", image(), labelSelectors=selector))]))) == 1


def test_an_object_asks_for_the_images_that_it_lists():
    asked = updater(
        reference("w*", image("ghcr.io/o/web:~1.2", manifestTargets={"kustomize": {"name": "web"}})),
        writeBackConfig={"method": "git", "gitConfig": {"branch": "main:up", "writeBackTarget": "kustomization"}},
    )
    item = one(application(), updaters=[asked])
    assert (item.key, item.policy, item.variant) == ("argocd/web/web", PolicySpec("semver", {"range": "~1.2"}), Variant.ANY)
    assert item.targets[0].destination == git_branch("https://git.test/fleet.git", push="up")
    assert (item.targets[0].editor, item.targets[0].locator.name) == ("kustomize", "web")
    assert str(item.origin) == "Application argocd/web"


def test_each_field_is_inherited_alone_from_image_to_reference_to_object():
    asked = updater(
        reference(
            "*",
            image(commonUpdateSettings={"updateStrategy": "digest"}, name="ghcr.io/o/web:latest"),
            commonUpdateSettings={"updateStrategy": "name", "ignoreTags": ["dev"]},
            writeBackConfig={"gitConfig": {"branch": "ref"}},
        ),
        commonUpdateSettings={
            "updateStrategy": "latest",
            "ignoreTags": ["never"],
            "allowTags": "regexp:^l",
            "platforms": ["linux/arm64"],
        },
        writeBackConfig={"method": "git", "gitConfig": {"branch": "spec", "writeBackTarget": "kustomization:x"}},
    )
    item = one(application(), updaters=[asked])
    assert (item.policy.kind, item.filter.ignore, item.filter.allow) == ("digest", ("dev",), "^l")
    assert [str(platform) for platform in item.platforms] == ["linux/arm64"]
    assert item.targets[0].form is Form.TAG_AND_DIGEST
    assert (item.targets[0].destination.branch, item.targets[0].locator.path) == ("ref", "apps/web/x")


def test_false_at_an_image_is_a_word_not_a_silence():
    asked = updater(
        reference("*", image("ghcr.io/o/job", commonUpdateSettings={"forceUpdate": False})),
        commonUpdateSettings={"forceUpdate": True},
    )
    assert [answer.code for answer in run(application(), updaters=[asked]).answers] == ["not-live"]


def test_the_most_exact_reference_decides_whatever_the_order():
    asked = updater(
        reference("*", image("ghcr.io/o/web:1.x")),
        reference("web", image("ghcr.io/o/web:2.x")),
        reference("w*", image("ghcr.io/o/web:3.x"), labelSelectors={"matchLabels": {"team": "a"}}),
    )
    found = run(
        application(labels={"team": "a"}),
        application(name="other"),
        application(name="w", labels={"team": "a"}),
        updaters=[asked],
    )
    assert {item.key: item.policy.options["range"] for item in found.snapshot.subscriptions} == {
        "argocd/web/web": "2.x",
        "argocd/other/web": "1.x",
        "argocd/w/web": "3.x",
    }
    assert found.selected == {"argocd/all": ("argocd/web", "argocd/other", "argocd/w")}


def test_only_applications_of_its_own_namespace_are_selected():
    found = run(application(namespace="team"), updaters=[updater(reference("*", image()))])
    assert (found.answers, found.selected) == ((), {"argocd/all": ()})


def test_under_use_annotations_the_annotations_say_everything():
    asked = updater(
        reference("*", useAnnotations=True, commonUpdateSettings={"updateStrategy": "name"}),
        commonUpdateSettings={"updateStrategy": "latest"},
        writeBackConfig={"method": "git"},
    )
    item = one(application(LIST), updaters=[asked], annotated=False)
    assert (item.policy.kind, item.targets[0].editor) == ("semver", "application")


def test_annotations_beside_an_object_that_does_not_use_them_are_answered():
    found = run(application(LIST), updaters=[updater(reference("*", image()))])
    assert [(answer.alias, answer.code) for answer in found.answers] == [("web", None), (None, "annotations-unused")]
    assert "without useAnnotations" in found.answers[1].sentence


def test_our_own_annotations_hold_beside_an_object_too():
    item = one(application(own={"web.allow-downgrade": "true", "interval": "1h"}), updaters=[updater(reference("*", image()))])
    assert (item.downgrade, item.interval) == (Downgrade.ALWAYS, 3600.0)
    found = run(application(own={"db.variant": "lock", "variants": "x"}), updaters=[updater(reference("*", image()))])
    assert sorted(codes(found)) == ["alias", "unknown-key"]
    assert {problem.origin for problem in found.snapshot.problems} == {"Application argocd/web"}


def test_two_objects_that_ask_for_one_image_are_both_told_and_neither_writes():
    first = updater(reference("*", image(), image("ghcr.io/o/db", "db")), name="first")
    second = updater(reference("web", image("ghcr.io/o/web:^2", "other")), name="second")
    live = ["ghcr.io/o/web:1", "ghcr.io/o/db:1"]
    found = run(application(images=live), application(name="else", images=live), updaters=[first, second])
    assert [item.key for item in found.snapshot.subscriptions] == ["argocd/web/db", "argocd/else/web", "argocd/else/db"]
    assert {(problem.code, problem.origin) for problem in found.snapshot.problems} == {
        ("conflict", "ImageUpdater argocd/first"),
        ("conflict", "ImageUpdater argocd/second"),
    }


def test_two_objects_that_both_use_the_annotations_agree():
    asked = [updater(reference("*", useAnnotations=True), name=name) for name in ("one", "two")]
    assert one(application(LIST), updaters=asked).key == "argocd/web/web"


@pytest.mark.parametrize(
    "where",
    [
        {"imagesVerification": {"cosignKey": {"secretName": "a", "key": "b"}}},
        {"imagesVerification": {"enabled": True, "cosignKey": {"secretName": "a", "key": "b"}}},
    ],
)
def test_what_is_not_built_yet_is_said_and_nothing_is_written_instead(where):
    found = run(application(), updaters=[updater(reference("*", image()), **where)])
    assert (codes(found), found.snapshot.subscriptions) == (["not-yet"], ())


def test_verification_can_be_opted_out_of_and_pull_requests_mean_git():
    verified = {"imagesVerification": {"cosignKey": {"secretName": "a", "key": "b"}}}
    out = image(imagesVerification={"enabled": False})
    assert one(application(), updaters=[updater(reference("*", out), **verified)])
    live = {"writeBackConfig": {"method": "argocd", "gitConfig": {"pullRequest": {"gitlab": {}}}}}
    assert one(application(), updaters=[updater(reference("*", image()), **live)])


def test_under_use_annotations_only_the_references_own_verification_counts():
    verified = {"imagesVerification": {"cosignKey": {"secretName": "a", "key": "b"}}}
    assert one(application(LIST), updaters=[updater(reference("*", useAnnotations=True), **verified)])
    assert codes(run(application(LIST), updaters=[updater(reference("*", useAnnotations=True, **verified))])) == ["not-yet"]


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"namePattern": "["}, "policy", "spec.applicationRefs[0].namePattern"),
        ({"namePattern": 3}, "wrong-type", "spec.applicationRefs[0].namePattern"),
        ({"images": [image("ghcr.io/o/web:stable")]}, "policy", ""),
        ({"images": [image(alias="-")]}, "alias", "spec.applicationRefs[0].images[0].alias"),
        ({"images": [{"imageName": "a"}]}, "alias", "spec.applicationRefs[0].images[0].alias"),
        ({"images": [{"alias": "a"}]}, "image-syntax", "spec.applicationRefs[0].images[0].imageName"),
        ({"images": [image("x=ghcr.io/o/web")]}, "image-syntax", "spec.applicationRefs[0].images[0].imageName"),
        ({"images": [image("ghcr.io/O/web")]}, "image-syntax", ""),
        ({"images": []}, "no-images", "spec.applicationRefs[0].images"),
        ({"images": [image(manifestTargets={})]}, "target", "spec.applicationRefs[0].images[0].manifestTargets"),
        ({"images": [image(manifestTargets={"helm": {}, "kustomize": {"name": "a"}})]}, "target", ""),
        ({"images": [image(manifestTargets={"plugin": {"tag": "a"}})]}, "target", ""),
        ({"images": [image(manifestTargets={"kustomize": {}})]}, "target", ""),
        ({"images": [image(manifestTarget={})]}, "unknown-key", "spec.applicationRefs[0].images[0].manifestTarget"),
        ({"images": [image(commonUpdateSettings={"updateStrategy": "semvr"})]}, "policy", ""),
        ({"images": [image(commonUpdateSettings={"updateStrategy": 3})]}, "wrong-type", ""),
        ({"commonUpdateSettings": []}, "wrong-type", "spec.applicationRefs[0].commonUpdateSettings"),
        ({"commonUpdateSettings": {"allowTag": "any"}}, "unknown-key", ""),
        ({"images": "web"}, "wrong-type", "spec.applicationRefs[0].images"),
        ({"imagesVerification": {"enabled": "no"}}, "wrong-type", ""),
        ({"writeBackConfig": {"method": "svn"}}, "write-back", "spec.applicationRefs[0].writeBackConfig.method"),
    ],
)
def test_what_is_wrong_at_one_reference_leaves_the_others_alone(change, code, place):
    broken = reference("web*", image()) | change
    found = run(application(), application(name="other"), updaters=[updater(broken, reference("other", image()), name="all")])
    assert code in codes(found)
    problem = next(problem for problem in found.snapshot.problems if problem.code == code)
    assert problem.origin == "ImageUpdater argocd/all"
    assert problem.message.startswith(place)
    assert "argocd/other/web" in [item.key for item in found.snapshot.subscriptions]


def test_a_doubled_alias_keeps_the_first():
    found = run(application(), updaters=[updater(reference("*", image(), image("ghcr.io/o/db")))])
    assert (codes(found), [item.image.path for item in found.snapshot.subscriptions]) == (["alias"], ["o/web"])


@pytest.mark.parametrize("spec", [None, 3, {}, {"applicationRefs": 3}, {"applicationRefs": [3]}])
def test_objects_of_any_shape_never_raise(spec):
    item = updater() | {"spec": spec}
    assert len(codes(run(application(LIST | GIT), updaters=[item, {"metadata": 4}]))) >= 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param(["image-update", " automated ", "", "image-update"], ("image-update", "automated"), id="argo-147"),
        pytest.param(["", " "], (), id="argo-148"),
        (None, ()),
    ],
)
def test_labels_of_pull_requests_are_trimmed_and_stand_once(labels, expected):
    assert read_pull_request({"gitlab": {}, "labels": labels}) == PullRequest(provider="gitlab", labels=expected)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        pytest.param({"github": {}, "gitlab": {}}, "got 2", id="argo-146"),
        ({}, "got 0"),
        ([], "mapping"),
        ({"github": {}, "labels": "x"}, "labels"),
        ({"github": {}, "labels": ["x" * 256]}, "too long"),
    ],
)
def test_a_pull_request_names_exactly_one_forge(block, said):
    with pytest.raises(ConfigError, match=said):
        read_pull_request(block)
