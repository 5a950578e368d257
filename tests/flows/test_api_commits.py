"""Commits that GitHub makes itself: the same content, message and lease as a push, on direct branches and for proposals."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from aiohttp import web

from tests.fakes.forge_github_data import BOT
from tests.flows.fleet import Status
from tests.flows.test_proposals import BRANCH, FILE, PERSON, Proposing, proposing
from updater.git.object_builder import Identity, NewCommit
from updater.git.pusher import PushManner
from updater.git.trailers import read_commit
from updater.model.publishing import Direct
from updater.model.subscription import CommitSpec, GitBranch
from updater.writeback.second_push import manner_of

PROPOSED = ", proposal: {per: destination}"


@pytest.fixture(params=["kept", "lost"])
def memory(request):
    return request.param


async def _made(tmp_path, memory, *, is_direct):
    async with proposing(tmp_path, "github", "lost") as life:
        life.fleet.extra = life.fleet.extra.replace("kind: github,", "kind: github, commits: api,")
        if is_direct:
            life.fleet.subscriptions[-1] = life.fleet.subscriptions[-1].replace(PROPOSED, "")
        life.push("1.1.0")
        if memory == "lost":
            yield life
            return
        async with life.fleet.opened() as life.generation:
            yield life


@pytest.fixture
async def direct(tmp_path, memory):
    async for life in _made(tmp_path, memory, is_direct=True):
        yield life


@pytest.fixture
async def life(tmp_path, memory):
    async for made in _made(tmp_path, memory, is_direct=False):
        yield made


def once(life, act):
    """Let people *act* right before a branch is moved, the first time."""
    data, done = life.forge.dialect.data, []
    data.before_move = lambda: None if done else done.append(act())
    return done


def people(life, branch="main"):
    return life.fleet.repository.git("log", "--format=%ae %ce", branch).split("\n")


async def test_a_direct_commit_is_the_bots_with_the_message_and_bytes_of_a_push_and_nothing_is_pushed(direct):
    end = await direct.land()
    repository = direct.fleet.repository
    assert (end.status, end.revision, direct.written("main")) == (Status.UPDATED, repository.head(), "1.1.0"), end
    assert people(direct)[0] == f"{BOT} noreply@127.0.0.1"
    assert repository.pushes == []
    message = repository.git("log", "-1", "--format=%B")
    assert "Updater-Subscription: app" in message
    assert "Updater-Branch: main" in message
    head, asked = repository.head(), len(direct.forge.changes())
    assert (await direct.land()).status is Status.UNCHANGED
    assert (repository.head(), len(direct.forge.changes())) == (head, asked)


async def test_what_the_bot_committed_is_known_as_ours_and_a_persons_revert_of_it_is_a_no(direct):
    await direct.land()
    repository = direct.fleet.repository
    made = repository.head()
    old = direct.fleet.file(FILE).replace(":1.1.0", ":1.0.0").encode()
    repository.commit({FILE: old}, message=f'Revert "x"\n\nThis reverts commit {made}.')
    end = await direct.land()
    assert (end.status, end.code, direct.written("main")) == (Status.HELD, "rejected", "1.0.0"), end
    direct.push("1.2.0")
    assert (await direct.land()).status is Status.UPDATED


async def test_a_person_who_is_faster_keeps_the_commit_and_ours_comes_on_top(direct):
    done = once(direct, lambda: direct.fleet.repository.commit(PERSON))
    end = await direct.land()
    assert (end.status, direct.written("main"), len(done)) == (Status.UPDATED, "1.1.0", 1), end
    assert direct.fleet.repository.git("rev-parse", "main^").strip() == done[0]


@pytest.mark.parametrize("memory", ["kept"])
async def test_two_daemons_at_one_time_make_one_commit(direct, tmp_path):
    other = replace(direct.fleet, folder=tmp_path / "other")
    other.folder.mkdir()
    async with other.opened() as generation:
        ends = await asyncio.gather(direct.land(), Proposing(other, direct.forge, generation).land())
    assert {end.status for end in ends} <= {Status.UPDATED, Status.UNCHANGED}, ends
    assert (direct.written("main"), len(direct.fleet.commits())) == ("1.1.0", 2)


async def test_the_mode_of_an_executable_file_stays(direct):
    repository = direct.fleet.repository
    repository.commit({FILE: ("100755", direct.fleet.file(FILE).encode())})
    assert (await direct.land()).status is Status.UPDATED
    assert repository.git("ls-tree", "main", FILE).startswith("100755 ")


async def test_a_large_file_is_sent_by_a_request_of_its_own(tmp_path):
    async for life in _made(tmp_path, "lost", is_direct=True):
        content = life.fleet.file(FILE).encode() + b"# " + b"x" * 600_000 + b"\n"
        life.fleet.repository.commit({FILE: content})
        end = await life.land()
        assert end.status is Status.UPDATED, end
        assert life.fleet.repository.show(FILE) == content.replace(b":1.0.0", b":1.1.0")
        assert sum("git/blobs" in line for line in life.forge.asked) == 1


async def test_a_proposal_is_opened_updated_and_rebuilt_by_commits_of_the_bot(life):
    end = await life.land()
    assert (end.status, life.written(), life.written("main")) == (Status.PROPOSED, "1.1.0", "1.0.0"), end
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED
    life.fleet.repository.commit(PERSON)
    assert (await life.land()).status is Status.PROPOSED
    assert life.written() == "1.2.0"
    assert life.fleet.commits(f"{BRANCH}..main") == []
    assert life.fleet.commits(f"main..{BRANCH}") == [f"images[bot]: {life.fleet.commits(BRANCH)[0].partition(': ')[2]}"]
    assert (len(life.forge.pulls), life.fleet.repository.pushes) == (1, [])
    life.forge.merge(1)
    assert (await life.land()).status is Status.UNCHANGED
    assert (life.written("main"), life.head()) == ("1.2.0", None)


async def test_a_branch_that_a_person_committed_to_is_left_to_them(life):
    await life.land()
    theirs = life.fleet.repository.commit(PERSON, branch=BRANCH)
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, end.code, life.head()) == (Status.HELD, "foreign-commits", theirs)


async def test_a_person_who_commits_to_the_branch_right_before_it_is_moved_is_never_overwritten(life):
    await life.land()
    done = once(life, lambda: life.fleet.repository.commit(PERSON, branch=BRANCH))
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, end.code, life.head()) == (Status.HELD, "foreign-commits", done[0])


async def test_another_bots_commit_with_our_trailers_is_not_ours(life):
    await life.land()
    head, repository = life.head(), life.fleet.repository
    who = {"GIT_AUTHOR_NAME": "other[bot]", "GIT_AUTHOR_EMAIL": "5+other[bot]@users.noreply.127.0.0.1"}
    who |= {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@127.0.0.1"}
    message = repository.git("log", "-1", "--format=%B", BRANCH)
    theirs = repository.git("commit-tree", f"{head}^{{tree}}", "-p", head, "-m", message, **who).strip()
    repository.git("update-ref", f"refs/heads/{BRANCH}", theirs)
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, end.code, life.head()) == (Status.HELD, "foreign-commits", theirs)


FAULTS = [
    ("git/trees", 409, "forge-unavailable"),
    ("git/trees", 422, "forge-protocol"),
    ("git/commits", 409, "forge-unavailable"),
    ("git/commits", 403, "forge-denied"),
    ("git/commits", 404, "forge-not-found"),
    ("git/commits", 502, "forge-unavailable"),
    ("graphql", 502, "push-unknown"),
    ("graphql", 401, "forge-denied"),
]


@pytest.mark.parametrize(("place", "status", "code"), FAULTS)
async def test_a_fault_of_the_api_moves_nothing_and_the_next_pass_mends_it(direct, place, status, code):
    answer, head = direct.forge.dialect.answer, direct.fleet.repository.head()

    def failing(request, path, data):
        is_move = "updaterMove" in data.get("query", "")
        if path == place or (place == "graphql" and is_move):
            return web.json_response({"message": "no"}, status=status)
        return answer(request, path, data)

    direct.forge.dialect.answer = failing
    end = await direct.land()
    assert (end.status, end.code, direct.fleet.repository.head()) == (Status.FAILED, code, head), end
    assert end.hint
    direct.forge.dialect.answer = answer
    assert (await direct.land()).status is Status.UPDATED
    assert len(direct.fleet.commits()) == 2


async def test_a_move_whose_answer_was_lost_is_seen_by_the_next_pass_and_done_once(direct):
    answer = direct.forge.dialect.answer

    def lost(request, path, data):
        said = answer(request, path, data)
        return web.Response(status=502) if "updaterMove" in data.get("query", "") else said

    direct.forge.dialect.answer = lost
    end = await direct.land()
    assert (end.status, end.code) == (Status.FAILED, "push-unknown")
    direct.forge.dialect.answer = answer
    assert (await direct.land()).status is Status.UNCHANGED
    assert (direct.written("main"), len(direct.fleet.commits())) == ("1.1.0", 2)


@pytest.mark.parametrize("memory", ["kept"])
async def test_a_replica_that_lost_its_lease_while_commits_were_made_moves_no_branch(direct):
    process, answer, head = direct.generation._process, direct.forge.dialect.answer, direct.fleet.repository.head()
    process.leading = lease = SimpleNamespace(is_leader=True)

    def slowly(request, path, data):
        if path.endswith("git/commits"):
            lease.is_leader = False  # another replica leads before the answer
        return answer(request, path, data)

    direct.forge.dialect.answer = slowly
    await direct.generation.land(direct.generation.subscriptions[0].targets[0].destination)
    assert not lease.is_leader
    assert direct.fleet.repository.head() == head
    direct.forge.dialect.answer, lease.is_leader = answer, True
    assert (await direct.land()).status is Status.UPDATED


async def test_a_token_of_a_person_is_refused_before_the_branch_is_moved(direct):
    direct.forge.dialect.data.is_bot = False
    head = direct.fleet.repository.head()
    end = await direct.land()
    assert (end.status, end.code, direct.fleet.repository.head()) == (Status.FAILED, "commit-unverified", head)
    assert "GitHub App" in end.hint


async def test_a_rule_that_keeps_the_branch_is_told_in_githubs_words(direct):
    direct.forge.dialect.data.protected = {"main"}
    end = await direct.land()
    assert (end.status, end.code) == (Status.FAILED, "push-declined")
    assert "rule violations" in end.detail


async def test_a_server_that_makes_another_tree_commits_nothing(direct):
    data, head = direct.forge.dialect.data, direct.fleet.repository.head()
    trees = data._trees
    data._trees = lambda given: {**trees(given), "sha": "1" * 40}
    end = await direct.land()
    assert (end.status, end.code, direct.fleet.repository.head()) == (Status.FAILED, "forge-protocol", head)
    assert not any("git/commits" in line for line in direct.forge.asked)


@pytest.mark.parametrize("memory", ["kept"])
async def test_two_commits_of_one_landing_are_a_chain_and_one_move_with_any_bytes(direct):
    generation, repository = direct.generation, direct.fleet.repository
    await direct.land()
    branch = GitBranch(url=direct.fleet.url, branch="main")
    mirror, publish = generation._process.mirror(branch), generation.components.git._pen.publish(branch)
    base = (await mirror.look("main")).revision
    when, who = generation.components.git._pen.now(), Identity(name="x", email="x@example.org")
    wanted = [{"a/b.txt": b"1\n"}, {}, {"a/c.txt": b"2\n", "a/b.txt": b"\xe9\0\r\n"}]
    made = [NewCommit(message=f"m{place}", author=who, files=files, when=when) for place, files in enumerate(wanted)]
    await mirror.fetch("main")
    done = await mirror.land(base=base, branch="main", expected=base, commits=made, manner=PushManner(publish=publish))
    assert repository.git("rev-list", "--reverse", f"{base}..main").split() == list(dict.fromkeys(done.commits))
    assert (done.commits[0] == done.commits[1], done.revision) == (True, repository.head())
    assert repository.show("a/b.txt") == b"\xe9\0\r\n"
    assert sum(line.endswith(" move") for line in direct.forge.asked) == 2


def test_what_the_api_cannot_express_is_pushed():
    branch = GitBranch(url="https://github.com/o/r", branch="main")
    publish = len
    assert manner_of(branch, publish, [CommitSpec(signing="env:KEY")]).publish is publish
    assert manner_of(branch, publish, [CommitSpec(), CommitSpec(signing="secret:ns/key#gpg")]).publish is None
    options = GitBranch(url=branch.url, branch="main", publishing=Direct(options=("ci.skip",)))
    assert manner_of(options, publish, [CommitSpec()]).publish is None


COMMIT = b"tree %b\nauthor %b <%b> 1700000000 +0000\ncommitter GitHub <%b> 1700000000 +0000\n\nx\n"


@pytest.mark.parametrize(
    ("author", "committer", "known"),
    [
        (b"1+a[bot]@users.noreply.github.com", b"noreply@github.com", "1+a[bot]@users.noreply.github.com"),
        (b"anna@example.org", b"noreply@github.com", "noreply@github.com"),
        (b"1+a[bot]@users.noreply.github.com", b"anna@example.org", "anna@example.org"),
        (b"a[bot]@example.org", b"noreply@github.com", "noreply@github.com"),
    ],
)
def test_a_commit_of_githubs_own_is_the_bots_that_asked_for_it_and_nobody_elses(author, committer, known):
    assert read_commit(COMMIT % (b"1" * 40, b"A", author, committer)).committer == known
