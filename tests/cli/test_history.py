"""The past is told as the trailers hold it, and nothing is said that they do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from updater.cli.history import _image_lines, _moved
from updater.model.image import parse_name
from updater.model.view import PastCommit

SHOP, WEB = {parse_name("ghcr.io/o/shop")}, {parse_name("ghcr.io/o/web")}


def commit(images, policies, subscriptions=("a", "b")):
    when = datetime(2026, 11, 23, tzinfo=UTC)
    return PastCommit(
        revision="1" * 40, when=when, subject="Update", subscriptions=subscriptions, images=images, policies=policies
    )


def test_of_a_commit_with_other_images_only_the_asked_one_and_its_own_policy_are_told():
    both = commit(("ghcr.io/o/shop:1.4.1", "ghcr.io/o/web:2.4.7"), ("semver ~1.4", "latest"))
    assert _moved(both, WEB) == (["ghcr.io/o/web:2.4.7"], ["latest"])
    assert _moved(both, SHOP) == (["ghcr.io/o/shop:1.4.1"], ["semver ~1.4"])
    assert _moved(both, None) == (list(both.images), list(both.policies))


def test_policies_that_cannot_be_told_apart_are_not_guessed():
    three = commit(("ghcr.io/o/a:1", "ghcr.io/o/shop:2", "ghcr.io/o/web:3"), ("semver *", "latest"), ("a", "b", "c"))
    images, policies = _moved(three, WEB)
    assert _image_lines(images, policies) == ["ghcr.io/o/web:3", "by semver *, latest"]


@pytest.mark.parametrize(
    ("policies", "lines"),
    [
        (["latest"], ["x:1  (latest)", "y:2  (latest)"]),
        (["latest", "name"], ["x:1  (latest)", "y:2  (name)"]),
        (["latest", "name", "digest"], ["x:1", "y:2", "by latest, name, digest"]),
        ([], ["x:1", "y:2"]),
    ],
)
def test_each_image_stands_with_its_policy_where_it_is_known(policies, lines):
    assert _image_lines(["x:1", "y:2"], policies) == lines
