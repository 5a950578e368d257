"""Listings whose pages a server makes shorter than asked for, and answers that are kept between two questions."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.forge import FakePull
from updater.errors import ForgeError
from updater.forge.address import ForgeKind, forge_address
from updater.forge.base import ProposalText
from updater.forge.gitea_index import changed_at
from updater.forge.kinds import KindFinder
from updater.forge.late import LateForge
from updater.http.client import HttpClient
from updater.http.exchange import Connection

only_gitea = pytest.mark.parametrize("server", ["gitea"], indirect=True)
only_github = pytest.mark.parametrize("server", ["github"], indirect=True)


@only_gitea
@pytest.mark.parametrize("cap", [1, 7, 30])
async def test_pages_that_the_server_caps_are_read_to_the_last(server, forge, cap):
    server.page_cap = cap
    server.pulls = [FakePull(number, "t", "b", "updater/main", "main") for number in range(1, 18)]
    assert len(await forge.list_open()) == 17
    asked = [line for line in server.asked if line.startswith("GET")]
    assert len(asked) == -(-17 // cap)


@only_gitea
@pytest.mark.parametrize("base", ["main", "release/1"])
@pytest.mark.parametrize("slashes", ["", "decoded", "refused"])
async def test_a_no_is_found_behind_a_proxy_that_does_not_pass_slashes_on(server, forge, base, slashes):
    server.slashes = slashes
    server.pulls = [FakePull(1, "t", "b", "updater/app", base, state="closed")]
    assert [item.number for item in await forge.find("updater/app", base)] == [1]


@only_gitea
@pytest.mark.parametrize(("count", "cap"), [(300, 50), (90, 30)])
async def test_a_label_is_not_made_twice_however_many_there_are(server, forge, count, cap):
    server.page_cap = cap
    await forge.open(ProposalText(title="t", body="b"), branch="updater/main", base="main")
    server.labels = [f"label-{number}" for number in range(count)]
    await forge.add_labels(1, [f"label-{count - 1}"])
    assert (len(server.labels), server.pulls[0].labels) == (count, [f"label-{count - 1}"])


@only_gitea
async def test_with_more_labels_than_are_read_none_is_made(server, forge):
    server.page_cap = 1
    await forge.open(ProposalText(title="t", body="b"), branch="updater/main", base="main")
    server.labels = [f"label-{number}" for number in range(60)]
    with pytest.raises(ForgeError) as caught:
        await forge.add_labels(1, ["label-59"])
    assert (caught.value.code, len(server.labels)) == ("forge-lacks", 60)


@only_github
async def test_what_did_not_change_is_kept_longer_than_what_was_asked_for_before_it(server, forge):
    await forge.open(ProposalText(title="t", body="b"), branch="updater/main", base="main")
    await forge.get(1)
    await forge.list_open()
    await forge.get(1)
    assert forge._api._kept.urls[-1].endswith("/pulls/1")
    assert server.asked[-1].endswith(" 304")


@only_github
async def test_the_tokens_of_answers_on_their_way_stay_secret_when_one_is_renewed(forge):
    for number in range(6):
        forge._api._secrets = (f"token-{number}", *forge._api._secrets)[:4]
    await forge.list_open()
    assert "token-4" not in str(forge._api.odd("the answer says token-4"))


@pytest.mark.parametrize(("text", "is_told"), [("2026-01-01T00:00:00Z", True), ("2026-01-01T00:00:00", False), ("soon", False)])
def test_a_change_without_a_zone_has_no_time(text, is_told):
    assert (changed_at({"updated_at": text}) is not None) is is_told


async def test_a_host_that_two_repositories_ask_for_at_once_is_probed_once():
    class Slow(KindFinder):
        calls = 0

        async def _ask(self, address, connection):
            self.calls += 1
            await asyncio.sleep(0)
            return ForgeKind.GITEA

    async with HttpClient() as http:
        finder, address = Slow(http), forge_address("https://git.example.invalid/o/fleet.git")
        assert set(await asyncio.gather(*(finder.kind(address, Connection()) for _ in range(5)))) == {ForgeKind.GITEA}
    assert finder.calls == 1


async def test_a_forge_that_is_asked_twice_at_once_is_found_once():
    class Found:
        async def get(self, number):
            return number

    found = []

    async def find():
        found.append(None)
        await asyncio.sleep(0)
        return Found()

    late = LateForge(find)
    assert await asyncio.gather(late.get(1), late.get(2)) == [1, 2]
    assert len(found) == 1
