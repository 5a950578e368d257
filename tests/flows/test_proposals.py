"""The life of a pull request over a real git http-backend, with a GitHub and a Gitea, also after the loss of all local state."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.fakes.forge import TOKEN, FakeForge, FakePull
from tests.fakes.git_server import BareRepository
from tests.fakes.registry import times
from tests.flows.fleet import MARKED, Fleet, Status, fleet
from updater.cli.report import outcome_json
from updater.errors import ConfigError
from updater.model.subscription import GitBranch
from updater.writeback.proposal_text import read_marker

BRANCH = "updater/main"
FILE = "apps/app.yaml"
PERSON = {"apps/other.yaml": b"kind: Other\n"}


@dataclass
class Proposing:
    """A fleet whose image app is proposed; *generation* works on where what was seen is remembered, None where it is lost."""

    fleet: Fleet
    forge: FakeForge
    generation: object = None

    async def land(self, *, is_dry=False):
        """Make a pass; give the outcome of app."""
        if self.generation is None:
            self.fleet.forget()
            return (await self.fleet.once(is_dry=is_dry))["app"]
        landings = await self.generation.once(self.generation.loaded.snapshot.subscriptions, is_dry=is_dry)
        return next(outcome for landing in landings for outcome in landing.outcomes if outcome.key == "app")

    def push(self, tag):
        self.fleet.registry.push("o/app", tag)

    def head(self, branch=BRANCH):
        return self.fleet.repository.head(branch)

    def written(self, branch=BRANCH):
        return self.fleet.file(FILE, branch).partition("# ")[0].rpartition(":")[2].strip()


def proposed(made: Fleet, forge: FakeForge, more: str = "{per: destination}") -> None:
    token = made.folder / "token"
    token.write_text(TOKEN)
    entry = f'{{kind: {forge.kind}, api: "{forge.api}", token: "file:{token}"}}'
    prefix = made.server.url("")
    made.extra = f'  repositories:\n    - {{prefix: "{prefix}", forge: {entry}}}'
    made.add("app", "marker: ns:app")
    made.subscriptions[-1] = made.subscriptions[-1].replace("branch: main", f"branch: main, proposal: {more}")


#: where a repository lies on its Git server, by the kind of forge
PLACES = {"azure": "tfs/o/_git/fleet.git"}


@dataclass
class OwnedFleet(Fleet):
    """A fleet whose repository has an owner, as on a forge."""

    place: str = "o/fleet.git"

    @property
    def url(self) -> str:
        return self.server.url(self.place)


@asynccontextmanager
async def proposing(folder, kind, memory, more="{per: destination}"):
    async with fleet(folder, **{FILE: MARKED}) as made:
        place = PLACES.get(kind, "o/fleet.git")
        (folder / "repos" / place).parent.mkdir(parents=True)
        (folder / "repos" / "fleet.git").rename(folder / "repos" / place)
        repository = BareRepository(folder / "repos" / place, made.repository.clock)
        repository.log_pushes()
        here = OwnedFleet(folder=folder, registry=made.registry, repository=repository, server=made.server, place=place)
        async with FakeForge(repository, kind) as forge:
            proposed(here, forge, more)
            if memory == "lost":
                yield Proposing(here, forge)
                return
            async with here.opened() as generation:
                yield Proposing(here, forge, generation)


@pytest.fixture(params=["github", "gitea"])
def kind(request):
    return request.param


@pytest.fixture(params=["kept", "lost"])
def memory(request):
    return request.param


@pytest.fixture
async def life(tmp_path, kind, memory):
    async with proposing(tmp_path, kind, memory) as made:
        made.push("1.1.0")
        yield made


async def test_a_newer_tag_is_proposed_and_a_second_pass_changes_nothing(life):
    first = await life.land()
    (pull,) = life.forge.pulls
    assert (first.status, first.link) == (Status.PROPOSED, "http://forge.example.org/o/fleet/pull/1")
    assert first.link in first.detail
    assert (life.written(), life.written("main"), first.revision) == ("1.1.0", "1.0.0", life.head())
    assert (pull.branch, pull.base, pull.title.startswith("Update ")) == (BRANCH, "main", True)
    assert f"`{FILE}:2`" in pull.body
    assert "`1.0.0` → `1.1.0`" in pull.body
    assert "`semver >=1.0.0`" in pull.body
    assert "Close it without merging" in pull.body
    head, asked = life.head(), len(life.forge.changes())
    again = await life.land()
    assert (again.status, again.link, again.revision) == (Status.PROPOSED, first.link, None)
    assert (life.head(), len(life.forge.changes())) == (head, asked)


async def test_one_request_tells_that_an_open_pull_request_is_as_it_was(life):
    await life.land()
    await life.land()
    before = len(life.forge.asked)
    await life.land()
    whose = 1 if life.generation is None else 0  # a process asks once whose token it has
    assert len(life.forge.asked) - before == 1 + whose


async def test_nothing_to_write_asks_the_forge_nothing(tmp_path, kind, memory):
    async with proposing(tmp_path, kind, memory) as made:
        assert (await made.land()).status is Status.UNCHANGED
        assert (made.forge.asked, made.head()) == ([], None)


async def test_a_newer_tag_updates_the_same_branch_title_and_text(life):
    await life.land()
    life.push("1.2.0")
    end = await life.land()
    (pull,) = life.forge.pulls
    assert (end.status, life.written()) == (Status.PROPOSED, "1.2.0")
    assert "`1.0.0` → `1.2.0`" in pull.body
    assert "1.1.0" not in pull.body
    assert "1.2.0" in pull.title
    assert len(life.fleet.commits(f"main..{BRANCH}")) == 1


async def test_a_base_that_moved_is_the_base_of_the_branch_again(life):
    await life.land()
    moved = life.fleet.repository.commit(PERSON)
    end = await life.land()
    assert end.status is Status.PROPOSED
    assert life.fleet.repository.git("rev-parse", f"{BRANCH}^").strip() == moved
    assert len(life.forge.pulls) == 1


@pytest.mark.parametrize("squashed", [False, True])
async def test_what_was_merged_is_noticed_and_its_branch_deleted(life, squashed):
    await life.land()
    life.forge.merge(1, squashed=squashed)
    end = await life.land()
    assert (end.status, life.written("main"), life.head()) == (Status.UNCHANGED, "1.1.0", None)
    before = len(life.forge.asked)
    assert (await life.land()).status is Status.UNCHANGED
    assert len(life.forge.asked) == before
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED
    assert [pull.number for pull in life.forge.opened()] == [2]


async def test_a_newer_tag_right_after_a_merge_starts_from_a_new_branch(life):
    await life.land()
    life.forge.merge(1, squashed=True)
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, life.written(), life.written("main")) == (Status.PROPOSED, "1.2.0", "1.1.0")
    assert len(life.fleet.commits(f"main..{BRANCH}")) == 1
    assert "`1.1.0` → `1.2.0`" in life.forge.opened()[0].body


@pytest.mark.parametrize("with_branch", [True, False])
async def test_what_a_person_closed_is_rejected_until_a_newer_version_appears(life, with_branch):
    await life.land()
    life.forge.close(1)
    if not with_branch:
        life.fleet.repository.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    head = life.head()
    for _ in range(2):
        end = await life.land()
        assert (end.status, end.code) == (Status.HELD, "proposal-closed")
        assert "1.1.0 was rejected: http://forge.example.org/o/fleet/pull/1 was closed without merging" in end.detail
    assert (life.head(), len(life.forge.pulls), life.written("main")) == (head, 1, "1.0.0")
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED
    assert [pull.number for pull in life.forge.opened()] == [2]
    assert life.written() == "1.2.0"


async def test_a_reopened_pull_request_counts_again(life):
    await life.land()
    life.forge.close(1)
    assert (await life.land()).status is Status.HELD
    life.forge.close(1, state="open")
    end = await life.land()
    assert (end.status, end.link) == (Status.PROPOSED, "http://forge.example.org/o/fleet/pull/1")


async def test_commits_of_a_person_on_the_branch_are_never_overwritten(life):
    await life.land()
    theirs = life.fleet.repository.commit(PERSON, branch=BRANCH)
    life.push("1.2.0")
    asked = len(life.forge.changes())
    for _ in range(2):
        end = await life.land()
        assert (end.status, end.code) == (Status.HELD, "foreign-commits")
        assert "pull/1 is left to the people who committed to it" in end.detail
    assert (life.head(), len(life.forge.changes())) == (theirs, asked)
    life.forge.merge(1)
    end = await life.land()
    assert (end.status, life.written("main"), life.written()) == (Status.PROPOSED, "1.1.0", "1.2.0")


async def test_what_the_base_got_otherwise_closes_the_pull_request_and_rejects_nothing(life):
    await life.land()
    text = life.fleet.file(FILE).replace("1.0.0", "1.1.0")
    life.fleet.repository.commit({FILE: text.encode()})
    assert (await life.land()).status is Status.UNCHANGED
    (pull,) = life.forge.pulls
    assert (pull.state, pull.merged, life.head()) == ("closed", False, None)
    assert ["Nothing is left to change" in words for words in pull.comments] == [True]
    assert read_marker(pull.body).values == frozenset()
    life.fleet.repository.commit({FILE: text.replace("1.1.0", "1.0.0").encode()})
    assert (await life.land()).status is Status.PROPOSED


async def test_what_the_base_got_otherwise_leaves_a_branch_with_commits_of_a_person(life):
    await life.land()
    theirs = life.fleet.repository.commit(PERSON, branch=BRANCH)
    life.fleet.repository.commit({FILE: life.fleet.file(FILE).replace("1.0.0", "1.1.0").encode()})
    assert (await life.land()).status is Status.UNCHANGED
    assert (life.forge.pulls[0].state, life.head()) == ("open", theirs)


async def test_a_registry_that_fails_neither_closes_nor_changes_what_is_proposed(life):
    await life.land()
    head, asked = life.head(), len(life.forge.changes())
    life.fleet.registry.faults.append(times(99, 404, part="o/app"))
    end = await life.land()
    assert end.status is Status.FAILED
    assert (life.head(), len(life.forge.changes()), life.forge.pulls[0].state) == (head, asked, "open")


async def test_a_dry_run_neither_pushes_nor_asks_for_a_change(life):
    end = await life.land(is_dry=True)
    assert (end.status, end.code) == (Status.HELD, "dry-run")
    assert (life.head(), life.forge.changes()) == (None, [])
    await life.land()
    life.forge.merge(1)
    await life.land(is_dry=True)
    assert life.head() is not None
    assert len(life.forge.changes()) == 1


async def test_a_dry_run_says_what_was_rejected(life):
    await life.land()
    life.forge.close(1)
    assert (await life.land(is_dry=True)).code == "proposal-closed"


async def test_the_text_that_a_person_changed_stays_as_long_as_the_values_do(life):
    await life.land()
    life.forge.pulls[0].title = "A better title"
    await life.land()
    assert life.forge.pulls[0].title == "A better title"


async def test_a_forks_pull_request_with_our_marker_is_not_ours(life):
    await life.land()
    ours = life.forge.pulls[0]
    fake = FakePull(2, ours.title, ours.body, BRANCH, "main", state="closed", fork=True, head=life.head(), changed=99)
    life.forge.pulls.append(fake)
    assert (await life.land()).link == "http://forge.example.org/o/fleet/pull/1"


async def test_another_ones_pull_request_from_the_branch_stops_before_anything_is_pushed(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as made:
        made.push("1.1.0")
        made.fleet.repository.git("update-ref", f"refs/heads/{BRANCH}", "main")
        made.forge.pulls.append(FakePull(1, "mine", "a person wrote this", BRANCH, "main"))
        head = made.head()
        end = await made.land()
        assert (end.status, end.code, made.head()) == (Status.FAILED, "proposal-not-ours", head)


async def test_a_push_whose_pull_request_failed_is_mended_by_the_next_pass(life):
    life.forge.fail("POST", 502, "bad gateway")
    end = await life.land()
    assert (end.status, end.code, life.written()) == (Status.FAILED, "forge-unavailable", "1.1.0")
    head = life.head()
    end = await life.land()
    assert (end.status, life.head(), len(life.forge.pulls)) == (Status.PROPOSED, head, 1)


async def test_a_merge_between_look_and_update_is_decided_again(life):
    await life.land()
    life.push("1.2.0")
    answer = life.forge.dialect._one

    def merged_first(request, pull, data):
        if request.method == "PATCH" and not pull.merged:
            life.fleet.repository.git("update-ref", "refs/heads/main", f"{BRANCH}^{{commit}}")
            pull.head, pull.state, pull.merged = life.head(), "closed", True
        return answer(request, pull, data)

    life.forge.dialect._one = merged_first
    end = await life.land()
    assert (end.status, life.written("main"), len(life.forge.pulls)) == (Status.UNCHANGED, "1.2.0", 1)


async def test_a_refused_token_is_said_with_what_it_needs_and_never_shown(life):
    (life.fleet.folder / "token").write_text("a-wrong-token-0123456789")
    end = await life.land()
    assert (end.status, end.code) == (Status.FAILED, "forge-denied")
    assert "write pull requests" in end.hint
    assert "a-wrong-token" not in json.dumps(outcome_json(end))
    assert life.head() is None


async def test_a_repository_of_an_unknown_host_that_answers_as_no_forge_fails_with_what_to_write(tmp_path):
    async with proposing(tmp_path, "gitea", "lost") as made:
        made.fleet.extra = re.sub(r"kind: gitea, api: [^,]+, ", "", made.fleet.extra)
        made.push("1.1.0")
        end = await made.land()
        assert (end.status, end.code) == (Status.FAILED, "forge-unknown")
        assert "gitea" in end.hint


async def test_a_repository_without_a_host_is_refused_at_load(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        local = made.subscriptions[-1].replace("branch: main", "branch: main, proposal: {per: destination}")
        made.subscriptions[-1] = local.replace(made.url, "/srv/git/o/fleet.git")
        with pytest.raises(ConfigError) as caught:
            await made.once()
        assert caught.value.code == "forge-unknown"
        assert "is a folder" in caught.value.message
        assert "https://host/owner/name.git" in caught.value.hint


async def test_two_subscriptions_share_a_pull_request_and_one_of_them_may_be_rejected(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as made:
        files = {"apps/web.yaml": made.fleet.file(FILE).replace("o/app", "o/web").replace("ns:app", "ns:web").encode()}
        made.fleet.repository.commit(files)
        made.fleet.add("web", "marker: ns:web")
        shared = "branch: main, proposal: {per: destination}"
        made.fleet.subscriptions[-1] = made.fleet.subscriptions[-1].replace("branch: main", shared)
        async with made.fleet.opened() as generation:
            both = Proposing(made.fleet, made.forge, generation)
            both.push("1.1.0")
            await both.land()
            made.forge.close(1)
            made.fleet.registry.push("o/web", "1.1.0")
            end = await both.land()
            (second,) = made.forge.opened()
            assert (end.status, end.code) == (Status.HELD, "proposal-closed")
            assert "o/web" in second.body
            assert "o/app" not in second.body
            assert both.written() == "1.0.0"


async def test_the_credentials_of_the_repository_are_the_token_where_no_other_is_named(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as made:
        made.push("1.1.0")
        named = f'token: "file:{tmp_path}/token"'
        made.fleet.extra = made.fleet.extra.replace(f", {named}}}}}", f'}}, credentials: "file:{tmp_path}/token"}}')
        assert "credentials" in made.fleet.extra
        assert (await made.land()).status is Status.PROPOSED
        made.fleet.extra = made.fleet.extra.partition(", credentials")[0] + "}"
        made.push("1.2.0")
        end = await made.land()
        assert (end.status, end.code) == (Status.FAILED, "forge-token")


async def test_status_metrics_and_log_say_proposed_with_the_link(tmp_path, kind, capsys):
    async with proposing(tmp_path, kind, "kept") as made:
        made.push("1.1.0")
        end = await made.land()
        (status,) = made.generation.last.statuses()
        assert (status.state, end.link in status.reason) == (Status.PROPOSED, True)
        said = capsys.readouterr().out
        assert "proposed" in said
        assert end.link in said
        text = made.generation._process.render_metrics().decode()
        assert 'updater_outcomes_total{method="git",status="proposed"} 1.0' in text
        await made.land()
        assert end.link not in capsys.readouterr().out
        ((_, commits),) = await made.generation.history(made.generation.subscriptions, 10)
        assert [past.revision for past in commits] == [end.revision]
        assert json.loads(json.dumps(outcome_json(end)))["link"] == end.link


async def run(made, *words):
    """Run the program; give its exit code and what it printed."""
    command = (sys.executable, "-m", "updater", *words, "--config", str(made.fleet.configure()))
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    program = await asyncio.create_subprocess_exec(*command, **pipes, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "300"})
    said, _ = await program.communicate()
    return program.returncode, said.decode()


async def test_the_commands_say_what_is_proposed_and_what_was_rejected(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as made:
        made.push("1.1.0")
        code, said = await run(made, "once")
        assert code == 0, said
        assert "proposed  app: 1.0.0 → 1.1.0, proposed in http://forge.example.org/o/fleet/pull/1 in " in said
        code, said = await run(made, "once", "-o", "json")
        (outcome,) = json.loads(said[said.index("{") :])["outcomes"]
        assert (outcome["status"], outcome["link"]) == ("proposed", "http://forge.example.org/o/fleet/pull/1")
        made.forge.close(1)
        for words in (("once",), ("explain", "app"), ("status",)):
            code, said = await run(made, *words)
            assert "proposal-closed" in said, said
            assert "1.1.0 was rejected: http://forge.example.org/o/fleet/pull/1 was closed without merging" in said, said


def test_the_destination_names_the_branch_of_the_pull_request():
    from updater.model.publishing import Proposal, proposal_branch  # noqa: PLC0415

    where = GitBranch(url="https://github.com/o/fleet.git", branch="release/1", publishing=Proposal(proposal_branch("release/1")))
    assert str(where) == "https://github.com/o/fleet.git#release/1:updater/release-1"
    assert where.is_rebuilt
