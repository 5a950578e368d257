"""Promises of leading while people edit the record of it."""

from __future__ import annotations

import pytest

from tests.kube.test_lease import candidate, client, holder, said, server, time  # noqa: F401 - fixtures
from updater.kube.kinds import LEASE


async def take_out(server):  # noqa: F811 - the fixtures' names
    spec = server.read(LEASE, "updater", "apps")["spec"]
    await server.put(LEASE, "updater", "apps", spec={**spec, "holderIdentity": ""})


async def delete(server):  # noqa: F811
    await server.remove(LEASE, "updater", "apps")


@pytest.mark.parametrize("person", [delete, take_out])
async def test_who_waits_does_not_lead_while_the_one_who_led_may_still_be_sure(server, time, candidate, said, person):  # noqa: F811
    first, second = candidate("a", every=9.0), candidate("b", every=0.5)
    async with first.running(), second.running():
        await time.forward(9)  # the one who waits has seen a renewal
        await person(server)
        for _ in range(60):
            await time.forward(0.5)
            assert not (first.part.is_leader and second.part.is_leader)
        assert first.part.is_leader or second.part.is_leader


async def test_a_deleted_lease_is_made_anew_by_who_held_it(server, time, candidate, said):  # noqa: F811
    async with candidate("a", every=4.0).running(), candidate("b", every=0.5).running():
        await time.forward(2)
        await delete(server)
        await time.forward(20)
        assert (said, holder(server)) == (["a leads"], "a")
