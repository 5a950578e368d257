"""Images of one Application that annotations put into a group are kept current together, or none is."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, OWN, application, codes, image, reference, run, updater

LIST = {"image-list": "web=ghcr.io/o/web:^1.0, api=ghcr.io/o/api"}
IMAGES = ("ghcr.io/o/web:1.0.0", "ghcr.io/o/api:1.0.0")


def grouped(own, *, listed=LIST, images=IMAGES, **options):
    """The groups by alias, and by alias what is said of an image that is not kept current."""
    found = run(application(listed, own=own, images=images, **options))
    groups = {item.key.rpartition("/")[2]: item.gates.group for item in found.snapshot.subscriptions}
    return groups, {answer.alias: (answer.code, answer.sentence) for answer in found.answers if answer.subscription is None}


@pytest.mark.parametrize("method", [{}, GIT | {"write-back-target": "kustomization"}])
def test_images_are_members_by_alias_or_all_and_the_name_is_of_their_application_alone(method):
    listed = LIST | method
    for own in ({"group": "shop"}, {"web.group": "shop", "api.group": "shop"}):
        assert grouped(own, listed=listed) == ({"web": "argocd/web/shop", "api": "argocd/web/shop"}, {})
    assert grouped({"group": "shop"}, listed=listed, name="eu")[0]["web"] == "argocd/eu/shop"


def test_an_image_updater_puts_its_images_into_a_group_and_the_application_takes_one_out():
    made = updater(reference("*", image(), image("ghcr.io/o/api", "api"), image("ghcr.io/o/db", "db")))
    made["metadata"]["annotations"] = {f"{OWN}group": "shop"}
    found = run(application(own={"db.group": "none"}, images=(*IMAGES, "ghcr.io/o/db:1.0.0")), updaters=[made])
    assert codes(found) == []
    assert {item.key.rpartition("/")[2]: item.gates.group for item in found.snapshot.subscriptions} == {
        "web": "argocd/web/shop",
        "api": "argocd/web/shop",
        "db": None,
    }


def test_a_lone_member_is_not_written_and_is_told_why():
    groups, left = grouped({"web.group": "shop"})
    assert groups == {"api": None}
    assert left == {"web": ("group", "waits for the group shop: no other image of this Application is a member of the group")}


@pytest.mark.parametrize("wrong", [{"api.min-age": "soon"}, {"api.hold": "maybe"}, {"api.downgrade": "x"}])
def test_a_member_that_cannot_be_read_stops_the_others(wrong):
    groups, left = grouped({"group": "shop", **wrong})
    assert groups == {}
    assert left["web"][0] == "group"
    assert left["web"][1].startswith("waits for the group shop: api is not kept current: ")


def test_a_member_that_does_not_run_stops_the_others():
    groups, left = grouped({"group": "shop"}, images=IMAGES[:1])
    assert (groups, left["api"][0], left["web"][0]) == ({}, "not-live", "group")


def test_a_name_that_is_none_is_refused_and_its_image_is_not_written():
    groups, left = grouped({"web.group": "shop and more"})
    assert (groups, left["web"][0]) == ({"api": None}, "proposal-group")


def test_a_member_whose_place_another_application_writes_stops_the_others():
    """Of two Applications that write one file each wants something else: nobody moves half of its images."""
    listed = LIST | GIT | {"write-back-target": "kustomization"}
    other = {"image-list": "api=ghcr.io/o/api:<1"} | GIT | {"write-back-target": "kustomization"}
    found = run(application(listed, own={"group": "shop"}, images=IMAGES), application(other, name="other", images=IMAGES))
    assert found.snapshot.subscriptions == ()
    by_key = {f"{answer.application}/{answer.alias}": answer.code for answer in found.answers}
    assert by_key == {"argocd/web/web": "group", "argocd/web/api": "conflict", "argocd/other/api": "conflict"}


def test_members_of_several_pull_requests_are_not_written():
    listed = LIST | GIT | {"write-back-target": "kustomization"}
    for proposal in ("true", "{per: subscription}"):
        groups, left = grouped({"group": "shop", "proposal": proposal}, listed=listed)
        assert groups == {}
        assert left["web"] == ("group", "waits for the group shop: its members are proposed by several pull requests")
    for proposal in ("{per: destination}", "{per: group, group: shop}"):
        groups, _ = grouped({"group": "shop", "proposal": proposal}, listed=listed)
        assert groups.keys() == {"web", "api"}, proposal
