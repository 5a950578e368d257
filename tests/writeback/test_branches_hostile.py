"""Branches that a template names: several Applications may be given one name, and people commit to such branches."""

from __future__ import annotations

import dataclasses

import pytest

from tests.engine.making import chosen, subscription
from tests.writeback.test_branches import repository, writer  # noqa: F401 - fixtures
from updater.engine.decide import decide
from updater.errors import PushRefused
from updater.model.publishing import PushTemplate
from updater.model.subscription import GitBranch, Locator, Origin, Target
from updater.model.update import Commit

pytestmark = pytest.mark.real
TEMPLATE = "up-{{range .Images}}{{.NewTag}}{{end}}"


def wanted(repository, name):  # noqa: F811 - the fixture's name
    destination = GitBranch(url=str(repository.path), branch="main", publishing=PushTemplate(TEMPLATE, f"image-updater-{name}"))
    locator = Locator(path=f"apps/.argocd-source-{name}.yaml", tag="image.tag", section="helm")
    target = Target(destination=destination, editor="argocd_source", locator=locator)
    item = subscription(f"argocd/{name}/web", "ghcr.io/o/app", target)
    return dataclasses.replace(item, origin=Origin(kind="Application", name=f"argocd/{name}"))


async def land(writer, item, tag="1.2.3"):  # noqa: F811
    view = await writer.look(item.targets[0].destination, [item])
    (reading,) = view.readings[item.key, 0]
    (decision,) = decide(view, [item], {(item.key, reading.written): chosen(tag)})
    return await writer.write(view, [Commit(commit_spec=item.targets[0].commit_spec, updates=decision.updates)], is_dry=False)


def head(repository, branch):  # noqa: F811
    return repository.git("rev-parse", branch)


async def test_two_applications_whose_template_makes_one_name_share_the_branch(writer, repository):  # noqa: F811
    items = [wanted(repository, "dev"), wanted(repository, "prod")]
    for item in items:
        assert len((await land(writer, item)).revisions) == 1
    for name in ("dev", "prod"):
        assert b"value: 1.2.3" in repository.show(f"apps/.argocd-source-{name}.yaml", "up-1.2.3")


async def test_a_shared_branch_is_quiet_once_it_holds_everything(writer, repository):  # noqa: F811
    items = [wanted(repository, "dev"), wanted(repository, "prod")]
    for item in items:
        await land(writer, item)
    before = head(repository, "up-1.2.3")
    for item in [*items, *items]:
        landed = await land(writer, item)
        assert (landed.revisions, landed.note) == ({}, "branch up-1.2.3 holds these changes already")
    assert head(repository, "up-1.2.3") == before


async def test_a_shared_branch_keeps_everything_while_its_base_moves(writer, repository):  # noqa: F811
    items = [wanted(repository, "dev"), wanted(repository, "prod")]
    for item in items:
        await land(writer, item)
    repository.commit({"notes": b"moved"})
    for item in items:
        await land(writer, item)
    for name in ("dev", "prod"):
        assert b"value: 1.2.3" in repository.show(f"apps/.argocd-source-{name}.yaml", "up-1.2.3")


async def test_what_a_person_committed_to_such_a_branch_is_never_taken_away(writer, repository):  # noqa: F811
    await land(writer, wanted(repository, "dev"))
    repository.commit({"apps/notes": b"mine"}, branch="up-1.2.3")
    repository.commit({"notes": b"moved"})
    before = head(repository, "up-1.2.3")
    for name in ("dev", "prod"):
        with pytest.raises(PushRefused) as caught:
            await land(writer, wanted(repository, name))
        assert caught.value.code == "foreign-commits"
    assert head(repository, "up-1.2.3") == before


async def test_a_template_that_makes_the_name_of_a_branch_of_people_writes_nothing_there(writer, repository):  # noqa: F811
    """Such as ``{{.NewTag}}`` where a branch is called so; that we have written to it straight makes it no push branch."""
    await land(writer, wanted(repository, "dev"))
    ours = {"apps/x": b"1"}
    trailer = "Update x\n\nUpdater-Subscription: argocd/other/web\nUpdater-Image: ghcr.io/o/x:1\n"
    repository.commit({"apps/notes": b"mine"}, branch="up-9.9.9", parent=head(repository, "main").strip())
    repository.commit(ours, branch="up-9.9.9", message=trailer, committer="updater <updater@example.org>")
    before = head(repository, "up-9.9.9")
    with pytest.raises(PushRefused) as caught:
        await land(writer, wanted(repository, "dev"), "9.9.9")
    assert (caught.value.code, head(repository, "up-9.9.9")) == ("foreign-commits", before)
