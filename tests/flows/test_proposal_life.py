"""What pull requests are told once, when they are merged without people, how many there may be, and what takes their place.

On every forge that there is a fake of, and again after the loss of all local state.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from aiohttp import web

from tests.fakes.forge import FakeForge
from tests.flows.fleet import Status
from tests.flows.forge_table import has
from tests.flows.test_proposals import FILE, PERSON, Proposing, proposing, run
from updater.daemon.assembly import start_generation
from updater.forge.address import ForgeKind
from updater.forge.kinds import DIALECTS
from updater.sources.file import load
from updater.writeback import proposal_branch

APP = "updater/main/app"


def has_fake(kind):
    try:
        FakeForge(None, kind)
    except KeyError:
        return False
    return True


KINDS = [kind.value for kind in ForgeKind if has_fake(kind.value)]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=["kept", "lost"])
def memory(request):
    return request.param


@pytest.fixture
def proposal():
    """What the test asks of its pull requests."""
    return "{}"


@pytest.fixture
async def life(tmp_path, kind, memory, proposal):
    async with proposing(tmp_path, kind, memory, proposal) as made:
        made.forge.rules.auto_merge = False
        yield made


#: which forges merge by themselves where no page allows more: what a pipeline runs for, or what misses what rules of the base ask
_BY_ITSELF = {"pending": {"gitlab"}, "failed": set(), "approvals": {"gitea", "azure"}}


def merges_by_itself(life, reason):
    """Return whether the forge itself is to merge what waits for *reason*, as the table of forges says."""
    is_it = life.forge.kind in _BY_ITSELF[reason]
    assert not is_it or has(life.forge.kind, "merges by itself")
    return is_it


def asks(text):
    """Let a test's pull requests be asked for by *text*."""
    return pytest.mark.parametrize("proposal", [text], ids=["asked"])


async def passes(life, count):
    """Make *count* passes; return the last outcome."""
    for _ in range(count - 1):
        await life.land()
    return await life.land()


def pull(life, number=1):
    return life.forge.pull(number)


def app(life, branch=APP):
    return life.written(branch)


@asks("{labels: [image-update, shop], reviewers: [anna], assignees: [bert], draft: true}")
async def test_labels_reviewers_assignees_and_draft_are_set_once_and_are_peoples_from_then_on(life):
    life.push("1.1.0")
    end = await life.land()
    found, able = pull(life), DIALECTS[ForgeKind(life.forge.kind)].abilities
    assert (end.status, bool(end.link)) == (Status.PROPOSED, True)
    assert sorted(found.labels) == (["image-update", "shop"] if able.labels else [])
    assert ("this forge has no labels" in end.detail) != able.labels
    assert (found.reviewers, found.draft) == (["anna"], True)
    assert found.assignees == (["bert"] if able.assignees else [])
    found.labels, found.reviewers, found.assignees, found.draft = ["mine"], [], ["anna"], False
    life.push("1.2.0")
    assert (await passes(life, 2)).status is Status.PROPOSED
    assert (app(life), found.labels, found.reviewers, found.assignees, found.draft) == ("1.2.0", ["mine"], [], ["anna"], False)


async def test_on_gitea_a_branch_that_was_just_deleted_is_proposed_anew_once_the_forge_has_heard_of_it(tmp_path, monkeypatch):
    """Gitea hears late that a branch was deleted, and would close with it what was opened meanwhile: that would read as a no."""
    waits = []

    async with proposing(tmp_path, "gitea", "kept", "{}") as life:

        async def slept(seconds):
            waits.append((seconds, app(life), len(life.forge.pulls)))

        life.push("1.1.0")
        await life.land()
        life.forge.merge(1)
        await life.land()
        monkeypatch.setattr(proposal_branch, "asyncio", SimpleNamespace(sleep=slept))
        life.push("1.2.0")
        assert (await life.land()).status is Status.PROPOSED
        life.push("1.3.0")
        await life.land()
        ((seconds, pushed, opened),) = waits
        assert 0 < seconds <= DIALECTS[ForgeKind.GITEA].abilities.deletion_heard_after
        assert (pushed, opened, len(life.forge.pulls)) == ("1.2.0", 1, 2)


async def test_labels_that_the_forge_did_not_take_for_a_moment_are_set_by_the_next_landing(tmp_path):
    async with proposing(tmp_path, "github", "kept", "{labels: [shop], reviewers: [anna]}") as life:
        life.push("1.1.0")
        answer = life.forge.dialect.answer

        def labels_fail(request, path, data):
            is_down = path.startswith("issues/")
            return web.json_response({"message": "down"}, status=503) if is_down else answer(request, path, data)

        life.forge.dialect.answer = labels_fail
        end = await life.land()
        assert (end.code, pull(life).labels) == ("forge-unavailable", [])
        life.forge.dialect.answer = answer
        assert (await life.land()).status is Status.PROPOSED
        assert (pull(life).labels, pull(life).reviewers, len(life.forge.pulls)) == (["shop"], ["anna"], 1)
        pull(life).labels = ["mine"]
        await life.land()
        assert pull(life).labels == ["mine"]


@asks("{labels: [shop], reviewers: [anna]}")
async def test_labels_and_reviewers_are_set_once_though_the_process_died_before_it_could(life):
    dies_after_opening(life)
    life.push("1.1.0")
    able = DIALECTS[ForgeKind(life.forge.kind)].abilities
    is_whole = "reviewers" in able.at_opening  # opened with all that is asked for
    assert (await life.land()).status is (Status.PROPOSED if is_whole else Status.FAILED)
    found = pull(life)
    assert is_whole or (found.labels, found.reviewers) == ([], [])
    life.forge.dialect.answer = life.answer
    found.title = "A better title"
    assert (await life.land()).status is Status.PROPOSED
    assert (found.labels, found.reviewers, len(life.forge.pulls)) == (["shop"] if able.labels else [], ["anna"], 1)
    assert ("updater:due" in found.body, found.title) == (False, "A better title")
    found.labels, found.reviewers = ["mine"], []
    assert (await passes(life, 2)).status is Status.PROPOSED
    assert (found.labels, found.reviewers) == (["mine"], [])


async def test_reviewers_whom_an_older_gitea_leaves_out_are_asked_though_it_failed_right_after_the_opening(tmp_path):
    async with proposing(tmp_path, "gitea", "kept", "{labels: [shop], reviewers: [anna]}") as life:
        life.push("1.1.0")
        answer, is_down = life.forge.dialect.answer, True

        def older(request, path, data):
            if is_down and path.endswith("/requested_reviewers"):
                return web.json_response({"message": "down"}, status=503)
            if request.method == "POST" and path == "pulls":
                data = {key: value for key, value in data.items() if key != "reviewers"}
            return answer(request, path, data)

        life.forge.dialect.answer = older
        assert (await life.land()).code == "forge-unavailable"
        is_down = False
        assert (await life.land()).status is Status.PROPOSED
        assert (pull(life).labels, pull(life).reviewers, len(life.forge.pulls)) == (["shop"], ["anna"], 1)
        pull(life).reviewers = []
        assert (await passes(life, 2)).status is Status.PROPOSED
        assert pull(life).reviewers == []


def dies_after_opening(life):
    """Let the forge be gone as soon as a pull request is open, until `life.answer` answers again."""
    life.answer = life.forge.dialect.answer

    def answer(request, path, data):
        return web.json_response({"message": "down"}, status=503) if life.forge.pulls else life.answer(request, path, data)

    life.forge.dialect.answer = answer


@asks("{labels: [a], reviewers: [nobody-here]}")
async def test_a_reviewer_whom_the_forge_does_not_know_is_said_and_stops_nothing(life):
    life.push("1.1.0")
    end = await life.land()
    assert end.status is Status.PROPOSED
    assert "reviewers not set" in end.detail
    assert "nobody-here" in end.detail


@asks("{auto_merge: patch}")
async def test_a_small_step_is_merged_where_no_check_is_asked_for_and_its_branch_goes(life):
    life.push("1.0.1")
    end = await life.land()
    assert (end.status, life.written("main")) == (Status.PROPOSED, "1.0.0")
    assert "it is merged when its checks and approvals allow it" in end.detail
    link = end.link
    end = await life.land()
    assert (end.status, end.link, end.revision is not None) == (Status.UPDATED, link, True)
    assert f"merged by {link}" in end.detail
    assert (life.written("main"), life.head(APP), pull(life).merged) == ("1.0.1", None, True)
    if life.generation is not None:
        figures = life.generation._process.render_metrics().decode()
        assert 'updater_proposals_total{event="opened"} 1.0' in figures
        assert 'updater_proposals_total{event="merged"} 1.0' in figures
    asked = len(life.forge.changes())
    assert (await life.land()).status is Status.UNCHANGED
    assert len(life.forge.changes()) == asked


@asks("{auto_merge: always}")
@pytest.mark.parametrize(("state", "words"), [("pending", "checks are running"), ("failed", "a check failed")])
async def test_nothing_is_merged_before_its_checks_passed(life, state, words):
    life.push("2.0.0")
    await life.land()
    life.forge.check(APP, state)
    end = await passes(life, 2)
    assert (end.status, pull(life).merged) == (Status.PROPOSED, False)
    is_native = merges_by_itself(life, state)
    assert pull(life).auto_merge is is_native
    assert ("the forge merges it once it may" if is_native else words) in end.detail
    life.forge.check(APP, "passed")
    assert (await life.land()).status in {Status.UPDATED, Status.UNCHANGED}
    assert life.written("main") == "2.0.0"


@asks("{auto_merge: always}")
async def test_nothing_is_merged_without_the_approvals_that_are_asked_for(life):
    life.forge.rules.approvals = 1
    life.push("1.0.1")
    end = await passes(life, 3)
    assert (end.status, pull(life).merged) == (Status.PROPOSED, False)
    is_native = merges_by_itself(life, "approvals")
    assert pull(life).auto_merge is is_native
    assert ("the forge merges it once it may" if is_native else "not merged yet: ") in end.detail
    pull(life).opinions["anna"] = "refused"
    assert (await life.land()).status is Status.PROPOSED
    pull(life).opinions["anna"] = "approved"
    assert (await life.land()).status is (Status.UNCHANGED if is_native else Status.UPDATED)
    assert (life.written("main"), life.head(APP)) == ("1.0.1", None)


@asks("{auto_merge: patch}")
async def test_a_larger_step_waits_for_people(life):
    life.push("1.1.0")
    end = await passes(life, 3)
    assert (end.status, pull(life).merged) == (Status.PROPOSED, False)
    assert "the step is larger than auto_merge: patch" in end.detail


@asks("{auto_merge: always}")
async def test_what_a_person_committed_to_is_never_merged(life):
    life.push("1.0.1")
    await life.land()
    theirs = life.fleet.repository.commit(PERSON, branch=APP)
    end = await passes(life, 3)
    assert (end.status, end.code, life.head(APP)) == (Status.HELD, "foreign-commits", theirs)
    assert (life.written("main"), pull(life).state) == ("1.0.0", "open")
    empty = life.forge.move(APP)
    assert (await passes(life, 2)).status is Status.HELD
    assert (life.written("main"), life.head(APP)) == ("1.0.0", empty)


@asks("{auto_merge: always}")
async def test_an_empty_commit_of_a_person_is_one_too(life):
    life.push("1.0.1")
    await life.land()
    life.forge.move(APP)
    await passes(life, 3)
    assert life.written("main") == "1.0.0"


@asks("{auto_merge: always, draft: true}")
async def test_a_draft_is_merged_once_a_person_says_that_it_is_none(life):
    life.push("1.0.1")
    end = await passes(life, 3)
    assert (end.status, "a draft is not merged" in end.detail) == (Status.PROPOSED, True)
    pull(life).draft = False
    assert (await passes(life, 2)).status in {Status.UPDATED, Status.UNCHANGED}
    assert life.written("main") == "1.0.1"


@asks("{auto_merge: patch}")
async def test_a_forge_that_merges_by_itself_is_asked_to_and_its_merge_noticed(life):
    life.forge.rules.auto_merge = life.forge.rules.checks = True
    life.push("1.0.1")
    await life.land()
    life.forge.check(APP, "pending")
    end = await life.land()
    assert (end.status, pull(life).merged) == (Status.PROPOSED, False)
    is_native = has(life.forge.kind, "merges by itself")
    assert (pull(life).auto_merge, "the forge merges it once it may" in end.detail) == (is_native, is_native)
    asked = len(life.forge.changes())
    await life.land()
    assert not is_native or len(life.forge.changes()) - asked <= (1 if life.generation is None else 0)
    life.forge.check(APP, "passed")
    assert (await passes(life, 2)).status is Status.UNCHANGED
    assert (life.written("main"), life.head(APP), pull(life).merged) == ("1.0.1", None, True)


@asks("{auto_merge: patch}")
async def test_a_step_that_grew_too_large_is_not_merged_by_the_forge_either(life):
    life.forge.rules.auto_merge = life.forge.rules.checks = True
    life.push("1.0.1")
    await passes(life, 2)
    life.push("1.1.0")
    end = await life.land()
    assert (end.status, app(life), pull(life).auto_merge) == (Status.PROPOSED, "1.1.0", False)
    life.forge.check(APP, "passed")
    await passes(life, 2)
    assert (life.written("main"), pull(life).merged) == ("1.0.0", False)


def add_web(life, proposal, *, key="web"):
    """Let a second subscription propose to the same branch."""
    text = life.fleet.file(FILE, "main").replace("o/app", f"o/{key}").replace("ns:app", f"ns:{key}")
    life.fleet.repository.commit({f"apps/{key}.yaml": text.encode()})
    life.fleet.registry.push(f"o/{key}", "1.0.0")
    life.fleet.registry.push(f"o/{key}", "1.1.0")
    life.fleet.add(key, f"marker: ns:{key}")
    life.fleet.subscriptions[-1] = life.fleet.subscriptions[-1].replace("branch: main", f"branch: main, proposal: {proposal}")


def ask(life, old, new):
    """Let the configuration ask for pull requests otherwise."""
    life.fleet.subscriptions = [text.replace(f"proposal: {old}", f"proposal: {new}") for text in life.fleet.subscriptions]


async def once(life, memory):
    """Make a pass over everything by a new process; return the outcomes by key."""
    if memory == "lost":
        life.fleet.forget()
    return await life.fleet.once()


async def test_no_more_are_opened_than_the_limit_allows_and_the_next_one_when_there_is_room(tmp_path, kind, memory):
    limited = "{limit: 1}"
    async with proposing(tmp_path, kind, "lost", limited) as life:
        life.push("1.1.0")
        add_web(life, limited)
        for _ in range(2):
            ends = await once(life, memory)
            statuses = {key: (end.status, end.code) for key, end in ends.items()}
            assert sorted(statuses.values(), key=str) == [(Status.HELD, "proposal-limit"), (Status.PROPOSED, None)]
            (held,) = [end for end in ends.values() if end.status is Status.HELD]
            assert "1 pull requests of updater to main are open, and the limit is 1" in held.detail
            assert life.head(f"updater/main/{held.key}") is None
        life.forge.merge(1)
        ends = await once(life, memory)
        assert sorted(end.status for end in ends.values()) == [Status.PROPOSED, Status.UNCHANGED]
        assert len(life.forge.pulls) == 2


@pytest.mark.parametrize(
    ("old", "new", "branch"),
    [
        ("{per: destination}", "{}", APP),
        ("{}", "{per: destination}", "updater/main"),
        ("{}", "{branch: 'bump/{{ .Key }}'}", "bump/app"),
    ],
)
async def test_what_another_branch_proposes_by_now_is_closed_with_a_word_why(tmp_path, kind, memory, old, new, branch):
    async with proposing(tmp_path, kind, "lost", old) as life:
        life.push("1.1.0")
        await once(life, memory)
        before = pull(life).branch
        ask(life, old, new)
        ends = await once(life, memory)
        assert ends["app"].status is Status.PROPOSED
        assert (pull(life).state, pull(life).merged, life.head(before)) == ("closed", False, None)
        assert [f"proposes these changes from the branch `{branch}`" in words for words in pull(life).comments] == [True]
        assert [(found.branch, found.number) for found in life.forge.opened()] == [(branch, 2)]
        ask(life, new, old)
        assert (await once(life, memory))["app"].status is Status.PROPOSED
        assert [found.branch for found in life.forge.opened()] == [before]


async def test_why_it_was_closed_is_told_once_though_the_forge_did_not_take_the_words_at_first(life):
    life.push("1.1.0")
    await life.land()
    life.fleet.repository.commit({FILE: life.fleet.file(FILE).replace("1.0.0", "1.1.0").encode()})
    answer = life.forge.dialect.answer

    def words_fail(request, path, data):
        is_down = request.method == "POST" and path.endswith(("comments", "notes", "threads"))
        return web.json_response({"message": "down"}, status=502) if is_down else answer(request, path, data)

    life.forge.dialect.answer = words_fail
    end = await life.land()
    assert (end.code, pull(life).state, pull(life).comments) == ("forge-unavailable", "open", [])
    life.forge.dialect.answer = answer
    assert (await passes(life, 3)).status is Status.UNCHANGED
    assert ["Nothing is left to change" in words for words in pull(life).comments] == [True]
    assert (pull(life).state, life.head(APP)) == ("closed", None)


async def test_what_a_person_committed_to_is_not_closed_for_another_branch(tmp_path, kind, memory):
    async with proposing(tmp_path, kind, "lost") as life:
        life.push("1.1.0")
        await once(life, memory)
        theirs = life.fleet.repository.commit(PERSON, branch="updater/main")
        ask(life, "{per: destination}", "{branch: 'bump/{{ .Key }}'}")
        assert (await once(life, memory))["app"].status is Status.PROPOSED
        assert (pull(life).state, life.head("updater/main")) == ("open", theirs)
        assert len(life.forge.opened()) == 2


async def test_a_branch_that_git_cannot_hold_beside_a_left_one_is_said_with_what_to_do(tmp_path, kind, memory):
    async with proposing(tmp_path, kind, "lost") as life:
        life.push("1.1.0")
        await once(life, memory)
        theirs = life.fleet.repository.commit(PERSON, branch="updater/main")
        ask(life, "{per: destination}", "{}")
        end = (await once(life, memory))["app"]
        assert (end.status, end.code) == (Status.FAILED, "branch-conflict")
        assert "updater/main" in end.detail
        assert (pull(life).state, life.head("updater/main")) == ("open", theirs)


async def test_what_another_installation_proposes_elsewhere_is_left_alone(tmp_path, kind, memory):
    """It has the same keys and the same base, and writes other files."""
    async with proposing(tmp_path, kind, "lost", "{branch: 'one/{{ .Key }}'}") as life:
        life.push("1.1.0")
        life.fleet.repository.commit({"two/app.yaml": life.fleet.file(FILE).encode()})
        life.fleet.subscriptions = [text.replace("branch: main", "path: apps, branch: main") for text in life.fleet.subscriptions]
        mine, settings = list(life.fleet.subscriptions), life.fleet.extra
        life.fleet.extra = f"  proposal: {{owner: one}}\n{settings}"
        await once(life, memory)
        life.fleet.subscriptions = [text.replace("path: apps", "path: two").replace("one/", "two/") for text in mine]
        life.fleet.extra = f"  proposal: {{owner: two}}\n{settings}"
        await once(life, memory)
        life.fleet.subscriptions, life.fleet.extra = mine, f"  proposal: {{owner: one}}\n{settings}"
        await once(life, memory)
        assert [(found.branch, found.state) for found in life.forge.pulls] == [("one/app", "open"), ("two/app", "open")]


async def test_a_conflict_of_what_people_committed_is_said(life):
    life.push("1.1.0")
    await life.land()
    life.fleet.repository.commit(PERSON, branch=APP)
    pull(life).conflicts = True
    end = await passes(life, 2)
    assert (end.status, end.code) == (Status.HELD, "foreign-commits")
    assert "it conflicts with main" in end.detail


@asks("{title: 'deps: {{ (index .Images 0).NewTag }}', body: 'read what is new in {{ (index .Images 0).NewTag }}'}")
async def test_a_title_and_a_text_are_made_by_their_templates(life):
    for tag in ("1.1.0", "1.2.0"):
        life.push(tag)
        await passes(life, 2)
        assert pull(life).title == f"deps: {tag}"
        assert f"read what is new in {tag}" in pull(life).body


@asks("{title: '{{ fail \"no title today\" }}'}")
async def test_a_title_that_cannot_be_made_stops_before_anything_is_pushed(life):
    life.push("1.1.0")
    end = await life.land()
    assert (end.status, end.code) == (Status.FAILED, "template-failed")
    assert "no title today" in end.detail
    assert (life.head(APP), life.forge.pulls) == (None, [])


def labelled(life, tag, **labels):
    named = {f"org.opencontainers.image.{name}": value for name, value in labels.items()}
    life.fleet.registry.push("o/app", tag, labels=named)


async def test_the_text_links_to_the_source_and_to_what_changed_since_the_old_image(life):
    labelled(life, "1.0.0", source="https://github.com/o/app.git", revision="aaaaaaaa")
    labelled(life, "1.1.0", source="https://github.com/o/app", revision="bbbbbbbb")
    await life.land()
    assert "[source](https://github.com/o/app/commit/bbbbbbbb)" in pull(life).body
    assert "[changes since the old image](https://github.com/o/app/compare/aaaaaaaa...bbbbbbbb)" in pull(life).body


@pytest.mark.parametrize(
    "source",
    [
        "javascript:alert(1)",
        "https://evil.example.org/a/b](https://x) @everyone",
        "https://github.com/o/app/issues/1",
        "http://github.com/o/app",
        "https://user:secret@github.com/o/app",
        "https://github.com/o/app?x=<script>",
    ],
)
async def test_a_label_that_is_no_plain_address_makes_no_link(tmp_path, source):
    async with proposing(tmp_path, "github", "lost", "{}") as life:
        labelled(life, "1.1.0", source=source, revision="bbbbbbbb")
        assert (await life.land()).status is Status.PROPOSED
        assert "source](" not in pull(life).body
        assert source not in pull(life).body


async def test_what_is_held_beside_a_change_stands_in_the_text(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        life.push("1.1.0")
        add_web(life, "{per: destination}")
        text = life.fleet.file("apps/web.yaml").replace("web:1.0.0", "web:3.0.0")
        life.fleet.repository.commit({"apps/web.yaml": text.encode()})
        ends = await once(life, "lost")
        assert (ends["web"].status, ends["app"].status) == (Status.HELD, Status.PROPOSED)
        assert "**Held back**" in pull(life).body
        assert f"`{ends['web'].code}`" in pull(life).body


def test_every_kind_of_forge_with_a_fake_is_among_those_of_this_page():
    assert {"github", "gitea"} <= set(KINDS)


@asynccontextmanager
async def reloaded(life, before):
    """A generation of the configuration as it is now, in the process of the one *before*."""
    generation = await start_generation(load([life.fleet.configure()], dict(os.environ)), before._process)
    generation.take_over()
    yield generation


async def test_what_nobody_asks_for_any_more_is_closed_with_a_word_why(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept", "{}") as life:
        life.push("1.1.0")
        await life.land()
        life.fleet.subscriptions.clear()
        async with reloaded(life, life.generation) as generation:
            left = generation._process.left_proposals
            life.forge.fail("GET", 502, "bad gateway")
            life.forge.fail("GET", 502, "bad gateway")
            await left.close(lambda branch: generation.land(branch, ()))
            assert pull(life).state == "open"
            await left.close(lambda branch: generation.land(branch, ()))
            assert (pull(life).state, life.head(APP)) == ("closed", None)
            assert ["no subscription asks for these changes any more" in words for words in pull(life).comments] == [True]
            asked = len(life.forge.asked)
            await left.close(lambda branch: generation.land(branch, ()))
            assert len(life.forge.asked) == asked


async def test_what_a_source_has_not_said_yet_is_not_left(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept", "{}") as life:
        life.push("1.1.0")
        await life.land()
        left = life.generation._process.left_proposals
        left.follow((), is_whole=False)
        await left.close(lambda branch: life.generation.land(branch, ()))
        assert pull(life).state == "open"


async def test_the_commands_say_what_the_limit_holds_back(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{limit: 1}") as life:
        life.push("1.1.0")
        add_web(life, "{limit: 1}")
        ends = await once(life, "kept")
        (held,) = [key for key, end in ends.items() if end.code == "proposal-limit"]
        for words in (("explain", held), ("status",)):
            _, said = await run(life, *words)
            assert "proposal-limit" in said, said
            assert "1 pull requests of updater to main are open, and the limit is 1" in said, said


async def test_a_forge_that_is_down_for_an_hour_loses_nothing(life):
    life.push("1.1.0")
    await life.land()
    answer = life.forge.dialect.answer
    life.forge.dialect.answer = lambda *_: web.json_response({"message": "down"}, status=503)
    life.push("1.2.0")
    for _ in range(4):
        end = await life.land()
        assert (end.status, end.code) == (Status.FAILED, "forge-unavailable")
    assert (app(life), pull(life).state) == ("1.1.0", "open")
    life.forge.dialect.answer = answer
    assert (await passes(life, 2)).status is Status.PROPOSED
    assert (app(life), len(life.forge.pulls)) == ("1.2.0", 1)
    assert "`1.0.0` → `1.2.0`" in pull(life).body


async def test_a_branch_that_the_server_protects_is_said_and_opens_nothing(life):
    hook = life.fleet.repository.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'protected branch' >&2\nexit 1\n")
    hook.chmod(0o755)
    life.push("1.1.0")
    end = await passes(life, 2)
    assert (end.status, end.code) == (Status.FAILED, "push-declined")
    assert "protected branch" in end.detail
    assert (life.forge.pulls, life.head(APP)) == ([], None)
    hook.unlink()
    assert (await life.land()).status is Status.PROPOSED


async def test_what_a_person_closed_a_moment_ago_is_not_given_a_newer_value(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept", "{}") as life:
        life.push("1.1.0")
        await life.land()
        life.push("1.2.0")
        get = life.forge.dialect.answer

        def closed_first(request, path, data):
            if pull(life).state == "open" and re.fullmatch(r"[a-zA-Z_-]+/1", path):
                life.forge.close(1)
            return get(request, path, data)

        life.forge.dialect.answer = closed_first
        end = await life.land()
        assert (end.status, app(life)) == (Status.PROPOSED, "1.2.0")
        assert [(item.number, item.state) for item in life.forge.pulls] == [(1, "closed"), (2, "open")]
        assert "1.2.0" not in pull(life).body


@asks("{auto_merge: always}")
async def test_a_branch_that_a_person_deletes_before_its_merge_is_a_no(life):
    life.push("1.0.1")
    await life.land()
    life.fleet.repository.git("update-ref", "-d", f"refs/heads/{APP}")
    end = await passes(life, 2)
    assert (end.status, end.code, life.written("main")) == (Status.HELD, "proposal-closed", "1.0.0")


async def test_two_daemons_open_one_pull_request_and_merge_it_once(tmp_path, kind):
    text = "{auto_merge: always}"
    (tmp_path / "second").mkdir()
    async with (
        proposing(tmp_path, kind, "kept", text) as first,
        replace(first.fleet, folder=tmp_path / "second").opened() as generation,
    ):
        first.forge.rules.auto_merge = False
        first.push("1.0.1")
        second = Proposing(first.fleet, first.forge, generation)
        for _ in range(8):  # who comes second is told so, and comes back
            ends = await asyncio.gather(first.land(), second.land())
            if {end.status for end in ends} == {Status.UNCHANGED}:
                break
        assert (first.written("main"), len(first.forge.pulls), first.head(APP)) == ("1.0.1", 1, None)


async def test_what_people_closed_is_proposed_again_once_it_is_released(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        life.push("1.1.0")
        await once(life, "kept")
        life.forge.close(1)
        assert (await once(life, "kept"))["app"].code == "proposal-closed"
        code, said = await run(life, "release", "app")
        assert code == 0, said
        assert (await once(life, "kept"))["app"].status is Status.PROPOSED
        assert [item.number for item in life.forge.opened()] == [2]
        life.forge.close(2)
        for _ in range(2):
            assert (await once(life, "kept"))["app"].code == "proposal-closed"
        assert life.forge.opened() == []
