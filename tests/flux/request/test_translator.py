"""What all of Flux's objects come to together, and that nothing is translated twice."""

from __future__ import annotations

import pytest

from tests.flux.request.making import CREATED, automation, latest_of, policy, repository, source, translate
from updater.errors import TemplateError
from updater.flux.request import translation
from updater.flux.request.translation import FluxOptions, FluxTranslator
from updater.model.image import parse_digest, parse_name
from updater.model.scan_key import ScanKey
from updater.model.snapshot import ScanRequest
from updater.model.subscription import (
    CommitSpec,
    CredentialRef,
    Downgrade,
    Form,
    GitBranch,
    Locator,
    Origin,
    PolicySpec,
    Subscription,
    TagFilter,
    Target,
    Variant,
)

DIGEST = "sha256:" + "a" * 64
REQUESTED = {"reconcile.fluxcd.io/requestedAt": "2026-02-02T00:00:00Z"}


def test_a_policy_becomes_one_subscription_with_a_target_for_each_automation():
    made = translate([repository()], [policy()], [automation()], [source()])
    branch = GitBranch(
        url="https://git.example.org/fleet.git",
        branch="main",
        credential=CredentialRef(kind="gitrepository", value="apps/fleet"),
    )
    target = Target(
        destination=branch,
        editor="marker",
        locator=Locator(path="clusters/prod", name="apps:app"),
        form=Form.TAG,
        interval=1800.0,
        commit_spec=CommitSpec(
            name="flux", email="flux@example.org", message="Update from image update automation", owner="apps/fleet"
        ),
        may_be_absent=True,
    )
    subscription = Subscription(
        key="ImagePolicy apps/app",
        image=parse_name("ghcr.io/org/app"),
        policy=PolicySpec("semver", {"range": "*"}),
        filter=TagFilter(ignore=(r"regexp:^.*\.sig$",)),
        variant=Variant.ANY,
        downgrade=Downgrade.BY_POLICY,
        is_shape_locked=False,
        targets=(target,),
        interval=300.0,
        is_reflected=True,
        origin=Origin(kind="ImagePolicy", name="apps/app", since=CREATED),
    )
    assert made.snapshot.subscriptions == (subscription,)
    assert made.subscriptions == {("apps", "app"): subscription}
    assert made.snapshot.scans == (ScanRequest(listed=ScanKey(subscription.image, None), interval=300.0, timeout=300.0),)
    assert made.snapshot.problems == ()
    asked = made.automations["apps", "fleet"]
    assert (asked.branch, asked.policies, asked.fault) == (branch, (("apps", "app"),), None)


def test_a_policy_that_no_automation_selects_has_no_target_and_is_scanned():
    made = translate([repository()], [policy()])
    (subscription,) = made.snapshot.subscriptions
    assert (subscription.targets, subscription.is_reflected, len(made.snapshot.scans)) == ((), True, 1)


def test_two_automations_write_one_policy_each_by_its_own_spec():
    alone = automation("other", interval="1h", update={"path": "other"})
    made = translate([repository()], [policy()], [automation(), alone], [source()])
    (subscription,) = made.snapshot.subscriptions
    assert [(target.locator.path, target.interval) for target in subscription.targets] == [
        ("clusters/prod", 1800.0),
        ("other", 3600.0),
    ]


def test_an_automation_writes_policies_of_its_own_namespace_only():
    far = policy(namespace="far", repository={"name": "app", "namespace": "apps"})
    made = translate([repository(accessFrom={"namespaceSelectors": [{"matchLabels": {}}]})], [far], [automation()], [source()])
    (subscription,) = made.snapshot.subscriptions
    assert subscription.targets == ()
    assert made.automations["apps", "fleet"].policies == ()


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, ("a", "b")),
        ({}, ("a", "b")),
        ({"matchLabels": {"team": "web"}}, ("a",)),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["web", "api"]}]}, ("a", "b")),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["web"]}]}, ("b",)),
        ({"matchExpressions": [{"key": "stage", "operator": "Exists"}]}, ()),
        ({"matchExpressions": [{"key": "stage", "operator": "DoesNotExist"}]}, ("a", "b")),
    ],
)
def test_a_selector_chooses_policies_by_their_labels(selector, selected):
    policies = [policy("a", labels={"team": "web"}), policy("b", labels={"team": "api"})]
    made = translate([repository()], policies, [automation(policySelector=selector)], [source()])
    assert [name for _, name in made.automations["apps", "fleet"].policies] == list(selected)
    assert [item.key for item in made.snapshot.subscriptions if item.targets] == [f"ImagePolicy apps/{name}" for name in selected]


def test_a_suspended_automation_has_no_targets():
    made = translate([repository()], [policy()], [automation(suspend=True)], [source()])
    assert made.snapshot.subscriptions[0].targets == ()
    assert made.automations["apps", "fleet"].is_suspended


@pytest.mark.parametrize(
    ("suspended", "expected"),
    [
        (("1.2.3",), ("fixed", {"tag": "1.2.3"}, Form.TAG)),
        (("1.2.3", DIGEST), ("fixed", {"tag": "1.2.3", "digest": DIGEST}, Form.TAG_AND_DIGEST)),
    ],
)
@pytest.mark.parametrize("what", ["policy", "repository"])
def test_what_was_selected_before_a_suspension_is_written_still(what, suspended, expected):
    objects = [repository(suspend=what == "repository")], [policy(latest=suspended, suspend=what == "policy")]
    made = translate(*objects, [automation()], [source()])
    (subscription,) = made.snapshot.subscriptions
    (target,) = subscription.targets
    assert (subscription.policy.kind, subscription.policy.options, target.form) == expected
    assert (subscription.is_reflected, subscription.reflects_digest, subscription.settled) == (False, False, None)
    assert len(made.snapshot.scans) == (what == "policy")


@pytest.mark.parametrize("what", ["policy", "repository"])
def test_without_an_earlier_selection_a_suspension_leaves_nothing_to_write(what):
    made = translate([repository(suspend=what == "repository")], [policy(suspend=what == "policy")], [automation()], [source()])
    assert made.snapshot.subscriptions == ()
    fault = made.policies["apps", "app"].fault
    assert (fault.reason if fault else "") == ("DependencyNotReady" if what == "repository" else "")


@pytest.mark.parametrize(
    ("reflection", "latest", "settles", "form"),
    [
        ({}, ("1.0.0", DIGEST), False, Form.TAG),
        ({"digestReflectionPolicy": "Never"}, ("1.0.0", DIGEST), False, Form.TAG),
        ({"digestReflectionPolicy": "IfNotPresent"}, ("1.0.0", DIGEST), True, Form.TAG_AND_DIGEST),
        ({"digestReflectionPolicy": "IfNotPresent"}, ("1.0.0",), False, Form.TAG_AND_DIGEST),
        ({"digestReflectionPolicy": "Always", "interval": "1m"}, ("1.0.0", DIGEST), False, Form.TAG_AND_DIGEST),
    ],
)
def test_a_digest_is_kept_only_where_it_is_resolved_once(reflection, latest, settles, form):
    made = translate([repository()], [policy(latest=latest, **reflection)], [automation()], [source()])
    (subscription,) = made.snapshot.subscriptions
    assert subscription.reflects_digest is (form is Form.TAG_AND_DIGEST)
    assert (subscription.settled.digest if subscription.settled else None) == (parse_digest(DIGEST) if settles else None)
    assert subscription.targets[0].form is form


def test_a_digest_of_another_spelling_of_the_image_is_resolved_again():
    again = policy(latest=("1.0.0", DIGEST), digestReflectionPolicy="IfNotPresent")
    made = translate([repository(image="GHCR.io/org/app")], [again])
    assert made.snapshot.subscriptions[0].settled is None


def test_equal_objects_give_the_very_same_translation_and_nothing_is_read(monkeypatch):
    objects = [[repository()], [policy()], [automation()], [source()]]
    translator = FluxTranslator()
    first = translator(*objects, {"apps": {}})
    monkeypatch.setattr(translation, "read_object", None)
    assert translator(*map(list, objects), {"apps": {}}) is first


def test_one_changed_object_is_read_alone_and_the_others_stay_the_same_objects(monkeypatch):
    repositories, automations, sources = [repository()], [automation()], [source()]
    policies = [policy(name) for name in ("a", "b", "c")]
    translator = FluxTranslator()
    first = translator(repositories, policies, automations, sources, {})
    read, real = [], translation.read_object
    monkeypatch.setattr(translation, "read_object", lambda kind, item: (read.append(item), real(kind, item))[1])
    changed = policy("b", policy={"numerical": {}})
    second = translator(repositories, [policies[0], changed, policies[2]], automations, sources, {})
    assert read == [changed]
    same = [a is b for a, b in zip(first.snapshot.subscriptions, second.snapshot.subscriptions, strict=True)]
    assert same == [True, False, True]


@pytest.mark.parametrize("position", [0, 2, 3])
def test_what_changes_nothing_gives_the_very_same_snapshot(position):
    objects = [[repository()], [policy()], [automation()], [source()]]
    translator = FluxTranslator()
    first = translator(*objects, {})
    (each,) = objects[position]
    objects[position] = [{**each, "metadata": {**each["metadata"], "annotations": REQUESTED}}]
    second = translator(*objects, {})
    assert second.snapshot is first.snapshot
    assert position == 3 or REQUESTED["reconcile.fluxcd.io/requestedAt"] in {
        each.requested_at for kind in (second.repositories, second.automations) for each in kind.values()
    }


def test_a_new_selection_of_a_policy_gives_the_very_same_snapshot():
    translator = FluxTranslator()
    policies = [policy(latest=("2.0.0",))]
    first = translator([repository()], policies, [], [], {})
    second = translator([repository()], policies, [], [], {}, latest=latest_of(policies))
    assert second.snapshot is first.snapshot
    assert second.policies["apps", "app"].latest.tag == "2.0.0"


def test_labels_of_a_namespace_that_change_open_and_close_an_image_repository():
    shared = repository(namespace="shared", accessFrom={"namespaceSelectors": [{"matchLabels": {"team": "web"}}]})
    asked = [shared], [policy(repository={"name": "app", "namespace": "shared"})], [], []
    translator = FluxTranslator()
    counts = [
        len(translator(*asked, labels).subscriptions) for labels in ({}, {"apps": {"team": "web"}}, {"apps": {"team": "api"}})
    ]
    assert counts == [0, 1, 0]


def test_objects_that_go_take_what_they_asked_for_with_them():
    translator = FluxTranslator()
    translator([repository()], [policy()], [automation()], [source()], {})
    made = translator([], [], [], [], {})
    assert (made.subscriptions, made.repositories, made.snapshot.scans) == ({}, {}, ())


def test_many_policies_are_read_once_and_a_changed_one_alone(monkeypatch):
    repositories = [repository(f"r{index}", image=f"ghcr.io/org/a{index}") for index in range(50)]
    policies = [policy(f"p{index}", repository={"name": f"r{index % 50}"}) for index in range(500)]
    read, real = [], translation.read_object
    monkeypatch.setattr(translation, "read_object", lambda kind, item: (read.append(kind), real(kind, item))[1])
    translator = FluxTranslator()
    translator(repositories, policies, [automation()], [source()], {})
    assert len(read) == 552
    policies[7] = policy("p7", repository={"name": "r7"}, latest=("1.0.0",))
    translator(repositories, policies, [automation()], [source()], {})
    assert len(read) == 552 + 3


@pytest.mark.parametrize("failure", [None, TemplateError("it fails", hint="")])
def test_a_template_is_tried_once_however_often_its_object_asks_for_work(failure):
    """A trial may take as long as a template may; whoever asks every second must not hold up all others."""
    tried = []

    def trial(text, values):
        tried.append((text, dict(values)))
        if failure is not None:
            raise failure

    translator = FluxTranslator(FluxOptions(try_template=trial))
    faults = []
    for moment in ("1", "2", "3"):
        commit = {"author": {"email": "e@x"}, "messageTemplate": "x {{ .Values.a }}", "messageTemplateValues": {"a": "b"}}
        asks = automation(git={"commit": commit})
        asks["metadata"] = {**asks["metadata"], "annotations": {"reconcile.fluxcd.io/requestedAt": moment}}
        made = translator([], [], [asks], [source()], {})
        faults.append(made.automations["apps", "fleet"].fault)
    assert tried == [("x {{ .Values.a }}", {"a": "b"})]
    assert [fault is not None for fault in faults] == [failure is not None] * 3
