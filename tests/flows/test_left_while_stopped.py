"""What left the configuration while no daemon ran: its pull request is closed, and never one of another installation."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from tests.flows.fleet import Status
from tests.flows.test_proposal_life import KINDS, add_web, pull
from tests.flows.test_proposals import PERSON, proposing
from updater.daemon.assembly import start_generation
from updater.daemon.process import Process
from updater.daemon.proposals import owner_name
from updater.sources.file import load

APP, WEB = "updater/main/app", "updater/main/web"


@pytest.fixture(params=KINDS)
async def life(request, tmp_path):
    """App and web are proposed by one process, which ended."""
    async with proposing(tmp_path, request.param, "lost", "{}") as made:
        made.push("1.1.0")
        add_web(made, "{}")
        assert {end.status for end in (await made.fleet.once()).values()} == {Status.PROPOSED}
        yield made


def owned(life, name: str) -> None:
    """Let the settings name the installation."""
    life.fleet.extra = f"  proposal: {{owner: {name}}}\n{life.fleet.extra}"


def without_app(life) -> None:
    life.fleet.subscriptions = [text for text in life.fleet.subscriptions if "key: app" not in text]


@asynccontextmanager
async def started(life, state: str = "state"):
    """A generation in a new process, with the folder *state*."""
    loaded = load([life.fleet.configure()], dict(os.environ))
    async with Process(life.fleet.folder / state) as process:
        generation = await start_generation(loaded, process)
        generation.take_over()
        yield generation


def opened(life) -> set[str]:
    return {item.branch for item in life.forge.opened()}


async def test_it_is_closed_at_the_next_start_with_a_word_why_and_what_is_asked_for_stays(life):
    without_app(life)
    async with started(life) as generation:
        assert await generation.components.sweep()
    assert (opened(life), life.head(APP)) == ({WEB}, None)
    (left,) = [item for item in life.forge.pulls if item.branch == APP]
    assert [words.startswith("Superseded: no subscription asks for these changes") for words in left.comments] == [True]
    asked = len(life.forge.changes())
    async with started(life) as generation:
        assert await generation.components.sweep()
    assert len(life.forge.changes()) == asked


async def test_a_pass_that_lists_the_pull_requests_closes_it_too(life):
    without_app(life)
    assert (await life.fleet.once())["web"].status is Status.PROPOSED
    assert opened(life) == {WEB}


async def test_one_of_another_installation_is_left_alone_whatever_it_proposes(life):
    without_app(life)
    async with started(life, "another-state") as generation:
        assert await generation.components.sweep()
        assert {land.outcomes[0].status for land in await generation.once(generation.subscriptions, is_dry=False)} == {
            Status.PROPOSED
        }
    assert opened(life) == {APP, WEB}


async def test_two_configurations_that_share_one_state_leave_each_other_alone(tmp_path):
    async with proposing(tmp_path, "github", "lost", "{}") as life:
        life.push("1.1.0")
        add_web(life, "{}")
        await life.fleet.once()
        without_app(life)
        other = life.fleet.configure().rename(tmp_path / "other.yaml")
        async with Process(life.fleet.state) as process:
            generation = await start_generation(load([other], dict(os.environ)), process)
            generation.take_over()
            assert await generation.components.sweep()
        assert opened(life) == {APP, WEB}


async def test_a_name_in_the_settings_counts_where_the_state_was_lost(tmp_path):
    async with proposing(tmp_path, "github", "lost", "{}") as life:
        owned(life, "production")
        life.push("1.1.0")
        add_web(life, "{}")
        await life.fleet.once()
        without_app(life)
        life.fleet.extra = life.fleet.extra.replace("production", "staging")
        async with started(life, "second") as generation:
            assert await generation.components.sweep()
        assert opened(life) == {APP, WEB}
        life.fleet.extra = life.fleet.extra.replace("staging", "production")
        async with started(life, "third") as generation:
            assert await generation.components.sweep()
        assert opened(life) == {WEB}


async def test_what_a_person_committed_to_is_left_to_them(life):
    without_app(life)
    theirs = life.fleet.repository.commit(PERSON, branch=APP)
    async with started(life) as generation:
        assert await generation.components.sweep()
    assert (opened(life), life.head(APP)) == ({APP, WEB}, theirs)


async def test_a_copy_of_the_marker_on_another_branch_of_our_commit_is_not_ours(life):
    life.fleet.repository.git("update-ref", "refs/heads/copied", APP)
    ours = next(item for item in life.forge.pulls if item.branch == APP)
    copied = type(ours)(0, ours.title, ours.body, "copied", "main")
    life.forge.open(copied)
    async with started(life) as generation:
        await generation.components.sweep()
    assert (opened(life), life.head("copied") is not None) == ({APP, WEB, "copied"}, True)


async def test_a_fork_that_copied_the_marker_is_left_alone(life):
    ours = next(item for item in life.forge.pulls if item.branch == APP)
    life.forge.open(type(ours)(0, ours.title, ours.body, "updater/main/gone", "main", fork=True, head=life.head(APP)))
    async with started(life) as generation:
        await generation.components.sweep()
    assert life.forge.pulls[-1].state == "open"


async def test_a_forge_that_does_not_answer_is_asked_again(life):
    without_app(life)
    for _ in range(4):
        life.forge.fail("GET", 500)
        life.forge.fail("POST", 500)
    async with started(life) as generation:
        done = [await generation.components.sweep()]
        life.forge.faults.clear()
        done.append(await generation.components.sweep())
    assert done == [False, True]
    assert opened(life) == {WEB}


async def test_a_running_daemon_closes_what_left_before_it_began(tmp_path, monkeypatch):
    async with proposing(tmp_path, "github", "lost", "{}") as life:
        life.push("1.1.0")
        add_web(life, "{}")
        await life.fleet.once()
        without_app(life)
        async with started(life) as generation:
            left = generation._process.left_proposals
            swept = []

            async def sweep():
                swept.append(await generation.components.sweep())
                raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                await left.run(lambda _branch: None, lambda: True, sweep)
        assert (swept, opened(life)) == ([True], {WEB})
        assert pull(life).state == "closed"


async def test_a_replica_that_lost_its_lease_while_it_swept_closes_nothing_and_sweeps_again_when_it_leads(tmp_path):
    async with proposing(tmp_path, "github", "lost", "{}") as life:
        life.push("1.1.0")
        add_web(life, "{}")
        await life.fleet.once()
        without_app(life)
        async with started(life) as generation:
            proposals, lease = generation.components.sweep.__self__, SimpleNamespace(is_leader=True)
            generation._process.leading = lease
            finder = proposals.writer.finder
            refreshed = finder.refreshed

            async def slowly(branch):
                lease.is_leader = False  # another replica leads before the answer
                return await refreshed(branch)

            finder.refreshed = slowly
            asked = len(life.forge.changes())
            assert not await generation.components.sweep()
            assert (opened(life), life.head(APP) is not None, len(life.forge.changes())) == ({APP, WEB}, True, asked)
            finder.refreshed, asked = refreshed, len(life.forge.asked)
            assert not await generation.components.sweep()
            assert len(life.forge.asked) == asked
            lease.is_leader = True
            assert await generation.components.sweep()
        assert opened(life) == {WEB}


def test_the_random_name_is_the_same_for_one_state_and_a_damaged_one_is_none(tmp_path):
    first = owner_name(None, tmp_path / "a")
    assert len(first) == 16
    assert owner_name(None, tmp_path / "a") == first
    assert owner_name(None, tmp_path / "b") != first
    assert len({owner_name(None, tmp_path / "a", files) for files in [(), ("a.yaml",), ("b.yaml",), ("a.yaml", "b.yaml")]}) == 4
    assert owner_name(None, tmp_path / "a", ("b", "a")) == owner_name(None, tmp_path / "a", ("a", "b"))
    assert owner_name("production", tmp_path / "a") == owner_name("production", tmp_path / "b") != first
    (tmp_path / "a" / "owner").write_text("../../etc")
    assert owner_name(None, tmp_path / "a") == ""
    (tmp_path / "file").write_text("")
    assert owner_name(None, tmp_path / "file") == ""


@pytest.mark.parametrize("rest", [b"", b"0", b"0123456789abcde", b"\0" * 16, b"01\0\0"])
def test_a_name_that_was_cut_short_is_made_anew_and_stays(tmp_path, rest):
    (tmp_path / "owner").write_bytes(rest)
    found = owner_name(None, tmp_path)
    assert len(found) == 16
    assert owner_name(None, tmp_path) == found
    assert [item.name for item in tmp_path.iterdir()] == ["owner"]
