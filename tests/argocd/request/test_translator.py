"""One snapshot of everything: one place has one writer, and what did not change costs nothing."""

from __future__ import annotations

import copy

from tests.argocd.request.making import GIT, application, codes, image, reference, run, updater
from updater.argocd.request import TranslationDefaults, Translator

LIST = {"image-list": "web=ghcr.io/o/web:^1.0"}
OVERLAY = GIT | {"write-back-target": "kustomization"}


def test_applications_of_one_overlay_share_one_writer():
    found = run(*(application(LIST | OVERLAY, name=name) for name in ("eu", "us", "asia")))
    assert [item.key for item in found.snapshot.subscriptions] == ["argocd/eu/web"]
    assert [answer.code for answer in found.answers] == [None, "shared", "shared"]
    assert found.answers[1].sentence == "argocd/eu/web writes the same to the same place"
    assert found.snapshot.problems == ()


def test_applications_of_one_overlay_that_want_different_things_write_nothing():
    first, second = (
        application(LIST | OVERLAY, name="eu"),
        application(LIST | OVERLAY | {"web.ignore-tags": "dev"}, name="us"),
    )
    other = application(LIST | OVERLAY, name="asia", source={"path": "apps/asia"})
    found = run(first, second, other)
    assert [item.key for item in found.snapshot.subscriptions] == ["argocd/asia/web"]
    assert codes(found) == ["conflict", "conflict"]
    assert {problem.origin for problem in found.snapshot.problems} == {"Application argocd/eu", "Application argocd/us"}


def test_one_kustomization_entry_in_two_spellings_is_one_place():
    first = application({"image-list": "a=nginx"} | OVERLAY, name="a", images=["nginx:1"])
    second = application({"image-list": "b=docker.io/library/nginx:^1"} | OVERLAY, name="b", images=["nginx:1"])
    assert codes(run(first, second)) == ["conflict", "conflict"]


def test_many_applications_of_one_branch_are_one_destination():
    found = run(*(application(LIST | GIT, name=f"app-{number}") for number in range(5)))
    assert len(found.snapshot.subscriptions) == 5
    assert len(found.snapshot.destinations) == 1


def test_what_did_not_change_is_not_translated_again():
    translate = Translator(TranslationDefaults())
    items = [application(LIST | GIT, name=name, version="1") for name in ("a", "b")]
    first = translate(items, [])
    assert translate(copy.deepcopy(items), []) is first


def test_a_status_that_churns_gives_the_very_same_translation():
    translate = Translator(TranslationDefaults())
    items = [application(LIST | GIT, name=name, version="1") for name in ("a", "b")]
    first = translate(items, [])
    items[0] = application(LIST | GIT, name="a", version="2")
    items[0]["status"]["health"] = {"status": "Progressing"}
    assert translate(items, []) is first


def test_a_change_that_matters_is_seen():
    translate = Translator(TranslationDefaults())
    items = [application(LIST | GIT, name=name, version="1") for name in ("a", "b")]
    first = translate(items, [])
    items[0] = application(LIST | GIT | {"web.update-strategy": "name"}, name="a", version="2")
    second = translate(items, [])
    assert [item.policy.kind for item in second.snapshot.subscriptions] == ["name", "semver"]
    assert second.snapshot.subscriptions[1] is first.snapshot.subscriptions[1]
    assert [item.key for item in translate(items[1:], []).snapshot.subscriptions] == ["argocd/b/web"]


def test_objects_without_version_count_as_the_same_only_while_they_are():
    translate = Translator(TranslationDefaults())
    item = application(LIST | GIT)
    first = translate([item], [])
    assert translate([item], []) is first
    other = application(LIST | GIT | {"web.update-strategy": "name"})
    assert translate([other], []).snapshot.subscriptions[0].policy.kind == "name"


def test_an_image_updater_that_changes_is_seen_by_its_applications():
    translate = Translator(TranslationDefaults())
    item = application(version="1")
    first = translate([item], [updater(reference("*", image()), version="1")])
    assert translate([item], [updater(reference("*", image()), version="1")]) is first
    second = translate([item], [updater(reference("*", image("ghcr.io/o/web:^2")), version="2")])
    assert second.snapshot.subscriptions[0].policy.options == {"range": "^2"}
    assert translate([item], []).snapshot.subscriptions == ()


def test_applications_of_one_name_in_two_namespaces_are_two():
    found = run(application(LIST), application(LIST, namespace="team"))
    assert [item.key for item in found.snapshot.subscriptions] == ["argocd/web/web", "team/web/web"]
