"""What the settings of a pull request ask for, on a real Gitea: labels, people, drafts, merges without people, limits."""

from __future__ import annotations

import asyncio

import pytest

from tests.flows.fleet import MARKED, Status
from tests.real.daemon_process import until
from tests.real.gitea_flows import FILE

pytestmark = [pytest.mark.real, pytest.mark.gitea, pytest.mark.xdist_group("gitea")]
BRANCH = "updater/main/app"


@pytest.fixture
def opened(on_gitea):
    """Open a fleet whose image app is proposed as *more* says."""

    def make(more):
        on_gitea.propose(more=more)
        on_gitea.push("1.1.0")
        return on_gitea.opened()

    return make


async def test_labels_reviewers_and_assignees_are_set_when_it_is_opened_and_left_to_people_then(on_gitea, opened):
    asked = "labels: [dependencies, 'env/prod'], reviewers: [owner], assignees: [bot]"
    async with opened(asked) as on_gitea.generation:
        assert (await on_gitea.land()).status is Status.PROPOSED
        pull = on_gitea.repository.pull(1)
        assert {label["name"] for label in pull["labels"]} == {"dependencies", "env/prod"}
        assert [user["login"] for user in pull["requested_reviewers"]] == ["owner"]
        assert [user["login"] for user in pull["assignees"]] == ["bot"]
        on_gitea.repository.api("DELETE", f"issues/1/labels/{pull['labels'][0]['id']}")
        on_gitea.push("1.2.0")
        assert (await on_gitea.land()).status is Status.PROPOSED
        assert len(on_gitea.repository.pull(1)["labels"]) == 1


async def test_people_whom_gitea_does_not_know_are_told_and_the_pull_request_stands(on_gitea, opened):
    async with opened("reviewers: [nobody-there], assignees: [neither], labels: [kept]") as on_gitea.generation:
        end = await on_gitea.land()
        assert end.status is Status.PROPOSED, end
        assert "nobody-there" in end.detail
        pull = on_gitea.repository.pull(1)
        assert ([label["name"] for label in pull["labels"]], pull["state"]) == (["kept"], "open")
        before = on_gitea.repository.pull(1)["updated_at"]
        assert (await on_gitea.land()).status is Status.PROPOSED
        assert on_gitea.repository.pull(1)["updated_at"] == before


async def test_a_draft_is_opened_stays_one_and_is_not_merged(on_gitea, opened):
    async with opened("draft: true, auto_merge: always") as on_gitea.generation:
        end = await on_gitea.land()
        on_gitea.push("1.2.0")
        end = await on_gitea.land()
        end = await on_gitea.land()
        pull = on_gitea.repository.pull(1)
        assert (end.status, pull["draft"], pull["merged"], "1.2.0" in pull["title"]) == (Status.PROPOSED, True, False, True)
        on_gitea.repository.change(1, title=pull["title"].removeprefix("WIP: "))
        assert await merged_by(on_gitea)


async def merged_by(on_gitea):
    """Land until the pull request is merged, while Gitea makes up its mind whether there is a conflict."""
    for _ in range(20):
        end = await on_gitea.land()
        if on_gitea.repository.pull(1)["merged"]:
            return end
        await asyncio.sleep(0.2)
    return None


async def test_without_rules_it_is_merged_by_the_landing_after_the_one_that_opened_it(on_gitea, opened):
    async with opened("auto_merge: minor") as on_gitea.generation:
        end = await on_gitea.land()
        assert (end.status, on_gitea.repository.pull(1)["merged"]) == (Status.PROPOSED, False)
        assert await merged_by(on_gitea)
        assert (on_gitea.written(), on_gitea.repository.head(BRANCH)) == ("1.1.0", None)
        assert (await on_gitea.land()).status is Status.UNCHANGED
        on_gitea.push("2.0.0")
        for _ in range(2):
            end = await on_gitea.land()
        assert (end.status, on_gitea.written()) == (Status.PROPOSED, "1.1.0")
        assert "larger than auto_merge: minor" in end.detail


async def test_with_a_check_that_is_asked_for_gitea_merges_it_when_the_check_succeeds(on_gitea, opened):
    rule = {"rule_name": "main", "enable_push": True, "enable_status_check": True, "status_check_contexts": ["ci"]}
    on_gitea.repository.api("POST", "branch_protections", rule)
    async with opened("auto_merge: always") as on_gitea.generation:
        for _ in range(2):
            end = await on_gitea.land()
        assert (end.status, on_gitea.repository.pull(1)["merged"]) == (Status.PROPOSED, False)
        on_gitea.repository.report(on_gitea.repository.head(BRANCH), "failure")
        assert (await on_gitea.land()).status is Status.PROPOSED
        assert on_gitea.repository.pull(1)["merged"] is False
        on_gitea.push("1.2.0")
        for _ in range(2):
            end = await on_gitea.land()
        on_gitea.repository.report(on_gitea.repository.head(BRANCH), "success")
        assert await merged_by(on_gitea) or on_gitea.repository.pull(1)["merged"]
        assert on_gitea.written() == "1.2.0"
        end = await on_gitea.land()
        assert (end.status, on_gitea.repository.head(BRANCH)) == (Status.UNCHANGED, None)


async def test_a_reviewer_who_asks_for_changes_stops_the_merge(on_gitea, opened):
    async with opened("auto_merge: always") as on_gitea.generation:
        await on_gitea.land()
        on_gitea.repository.api("POST", "pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "wait"})
        until(lambda: on_gitea.repository.pull(1)["mergeable"] is not None)
        for _ in range(3):
            end = await on_gitea.land()
        assert (end.status, on_gitea.repository.pull(1)["merged"]) == (Status.PROPOSED, False)
        assert "a reviewer asks for changes" in end.detail


async def test_a_limit_holds_what_is_over_it_until_one_is_merged(on_gitea, opened):
    files = {"apps/web.yaml": MARKED.format(host=on_gitea.registry.host).replace("o/app", "o/web").replace("ns:app", "ns:web")}
    on_gitea.repository.commit({path: text.encode() for path, text in files.items()})
    on_gitea.propose("web", "limit: 1")
    on_gitea.push("1.1.0", "web")
    async with opened("limit: 1") as on_gitea.generation:
        ends = [await on_gitea.land(key) for key in ("app", "web")]
        assert len(on_gitea.repository.pulls("open")) == 1
        assert sorted(str(end.status) for end in ends) == ["held", "proposed"]
        assert next(end for end in ends if end.status is Status.HELD).code == "proposal-limit"
        on_gitea.repository.merge(1)
        ends = [await on_gitea.land(key) for key in ("app", "web", "app", "web")]
        assert [pull["state"] for pull in on_gitea.repository.pulls()] == ["closed", "open"]


async def test_a_group_shares_one_pull_request_and_a_template_names_branch_and_title(on_gitea, opened):
    files = {"apps/web.yaml": MARKED.format(host=on_gitea.registry.host).replace("o/app", "o/web").replace("ns:app", "ns:web")}
    on_gitea.repository.commit({path: text.encode() for path, text in files.items()})
    shared = "per: group, group: shop, branch: 'bot/{{.Group}}', title: 'Shop: {{len .Images}} images'"
    on_gitea.propose("web", shared)
    on_gitea.push("1.1.0", "web")
    async with opened(shared) as on_gitea.generation:
        end = await on_gitea.land()
        assert end.status is Status.PROPOSED, end
        (pull,) = on_gitea.repository.pulls()
        assert (end.status, pull["head"]["ref"], pull["title"]) == (Status.PROPOSED, "bot/shop", "Shop: 2 images")
        assert "1.1.0" in on_gitea.file(FILE, "bot/shop")
        assert "1.1.0" in on_gitea.file("apps/web.yaml", "bot/shop")


async def test_what_another_branch_proposes_by_now_is_closed_with_a_word_why(on_gitea, opened):
    async with opened("") as on_gitea.generation:
        assert (await on_gitea.land()).status is Status.PROPOSED
    on_gitea.subscriptions.clear()
    async with opened("per: group, group: shop") as on_gitea.generation:
        for _ in range(2):
            end = await on_gitea.land()
    pulls = [(pull["head"]["label"], pull["state"]) for pull in on_gitea.repository.pulls()]
    assert (end.status, pulls) == (Status.PROPOSED, [(BRANCH, "closed"), ("updater/main/shop", "open")])
    assert on_gitea.repository.head(BRANCH) is None
    assert "updater/main/shop" in on_gitea.repository.comments(1)[-1]
