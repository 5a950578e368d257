"""Annotations of an Application say how its releases are followed, and mean what they mean in the configuration."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, application, codes, run
from updater.argocd.request.subscriptions import TranslationDefaults
from updater.argocd.request.translation import Translator
from updater.model.release import DeliveryOptions, OnBad, Workload

LIST = {"image-list": "web=ghcr.io/o/web:^1.0, api=ghcr.io/o/api"}
IMAGES = ("ghcr.io/o/web:1.0.0", "ghcr.io/o/api:1.0.0")
TO_GIT = GIT | {"write-back-target": "kustomization"}


def followed(own, *, peer=TO_GIT, defaults=None):
    item = application(LIST | peer, own=own, images=IMAGES)
    found = Translator(TranslationDefaults(delivery=defaults))([item], []) if defaults else run(item)
    return found, {item.key.rpartition("/")[2]: item.delivery for item in found.snapshot.subscriptions}


def test_without_defaults_only_the_images_that_ask_for_it_are_followed_by_their_application():
    found, options = followed({"web.on-bad": "revert", "web.deadline": "20m", "web.settle": "1m"})
    assert codes(found) == []
    assert (options["web"].on_bad, options["web"].deadline, options["web"].settle) == (OnBad.REVERT, 1200.0, 60.0)
    assert (options["web"].agent.kind, options["web"].workload) == ("Application", None)
    assert options["api"] is None


def test_a_default_holds_for_every_image_and_a_workload_can_be_named():
    _, options = followed({"api.workload": "Rollout/shop/api"}, defaults=DeliveryOptions(settle=5.0))
    assert (options["web"].settle, options["web"].on_bad, options["web"].workload) == (5.0, OnBad.REPORT, None)
    assert (options["api"].workload, options["api"].agent) == (Workload("Rollout", "shop", "api"), None)


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ({"web.on-bad": "rollback"}, "wrong-type"),
        ({"web.deadline": "soon"}, "duration"),
        ({"web.workload": "Pod/shop/web"}, "workload"),
        ({"web.onbad": "revert"}, "unknown-key"),
    ],
)
def test_what_cannot_be_read_ends_the_image(own, code):
    found, _ = followed(own)
    assert codes(found) == [code]


def test_what_is_written_to_a_live_application_is_followed_and_never_taken_back():
    found, options = followed({}, peer={}, defaults=DeliveryOptions(on_bad=OnBad.REVERT))
    assert (codes(found), options["web"].on_bad) == ([], OnBad.REPORT)
    found, _ = followed({"web.on-bad": "revert"}, peer={})
    assert codes(found) == ["not-yet"]
