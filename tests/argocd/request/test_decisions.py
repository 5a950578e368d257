"""What people decide in annotations of an Application counts for its images, and one that cannot be read stops its image."""

from __future__ import annotations

from tests.argocd.request.making import GIT, application, codes, run
from updater.argocd.cluster.pruning import prune_application
from updater.controller.objects import Sharing
from updater.model.decision import Hold, hold_of, pin_of, rejections_of

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
