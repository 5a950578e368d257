"""What goes wrong around a pull request: people who are faster, forges that answer oddly, versions that vanish, lost memory."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.fakes.forge import TOKEN, FakePull
from tests.flows.fleet import Status
from tests.flows.test_proposals import BRANCH, FILE, PERSON, Proposing, proposing, run
from updater.writeback.proposal_text import read_marker

ASKED = "branch: main"


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


def base_gets(life, tag="1.1.0"):
    """Let a person write *tag* at the base."""
    old = life.written("main")
    return life.fleet.repository.commit({FILE: life.fleet.file(FILE).replace(f":{old}", f":{tag}").encode()})


def racing(life, method):
    """Let a person commit to the branch between look and deletion: right after the answer to the next *method*."""
    answer, done = life.forge.tagged, []

    def committed_after(request, data):
        if request.method == method and not done:
            done.append(life.fleet.repository.commit(PERSON, branch=BRANCH))
        return answer(request, data)

    life.forge.tagged = committed_after
    return done


class Following:
    """An election that somebody else won."""

    is_leader = False


def pushing(life):
    """Count the requests to the Git server that have to do with a push."""
    return sum("receive-pack" in str(request) for request in life.fleet.server.requests)


def closing_fails(life):
    """Let the next request that closes a pull request fail."""
    answer, done = life.forge.dialect._one, []

    def refused_once(request, pull, data):
        if not done and data.get("state") == "closed":
            done.append(pull)
            return web.json_response({"message": "no"}, status=500)
        return answer(request, pull, data)

    life.forge.dialect._one = refused_once
    return done


async def test_a_commit_of_a_person_between_look_and_deletion_stays_and_its_pull_request_open(life):
    await life.land()
    base_gets(life)
    theirs = racing(life, "PATCH")
    end = await life.land()
    assert end.status is Status.UNCHANGED
    assert (life.head(), life.forge.pulls[0].state) == (theirs[0], "open")
    await life.land()
    assert (life.head(), life.forge.pulls[0].state) == (theirs[0], "open")


async def test_a_commit_of_a_person_after_a_merge_stays(life):
    await life.land()
    life.forge.merge(1)
    theirs = racing(life, "GET")
    assert (await life.land()).status is Status.UNCHANGED
    assert life.head() == theirs[0]


async def test_a_branch_that_the_server_keeps_fails_nothing_and_is_asked_for_once(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as life:
        life.push("1.1.0")
        life.fleet.repository.config("receive.denyDeletes", "true")
        await life.land()
        life.forge.merge(1, squashed=True)
        assert (await life.land()).status is Status.UNCHANGED
        assert life.head() is not None
        before = pushing(life)
        assert (await life.land()).status is Status.UNCHANGED
        assert pushing(life) == before
        life.push("1.2.0")
        end = await life.land()
        assert (end.status, life.written(), len(life.forge.opened())) == (Status.PROPOSED, "1.2.0", 1)


async def test_what_is_closed_by_a_deletion_whose_end_was_lost_rejects_nothing(life):
    await life.land()
    base_gets(life)
    failed = closing_fails(life)
    await life.land()
    assert len(failed) == 1
    base_gets(life, "1.0.0")
    end = await life.land()
    assert (end.status, len(life.forge.opened())) == (Status.PROPOSED, 1)


async def test_a_newer_version_that_vanishes_after_a_rejection_closes_its_pull_request(life):
    await life.land()
    life.forge.close(1)
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED
    del life.fleet.registry.shelf("o/app").tags["1.2.0"]
    end = await life.land()
    assert (end.status, end.code) == (Status.HELD, "proposal-closed")
    assert (life.forge.opened(), life.head()) == ([], None)
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED


async def test_a_version_that_vanishes_takes_its_proposal_along(life):
    await life.land()
    del life.fleet.registry.shelf("o/app").tags["1.1.0"]
    end = await life.land()
    assert end.status is Status.UNCHANGED
    assert life.forge.opened() == []
    assert "updater closed" not in life.forge.pulls[0].body
    life.push("1.1.0")
    assert (await life.land()).status is Status.PROPOSED


async def test_a_dry_run_puts_nothing_away(life):
    await life.land()
    del life.fleet.registry.shelf("o/app").tags["1.1.0"]
    head, asked = life.head(), len(life.forge.changes())
    assert (await life.land(is_dry=True)).status is Status.UNCHANGED
    life.forge.close(1)
    life.push("1.2.0")
    await life.land(is_dry=True)
    assert (life.head(), len(life.forge.changes()), len(life.forge.pulls)) == (head, asked, 1)


async def test_a_replica_that_does_not_lead_writes_nothing(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as life:
        life.push("1.1.0")
        life.generation._process.leading = Following()
        end = await life.land()
        assert (end.status, end.code) == (Status.FAILED, "not-leading")
        assert (life.head(), life.forge.changes()) == (None, [])


@pytest.mark.parametrize("squashed", [False, True])
async def test_a_forge_that_notices_deletions_late_does_not_close_what_is_new(life, squashed):
    await life.land()
    life.forge.merge(1, squashed=squashed)
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED
    life.forge.notice_deletions()
    assert (await life.land()).status is Status.PROPOSED
    assert ([pull.number for pull in life.forge.opened()], life.written()) == ([2], "1.2.0")


async def test_a_branch_that_a_person_deleted_is_a_no(life):
    await life.land()
    life.fleet.repository.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    for _ in range(2):
        end = await life.land()
        assert (end.status, end.code) == (Status.HELD, "proposal-closed")
    assert life.head() is None


async def test_a_pull_request_that_the_forge_deleted_is_forgotten(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as life:
        life.push("1.1.0")
        await life.land()
        pull = life.forge.pulls[0]
        find = life.forge.pull

        def deleted(number):
            if number == pull.number:
                raise web.HTTPNotFound(text='{"message": "gone"}')
            return find(number)

        life.forge.pull = deleted
        pull.state, pull.branch = "closed", "elsewhere"
        end = await life.land()
        assert (end.status, end.link) == (Status.PROPOSED, "http://forge.example.org/o/fleet/pull/2")


async def test_a_pull_request_that_a_person_points_elsewhere_is_no_longer_about_this_branch(life):
    await life.land()
    life.forge.pulls[0].base = "release"
    end = await life.land()
    assert (end.status, end.link) == (Status.PROPOSED, "http://forge.example.org/o/fleet/pull/2")
    assert [(pull.base, pull.state) for pull in life.forge.pulls] == [("release", "open"), ("main", "open")]


async def test_a_base_that_is_renamed_is_said_and_nothing_else_happens(life):
    await life.land()
    life.fleet.repository.git("branch", "-m", "main", "trunk")
    head, asked = life.head(), len(life.forge.changes())
    end = await life.land()
    assert (end.status, end.code) == (Status.FAILED, "branch-missing")
    assert (life.head(), len(life.forge.changes())) == (head, asked)


async def test_a_replica_that_leads_again_hears_what_people_closed_meanwhile(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as first:
        first.push("1.1.0")
        await first.land()
        first.forge.merge(1)
        await first.land()
        first.push("1.2.0")
        other = Proposing(first.fleet, first.forge)
        first.fleet.folder.joinpath("state").rename(first.fleet.folder / "mine")
        assert (await other.land()).status is Status.PROPOSED
        first.forge.close(2)
        end = await first.land()
        assert (end.status, end.code, len(first.forge.pulls)) == (Status.HELD, "proposal-closed", 2)


async def test_two_replicas_open_one_pull_request(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as first, first.fleet.opened() as generation:
        first.push("1.1.0")
        second = Proposing(first.fleet, first.forge, generation)
        assert (await first.land()).status is Status.PROPOSED
        end = await second.land()
        assert (end.status, len(first.forge.pulls)) == (Status.PROPOSED, 1)


async def test_a_forge_that_is_down_stops_its_own_branch_alone(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        life.push("1.1.0")
        life.fleet.repository.commit({"web/web.yaml": life.fleet.file(FILE).replace("app", "web").encode()})
        life.fleet.repository.git("branch", "direct", "main")
        life.fleet.add("web", "marker: ns:web", branch="direct")
        life.fleet.registry.push("o/web", "1.1.0")
        await life.forge.__aexit__()
        life.fleet.forget()
        ends = await life.fleet.once()
        assert (ends["app"].status, ends["app"].code) == (Status.FAILED, "forge-unavailable")
        assert (ends["web"].status, life.head()) == (Status.UPDATED, None)


async def test_a_day_of_retry_after_is_one_unchanging_answer(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.fail("GET", 429, "enough", Retry_After="86400")
        first = await life.land()
        asked = len(life.forge.asked)
        second, third = await life.land(), await life.land()
        assert {first.code, second.code} == {"forge-rate-limited"}
        assert (second.detail, len(life.forge.asked)) == (third.detail, asked)


async def test_a_token_that_the_forge_repeats_in_a_link_is_not_shown(life):
    answer = life.forge.dialect.json
    life.forge.dialect.json = lambda pull: {**answer(pull), "html_url": f"https://forge.example.org/{TOKEN}/pull/1"}
    end = await life.land()
    assert end.status is Status.PROPOSED
    assert TOKEN not in f"{end.link}{end.detail}"


async def test_a_subscription_that_leaves_takes_its_value_out_of_the_pull_request(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        files = {"apps/web.yaml": life.fleet.file(FILE).replace("o/app", "o/web").replace("ns:app", "ns:web").encode()}
        life.fleet.repository.commit(files)
        life.fleet.add("web", "marker: ns:web")
        life.fleet.subscriptions[-1] = life.fleet.subscriptions[-1].replace(ASKED, f"{ASKED}, proposal: {{per: destination}}")
        life.push("1.1.0")
        life.fleet.registry.push("o/web", "1.1.0")
        await life.land()
        assert "o/web" in life.forge.pulls[0].body
        web = life.fleet.subscriptions.pop()
        end = await life.land()
        assert end.status is Status.PROPOSED
        assert "o/web" not in life.forge.pulls[0].body
        assert "1.0.0" in life.fleet.file("apps/web.yaml", BRANCH)
        assert web


async def test_only_one_subscription_takes_the_others_of_its_pull_request_along(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        files = {"apps/web.yaml": life.fleet.file(FILE).replace("o/app", "o/web").replace("ns:app", "ns:web").encode()}
        life.fleet.repository.commit(files)
        life.fleet.add("web", "marker: ns:web")
        life.fleet.subscriptions[-1] = life.fleet.subscriptions[-1].replace(ASKED, f"{ASKED}, proposal: {{per: destination}}")
        life.fleet.registry.push("o/web", "1.1.0")
        code, said = await run(life, "once")
        assert code == 0, said
        before = (life.head(), life.forge.pulls[0].body)
        code, said = await run(life, "once", "--only", "app")
        assert code == 0, said
        assert ((life.head(), life.forge.pulls[0].body), life.forge.pulls[0].state) == (before, "open")


async def test_two_branches_of_one_repository_have_a_pull_request_each(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        life.fleet.repository.git("branch", "release", "main")
        more = life.fleet.subscriptions[-1].replace("key: app", "key: old").replace(ASKED, "branch: release")
        life.fleet.subscriptions.append(more)
        life.push("1.1.0")
        life.fleet.forget()
        ends = await life.fleet.once()
        assert {end.status for end in ends.values()} == {Status.PROPOSED}
        assert {(pull.branch, pull.base) for pull in life.forge.pulls} == {
            (BRANCH, "main"),
            ("updater/release", "release"),
        }
        life.forge.merge(1)
        life.fleet.forget()
        await life.fleet.once()
        assert len(life.forge.opened()) == 1


async def test_a_marker_that_a_person_quotes_does_not_make_their_pull_request_ours(life):
    await life.land()
    ours = life.forge.pulls[0]
    life.forge.close(1)
    quoted = "".join(f"> {line}\n" for line in ours.body.splitlines())
    life.forge.pulls.append(FakePull(2, "mine", quoted, BRANCH, "main"))
    life.push("1.2.0")
    head = life.head()
    end = await life.land()
    assert (end.status, end.code, life.head()) == (Status.FAILED, "proposal-not-ours", head)
    assert read_marker(quoted) is None
