"""The client of Gitea's API against a real Gitea: what it sets is there, and what stands in the way of a merge is known."""

from __future__ import annotations

import asyncio

import pytest

from tests.real.daemon_process import until
from updater.errors import ForgeError
from updater.forge.address import ForgeKind, forge_address, locate_repository
from updater.forge.base import ApprovalState, CheckState, ForgeAccess, ProposalState, ProposalText, ProposalWishes
from updater.forge.gitea import GiteaForge
from updater.forge.kinds import KindFinder
from updater.http.client import HttpClient
from updater.http.exchange import Connection

pytestmark = [pytest.mark.real, pytest.mark.gitea, pytest.mark.xdist_group("gitea")]
BRANCH = "updater/main/app"
TEXT = ProposalText(title="Update app to 1.1.0", body="a body <!-- marker -->\n")


@pytest.fixture
async def forge(on_gitea):
    """The pull requests of a repository whose branch has a commit above main, as the bot asks for them."""
    repository = on_gitea.repository
    change(on_gitea, "1.1.0")
    async with HttpClient() as http:

        async def reach():
            return ForgeAccess(token=on_gitea.gitea.bot.token, connection=Connection())

        where = locate_repository(repository.url, kind=ForgeKind.GITEA)
        yield GiteaForge(where, http, reach)


def change(on_gitea, tag, branch=BRANCH):
    if on_gitea.repository.head(branch) is None:
        on_gitea.repository.api("POST", "branches", {"new_branch_name": branch, "old_branch_name": "main"})
    return on_gitea.repository.commit({"tag": tag.encode()}, branch=branch)


async def opened(forge, **more):
    return await forge.open(TEXT, branch=BRANCH, base="main", **more)


def protect(on_gitea, **rules):
    on_gitea.repository.api("POST", "branch_protections", {"rule_name": "main", "enable_push": True, **rules})


async def refused(work) -> str:
    with pytest.raises(ForgeError) as caught:
        await work
    return caught.value.code


async def settled(forge, proposal):
    """Give the readiness once Gitea knows whether there is a conflict."""
    for _ in range(100):
        found = await forge.readiness(proposal)
        if found.is_mergeable:
            return found
    return found


async def taken(work, proposal):
    """Return what Gitea makes of a call, which it puts off while it checks once more; a daemon comes back at its next pass."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await work(proposal)
            except ForgeError as error:
                if (error.code, "try again later" in error.message) != ("proposal-unready", True):
                    raise
            await asyncio.sleep(0.05)


async def test_what_is_opened_is_found_listed_and_told_alike(forge, on_gitea):
    made = await opened(forge)
    assert (made.number, made.state, made.branch, made.base) == (1, ProposalState.OPEN, BRANCH, "main")
    assert (made.head, made.title, made.body) == (on_gitea.repository.head(BRANCH), TEXT.title, TEXT.body)
    assert await forge.get(1) == made
    assert await forge.find(BRANCH, "main") == (made,)
    assert await forge.find(BRANCH, "release") == ()
    assert await forge.list_open() == (made,)
    assert await refused(opened(forge)) == "proposal-exists"
    assert await refused(forge.get(2)) == "forge-not-found"


async def test_what_was_closed_is_found_behind_pages_of_others_that_changed_since(forge, on_gitea, monkeypatch):
    monkeypatch.setattr("updater.forge.rest.PAGE", 2)
    await opened(forge)
    await forge.close(1, TEXT)
    on_gitea.repository.delete(BRANCH)
    for number in range(5):
        change(on_gitea, str(number), f"people/{number}")
        await forge.open(TEXT, branch=f"people/{number}", base="main")
    assert [(item.number, item.state) for item in await forge.find(BRANCH, "main")] == [(1, ProposalState.CLOSED)]
    on_gitea.repository.change(2, state="closed")
    assert [(item.number, item.state) for item in await forge.find("people/0", "main")] == [(2, ProposalState.CLOSED)]
    assert await forge.find("people/none", "main") == ()


async def test_a_pull_request_that_was_deleted_is_found_no_more(forge, on_gitea):
    await opened(forge)
    assert [item.number for item in await forge.find(BRANCH, "main")] == [1]
    on_gitea.repository.api("DELETE", "issues/1")
    assert await forge.find(BRANCH, "main") == ()


async def test_a_branch_that_is_not_there_and_one_without_a_change_are_told(forge, on_gitea):
    assert await refused(forge.open(TEXT, branch="nowhere", base="main")) == "forge-not-found"
    on_gitea.repository.api("POST", "branches", {"new_branch_name": "same", "old_branch_name": "main"})
    made = await forge.open(TEXT, branch="same", base="main")  # Gitea takes it, with nothing to merge
    assert made.state is ProposalState.OPEN


async def test_labels_are_made_and_added_to_those_of_people(forge, on_gitea):
    await opened(forge)
    on_gitea.repository.api("POST", "labels", {"name": "there", "color": "#00aabb"})
    await forge.add_labels(1, ["there", "made, by us", "a/b:c"])
    await forge.add_labels(1, ["there", "later"])
    assert (await forge.get(1)).labels == {"there", "made, by us", "a/b:c", "later"}
    assert len(on_gitea.repository.api("GET", "labels")) == 4


async def test_reviewers_and_assignees_are_asked_besides_others_and_strangers_refused(forge, on_gitea):
    await opened(forge)
    owner = on_gitea.gitea.owner.name
    await forge.request_review(1, [owner])
    await forge.request_review(1, [owner])
    await forge.assign(1, [on_gitea.gitea.bot.name])
    await forge.assign(1, [owner])
    pull = on_gitea.repository.pull(1)
    assert [user["login"] for user in pull["requested_reviewers"]] == [owner]
    assert {user["login"] for user in pull["assignees"]} == {"bot", owner}
    assert await refused(forge.request_review(1, ["nobody-there"])) == "forge-user"
    assert await refused(forge.assign(1, ["nobody-there"])) == "forge-user"


async def test_a_draft_stays_one_until_a_person_ends_it(forge, on_gitea):
    made = await opened(forge, wishes=ProposalWishes(is_draft=True))
    assert (made.is_draft, made.title) == (True, TEXT.title)
    assert on_gitea.repository.pull(1)["draft"] is True
    again = await forge.update(1, ProposalText(title="Update app to 1.2.0", body="b"))
    assert (again.is_draft, again.title) == (True, "Update app to 1.2.0")
    assert not (await forge.readiness(again)).is_mergeable
    assert await refused(forge.merge(again)) == "proposal-unready"
    on_gitea.repository.change(1, title="Update app to 1.2.0")
    assert not (await forge.get(1)).is_draft


async def test_checks_and_approvals_are_known_as_gitea_counts_them(forge, on_gitea):
    protect(on_gitea, enable_status_check=True, status_check_contexts=["ci"], required_approvals=1)
    made = await opened(forge)
    await settled(forge, made)
    found = await forge.readiness(made)
    assert (found.checks, found.approvals) == (CheckState.PENDING, ApprovalState.MISSING)
    assert await refused(forge.merge(made)) == "proposal-unready"
    for state, told in (("pending", CheckState.PENDING), ("failure", CheckState.FAILED), ("success", CheckState.PASSED)):
        on_gitea.repository.report(made.head, state)
        assert (await forge.readiness(made)).checks is told
    review = on_gitea.repository.api("POST", "pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "no"})
    assert (await forge.readiness(made)).approvals is ApprovalState.REFUSED
    assert await refused(forge.merge(made)) == "proposal-unready"
    on_gitea.repository.api("POST", "pulls/1/reviews", {"event": "APPROVED", "body": "well"})
    assert review["state"] == "REQUEST_CHANGES"
    assert (await settled(forge, made)).is_ready
    merged = await taken(forge.merge, made)
    assert merged.state is ProposalState.MERGED
    assert on_gitea.repository.pull(1)["merged"] is True


async def test_a_head_that_moved_is_neither_merged_nor_scheduled(forge, on_gitea):
    protect(on_gitea, enable_status_check=True, status_check_contexts=["ci"])
    made = await opened(forge)
    change(on_gitea, "1.2.0")
    until(lambda: on_gitea.repository.pull(1)["head"]["sha"] != made.head)
    for work in (forge.merge, forge.enable_auto_merge, forge.readiness):
        assert await refused(work(made)) == "proposal-moved"
    assert on_gitea.repository.pull(1)["merged"] is False


async def test_gitea_merges_by_itself_once_the_check_is_green(forge, on_gitea):
    protect(on_gitea, enable_status_check=True, status_check_contexts=["ci"])
    made = await opened(forge)
    await settled(forge, made)
    assert await taken(forge.enable_auto_merge, made)
    assert await taken(forge.enable_auto_merge, made)
    assert on_gitea.repository.pull(1)["merged"] is False
    on_gitea.repository.report(made.head, "success")
    until(lambda: on_gitea.repository.pull(1)["merged"])
    assert (await forge.get(1)).state is ProposalState.MERGED


async def test_what_was_scheduled_is_taken_back(forge, on_gitea):
    protect(on_gitea, enable_status_check=True, status_check_contexts=["ci"])
    made = await opened(forge)
    await settled(forge, made)
    assert await taken(forge.enable_auto_merge, made)
    await forge.cancel_auto_merge(made)
    await forge.cancel_auto_merge(made)
    on_gitea.repository.report(made.head, "success")
    assert (await settled(forge, made)).is_ready
    assert on_gitea.repository.pull(1)["merged"] is False


async def test_without_a_rule_nothing_is_scheduled_because_it_would_be_merged_at_once(forge, on_gitea):
    made = await opened(forge)
    await settled(forge, made)
    assert not await forge.enable_auto_merge(made)
    assert on_gitea.repository.pull(1)["merged"] is False


async def test_a_conflict_is_no_readiness(forge, on_gitea):
    made = await opened(forge)
    on_gitea.repository.commit({"tag": b"0.9.0"})
    until(lambda: not on_gitea.repository.pull(1)["mergeable"])
    assert (await forge.readiness(made)).is_mergeable is not True
    assert await refused(forge.merge(made)) == "proposal-unready"


@pytest.mark.parametrize("style", ["squash", "rebase", "fast-forward-only"])
async def test_it_is_merged_as_the_repository_prefers(forge, on_gitea, style):
    made = await opened(forge)
    on_gitea.repository.api("PATCH", "", {"default_merge_style": style, "allow_fast_forward_only_merge": True})
    await settled(forge, made)
    await taken(forge.merge, made)
    (tip,) = on_gitea.repository.git("log", "-1", "--format=%P", "main").splitlines()
    assert len(tip.split()) == 1


async def test_closed_commented_and_its_branch_gone_it_is_still_found(forge, on_gitea):
    await opened(forge)
    await forge.comment(1, "words for people")
    closed = await forge.close(1, ProposalText(title="closed", body="over"))
    assert (closed.state, closed.title, closed.body) == (ProposalState.CLOSED, "closed", "over")
    on_gitea.repository.delete(BRANCH)
    (found,) = await forge.find(BRANCH, "main")
    assert (found.number, found.branch, found.state) == (1, BRANCH, ProposalState.CLOSED)
    assert on_gitea.repository.comments(1) == ["words for people"]
    assert await forge.list_open() == ()


async def test_a_long_body_and_a_hostile_title_come_back_as_they_were(forge, on_gitea):
    text = ProposalText(title="`<script>` @owner #1 \u202e 漢字", body="<!-- x -->\n" + "| a | `b` |\n" * 4000)
    made = await forge.open(text, branch=BRANCH, base="main")
    assert (made.title, made.body) == (text.title, text.body)
    again = await forge.get(1)
    assert (again.title, again.body) == (text.title, text.body)


async def test_a_title_over_the_limit_of_its_column_does_no_harm(forge):
    made = await forge.open(ProposalText(title="x" * 300, body=""), branch=BRANCH, base="main")
    assert (made.number, made.title[:200]) == (1, "x" * 200)


async def test_a_token_that_may_only_read_is_told_what_it_needs(on_gitea):
    change(on_gitea, "1.1.0")
    token = on_gitea.gitea.bot.new_token("read:repository", "read:issue")
    async with HttpClient() as http:

        async def reach():
            return ForgeAccess(token=token, connection=Connection())

        forge = GiteaForge(locate_repository(on_gitea.repository.url, kind=ForgeKind.GITEA), http, reach)
        with pytest.raises(ForgeError) as caught:
            await opened(forge)
        assert (caught.value.code, token in caught.value.message) == ("forge-denied", False)
        assert "write pull requests" in caught.value.hint


async def test_a_real_gitea_says_by_one_answer_that_it_is_one(on_gitea):
    async with HttpClient() as http:
        assert await KindFinder(http).kind(forge_address(on_gitea.repository.url), Connection()) is ForgeKind.GITEA


async def test_a_draft_whose_text_changes_stays_one_until_a_person_says_that_it_is_ready(forge):
    made = await opened(forge, wishes=ProposalWishes(is_draft=True))
    changed = await forge.update(made.number, ProposalText(title="Update app to 1.2.0", body="b"))
    assert (changed.is_draft, changed.title) == (True, "Update app to 1.2.0")
