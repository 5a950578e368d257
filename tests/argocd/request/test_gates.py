"""Gates in annotations of an Application mean what they mean in the configuration, and are read by the same readers."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, application, codes, image, reference, run, updater
from updater.argocd.request.subscriptions import TranslationDefaults
from updater.argocd.request.translation import Translator
from updater.model.gates import NO_GATES, ChangeRate, GateRules, UpdateWindow, WindowKind
from updater.model.promotion import Follows

LIST = {"image-list": "web=ghcr.io/o/web:^1.0, api=ghcr.io/o/api"}
IMAGES = ("ghcr.io/o/web:1.0.0", "ghcr.io/o/api:1.0.0")
FRIDAY = UpdateWindow(kind=WindowKind.DENY, schedule="0 12 * * 5", duration=216000.0, time_zone="Europe/Berlin")
FRIDAY_TEXT = '{kind: deny, schedule: "0 12 * * 5", duration: 60h, time_zone: Europe/Berlin}'


def gated(own, **options):
    found = run(application(LIST | options.pop("peer", {}), own=own, images=IMAGES, **options))
    return found, {item.key.rpartition("/")[2]: item.gates for item in found.snapshot.subscriptions}


def test_gates_of_one_image_and_of_all_are_read():
    found, gates = gated(
        {"min-age": "3d", "web.window": FRIDAY_TEXT, "web.max-changes": "4/h", "api.coalesce": "5m", "api.min-age": "none"},
        peer=GIT | {"write-back-target": "kustomization"},
    )
    assert codes(found) == []
    assert gates == {
        "web": GateRules(min_age=259200.0, windows=(FRIDAY,), max_changes=ChangeRate(count=4, seconds=3600.0)),
        "api": GateRules(coalesce=300.0),
    }


def test_another_subscription_is_followed_by_one_image_or_by_all():
    follows = Follows(subscription="argocd/staging/web", healthy_for=7200.0)
    _, gates = gated({"follows": "{subscription: argocd/staging/web, healthy_for: 2h}", "api.follows": "none"})
    assert (gates["web"].follows, gates["api"].follows) == (follows, None)


def test_a_list_of_windows_in_json_is_read():
    _, gates = gated({"window": '[{"kind":"deny","schedule":"0 12 * * 5","duration":"60h","time_zone":"Europe/Berlin"}]'})
    assert gates["web"].windows == (FRIDAY,)


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ({"web.min-age": "3 days"}, "duration"),
        ({"web.window": '{kind: deny, schedule: "0 12 * * 7", duration: 1h}'}, "schedule"),
        ({"web.window": '{kind: deny, schedule: "0 12 * * 5", duration: 1h, time_zone: Mars/Base}'}, "time-zone"),
        ({"web.window": "{kind: deny, schedul: x}"}, None),
        ({"web.window": "friday"}, "wrong-type"),
        ({"web.window": "[" * 5000}, "wrong-type"),
        ({"web.window": "x" * 50_000}, "too-large"),
        ({"web.max-changes": "11/h"}, "rate"),
        ({"web.group": "shop and more"}, "proposal-group"),
        ({"web.follows": "argocd/staging/web"}, "wrong-type"),
        ({"web.follows": "{subscription: argocd/staging/web}"}, None),
        ({"web.follows": "{subscription: argocd/staging/web, healthy_for: two hours}"}, "duration"),
        ({"web.follows": "[" * 5000}, "wrong-type"),
    ],
)
def test_a_gate_that_cannot_be_read_or_kept_stops_its_image_with_the_reason(own, code):
    found, gates = gated(own)
    assert list(gates) == ["api"]
    if code:
        assert code in codes(found)


def test_a_misspelt_gate_is_said():
    found, _ = gated({"web.min-ag": "3d"})
    assert "did you mean 'web.min-age'?" in [problem.hint for problem in found.snapshot.problems]


def test_the_defaults_of_the_configuration_count_and_a_large_rate_does_not_for_a_live_application():
    rules = GateRules(min_age=60.0, max_changes=ChangeRate(count=40, seconds=3600.0))
    translate = Translator(TranslationDefaults(gates=rules))
    live = translate([application(LIST, images=IMAGES)], []).snapshot.subscriptions
    assert {item.gates for item in live} == {GateRules(min_age=60.0)}
    written = LIST | GIT | {"write-back-target": "kustomization"}
    filed = translate([application(written, own={"web.min-age": "none"}, images=IMAGES)], []).snapshot.subscriptions
    assert {item.key.rpartition("/")[2]: item.gates.min_age for item in filed} == {"web": None, "api": 60.0}
    assert {item.gates.max_changes for item in filed} == {rules.max_changes}


def test_without_gates_there_are_none():
    _, gates = gated({})
    assert set(gates.values()) == {NO_GATES}


def test_gates_on_an_image_updater_count_for_the_images_that_it_lists():
    item = updater(reference("*", image(), image("ghcr.io/o/api", "api")))
    item["metadata"]["annotations"] = {"image-updater.gitops/min-age": "3d", "image-updater.gitops/api.min-age": "1d"}
    found = run(application({}, images=IMAGES), updaters=[item])
    assert codes(found) == []
    assert {each.image.path: each.gates.min_age for each in found.snapshot.subscriptions} == {"o/web": 259200.0, "o/api": 86400.0}


def test_a_gate_that_cannot_be_read_on_an_image_updater_is_said():
    item = updater(reference("*", image()))
    item["metadata"]["annotations"] = {"image-updater.gitops/window": "friday"}
    found = run(application({}, images=IMAGES), updaters=[item])
    assert found.snapshot.subscriptions == ()
    assert "wrong-type" in {problem.code for problem in found.snapshot.problems}
