"""A dry run reads from the forge and writes nothing, and says by which pull request something would be proposed."""

from __future__ import annotations

import pytest

from tests.flows.test_proposal_life import KINDS
from tests.flows.test_proposals import proposing
from updater.cli.report import outcome_json
from updater.daemon.one_shot import statuses


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


async def dry(life):
    """Make a dry run; return its outcome, after a look that nothing was written."""
    before = life.head(), life.written("main"), life.forge.changes(), [pull.changed for pull in life.forge.pulls]
    end = await life.land(is_dry=True)
    assert (life.head(), life.written("main"), life.forge.changes(), [pull.changed for pull in life.forge.pulls]) == before
    return end


async def test_a_dry_run_writes_nothing_and_says_which_pull_request_has_it_or_would(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        life.push("1.1.0")
        end = await dry(life)
        assert (end.code, end.detail, end.link) == ("dry-run", "would move 1.0.0 → 1.1.0, by a new pull request", None)
        link = (await life.land()).link
        end = await dry(life)
        assert (end.code, end.detail) == ("dry-run", f"would move 1.0.0 → 1.1.0, proposed already in {link}")
        assert outcome_json(end)["link"] == link
        life.push("1.2.0")
        assert (await dry(life)).detail == f"would move 1.0.0 → 1.2.0, by the pull request {link}"
        asked = len(life.forge.changes())
        (row,) = await statuses([life.fleet.configure()], [])
        assert f"by the pull request {link}" in str(row.row())
        assert len(life.forge.changes()) == asked
