"""What people decide in annotations of an Application counts for its images, and one that cannot be read stops its image."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, OWN, application, codes, image, reference, run, updater
from updater.argocd.cluster.pruning import prune_application
from updater.controller.objects import Sharing
from updater.model.decision import Hold, hold_of, in_force, pin_of, rejections_of

LIST = {"image-list": "web=ghcr.io/o/web:^1.0, api=ghcr.io/o/api"}
IMAGES = ("ghcr.io/o/web:1.0.0", "ghcr.io/o/api:1.0.0")


def decided(own, **options):
    found = run(application(LIST, own=own, images=IMAGES, **options))
    return found, {item.key: item.decisions for item in found.snapshot.subscriptions}


def test_annotations_of_one_image_and_of_all_are_read():
    _, by_key = decided({"hold": '{"author":"Jane","reason":"freeze"}', "web.pin": "1.2.3", "api.reject": "1.3.0,1.4.0"})
    web, api = by_key["argocd/web/web"], by_key["argocd/web/api"]
    hold, pin = hold_of(web), pin_of(web)
    assert hold is not None
    assert hold.sentence == "held by Jane: freeze"
    assert pin is not None
    assert pin.tag == "1.2.3"
    assert hold_of(api)
    assert [item.tag for item in rejections_of(api)] == ["1.3.0", "1.4.0"]


def test_an_image_may_be_released_from_the_hold_of_all():
    _, by_key = decided({"hold": "true", "web.hold": "false"})
    assert by_key["argocd/web/web"] == ()
    assert hold_of(by_key["argocd/web/api"])


def test_one_that_cannot_be_read_stops_its_image_and_no_other():
    for text in ("maybe", '{"untill":"x"}', '{"until":"tomorrow"}', "x" * 200_000):
        found, by_key = decided({"web.hold": text})
        assert list(by_key) == ["argocd/web/api"], text[:20]
        assert found.snapshot.problems


def test_an_annotation_of_200_kilobytes_is_not_kept_whole():
    kept = prune_application(application(LIST, own={"web.hold": "x" * 200_000}), Sharing())
    assert len(kept["metadata"]["annotations"]["image-updater.gitops/web.hold"]) < 20_000


def test_a_misspelt_one_is_said():
    found, _ = decided({"web.hodl": "true"})
    assert "did you mean 'web.hold'?" in [problem.hint for problem in found.snapshot.problems]


def test_a_hold_on_one_of_several_applications_that_share_a_place_holds_the_one_that_writes_it():
    overlay = {"image-list": "web=ghcr.io/o/web:^1.0"} | GIT | {"write-back-target": "kustomization"}
    found = run(application(overlay, name="eu"), application(overlay, name="us", own={"web.hold": "true"}))
    assert codes(found) == []
    (item,) = found.snapshot.subscriptions
    assert item.key == "argocd/eu/web"
    assert isinstance(item.decisions[0], Hold)


def test_a_rejection_of_one_image_does_not_undo_one_of_all():
    _, by_key = decided({"reject": "1.3.0", "web.reject": "1.4.0"})
    assert [item.tag for item in rejections_of(by_key["argocd/web/web"])] == ["1.4.0", "1.3.0"]
    assert [item.tag for item in rejections_of(by_key["argocd/web/api"])] == ["1.3.0"]


def by_updater(theirs, own=None, *, is_annotated=False):
    """What is decided for web where an ImageUpdater has annotations, and the Application that it selects has its own."""
    chosen = reference(useAnnotations=True) if is_annotated else reference("*", image())
    made = updater(chosen)
    made["metadata"]["annotations"] = {OWN + key: text for key, text in theirs.items()}
    listed = {"image-list": "web=ghcr.io/o/web:^1.0"} if is_annotated else None
    found = run(application(listed, own=own), updaters=[made])
    assert codes(found) == []
    (item,) = found.snapshot.subscriptions
    return item


LISTED = pytest.mark.parametrize("is_annotated", [False, True], ids=["its own images", "the images of annotations"])


@LISTED
def test_what_stands_on_an_image_updater_counts_for_the_applications_that_it_selects(is_annotated):
    item = by_updater({"hold": '{"author":"Jane"}', "web.reject": "1.3.0", "min-age": "3d"}, is_annotated=is_annotated)
    hold = hold_of(item.decisions)
    assert hold is not None
    assert (hold.author, hold.where) == ("Jane", "ImageUpdater argocd/all image-updater.gitops/hold")
    assert [each.tag for each in rejections_of(item.decisions)] == ["1.3.0"]
    assert item.gates.min_age == 259200.0


@LISTED
def test_what_stands_on_the_application_adds_up_to_it_and_takes_a_hold_or_pin_of_it_away(is_annotated):
    theirs = {"hold": "true", "pin": '{"tag":"1.1.0","since":"2026-11-29T00:00:00Z"}', "reject": "1.3.0", "min-age": "3d"}
    own = {"hold": "false", "web.pin": "1.2.0", "reject": "1.4.0", "web.min-age": "none"}
    item = by_updater(theirs, own, is_annotated=is_annotated)
    pin = pin_of(item.decisions)
    assert pin is not None
    assert (hold_of(item.decisions), pin.tag, item.gates.min_age) == (None, "1.2.0", None)
    assert {each.tag for each in rejections_of(item.decisions)} == {"1.3.0", "1.4.0"}


def test_a_hold_of_an_application_that_ends_leaves_that_of_its_image_updater():
    item = by_updater({"hold": "true"}, {"web.hold": '{"until":"2020-01-01T00:00:00Z"}'})
    assert hold_of(in_force(item.decisions, 2_000_000_000.0))


def test_a_decision_of_an_image_updater_that_cannot_be_read_stops_its_images():
    made = updater(reference("*", image()))
    made["metadata"]["annotations"] = {f"{OWN}hold": "maybe"}
    found = run(application(), updaters=[made])
    assert found.snapshot.subscriptions == ()
    assert found.snapshot.problems


def test_an_alias_with_a_slash_is_named_with_an_underscore_on_an_image_updater_too():
    made = updater(reference(useAnnotations=True))
    made["metadata"]["annotations"] = {f"{OWN}team_web.hold": "true", f"{OWN}team_web.min-age": "3d"}
    (item,) = run(application({"image-list": "team/web=ghcr.io/o/web:^1.0"}), updaters=[made]).snapshot.subscriptions
    assert hold_of(item.decisions)
    assert item.gates.min_age == 259200.0
