"""What a forge is asked while few requests remain: what is new, on each forge, and nothing for what only waits."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from tests.fakes.forge import TOKEN
from tests.flows.fleet import Status
from tests.flows.test_proposal_life import APP, KINDS, reloaded
from tests.flows.test_proposals import proposing
from updater.http.exchange import Response

FEW = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "50", "X-RateLimit-Reset": "3000"}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


async def test_what_is_new_is_proposed_though_the_configuration_was_just_loaded_again(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept", "{}") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.headers = FEW
        await life.land()
        async with reloaded(life, life.generation) as life.generation:
            life.push("1.2.0")
            end = await life.land()
            assert (end.status, life.written(APP), len(life.forge.pulls)) == (Status.PROPOSED, "1.2.0", 1)
            asked = len(life.forge.asked)
            assert (await life.land()).status is Status.PROPOSED
            assert len(life.forge.asked) == asked


async def test_what_is_new_is_proposed_to_a_repository_that_was_never_listed(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept", "{limit: 1}") as life:
        told = Response(status=200, url="", body=b"", fields=CIMultiDictProxy(CIMultiDict(FEW)))
        host = life.forge.api.removeprefix("http://").partition("/")[0]
        life.generation._process.forge_budget.note(host, TOKEN, told)  # by another repository of this account
        life.forge.headers = FEW
        life.push("1.1.0")
        assert (await life.land()).status is Status.PROPOSED
        assert len(life.forge.opened()) == 1


@pytest.mark.parametrize("by_itself", [True, False])
async def test_what_waits_to_be_merged_is_asked_for_no_more_until_the_limit_begins_again(tmp_path, kind, by_itself):
    async with proposing(tmp_path, kind, "kept", "{auto_merge: always}") as life:
        life.forge.rules.auto_merge, life.forge.rules.approvals = by_itself, 1
        life.push("1.1.0")
        life.forge.headers = FEW
        for _ in range(3):
            await life.land()
        asked = len(life.forge.asked)
        end = await life.land()
        assert (end.status, life.forge.asked[asked:]) == (Status.PROPOSED, [])
