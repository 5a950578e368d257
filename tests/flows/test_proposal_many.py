"""What many pull requests of one repository ask of its forge and of its Git server, counted."""

from __future__ import annotations

import re

import pytest

from tests.flows.fleet import Status
from tests.flows.test_proposals import proposing

MANY = 40
LISTINGS = re.compile(r"GET (pulls|merge_requests|pullrequests|pull-requests|refs/branches)( 304)?")
#: what a round takes: on Bitbucket Cloud the heads of branches and the default reviewers besides; long texts are more pages
ROUND = {"bitbucket": 3}
MOST_PAGES = {"github": 2, "bitbucket": 2}
LINE = 'image: {host}/o/app:1.0.0  # {{"$imagepolicy": "ns:a{number}"}}\n'


def subscriptions(life, count=MANY):
    """Let each of *count* files have a pull request of its own."""
    (text,) = life.fleet.subscriptions
    host = life.fleet.registry.host
    files = {f"apps/a{number}.yaml": LINE.format(host=host, number=number).encode() for number in range(count)}
    life.fleet.repository.commit(files)
    life.fleet.subscriptions = [
        text.replace("key: app", f"key: a{number}").replace("ns:app", f"ns:a{number}") for number in range(count)
    ]


async def passed(life):
    """Make a pass by a new process; return the statuses, what the forge was asked, and how often Git was asked for files."""
    life.forge.asked.clear()
    async with life.fleet.opened() as generation:
        landings = await generation.once(generation.loaded.snapshot.subscriptions, is_dry=False)
        figures = generation._process.render_metrics().decode()
    fetched = re.search(r'^updater_git_requests_total\{kind="fetch"\} ([0-9.]+)', figures, re.MULTILINE)
    statuses = {outcome.status for landing in landings for outcome in landing.outcomes}
    return statuses, list(life.forge.asked), float(fetched[1]) if fetched else 0.0


@pytest.fixture(params=["github", "gitea", "gitlab", "bitbucket", "bitbucket-server", "azure"])
def kind(request):
    return request.param


async def test_many_pull_requests_are_listed_once_and_only_what_changed_is_asked_for(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        subscriptions(life)
        life.push("1.1.0")
        statuses, asked, fetched = await passed(life)
        assert (statuses, len(life.forge.pulls)) == ({Status.PROPOSED}, MANY)
        assert (len([line for line in asked if line.startswith("POST")]), fetched) == (MANY, 1.0)
        assert len(asked) <= ROUND.get(kind, 1) + 2 * MANY

        statuses, asked, fetched = await passed(life)
        pages = [line for line in asked if LISTINGS.fullmatch(line)]
        assert (statuses, asked) == ({Status.PROPOSED}, pages)
        assert (len(pages) <= MOST_PAGES.get(kind, 1), fetched <= 1.0) == (True, True)

        life.push("1.2.0")
        statuses, asked, fetched = await passed(life)
        assert (statuses, fetched <= 1.0) == ({Status.PROPOSED}, True)
        assert len(asked) <= len(pages) + 2 * MANY
        assert all("1.2.0" in pull.body for pull in life.forge.pulls)
