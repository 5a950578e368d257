"""What every forge does alike: a pull request from its first word to its merge, whatever people do meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.forge import LIMITS
from updater.errors import ForgeError
from updater.forge.base import ApprovalState, CheckState, ProposalState, ProposalText, ProposalWishes

BRANCH = "updater/main"
TEXT = ProposalText(title="Update app", body="one\ntwo")


async def opened(forge, *, is_draft=False):
    return await forge.open(TEXT, branch=BRANCH, base="main", wishes=ProposalWishes(is_draft=is_draft))


async def refused(call):
    with pytest.raises(ForgeError) as caught:
        await call
    return caught.value.code


async def test_a_pull_request_is_opened_found_changed_commented_and_closed(server, forge):
    made = await opened(forge)
    assert (made.number, made.state, made.head) == (1, ProposalState.OPEN, server.repository.head(BRANCH))
    assert (made.title, made.body, made.branch, made.base, made.is_draft) == ("Update app", "one\ntwo", BRANCH, "main", False)
    assert await forge.find(BRANCH, "main") == (made,)
    assert await forge.list_open() == (made,)
    assert await forge.get(1) == made
    assert await forge.find(BRANCH, "other") == ()
    changed = await forge.update(1, ProposalText(title="New", body="three"))
    assert (changed.title, changed.body, changed.state) == ("New", "three", ProposalState.OPEN)
    await forge.comment(1, "a word")
    assert server.pulls[0].comments == ["a word"]
    closed = await forge.close(1, TEXT)
    assert (closed.state, closed.title) == (ProposalState.CLOSED, "Update app")
    assert await forge.list_open() == ()
    assert [item.state for item in await forge.find(BRANCH, "main")] == [ProposalState.CLOSED]


async def test_a_closed_one_is_no_obstacle_to_the_next_and_the_newest_comes_first(server, forge):
    await opened(forge)
    server.close(1)
    second = await opened(forge)
    assert second.number == 2
    assert [item.number for item in await forge.find(BRANCH, "main")] == [2, 1]


async def test_a_draft_is_opened_as_one_and_stays_one_when_its_text_changes(server, forge):
    if not forge.abilities.drafts:
        assert await refused(opened(forge, is_draft=True)) == "forge-lacks"
        return
    assert (await opened(forge, is_draft=True)).is_draft
    changed = await forge.update(1, ProposalText(title="New", body="b"))
    assert (changed.is_draft, changed.title, server.pulls[0].draft) == (True, "New", True)
    server.pulls[0].draft = False
    assert not (await forge.update(1, TEXT)).is_draft


async def test_labels_are_added_to_those_of_people_and_created_where_they_are_missing(server, forge):
    await opened(forge)
    if not forge.abilities.labels:
        assert await refused(forge.add_labels(1, ["deps"])) == "forge-lacks"
        return
    server.labels, server.pulls[0].labels = ["mine", "deps"], ["mine"]
    await forge.add_labels(1, ["deps", "new one"])
    await forge.add_labels(1, ["deps", "new one"])
    assert server.pulls[0].labels == ["mine", "deps", "new one"]
    assert (await forge.get(1)).labels == {"mine", "deps", "new one"}


async def test_reviewers_are_asked_besides_those_whom_people_asked(server, forge):
    await opened(forge)
    server.pulls[0].reviewers = ["bert"]
    await forge.request_review(1, ["anna"])
    assert server.pulls[0].reviewers == ["bert", "anna"]
    assert await refused(forge.request_review(1, ["nobody"])) == "forge-user"


async def test_assignees_are_added_to_those_of_people(server, forge):
    await opened(forge)
    if not forge.abilities.assignees:
        assert await refused(forge.assign(1, ["anna"])) == "forge-lacks"
        return
    server.pulls[0].assignees = ["bert"]
    await forge.assign(1, ["anna"])
    assert server.pulls[0].assignees == ["bert", "anna"]
    assert await refused(forge.assign(1, ["nobody"])) == "forge-user"


async def test_readiness_follows_checks_reviews_and_conflicts(server, forge):
    made = await opened(forge)
    server.rules.approvals = 1
    first = await forge.readiness(made)
    assert (first.checks, first.approvals) == (CheckState.NONE, ApprovalState.MISSING)
    for said, state in [("pending", CheckState.PENDING), ("failed", CheckState.FAILED), ("passed", CheckState.PASSED)]:
        server.check(BRANCH, said)
        assert (await forge.readiness(made)).checks is state
    server.pulls[0].opinions["anna"] = "refused"
    assert (await forge.readiness(made)).approvals is ApprovalState.REFUSED
    server.pulls[0].opinions["anna"] = "approved"
    ready = await forge.readiness(made)
    assert (ready.approvals, ready.is_mergeable, ready.is_ready, ready.head) == (ApprovalState.ENOUGH, True, True, made.head)
    server.pulls[0].conflicts = True
    assert (await forge.readiness(made)).is_mergeable is False


async def test_a_green_pull_request_is_merged_at_its_head(server, forge):
    made = await opened(forge)
    server.check(BRANCH, "passed")
    merged = await forge.merge(made)
    assert (merged.state, merged.number) == (ProposalState.MERGED, 1)
    assert server.repository.git("diff", "main", made.head) == ""
    assert (await forge.get(1)).state is ProposalState.MERGED


@pytest.mark.parametrize("is_shown", [True, False])
async def test_how_a_repository_merges_is_asked_only_where_its_pull_request_does_not_say_so(server, forge, is_shown):
    made = await opened(forge)
    server.shows_methods, server.rules.methods = is_shown, ("squash",)
    asked = len(server.asked)
    await forge.merge(made)
    is_gitea = server.kind == "gitea"
    assert not is_gitea or len(server.asked) - asked == (2 if is_shown else 3)
    assert not is_gitea or server.repository.git("log", "-1", "--format=%s", "main").strip() == "squashed"


async def test_what_somebody_pushed_to_is_not_merged(server, forge):
    made = await opened(forge)
    base = server.repository.head()
    server.move(BRANCH)
    assert await refused(forge.merge(made)) == "proposal-moved"
    assert await refused(forge.readiness(made)) == "proposal-moved"
    assert server.repository.head() == base


async def test_what_the_forge_does_not_let_be_merged_is_unready(server, forge):
    made = await opened(forge)
    server.pulls[0].conflicts = True
    assert await refused(forge.merge(made)) == "proposal-unready"
    server.pulls[0].conflicts, server.rules.approvals = False, 1
    assert await refused(forge.merge(made)) == "proposal-unready"
    assert server.pulls[0].state == "open"


async def test_the_forge_merges_by_itself_once_the_checks_are_green(server, forge):
    made = await opened(forge)
    server.rules.checks = True
    server.check(BRANCH, "pending")
    if not forge.abilities.auto_merge:
        assert await forge.enable_auto_merge(made) is False
        return
    assert await forge.enable_auto_merge(made) is True
    assert await forge.enable_auto_merge(made) is True
    assert (await forge.get(1)).state is ProposalState.OPEN
    server.check(BRANCH, "passed")
    assert (await forge.get(1)).state is ProposalState.MERGED


async def test_an_automatic_merge_can_be_taken_back(server, forge):
    made = await opened(forge)
    server.rules.checks = True
    server.check(BRANCH, "pending")
    if forge.abilities.auto_merge:
        await forge.enable_auto_merge(made)
    await forge.cancel_auto_merge(made)
    await forge.cancel_auto_merge(made)
    server.check(BRANCH, "passed")
    assert (await forge.get(1)).state is ProposalState.OPEN


async def test_a_moved_pull_request_is_not_merged_automatically(server, forge):
    made = await opened(forge)
    server.rules.checks = True
    server.check(BRANCH, "pending")
    server.move(BRANCH)
    if forge.abilities.auto_merge:
        assert await refused(forge.enable_auto_merge(made)) == "proposal-moved"
    assert server.pulls[0].auto_merge is False


async def test_a_pull_request_that_a_person_closed_in_the_meantime_is_told_as_closed(server, forge):
    await opened(forge)
    server.close(1)
    assert (await forge.get(1)).state is ProposalState.CLOSED
    assert (await forge.find(BRANCH, "main"))[0].state is ProposalState.CLOSED


async def test_a_pull_request_whose_branch_was_deleted_is_still_told_by_its_branch(server, forge):
    made = await opened(forge)
    server.merge(1)
    server.repository.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    (found,) = await forge.find(BRANCH, "main")
    assert (found.state, found.branch, found.head) == (ProposalState.MERGED, BRANCH, made.head)


@pytest.mark.parametrize("fork", [True, "deleted"])
async def test_a_pull_request_from_a_fork_is_never_ours_though_the_fork_is_gone(server, forge, fork):
    await opened(forge)
    server.pulls[0].fork = fork
    assert await forge.list_open() == ()
    assert await forge.find(BRANCH, "main") == ()
    assert await refused(forge.get(1)) == "forge-not-found"


async def test_what_is_closed_already_or_has_no_branch_any_more_can_be_closed(server, forge):
    await opened(forge)
    server.repository.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    assert (await forge.close(1, TEXT)).state is ProposalState.CLOSED
    assert (await forge.close(1, TEXT)).state is ProposalState.CLOSED


LONG = ProposalText(title="\N{WHALE}" * 600, body="first line\n" + "\N{WHALE}" * 600_000)


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_a_title_and_a_text_of_any_length_are_cut_to_what_the_vendor_takes_with_each_change(server, forge):
    made = await forge.open(LONG, branch=BRANCH, base="main", wishes=ProposalWishes(is_draft=forge.abilities.drafts))
    for item in (made, await forge.update(1, LONG), await forge.close(1, LONG)):
        assert (item.title.startswith("\N{WHALE}"), item.body.partition("\n")[0]) == (True, "first line")
    assert server.pulls[0].title.endswith("…")


@pytest.mark.filterwarnings("ignore:Sending a large body")
@pytest.mark.parametrize("server", sorted(LIMITS), indirect=True)  # Gitea cuts titles itself, and takes any text
async def test_what_is_longer_than_the_vendor_takes_is_refused_there(server, forge):
    forge.abilities = replace(forge.abilities, longest_title=10_000, longest_body=10_000_000)
    title, text, _, _ = LIMITS[server.kind]
    for long in (ProposalText(title="t" * (title + 1), body="b"), ProposalText(title="t", body="b" * (text + 1))):
        assert await refused(forge.open(long, branch=BRANCH, base="main")) == "forge-protocol"
    able = type(forge).abilities
    assert (able.longest_title <= title, able.longest_body <= text, server.pulls) == (True, True, [])
