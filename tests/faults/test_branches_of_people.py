"""A push branch is ours or new: a branch that people made is neither rebuilt nor advanced, wherever it stands."""

from __future__ import annotations

import pytest

from tests.flows.fleet import Status, fleet

pytestmark = pytest.mark.real


@pytest.fixture
async def made(tmp_path):
    async with fleet(tmp_path) as made:
        made.registry.push("o/app", "1.1.0")
        yield made


def branch_at(made, revision, name="production"):
    made.repository.git("update-ref", f"refs/heads/{name}", revision)
    return revision


def trailing(made):
    """A branch that people bring forward from main by hand."""
    first = made.repository.head()
    made.repository.commit({"new.txt": b"not for production yet\n"})
    return branch_at(made, first)


def level(made):
    return branch_at(made, made.repository.head())


def diverged(made):
    branch_at(made, made.repository.head())
    return made.repository.commit({"only.txt": b"there\n"}, branch="production")


@pytest.mark.parametrize("where", [trailing, level, diverged])
async def test_a_branch_that_updater_never_wrote_to_is_left_as_it_is(made, where):
    made.add("app", "marker: ns:app", push="production")
    head = where(made)
    for _ in range(2):
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.FAILED, "branch-not-ours")
        assert "production" in end.detail
        assert "delete" in end.hint
    assert made.repository.head("production") == head


async def test_a_branch_that_trails_at_our_own_commit_to_the_base_is_left_as_it_is(made):
    """People promote what updater wrote to main; that makes production no push branch."""
    made.add("web", "kustomize: {path: apps/web, name: web}")
    made.registry.push("o/web", "1.1.0")
    assert (await made.once())["web"].status is Status.UPDATED
    head = trailing(made)
    made.add("app", "marker: ns:app", push="production")
    made.forget()
    end = (await made.once())["app"]
    assert (end.code, made.repository.head("production")) == ("branch-not-ours", head)


async def test_a_branch_that_is_deleted_as_the_hint_says_is_made_anew(made):
    made.add("app", "marker: ns:app", push="production")
    trailing(made)
    await made.once()
    made.repository.git("update-ref", "-d", "refs/heads/production")
    assert (await made.once())["app"].status is Status.UPDATED
    assert "1.1.0" in made.file("apps/app.yaml", "production")
    assert made.file("new.txt", "production") == "not for production yet\n"


@pytest.mark.parametrize("trailer", ["Updater-Branch: updates\n", ""])
async def test_a_push_branch_that_was_merged_and_then_left_behind_goes_on(made, trailer):
    """Also one that a version before the trailer `Updater-Branch` wrote."""
    made.add("app", "marker: ns:app", push="updates")
    message = f"Update app\n\nUpdater-Subscription: app\nUpdater-Image: o/app:1.0.1\n{trailer}"
    ours = made.repository.commit({"x.txt": b"1\n"}, message=message, committer="updater <updater@example.org>")
    branch_at(made, ours, "updates")
    made.repository.commit({"other.txt": b"x\n"})
    assert (await made.once())["app"].status is Status.UPDATED
    assert made.file("other.txt", "updates") == "x\n"
