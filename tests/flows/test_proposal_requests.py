"""What a pull request asks of each forge, counted: as the table of docs/reference/forges.md says, for plain and full settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.flows.fleet import Status
from tests.flows.test_proposal_life import KINDS
from tests.flows.test_proposal_many import subscriptions
from tests.flows.test_proposals import proposing

SEVERAL = 3
FULL = "{labels: [shop, images], reviewers: [anna, bert], assignees: [bert], draft: true}"
PAGE = Path("docs/reference/forges.md").read_text()
ORDER = ["github", "gitlab", "gitea", "bitbucket", "bitbucket-server", "azure"]
#: what is asked once a round, for all pull requests of a repository
ROUND = {"refs/branches", "effective-default-reviewers", "branch-restrictions"}
WHOSE = ("/user", "application-properties", "connectionData")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def figures(name, kind):
    """Return what the table says: requests for each, and those that are asked once in the life of the process."""
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| {name} |"))
    cells = [cell.strip() for cell in line.strip("|").split("|")[1:]]
    found = re.match(r"(?P<each>[0-9]+)(?:, and (?P<once>[0-9]+) once)?", dict(zip(ORDER, cells, strict=True))[kind])
    return int(found["each"]), int(found["once"] or 0)


def listen(forge):
    """Return what *forge* is asked from now on for pull requests one by one: what is asked once a round is left out."""
    asked, answer, told = [], forge.dialect.answer, set()

    def listening(request, path, data):
        is_listing = {"open", "opened", "OPEN", "active"} & {*request.query.values()} and "q" not in request.query
        is_whose = path.endswith(WHOSE) or "updaterAccount" in str(data)  # by the first question, of all pull requests
        if is_whose and path not in told:
            told.add(path)
        elif not is_listing and path not in ROUND:
            asked.append(f"{request.method} {path}")
        return answer(request, path, data)

    forge.dialect.answer = listening
    return asked


async def passed(life, generation, asked, tag):
    """Let *tag* come, and make a pass; return how many requests that took for all pull requests together."""
    life.push(tag)
    asked.clear()
    landings = await generation.once(generation.loaded.snapshot.subscriptions, is_dry=False)
    assert {outcome.status for landing in landings for outcome in landing.outcomes} == {Status.PROPOSED}
    return len(asked)


@pytest.mark.parametrize(("more", "name"), [("{}", "requests to open"), (FULL, "with all settings")], ids=["plain", "full"])
async def test_opening_and_changing_takes_as_many_requests_as_the_page_says(tmp_path, kind, more, name):
    async with proposing(tmp_path, kind, "lost", more) as life:
        subscriptions(life, SEVERAL)
        async with life.fleet.opened() as generation:
            asked = listen(life.forge)
            each, once = figures(name, kind)
            assert await passed(life, generation, asked, "1.1.0") == SEVERAL * each + once, asked
            each, once = figures("requests to change", kind)
            assert await passed(life, generation, asked, "1.2.0") == SEVERAL * each, asked
    assert (len(life.forge.pulls), all("1.2.0" in pull.body for pull in life.forge.pulls)) == (SEVERAL, True)


async def test_closing_takes_as_many_requests_as_the_page_says(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        subscriptions(life, SEVERAL)
        async with life.fleet.opened() as generation:
            asked = listen(life.forge)
            await passed(life, generation, asked, "1.1.0")
            files = {f"apps/a{number}.yaml": life.fleet.file(f"apps/a{number}.yaml") for number in range(SEVERAL)}
            life.fleet.repository.commit({path: text.replace(":1.0.0", ":1.1.0").encode() for path, text in files.items()})
            asked.clear()
            await generation.once(generation.loaded.snapshot.subscriptions, is_dry=False)
            assert len(asked) == SEVERAL * figures("requests to close", kind)[0], asked
    assert {pull.state for pull in life.forge.pulls} == {"closed"}


def test_the_page_says_no_more_than_three_for_each_but_for_all_settings_of_github(kind):
    named = {name: figures(name, kind)[0] for name in ("requests to open", "requests to change", "requests to have it merged")}
    assert max(named.values()) <= 3
    assert figures("with all settings", kind)[0] <= (4 if kind == "github" else 3)


async def test_having_it_merged_takes_as_many_requests_as_the_page_says(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: always}") as life:
        life.forge.rules.approvals = 1
        subscriptions(life, SEVERAL)
        async with life.fleet.opened() as generation:
            asked = listen(life.forge)
            await passed(life, generation, asked, "1.1.0")
            for name in ("requests to have it merged", "each pass that waits for it"):
                assert await passed(life, generation, asked, "1.1.0") == SEVERAL * figures(name, kind)[0], asked
