"""Each object ends in the condition that the original gives it, the first one in its order."""

from __future__ import annotations

import pytest

from tests.flux.request.making import automation, policy, repository, source, translate
from updater.flux.request.durations import read_duration
from updater.model.problem import Problem

DIGEST = "sha256:" + "a" * 64
SHARED = {"name": "app", "namespace": "shared"}


def fault_of(kind, made, key=("apps", "app")):
    return getattr(made, kind)[key].fault


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("90s", 90.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("1m1m", 120.0),
        ("0s", 0.0),
        ("5", None),
        ("1d", None),
        ("-1m", None),
        ("m", None),
        ("1h ", None),
        ("9999999999h", None),
        ("1" * 70 + "s", None),
        (5, None),
        (None, None),
    ],
)
def test_durations_are_those_of_go(text, seconds):
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    ("spec", "interval", "timeout"),
    [
        ({}, 300.0, 300.0),
        ({"timeout": "30s"}, 300.0, 30.0),
        ({"timeout": "10ms"}, 300.0, 1.0),
        ({"interval": "500ms"}, 1.0, 1.0),
        ({"interval": "0s"}, 1.0, 1.0),
        ({"interval": "10m", "timeout": "1h"}, 600.0, 3600.0),
    ],
)
def test_a_scan_may_take_as_long_as_its_interval_and_never_less_than_a_second(spec, interval, timeout):
    (scan,) = translate([repository(**spec)]).snapshot.scans
    assert (scan.interval, scan.timeout) == (interval, timeout)


def test_without_an_interval_nothing_is_scanned():
    made = translate([repository(interval="soon")])
    fault = fault_of("repositories", made)
    assert (fault.reason, fault.is_stalled, made.snapshot.scans) == ("Failure", True, ())
    assert [problem.code for problem in made.snapshot.problems] == ["duration"]


@pytest.mark.parametrize(
    ("spec", "credential"),
    [
        ({}, None),
        ({"secretRef": {"name": "s"}}, "pullsecret:apps/s"),
        ({"serviceAccountName": "sa"}, "serviceaccount:apps/sa"),
        ({"secretRef": {"name": "s"}, "serviceAccountName": "sa"}, "imagerepository:apps/app"),
        ({"secretRef": {"name": "s"}, "certSecretRef": {"name": "c"}}, "imagerepository:apps/app"),
        ({"certSecretRef": {"name": "c"}}, "imagerepository:apps/app"),
        ({"proxySecretRef": {"name": "p"}}, "imagerepository:apps/app"),
        ({"insecure": True}, "imagerepository:apps/app"),
        ({"insecure": False, "secretRef": {"name": "s"}}, "pullsecret:apps/s"),
    ],
)
def test_a_credential_is_as_plain_as_what_it_names_so_that_scans_are_shared(spec, credential):
    made = translate([repository(**spec)], [policy()])
    found = made.repositories["apps", "app"].credential
    assert (str(found) if found else None) == credential
    assert made.subscriptions["apps", "app"].credential == found == made.snapshot.scans[0].listed.credential


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
def test_a_cloud_is_named_as_what_this_version_does_not_ask(provider):
    made = translate([repository(provider=provider)], [policy()])
    fault = fault_of("repositories", made)
    assert (fault.reason, fault.is_stalled) == ("AuthenticationFailed", True)
    assert fault.message == (
        f"failed to configure authentication options: the provider {provider} is not asked for credentials in this version"
    )
    assert [problem.code for problem in made.snapshot.problems] == ["not-yet", "reference-refused"]
    assert (made.snapshot.scans, made.snapshot.subscriptions) == ((), ())


def test_the_identity_of_a_cloud_for_one_object_is_switched_off_as_it_is_by_default():
    made = translate([repository(provider="aws", serviceAccountName="sa")], [policy()])
    of_repository, of_policy = fault_of("repositories", made), fault_of("policies", made)
    gate = "provider authentication please enable the ObjectLevelWorkloadIdentity feature gate in the controller"
    assert (of_repository.reason, of_repository.is_stalled) == ("FeatureGateDisabled", True)
    assert of_repository.message == f"to use spec.serviceAccountName for {gate}"
    assert (of_policy.reason, of_policy.is_stalled) == ("FeatureGateDisabled", True)
    assert of_policy.message == f"to use spec.serviceAccountName in the ImageRepository for {gate}"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("http://x.org/a", "image 'http://x.org/a' should not include URL scheme; remove 'http://'"),
        ("localhost:5000/a:1", "image 'localhost:5000/a:1' should not include a tag; remove ':1'"),
        ("alpine:3", "image 'alpine:3' should not include a tag; remove ':3'"),
        (f"x.org/a@{DIGEST}", f"image 'x.org/a@{DIGEST}' should not include a tag; remove ':{'a' * 64}'"),
        ("x.org/A B", "could not parse reference: x.org/A B"),
        ("", "could not parse reference: "),
    ],
)
def test_an_image_that_is_no_name_stalls_its_repository_and_its_policies(image, message):
    made = translate([repository(image=image)], [policy()])
    for kind in ("repositories", "policies"):
        fault = fault_of(kind, made)
        assert (fault.reason, fault.is_stalled, fault.message) == ("ImageURLInvalid", True, message)


def test_an_image_with_a_port_is_a_name():
    made = translate([repository(image="localhost:5000/a")], [policy()])
    assert (fault_of("repositories", made), str(made.snapshot.subscriptions[0].image)) == (None, "localhost:5000/a")


@pytest.mark.parametrize(
    ("access", "labels", "message"),
    [
        (None, {"team": "web"}, "'shared/app' can't be accessed due to missing ACL labels on 'accessFrom'"),
        ({}, {}, "'shared/app' can't be accessed due to ACL labels mismatch on namespace 'apps'"),
        ({"namespaceSelectors": []}, {}, "'shared/app' can't be accessed due to ACL labels mismatch on namespace 'apps'"),
        (
            {"namespaceSelectors": [{"matchLabels": {"team": "api"}}]},
            {"team": "web"},
            "'shared/app' can't be accessed due to ACL labels mismatch on namespace 'apps'",
        ),
    ],
)
def test_an_image_repository_of_another_namespace_admits_whom_it_names(access, labels, message):
    shared = repository(namespace="shared", **({} if access is None else {"accessFrom": access}))
    made = translate([shared], [policy(repository=SHARED)], namespaces={"apps": labels})
    fault = fault_of("policies", made)
    assert (fault.reason, fault.is_stalled) == ("AccessDenied", False)
    assert fault.message == f"failed to get the referred ImageRepository: access denied: {message}"
    assert fault.problem.code == "access-denied"
    assert made.snapshot.subscriptions == ()


def test_a_selector_that_cannot_be_read_admits_nobody_and_says_so():
    shared = repository(namespace="shared", accessFrom={"namespaceSelectors": [{"matchLabels": {"a": "no label"}}]})
    fault = fault_of("policies", translate([shared], [policy(repository=SHARED)]))
    assert fault.message.startswith(
        'failed to get the referred ImageRepository: access denied: values[0][a]: Invalid value: "no label": a valid label must'
    )


def test_a_policy_without_its_image_repository_waits_for_it():
    made = translate([], [policy()])
    fault = fault_of("policies", made)
    assert (fault.reason, fault.is_stalled) == ("DependencyNotReady", False)
    assert fault.message == (
        "failed to get the referred ImageRepository: referenced ImageRepository does not exist: "
        'ImageRepository.image.toolkit.fluxcd.io "app" not found'
    )
    assert made.snapshot.problems == (
        Problem(
            path="",
            code="reference-missing",
            message="there is no ImageRepository apps/app",
            hint="create it, or correct spec.imageRepositoryRef",
            origin="ImagePolicy apps/app",
        ),
    )


@pytest.mark.parametrize(
    ("choice", "kind", "options"),
    [
        ({"semver": {"range": "1.x"}, "alphabetical": {}, "numerical": {}}, "semver", {"range": "1.x"}),
        ({"alphabetical": {"order": "desc"}, "numerical": {}}, "name", {"order": "desc"}),
        ({"numerical": {"order": "asc"}}, "number", {"order": "asc"}),
        ({"numerical": {}}, "number", {}),
        ({"semver": None, "numerical": {"order": ""}}, "number", {}),
    ],
)
def test_of_several_kinds_of_policy_semver_counts_then_alphabetical_then_numerical(choice, kind, options):
    found = translate([repository()], [policy(policy=choice)]).policies["apps", "app"].policy
    assert (found.kind, dict(found.options)) == (kind, options)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({}, "invalid policy: given ImagePolicyChoice object is invalid"),
        ({"semver": None}, "invalid policy: given ImagePolicyChoice object is invalid"),
        ({"semver": {}}, 'invalid policy: improper constraint: ""'),
        ({"semver": {"range": "x1"}}, 'invalid policy: improper constraint: "x1"'),
        (
            {"numerical": {"order": "up"}},
            "invalid policy: invalid order argument provided: 'UP', must be one of: ASC, DESC",
        ),
    ],
)
def test_an_invalid_policy_stalls(choice, message):
    fault = fault_of("policies", translate([repository()], [policy(policy=choice)]))
    assert (fault.reason, fault.is_stalled, fault.message) == ("InvalidPolicy", True, message)


def test_the_first_fault_of_a_policy_is_that_of_the_original():
    broken = {"policy": {}, "digestReflectionPolicy": "Always"}
    assert fault_of("policies", translate([], [policy(**broken)])).reason == "IntervalNotConfigured"
    assert fault_of("policies", translate([], [policy(policy={})])).reason == "DependencyNotReady"
    assert fault_of("policies", translate([repository(image="a:b")], [policy(policy={})])).reason == "ImageURLInvalid"


@pytest.mark.parametrize(("interval", "seconds"), [("30s", 30.0), ("0s", 600.0)])
def test_a_digest_that_always_follows_has_its_own_interval(interval, seconds):
    made = translate([repository()], [policy(digestReflectionPolicy="Always", interval=interval)])
    assert made.policies["apps", "app"].digest_interval == seconds


def test_a_policy_with_a_fault_writes_nothing_and_a_suspended_one_has_none_that_counts():
    faulty = policy(latest=("1.0.0",), policy={})
    assert translate([repository()], [faulty], [automation()], [source()]).snapshot.subscriptions == ()
    for repositories in ([], [repository(image="a:b")]):
        kept = policy(latest=("1.0.0",), policy={}, suspend=True)
        (subscription,) = translate(repositories, [kept], [automation()], [source()]).snapshot.subscriptions
        assert (subscription.policy.kind, len(subscription.targets)) == ("fixed", 1)


def test_what_is_wrong_twice_at_one_place_is_said_once():
    made = translate([repository(image="https://x.org/a")])
    assert [problem.code for problem in made.snapshot.problems] == ["image-syntax"]
    assert made.snapshot.problems == (fault_of("repositories", made).problem,)


@pytest.mark.parametrize("filter_tags", [{"pattern": "a|" * 5000}, {"pattern": "(.*)", "extract": "$1" * 300}])
def test_filters_without_end_stall_the_policy_and_are_not_repeated(filter_tags):
    made = translate([repository()], [policy(filterTags=filter_tags)], [], [])
    (fault,) = (each.fault for each in made.policies.values())
    assert (fault.reason, fault.is_stalled, len(fault.message) < 300) == ("InvalidPolicy", True, True)
