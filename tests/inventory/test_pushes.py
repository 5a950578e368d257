"""Which images and branches a push is about, however its sender spells them."""

from __future__ import annotations

import pytest

from updater.inventory.plan import Plan
from updater.inventory.pushes import PushIndex, place_of
from updater.model.image import parse_name
from updater.model.publishing import PushBranch
from updater.model.scan_key import ScanKey
from updater.model.subscription import CredentialRef, GitBranch
from updater.model.webhook import BranchPush, ImagePush


def index(*images, branches=(), hosts=None):
    keys = [image if isinstance(image, ScanKey) else ScanKey(parse_name(image), None) for image in images]
    plan = Plan(images=dict.fromkeys(keys, 60.0), destinations=dict.fromkeys(branches, 60.0), waiting={})
    return PushIndex(plan, hosts or {})


def names(found):
    return [str(listed) for listed in found]


@pytest.mark.parametrize(
    ("image", "registry", "path"),
    [
        ("quay.io/dexidp/dex", "ghcr.io", "dexidp/dex"),  # argo-154
        ("nginx", "ghcr.io", "redis"),  # argo-155
        ("nginx", "ghcr.io", "library/nginx"),
        ("ghcr.io/a/b", "ghcr.io", "a/b/c"),
    ],
)
def test_a_push_to_another_registry_or_another_name_is_about_nothing(image, registry, path):
    assert index(image).images(ImagePush(registry=registry, path=path)) == ()


def test_an_image_is_found_by_every_spelling_of_its_name_and_with_every_credential():
    other = ScanKey(parse_name("nginx"), CredentialRef(kind="env", value="HUB"))
    found = index("docker.io/library/nginx", other).images(ImagePush(registry="registry-1.docker.io", path="nginx"))
    assert names(found) == ["docker.io/library/nginx", "nginx"]


def test_a_push_that_names_no_registry_is_about_the_images_of_its_path():
    known = index("r.example/a/b", "ghcr.io/a/b", "ghcr.io/a/c")
    assert names(known.images(ImagePush(registry="", path="a/b"))) == ["r.example/a/b", "ghcr.io/a/b"]


def test_a_registry_that_is_asked_at_another_host_is_found_by_that_host():
    known = index("localhost:5000/a/b", hosts={"registry.internal:5000": "localhost:5000"})
    assert names(known.images(ImagePush(registry="registry.internal:5000", path="a/b"))) == ["localhost:5000/a/b"]


@pytest.mark.parametrize(("registry", "path"), [("ghcr.io", "a\x00b"), ("<script>", "a"), ("a b", "c"), ("ghcr.io", "")])
def test_what_is_no_name_of_an_image_is_about_nothing(registry, path):
    assert index("ghcr.io/a/b").images(ImagePush(registry=registry, path=path)) == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example/O/Fleet.git",
        "ssh://git@git.example:2222/o/fleet.git",
        "git@git.example:o/fleet.git",
        "http://git.example:3000/o/fleet",
    ],
)
def test_a_branch_is_found_by_every_way_to_its_repository(url):
    branch = GitBranch(url="https://git.example/o/fleet", branch="main")
    assert index(branches=[branch]).destinations(BranchPush(urls=(url,), branch="main")) == (branch,)


def test_a_push_to_a_branch_that_nobody_reads_or_writes_is_about_nothing():
    branch = GitBranch(url="https://git.example/o/fleet", branch="main", publishing=PushBranch("updates"))
    known = index(branches=[branch])
    urls = ("https://git.example/o/fleet.git",)
    assert known.destinations(BranchPush(urls=urls, branch="feature")) == ()
    assert known.destinations(BranchPush(urls=urls, branch="updates")) == (branch,)
    assert known.destinations(BranchPush(urls=("https://git.example/o/other",), branch="main")) == ()


def test_a_destination_without_a_branch_name_is_looked_at_for_every_branch():
    branch = GitBranch(url="https://git.example/o/fleet", branch="")
    assert index(branches=[branch]).destinations(BranchPush(urls=("git@git.example:o/fleet",), branch="any")) == (branch,)


def test_a_url_that_is_none_is_no_place():
    assert place_of("http://[::1/x") == ("", "http://[::1/x")
    assert place_of("/srv/fleet.git") == ("", "/srv/fleet")
