"""Promises of leading: one at a time, said at once when it ends, handed over when it stops."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.fakes.kube import FakeKube, refuse, when
from updater.errors import KubeDenied, KubeUnavailable
from updater.http.client import Clock, HttpClient
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.kinds import LEASE
from updater.kube.lease import LeaderElector, LeaseDurations


class SteppedTime:
    """A clock that a test moves; who sleeps is woken when it is due. `loops` is how many do so in turn."""

    def __init__(self):
        self.now = 1000.0
        self.loops = 0
        self._sleepers: list[tuple[float, asyncio.Future]] = []

    async def sleep(self, seconds):
        waiting = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, waiting))
        await waiting

    async def settle(self):
        """Wait until every loop sleeps."""
        async with asyncio.timeout(10):
            while sum(not waiting.done() for _, waiting in self._sleepers) < self.loops:  # noqa: ASYNC110 - a state, not an event
                await asyncio.sleep(0.001)

    async def forward(self, seconds):
        """Let time pass in small steps, and what is due be done."""
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            for due in [item for item in self._sleepers if item[0] <= self.now]:
                self._sleepers.remove(due)
                if not due[1].done():
                    due[1].set_result(None)
            await self.settle()

    def surroundings(self):
        return Clock(clock=lambda: self.now, wall=lambda: self.now, sleep=self.sleep, random=lambda: 0.5)


@pytest.fixture
async def time():
    return SteppedTime()


@pytest.fixture
async def server():
    async with FakeKube() as server:
        server.install(LEASE)
        yield server


@pytest.fixture
async def client(server, tmp_path):
    async with HttpClient(patience=type(PATIENCE)(attempts=1)) as http:
        yield KubeClient(server.access(tmp_path), http)


class Candidate:
    def __init__(self, client, time, name, said, *, address="", **term):
        self.time = time
        self.reports: list = []
        self.part = LeaderElector(
            client,
            ("apps", "updater"),
            identity=name,
            gained=lambda: said.append(f"{name} leads"),
            lost=lambda: said.append(f"{name} ends"),
            report=self.reports.append,
            term=LeaseDurations(**term),
            surroundings=time.surroundings(),
            address=address,
        )

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.part.run())
        self.time.loops += 1
        await self.time.settle()
        try:
            yield task
        finally:
            self.time.loops -= 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def said():
    return []


@pytest.fixture
def candidate(client, time, said):
    return lambda name, **term: Candidate(client, time, name, said, **term)


def holder(server):
    lease = server.read(LEASE, "updater", "apps")
    return lease["spec"].get("holderIdentity") if lease else None


async def test_who_comes_first_leads_and_renews(server, time, candidate, said):
    first = candidate("a")
    async with first.running():
        assert (said, holder(server), first.part.leader) == (["a leads"], "a", "a")
        spec = server.read(LEASE, "updater", "apps")["spec"]
        assert spec["leaseDurationSeconds"] == 15
        assert spec["renewTime"] == spec["acquireTime"] == "1970-01-01T00:16:40.000000Z"
        await time.forward(60)
        assert first.part.is_leader
        assert server.read(LEASE, "updater", "apps")["spec"]["renewTime"] > spec["renewTime"]
    assert said == ["a leads", "a ends"]


async def test_who_stops_hands_over_without_a_wait(server, time, candidate, said):
    second = candidate("b")
    async with candidate("a").running():
        waiting = second.running()
        await waiting.__aenter__()
        await time.forward(5)
        assert (second.part.leader, second.part.is_leader) == ("a", False)
    assert holder(server) == ""
    await time.forward(3)
    assert said == ["a leads", "a ends", "b leads"]
    await waiting.__aexit__(None, None, None)


async def test_who_dies_is_followed_after_its_duration_by_our_own_clock(server, time, candidate, said):
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": "2999-01-01T00:00:00.000000Z"}
    await server.put(LEASE, "updater", "apps", spec={**spec, "leaseTransitions": 4})
    async with candidate("b").running():
        await time.forward(14)
        assert said == []
        await time.forward(4)
        assert said == ["b leads"]
        assert server.read(LEASE, "updater", "apps")["spec"]["leaseTransitions"] == 5


async def test_who_cannot_renew_stops_before_anybody_else_may_start(server, time, candidate, said):
    first = candidate("a")
    async with first.running():
        await time.forward(4)
        server.faults.append(when(lambda _: refuse(500, "etcd is away")))
        await time.forward(7)
        assert said == ["a leads"]
        await time.forward(4)
        assert said == ["a leads", "a ends"]
        assert isinstance(first.reports[0], KubeUnavailable)
        server.faults.clear()
        await time.forward(3)
        assert said == ["a leads", "a ends", "a leads"]


async def test_a_request_that_hangs_does_not_outlast_what_is_sure(server, time, candidate, said):
    async def hang(_request):
        await asyncio.sleep(5)

    first = candidate("a", duration=2, sure=0.2, every=0.1)
    async with first.running():
        assert first.part.is_leader
        server.faults.append(when(hang))
        time.now += 0.1
        await time.forward(0.5)
        assert not first.part.is_leader
        assert said == ["a leads", "a ends"]


async def test_a_process_that_slept_knows_that_it_no_longer_leads(time, candidate):
    first = candidate("a")
    async with first.running():
        assert first.part.is_leader
        time.now += 11
        assert not first.part.is_leader, "although nobody told it yet"


async def test_who_finds_another_holder_stops_at_once(server, time, candidate, said):
    async with candidate("a").running():
        spec = server.read(LEASE, "updater", "apps")["spec"]
        await server.put(LEASE, "updater", "apps", spec={**spec, "holderIdentity": "thief"})
        await time.forward(5)
        assert said == ["a leads", "a ends"]
    assert holder(server) == "thief", "what is not ours is not given back"


async def test_a_lease_that_people_touched_or_deleted_is_kept_or_made_anew(server, time, candidate, said):
    async with candidate("a").running():
        spec = server.read(LEASE, "updater", "apps")["spec"]
        await server.put(LEASE, "updater", "apps", spec=spec, metadata={"labels": {"a": "b"}})
        await time.forward(5)
        await server.remove(LEASE, "updater", "apps")
        await time.forward(6)
        assert (said, holder(server)) == (["a leads"], "a")


async def test_of_two_that_try_at_one_time_one_leads(server, time, candidate, said):
    first, second = candidate("a"), candidate("b")
    async with first.running(), second.running():
        await time.forward(10)
        assert len(said) == 1
        assert [first.part.is_leader, second.part.is_leader].count(True) == 1


async def test_one_that_may_not_write_says_so_and_goes_on(server, time, candidate, said):
    server.faults.append(when(lambda _: refuse(403, "not allowed"), method="POST"))
    first = candidate("a")
    async with first.running():
        assert isinstance(first.reports[0], KubeDenied)
        server.faults.clear()
        await time.forward(3)
        assert said == ["a leads"]


async def test_a_release_that_fails_is_no_error(server, time, candidate, said):
    async with candidate("a").running():
        server.faults.append(when(lambda _: refuse(500, "away")))
    assert said == ["a leads", "a ends"]
    assert holder(server) == "a"


async def test_a_record_of_nonsense_is_waited_out(server, time, candidate, said):
    await server.put(
        LEASE, "updater", "apps", spec={"holderIdentity": "x", "leaseDurationSeconds": "y", "leaseTransitions": None}
    )
    async with candidate("a").running():
        await time.forward(18)
        assert said == ["a leads"]


async def test_a_login_that_does_not_hold_for_a_moment_is_reported_and_survived(client, time, candidate, said):
    """A certificate whose key is renewed after it is no pair for a moment; nobody must be without a leader for that."""
    right, tries = client.access.login, iter([True, True])

    async def renewed():
        if next(tries, False):
            raise KubeDenied("the key does not fit the certificate", code="kube-login", hint="wait")
        return await right()

    client.access.login = renewed
    async with candidate("a").running():
        await time.forward(18)
        assert said[-1] == "a leads"


async def test_who_leads_says_where_it_is_reached_and_who_follows_without_an_address_takes_that_away(server, candidate):
    first, second = candidate("one", address="http://10.0.0.5:8090"), candidate("two")
    async with second.running() as task:
        task.cancel()
    async with first.running():
        assert first.part.leader_address == ""
        async with second.running():
            assert second.part.leader_address == "http://10.0.0.5:8090"
    async with second.running():
        assert second.part.leader == "two"
    assert not server.read(LEASE, "updater", "apps")["metadata"].get("annotations")


@pytest.mark.parametrize(
    "address", ["http://evil.example:80", "https://10.0.0.5:80", "http://10.0.0.5:80/path", "http://10.0.0.5:80@evil:1", "", None]
)
async def test_an_address_that_is_none_of_a_pod_is_no_address(server, candidate, address):
    first, second = candidate("one", address=address or ""), candidate("two")
    async with first.running(), second.running():
        assert second.part.leader_address == ""
