"""`updater history` says by which pull request a commit came, from the forge: after a merge, and while it is open."""

from __future__ import annotations

import json

import pytest

from tests.flows.test_commands import updater
from tests.flows.test_proposal_life import KINDS
from tests.flows.test_proposals import proposing


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


async def history(life, *more):
    code, output, errors = await updater("history", *more, "-c", life.fleet.configure())
    assert code == 0, errors
    return output, errors


async def test_each_commit_has_the_link_of_its_pull_request_and_one_from_before_has_none(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        text = life.fleet.subscriptions[-1]
        life.fleet.subscriptions[-1] = text.replace(", proposal: {per: destination}", "")
        life.push("1.0.1")
        await life.land()
        life.fleet.subscriptions[-1] = text
        links = []
        for number, tags in enumerate((("1.1.0", "1.2.0"), ("1.3.0",)), 1):
            for tag in tags:
                life.push(tag)
                links.append((await life.land()).link)
            if number == 1:
                life.forge.merge(1)
        rows = json.loads((await history(life, "-o", "json"))[0])
        told = {change["new"]: row["link"] for row in rows for change in row["changes"]}
        assert told == {"1.3.0": links[2], "1.2.0": links[1], "1.0.1": None} | ({"1.1.0": links[0]} if "1.1.0" in told else {})
        output, _ = await history(life)
        assert output.splitlines()[0].endswith(f"  {links[2]}")


async def test_without_an_answer_of_the_forge_the_rest_is_told_all_the_same(tmp_path):
    async with proposing(tmp_path, "github", "lost") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.refuses["GET"] = (401, {"message": "Bad credentials"}, {})
        output, errors = await history(life, "-o", "json")
        assert [row["link"] for row in json.loads(output)] == [None]
        assert "pull requests are not shown: " in errors
