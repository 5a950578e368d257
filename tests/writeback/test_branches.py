"""Branches that a destination leaves to the server or to a template, on real repositories."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.engine.making import chosen, subscription
from tests.fakes.git_server import BareRepository
from tests.real.parts import require
from tests.writeback import overridden
from tests.writeback.overridden import PATH, land, unsigned
from updater.editors import make_editors
from updater.engine.decide import decide
from updater.errors import GitError, PushRefused
from updater.git.access import GitAccess
from updater.git.mirror import Mirror, Shared
from updater.model.publishing import Proposal, PushBranch, PushTemplate
from updater.model.subscription import GitBranch, Locator, Target
from updater.model.update import Commit
from updater.writeback.branch_writer import CommitSettings, GitWriter
from updater.writeback.message import commit_message

pytestmark = pytest.mark.real
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path):
    require("git")
    return BareRepository.make(tmp_path / "fleet.git", {"apps/a.yaml": b"kind: Nothing\n"})


@pytest.fixture
async def writer(tmp_path, repository):
    mirror = Mirror(str(repository.path), tmp_path / "mirror", GitAccess(), Shared(ours={"updater@example.org"}))
    pen = CommitSettings(message=commit_message, signer=unsigned, now=lambda: NOW)
    yield GitWriter(mirror=lambda _branch: mirror, editors=make_editors(), pen=pen)
    await mirror.close()


def wanted(repository, *, branch="", **names):
    return overridden.wanted(str(repository.path), branch=branch, **names)


async def test_an_empty_branch_is_the_servers_default_one(writer, repository):
    landed = await land(writer, wanted(repository))
    assert len(landed.revisions) == 1
    (said,) = {landed.messages[revision] for revision in landed.revisions.values()}
    assert said
    assert "Updater-" not in said
    assert b"value: 1.2.3" in repository.show(PATH)


async def test_a_template_names_the_branch_once_the_update_is_known(writer, repository):
    template = "up-{{.AppNamespace}}-{{.AppName}}{{range .Images}}-{{.NewTag}}{{end}}"
    item = wanted(repository, branch="main", publishing=PushTemplate(template, "image-updater-x"))
    await land(writer, item)
    assert b"value: 1.2.3" in repository.show(PATH, "up-argocd-web-1.2.3")
    again = await land(writer, item)
    assert again.note == "branch up-argocd-web-1.2.3 holds these changes already"
    await land(writer, item, "1.2.4")
    assert b"value: 1.2.4" in repository.show(PATH, "up-argocd-web-1.2.4")
    assert "image-updater-x" not in repository.git("branch", "--list")


async def test_a_template_that_makes_the_base_is_refused(writer, repository):
    item = wanted(repository, branch="main", publishing=PushTemplate('{{ printf "main" }}', "image-updater-x"))
    with pytest.raises(GitError) as caught:
        await land(writer, item)
    assert caught.value.code == "branch-template"


async def test_a_proposal_is_written_to_its_own_branch(writer, repository):
    head = repository.head()
    await land(writer, wanted(repository, branch="main", publishing=Proposal("updater/main")))
    assert (repository.head(), b"value: 1.2.3" in repository.show(PATH, "updater/main")) == (head, True)


async def test_a_base_that_moved_before_the_branch_is_named_is_looked_at_again(writer, repository):
    item = wanted(repository, branch="main", publishing=PushTemplate("up-{{.SHA256}}", "image-updater-x"))
    destination = item.targets[0].destination
    view = await writer.look(destination, [item])
    (reading,) = view.readings[item.key, 0]
    (decision,) = decide(view, [item], {(item.key, reading.written): chosen("1.2.3")})
    repository.commit({"apps/b.yaml": b"moved\n"})
    with pytest.raises(PushRefused):
        await writer.write(view, [Commit(commit_spec=item.targets[0].commit_spec, updates=decision.updates)], is_dry=False)


async def test_many_branches_on_a_base_that_moves_meanwhile_all_land_without_a_new_mirror(writer, repository):
    """Each Application has a branch of its own; a person pushes to the base while they land."""
    items = [wanted(repository, branch="main", publishing=PushBranch(f"updates-{number}")) for number in range(6)]
    mirror = writer._mirror(items[0].targets[0].destination)
    await land(writer, items[0])
    stored = mirror.folder.stat().st_ino, (mirror.folder / "objects").stat().st_ino

    async def until_landed(item):
        async with asyncio.timeout(60):  # each push of the person may be in the way of each branch once
            while True:
                try:
                    return await land(writer, item, "1.2.4")
                except PushRefused:
                    await asyncio.sleep(0.01)

    async def person():
        for number in range(5):
            await asyncio.to_thread(repository.commit, {f"notes/{number}": b"x"})

    landed = await asyncio.gather(person(), *map(until_landed, items))
    assert all(len(one.revisions) == 1 for one in landed[1:])
    assert all(b"value: 1.2.4" in repository.show(PATH, f"updates-{number}") for number in range(6))
    assert (mirror.folder.stat().st_ino, (mirror.folder / "objects").stat().st_ino) == stored


async def test_a_look_tells_which_branch_the_server_calls_its_default_one_even_where_another_is_missing(repository, tmp_path):
    told = []
    mirror = Mirror(str(repository.path), tmp_path / "other", GitAccess())
    pen = CommitSettings(message=commit_message, signer=unsigned, now=lambda: NOW)
    made = GitWriter(mirror=lambda _: mirror, editors=make_editors(), pen=pen, learned=lambda *heard: told.append(heard))
    here, gone = (wanted(repository, branch=name) for name in ("main", "gone"))
    await made.look(here.targets[0].destination, [here])
    with pytest.raises(GitError, match="has no branch 'gone'"):
        await made.look(gone.targets[0].destination, [gone])
    await mirror.close()
    assert told == [(item.targets[0].destination, "main") for item in (here, gone)]


async def test_what_was_read_of_a_branch_that_nobody_asks_for_is_forgotten_and_a_landing_under_way_looks_again(
    writer, repository
):
    item = wanted(repository)
    destination = item.targets[0].destination
    view = await writer.look(destination, [item])
    assert await writer.look(destination, [item]) is view
    writer.keep([])
    (reading,) = view.readings[item.key, 0]
    (decision,) = decide(view, [item], {(item.key, reading.written): chosen("1.2.3")})
    with pytest.raises(PushRefused) as caught:
        await writer.write(view, [Commit(commit_spec=item.targets[0].commit_spec, updates=decision.updates)], is_dry=False)
    assert caught.value.code == PushRefused.default_code
    assert await writer.look(destination, [item]) is not view
    assert len((await land(writer, item)).revisions) == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nope", "there is no folder nope in the tree"),
        (".git", "there is no folder .git in the tree"),
        ("link", "link is a symlink, which is not followed"),
        ("apps", None),
        (".", None),
    ],
)
async def test_a_folder_below_which_nothing_can_be_is_noted_where_nothing_has_to_be_there(writer, repository, path, said):
    repository.commit({"link": ("120000", b"apps")})
    destination = GitBranch(url=str(repository.path), branch="main")
    locator = Locator(path=path, name="team:web")
    target = Target(destination=destination, editor="marker", locator=locator, may_be_absent=True)
    view = await writer.look(destination, [subscription("web", "ghcr.io/o/app", target)])
    assert [(note.path, note.code, note.message) for note in view.notes] == ([(path, "no-folder", said)] if said else [])
