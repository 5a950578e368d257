"""Values that no API server would let pass end one object at most, and never a translation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.flux.request.making import automation, item, policy, repository, source, translate

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1.5,
    "",
    " ",
    "\ud800",
    "../../x",
    "a" * 5000,
    [],
    [None],
    ["x", 1],
    {},
    {"x": None},
    {"name": 1},
)
PLACES = {
    "repository": repository(
        timeout="30s",
        secretRef={"name": "s"},
        serviceAccountName="sa",
        certSecretRef={"name": "c"},
        proxySecretRef={"name": "p"},
        insecure=False,
        provider="generic",
        exclusionList=["a", "b"],
        accessFrom={"namespaceSelectors": [{"matchLabels": {"a": "b"}}]},
        suspend=False,
        annotations={"reconcile.fluxcd.io/requestedAt": "now"},
    ),
    "policy": policy(
        latest=("1.0.0", "sha256:" + "a" * 64),
        labels={"a": "b"},
        repository={"name": "app", "namespace": "apps"},
        policy={"semver": {"range": "*"}},
        filterTags={"pattern": "^v(.*)$", "extract": "$1"},
        digestReflectionPolicy="Always",
        interval="1m",
        suspend=False,
    ),
    "ordered": policy(policy={"alphabetical": {"order": "asc"}}, latest=("1",)),
    "automation": automation(
        git={
            "checkout": {"ref": {"branch": "main"}},
            "commit": {
                "author": {"name": "n", "email": "e@x"},
                "messageTemplate": "{{ .Values.a }}",
                "messageTemplateValues": {"a": "b"},
                "signingKey": {"secretRef": {"name": "k"}, "type": "ssh"},
            },
            "push": {"branch": "b", "refspec": "a:b", "options": {"a": "b"}},
        },
        policySelector={"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        suspend=False,
    ),
    "source": source(
        secretRef={"name": "s"},
        proxySecretRef={"name": "p"},
        timeout="60s",
        provider="generic",
        serviceAccountName="",
        suspend=False,
    ),
}
KIND_OF = {"ordered": "policy"}


def variants(value: Any) -> Iterator[Any]:
    """Yield an object with each of its values replaced by each hostile one, one at a time."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from ({**value, key: changed} for changed in variants(below))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in variants(below))
    yield from HOSTILE


@pytest.mark.parametrize("name", PLACES)
def test_a_value_of_any_type_anywhere_raises_nothing_and_leaves_the_others_alone(name):
    kind = KIND_OF.get(name, name)
    bystander = policy("bystander", namespace="other", repository={"name": "calm"})
    usual = {"repository": repository(), "policy": policy(), "automation": automation(), "source": source()}
    for changed in variants(PLACES[name]):
        if not isinstance(changed, dict):
            continue
        given = {**usual, kind: changed}
        made = translate(
            [given["repository"], repository("calm", namespace="other")],
            [given["policy"], bystander],
            [given["automation"]],
            [given["source"]],
        )
        assert ("other", "bystander") in made.subscriptions
        for subscription in made.snapshot.subscriptions:
            hash(subscription.policy)
            str(subscription)
        assert all(problem.message for problem in made.snapshot.problems)


def test_what_can_be_read_no_more_is_said_with_its_place():
    made = translate(
        [repository(image=["x"], interval=7)], [policy(policy="x", filterTags=[])], [automation(git="x")], [source()]
    )
    said = [problem.message for problem in made.snapshot.problems]
    assert [text.partition(":")[0] for text in said[:5]] == [
        "spec.image",
        "spec.interval",
        "spec.policy",
        "spec.filterTags",
        "the ImageRepository apps/app cannot be scanned",
    ]
    assert all(problem.origin.startswith("Image") for problem in made.snapshot.problems)


def test_an_unknown_field_is_a_problem_and_ends_nothing():
    made = translate([repository(exclusionLists=["x"])], [policy()])
    (problem,) = made.snapshot.problems
    assert (problem.code, problem.origin) == ("unknown-key", "ImageRepository apps/app")
    assert "exclusionList" in problem.hint
    assert len(made.subscriptions) == 1


@pytest.mark.parametrize("metadata", [{}, {"name": None}, {"name": 3, "namespace": "x"}, {"namespace": "apps"}])
def test_an_object_without_a_name_is_nobodys(metadata):
    nameless = {"metadata": metadata, "spec": {"image": "a", "interval": "1m"}}
    assert translate([nameless], [nameless], [nameless], [nameless]).repositories == {}


def test_a_latest_reference_that_is_no_image_is_none():
    for latest in (
        "x",
        {"name": "a"},
        {"name": "A B", "tag": "1"},
        {"name": "a", "tag": "no tag"},
        {"name": "a", "tag": "1", "digest": "x"},
    ):
        made = translate([repository()], [item("app", policy()["spec"], status={"latestRef": latest})])
        assert made.policies["apps", "app"].latest is None


@pytest.mark.parametrize("url", ["/etc", "file:///etc", "git@host:path", "ext::sh -c x", "", "https://", "ssh://"])
def test_a_repository_that_is_no_url_of_a_server_is_refused(url):
    made = translate([repository()], [policy()], [automation()], [source(url=url)])
    asked = made.automations["apps", "fleet"]
    assert (asked.branch, asked.fault.reason, made.snapshot.subscriptions[0].targets) == (None, "SourceManagerFailed", ())


@pytest.mark.parametrize(
    ("path", "tree"), [("", "."), ("./", "."), ("/", "."), ("../../x", "x"), ("a/../..", "."), ("a//b/", "a/b")]
)
def test_a_path_never_leads_out_of_the_repository(path, tree):
    made = translate([repository()], [policy()], [automation(update={"path": path})], [source()])
    assert made.automations["apps", "fleet"].path == tree


def test_a_secret_is_named_by_names_only():
    made = translate([repository(secretRef={"name": "../x"})], [policy()])
    asked = made.repositories["apps", "app"]
    assert (asked.credential, asked.fault.reason, made.snapshot.scans) == (None, "AuthenticationFailed", ())
    signing = {"commit": {"author": {"email": "e@x"}, "signingKey": {"secretRef": {"name": "a/b"}}}}
    made = translate([], [], [automation(git=signing)], [source()])
    assert made.automations["apps", "fleet"].fault.message == (
        "failed configuring source manager: could not find signing key secret 'a/b': secrets \"a/b\" not found"
    )
