"""The life of a pull request on a real Gitea, by its own API, with what people click there."""

from __future__ import annotations

import asyncio
import copy

import pytest

from tests.flows.fleet import Status
from tests.real.gitea_flows import FILE
from updater.writeback.proposal_text import read_marker

pytestmark = [pytest.mark.real, pytest.mark.gitea, pytest.mark.xdist_group("gitea")]
BRANCH = "updater/main/app"
OTHER = {"apps/other.yaml": b"kind: Other\n"}


@pytest.fixture
async def life(on_gitea):
    """A fleet whose image app is proposed and has a newer tag; what was seen is kept between passes."""
    on_gitea.propose()
    on_gitea.push("1.1.0")
    async with on_gitea.opened() as on_gitea.generation:
        yield on_gitea


@pytest.fixture(params=["kept", "lost"])
def either(request, life):
    """The same; in one of two runs nothing is remembered between passes."""
    if request.param == "lost":
        life.generation = None
    return life


def heads(life) -> str | None:
    return life.repository.head(BRANCH)


def the_pull(life):
    (pull,) = life.repository.pulls()
    return pull


async def test_a_newer_tag_is_proposed_and_a_second_pass_changes_nothing(life):
    first = await life.land()
    pull = the_pull(life)
    assert (first.status, first.link) == (Status.PROPOSED, pull["html_url"]), first
    assert (life.written(BRANCH), life.written(), first.revision) == ("1.1.0", "1.0.0", heads(life))
    assert (pull["head"]["ref"], pull["base"]["ref"], pull["user"]["login"]) == (BRANCH, "main", "bot")
    assert "`1.0.0` → `1.1.0`" in pull["body"]
    before = (heads(life), pull["updated_at"])
    again = await life.land()
    assert (again.status, again.link, again.revision) == (Status.PROPOSED, first.link, None)
    assert (heads(life), the_pull(life)["updated_at"]) == before


async def test_a_newer_tag_updates_the_same_branch_title_and_text(life):
    await life.land()
    life.push("1.2.0")
    end = await life.land()
    pull = the_pull(life)
    assert (end.status, life.written(BRANCH), pull["head"]["sha"]) == (Status.PROPOSED, "1.2.0", heads(life))
    assert ("1.2.0" in pull["title"], "1.1.0" in pull["body"]) == (True, False)
    assert len(life.commits(f"main..{BRANCH}")) == 1


async def test_a_base_that_moved_is_the_base_of_the_branch_again(life):
    await life.land()
    moved = life.repository.commit(OTHER)
    assert (await life.land()).status is Status.PROPOSED
    assert life.repository.git("rev-parse", f"{BRANCH}^").strip() == moved
    assert the_pull(life)["state"] == "open"


async def test_what_a_colleague_opened_from_our_branch_with_our_marker_is_not_ours(either):
    await either.land()
    copied = the_pull(either)
    either.repository.api("DELETE", "issues/1")
    either.repository.api("POST", "pulls", {"head": BRANCH, "base": "main", "title": "mine", "body": copied["body"]})
    either.push("1.2.0")
    end = await either.land()
    assert (end.status, end.code) == (Status.FAILED, "proposal-not-ours"), end
    assert "owner opened it" in end.detail
    pull = the_pull(either)
    assert (pull["title"], pull["body"], either.written(BRANCH)) == ("mine", copied["body"], "1.1.0")


@pytest.mark.parametrize("way", ["merge", "squash", "rebase"])
async def test_what_a_person_merged_is_noticed_and_its_branch_deleted(life, way):
    await life.land()
    life.repository.merge(1, way)
    end = await life.land()
    assert (end.status, life.written(), heads(life)) == (Status.UNCHANGED, "1.1.0", None)
    life.repository.settle()  # however long a slow machine takes to hear of the deletion
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, [pull["state"] for pull in life.repository.pulls()]) == (Status.PROPOSED, ["closed", "open"])


@pytest.mark.parametrize("way", ["merge", "squash"])
async def test_a_newer_tag_right_after_a_merge_is_proposed_by_a_pull_request_that_stays_open(life, way):
    await life.land()
    life.repository.merge(1, way)
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, life.written(), life.written(BRANCH)) == (Status.PROPOSED, "1.1.0", "1.2.0")
    life.repository.settle()
    assert [pull["state"] for pull in life.repository.pulls()] == ["closed", "open"]
    assert (await life.land()).status is Status.PROPOSED
    assert len(life.commits(f"main..{BRANCH}")) == 1


async def test_what_was_merged_with_its_branch_deleted_by_the_click_is_noticed(life):
    await life.land()
    life.repository.merge(1, "squash", delete_branch_after_merge=True)
    assert heads(life) is None
    assert (await life.land()).status is Status.UNCHANGED
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED


@pytest.mark.parametrize("with_branch", [True, False])
async def test_what_a_person_closed_is_rejected_until_a_newer_version_appears(either, with_branch):
    life = either
    await life.land()
    link = the_pull(life)["html_url"]
    life.repository.change(1, state="closed")
    if not with_branch:
        life.repository.delete(BRANCH)
    head = heads(life)
    for _ in range(2):
        end = await life.land()
        assert (end.status, end.code) == (Status.HELD, "proposal-closed"), end
        assert f"1.1.0 was rejected: {link} was closed without merging" in end.detail
    assert (heads(life), the_pull(life)["state"], life.written()) == (head, "closed", "1.0.0")
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED
    assert [pull["state"] for pull in life.repository.pulls()] == ["closed", "open"]


async def test_a_branch_that_a_person_deleted_is_a_no(life):
    await life.land()
    life.repository.delete(BRANCH)
    for _ in range(2):
        end = await life.land()
        assert (end.status, end.code) == (Status.HELD, "proposal-closed"), end
    assert (heads(life), the_pull(life)["state"]) == (None, "closed")


async def test_a_reopened_pull_request_counts_again(either):
    life = either
    first = await life.land()
    life.repository.change(1, state="closed")
    assert (await life.land()).status is Status.HELD
    life.repository.change(1, state="open")
    end = await life.land()
    assert (end.status, end.link) == (Status.PROPOSED, first.link)


async def test_commits_of_a_person_on_the_branch_are_never_overwritten(either):
    life = either
    await life.land()
    theirs = life.repository.commit(OTHER, branch=BRANCH)
    life.push("1.2.0")
    for _ in range(2):
        end = await life.land()
        assert (end.status, end.code) == (Status.HELD, "foreign-commits"), end
    assert heads(life) == theirs
    life.repository.merge(1)
    end = await life.land()
    assert (end.status, life.written(), life.written(BRANCH)) == (Status.PROPOSED, "1.1.0", "1.2.0")


async def test_a_branch_that_a_person_brought_up_to_date_on_the_page_is_left_to_them(life):
    await life.land()
    life.repository.commit(OTHER)
    life.repository.api("POST", "pulls/1/update", style="merge")
    theirs = heads(life)
    end = await life.land()
    assert (end.status, end.code, heads(life)) == (Status.HELD, "foreign-commits", theirs)


async def test_a_conflict_with_the_base_is_resolved_by_building_anew(life):
    await life.land()
    life.base_gets("1.0.5")
    end = await life.land()
    assert (end.status, life.written(BRANCH)) == (Status.PROPOSED, "1.1.0")
    assert life.settled(1)["mergeable"]
    assert "`1.0.5` → `1.1.0`" in the_pull(life)["body"]


async def test_what_the_base_got_otherwise_closes_the_pull_request_and_rejects_nothing(either):
    life = either
    await life.land()
    life.base_gets("1.1.0")
    assert (await life.land()).status is Status.UNCHANGED
    pull = the_pull(life)
    assert (pull["state"], pull["merged"], heads(life)) == ("closed", False, None)
    assert ["Nothing is left to change" in words for words in life.repository.comments(1)] == [True]
    assert read_marker(pull["body"].replace("\r\n", "\n")).values == frozenset()
    life.base_gets("1.0.0")
    assert (await life.land()).status is Status.PROPOSED


async def test_the_title_and_text_that_a_person_changed_stay_as_long_as_the_values_do(life):
    await life.land()
    life.repository.change(1, title="A better title")
    await life.land()
    assert the_pull(life)["title"] == "A better title"


async def test_a_pull_request_that_a_person_points_elsewhere_is_no_longer_about_this_branch(life):
    await life.land()
    life.repository.api("POST", "branches", {"new_branch_name": "release", "old_branch_name": "main"})
    life.repository.change(1, base="release")
    assert (await life.land()).status is Status.PROPOSED
    found = [(pull["base"]["ref"], pull["state"]) for pull in life.repository.pulls()]
    assert found == [("release", "open"), ("main", "open")]


async def test_a_forks_pull_request_with_our_marker_is_not_ours(life):
    await life.land()
    ours = the_pull(life)
    stranger = life.gitea.stranger
    name = life.repository.full_name
    stranger.api("POST", f"repos/{name}/forks", {"name": life.repository.name})
    text = {"title": ours["title"], "body": ours["body"], "head": f"{stranger.name}:{BRANCH}", "base": "main"}
    theirs = stranger.api("POST", f"repos/{name}/pulls", text)
    life.repository.change(theirs["number"], state="closed")
    end = await life.land()
    assert (end.status, end.link) == (Status.PROPOSED, ours["html_url"])
    assert [pull["state"] for pull in life.repository.pulls()] == ["open", "closed"]


async def test_a_persons_pull_request_from_the_branch_stops_before_anything_is_pushed(life):
    life.repository.commit(OTHER)
    life.repository.api("POST", "branches", {"new_branch_name": BRANCH, "old_branch_name": "main"})
    theirs = life.repository.commit({"apps/more.yaml": b"x\n"}, branch=BRANCH)
    life.repository.api("POST", "pulls", {"title": "mine", "head": BRANCH, "base": "main"})
    end = await life.land()
    assert (end.status, end.code, heads(life)) == (Status.FAILED, "proposal-not-ours", theirs)


async def test_a_token_that_lost_its_rights_is_told_and_the_next_pass_with_a_better_one_mends(life):
    await life.land()
    life.token.write_text(life.gitea.bot.new_token("read:repository"))
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, end.code) == (Status.FAILED, "git-forbidden"), end
    life.token.write_text(life.gitea.bot.token)
    assert (await life.land()).status is Status.PROPOSED
    assert life.written(BRANCH) == "1.2.0"


async def test_a_rule_that_keeps_the_branch_fails_nothing(life):
    rule = {"rule_name": "updater/**", "enable_push": True, "enable_force_push": False}
    await life.land()
    life.repository.api("POST", "branch_protections", rule)
    life.repository.merge(1, "squash")
    end = await life.land()
    assert (end.status, life.written()) == (Status.UNCHANGED, "1.1.0"), end
    assert heads(life) is not None
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, end.code) == (Status.FAILED, "push-declined"), end


async def test_a_push_whose_pull_request_could_not_be_opened_is_mended_by_the_next_pass(on_gitea):
    on_gitea.propose()
    on_gitea.push("1.1.0")
    usual = on_gitea.extra
    on_gitea.extra = usual.replace("kind: gitea", 'kind: gitea, api: "http://127.0.0.1:1/api/v1"')
    end = await on_gitea.land()
    assert (end.status, end.code) == (Status.FAILED, "forge-unavailable")
    on_gitea.extra = usual
    end = await on_gitea.land()
    assert (end.status, len(on_gitea.repository.pulls())) == (Status.PROPOSED, 1)


async def test_two_daemons_share_one_pull_request_and_hear_of_what_people_do(life, tmp_path):
    other = copy.copy(life)
    other.folder = tmp_path / "other"
    other.folder.mkdir()
    async with other.opened() as other.generation:
        first, second = await life.land(), await other.land()
        assert (first.status, second.status, second.link) == (Status.PROPOSED, Status.PROPOSED, first.link)
        life.push("1.2.0")
        ends = await asyncio.gather(life.land(), other.land())
        assert {end.status for end in ends} == {Status.PROPOSED}
        assert (the_pull(life)["state"], life.written(BRANCH), len(life.commits(f"main..{BRANCH}"))) == ("open", "1.2.0", 1)
        life.repository.change(1, state="closed")
        for daemon in (other, life):
            end = await daemon.land()
            assert (end.status, end.code) == (Status.HELD, "proposal-closed")
        assert len(life.repository.pulls()) == 1


async def test_a_person_who_edits_the_file_above_the_value_is_built_upon(life):
    await life.land()
    old = heads(life)
    life.repository.commit({FILE: b"# a comment\n" + life.file(FILE).encode()})
    assert (await life.land()).status is Status.PROPOSED
    assert life.file(FILE, BRANCH).startswith("# a comment\n")
    assert (the_pull(life)["number"], heads(life) != old) == (1, True)


async def test_a_forge_token_without_the_scope_is_told_after_the_push_and_a_better_one_opens_what_was_pushed(life):
    forge_token = life.folder / "forge-token"
    forge_token.write_text(life.gitea.bot.new_token("read:repository", "read:issue"))
    life.show(life.gitea.bot.token, f', forge: {{kind: gitea, token: "file:{forge_token}"}}')
    life.generation = None
    for _ in range(2):
        end = await life.land()
        assert (end.status, end.code) == (Status.FAILED, "forge-denied"), end
        assert "write:" in end.detail
        assert "write:issue" in end.hint
    head = heads(life)
    assert (head is not None, life.repository.pulls()) == (True, [])
    forge_token.write_text(life.gitea.bot.new_token("write:repository", "write:issue"))
    assert (await life.land()).status is Status.PROPOSED
    assert the_pull(life)["head"]["sha"] == head == heads(life)


async def test_a_token_that_is_revoked_in_the_life_of_a_pull_request_is_told_and_a_new_one_goes_on(life):
    await life.land()
    life.token.write_text("0" * 40)
    life.push("1.2.0")
    head = heads(life)
    end = await life.land()
    assert (end.status, end.code, heads(life)) == (Status.FAILED, "git-denied", head), end
    life.token.write_text(life.gitea.bot.new_token("write:repository", "write:issue"))
    assert (await life.land()).status is Status.PROPOSED
    assert (life.written(BRANCH), the_pull(life)["state"]) == ("1.2.0", "open")
