"""What looking at other controllers promises: who renews a Lease works, who gave it back or died does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.fakes.still_time import StillTime
from updater.errors import KubeDenied, KubeGone, KubeUnavailable
from updater.flux.cluster.rivals import RivalControllers


class Leases:
    """Leases by name; one that is not there is gone, and an error is raised."""

    def __init__(self):
        self.specs = {}
        self.asked = []
        self.error = None

    async def get(self, ref):
        self.asked.append(ref.place)
        if self.error:
            raise self.error
        if ref.name not in self.specs:
            raise KubeGone("it is not there", hint="")
        return {"metadata": {"name": ref.name}, "spec": self.specs[ref.name]}


REFLECTOR = "image-reflector-controller-leader-election"
AUTOMATION = "image-automation-controller-leader-election"


@pytest.fixture
def time():
    return StillTime()


@pytest.fixture
def leases():
    return Leases()


def record(time, *, ago=0.0, holder="pod-1"):
    when = datetime.fromtimestamp(time.wall() - ago, UTC).isoformat().replace("+00:00", "Z")
    return {"holderIdentity": holder, "leaseDurationSeconds": 35, "renewTime": when}


def rivals(leases, time, **options):
    return RivalControllers(leases, "flux-system", surroundings=time.surroundings(), **options)


async def test_who_renews_its_lease_works_and_no_longer_than_its_duration_after_that(leases, time):
    looking, leases.specs[REFLECTOR] = rivals(leases, time), record(time, ago=20)
    assert await looking.look() == ("image-reflector-controller",)
    time.now += 30
    leases.specs[REFLECTOR] = record(time)
    assert await looking.look() == ("image-reflector-controller",)
    time.now += 34
    assert await looking.look() == ("image-reflector-controller",)
    time.now += 2
    assert await looking.look() == ()


async def test_a_lease_that_was_given_back_or_left_behind_long_ago_is_nobodys(leases, time):
    leases.specs = {REFLECTOR: record(time, holder=""), AUTOMATION: record(time, ago=86_400)}
    looking = rivals(leases, time)
    assert await looking.look() == ()
    leases.specs[AUTOMATION] = record(time, ago=86_300)
    assert await looking.look() == ("image-automation-controller",), "it was renewed, on a clock that is behind"


async def test_a_lease_that_cannot_be_read_stays_what_it_was_unless_that_is_forbidden(leases, time):
    told = []
    looking, leases.specs[REFLECTOR] = rivals(leases, time, report=told.append), record(time)
    await looking.look()
    leases.error = KubeUnavailable("down", hint="")
    assert await looking.look() == ("image-reflector-controller",)
    leases.error = KubeDenied("forbidden", hint="")
    assert await looking.look() == ()
    assert [error and error.code for error in told[-1:]] == [leases.error.code]


async def test_before_the_leases_could_be_read_once_nobody_begins(leases, time):
    get, leases.specs[REFLECTOR] = leases.get, record(time)

    async def down_at_first(ref):
        if len(leases.asked) < 5:
            leases.asked.append(ref.place)
            raise KubeUnavailable("down", hint="")
        return await get(ref)

    leases.get = down_at_first
    looking = rivals(leases, time)
    await looking.look_first()
    assert looking.working == ("image-reflector-controller",)


async def test_one_lease_that_may_not_be_read_is_told_once_however_the_other_is(leases, time):
    told, get = [], leases.get

    async def forbidden(ref):
        if ref.name == REFLECTOR:
            raise KubeDenied("forbidden", hint="")
        return await get(ref)

    leases.get = forbidden
    looking = rivals(leases, time, report=told.append)
    for _ in range(3):
        await looking.look()
    assert [error is not None for error in told] == [True, True, True], "nothing ended in between"


async def test_a_shard_looks_at_the_leases_of_its_selector(leases, time):
    await rivals(leases, time, selector="sharding.fluxcd.io/key=shard1").look()
    assert leases.asked == [f"flux-system/{REFLECTOR}-73fdc1be", f"flux-system/{AUTOMATION}-73fdc1be"]


async def test_a_change_is_told_once(leases, time):
    looking, told = rivals(leases, time), []

    class EnoughError(Exception):
        pass

    def changed():
        told.append(looking.working)
        if len(told) == 2:
            raise EnoughError

    leases.specs[REFLECTOR] = record(time)
    with pytest.raises(EnoughError):
        await looking.follow(changed)
    assert told == [("image-reflector-controller",), ()]
