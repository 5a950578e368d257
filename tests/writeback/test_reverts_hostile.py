"""One commit moves many Applications; people take it back whole, or push while we do."""

from __future__ import annotations

import dataclasses

import pytest

from tests.engine.making import chosen, subscription
from tests.writeback.test_branches import repository, writer  # noqa: F401 - fixtures
from updater.engine.decide import rejected_for
from updater.engine.landing import LandingContext, land
from updater.model.outcome import Status
from updater.model.subscription import GitBranch, Locator, Origin, Target

pytestmark = pytest.mark.real


def items_of(repository, count=10):  # noqa: F811 - the fixture's name
    destination = GitBranch(url=str(repository.path), branch="main")
    items = []
    for number in range(count):
        locator = Locator(path=f"apps/.argocd-source-a{number}.yaml", tag="image.tag", section="helm")
        target = Target(destination=destination, editor="argocd_source", locator=locator)
        item = subscription(f"argocd/a{number}/web", f"ghcr.io/o/app{number}", target)
        items.append(dataclasses.replace(item, origin=Origin(kind="Application", name=f"argocd/a{number}")))
    return destination, items


def parts(writer, tag):  # noqa: F811
    async def choose(item, written, *, needs_digest, rejected, named):
        return chosen(tag)

    async def pause(attempt):
        return None

    return LandingContext(writer=writer, choose=choose, pause=pause)


async def test_a_revert_of_one_commit_is_a_no_to_every_application_in_it_and_to_nothing_else(writer, repository):  # noqa: F811
    destination, items = items_of(repository)
    await land(destination, items[:9], parts(writer, "1.1.0"))
    first = repository.git("rev-parse", "main").strip()
    await land(destination, items[9:], parts(writer, "1.1.0"))
    gone = {f"apps/.argocd-source-a{number}.yaml": None for number in range(9)}
    repository.commit(gone, message=f'Revert "Update"\n\nThis reverts commit {first}.')
    view = await writer.look(destination, items)
    taken_back = [set(rejected_for(item, view.recent)) for item in items]
    assert taken_back == [{"1.1.0"}] * 9 + [set()]


async def test_a_first_pass_after_many_applications_moved_together_is_quiet(writer, repository):  # noqa: F811
    destination, items = items_of(repository)
    await land(destination, items, parts(writer, "1.20"))
    head = repository.git("rev-parse", "main")
    landing = await land(destination, items, parts(writer, "1.20"))
    assert {outcome.status for outcome in landing.outcomes} == {Status.UNCHANGED}
    assert (repository.git("rev-parse", "main"), repository.git("rev-list", "--count", "main").strip()) == (head, "2")


async def test_a_base_that_a_person_force_pushed_is_read_as_it_is_now(writer, repository):  # noqa: F811
    destination, items = items_of(repository, 2)
    await land(destination, items, parts(writer, "1.1.0"))
    repository.commit({"apps/b.yaml": b"anew\n"}, parent="")
    landing = await land(destination, items, parts(writer, "1.1.0"))
    assert {outcome.status for outcome in landing.outcomes} == {Status.UPDATED}
    assert repository.show("apps/b.yaml") == b"anew\n"
    assert repository.git("rev-list", "--count", "main").strip() == "2"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(("120000", b"../shared.yaml"), id="symlink"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 120\n", id="lfs"),
        pytest.param(b"helm:\n\tparameters: []\n", id="tabs"),
        pytest.param(b"helm: {parameters: [{name: image.tag, value: 1.0}]}\n---\nhelm: {}\n", id="two-documents"),
        pytest.param(b"helm: {parameters: [{name: image.tag, value: a, value: b}]}\n", id="doubled-key"),
        pytest.param(b"\xff\xfeh\x00", id="utf-16"),
        pytest.param(b"- a list\n", id="list"),
        pytest.param(b"helm: {parameters: [{name: image.tag, value: [1]}]}\n", id="nested"),
    ],
)
async def test_a_file_that_cannot_be_edited_fails_alone_and_stays_as_it_is(writer, repository, content):  # noqa: F811
    path = "apps/.argocd-source-a0.yaml"
    repository.commit({path: content})
    before = repository.git("rev-parse", f"main:{path}")
    destination, items = items_of(repository, 2)
    landing = await land(destination, items, parts(writer, "1.1.0"))
    ends = {outcome.key: outcome for outcome in landing.outcomes}
    assert (ends["argocd/a0/web"].status, ends["argocd/a1/web"].status) == (Status.FAILED, Status.UPDATED)
    assert ends["argocd/a0/web"].code
    assert ends["argocd/a0/web"].hint
    assert repository.git("rev-parse", f"main:{path}") == before


async def test_a_file_keeps_its_executable_bit(writer, repository):  # noqa: F811
    path = "apps/.argocd-source-a0.yaml"
    repository.commit({path: ("100755", b"helm: {parameters: [{name: image.tag, value: '1.0'}]}\n")})
    destination, items = items_of(repository, 1)
    await land(destination, items, parts(writer, "1.1.0"))
    assert repository.git("ls-tree", "main", path).startswith("100755 ")
