"""Which bad releases are taken back, also when a configuration ends while that is found out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
import structlog

from updater.delivery.memory import ReleaseMemory
from updater.delivery.reversal import Reversals
from updater.delivery.state import bad
from updater.model.image import parse_ref
from updater.model.release import ClusterContext, DeliveryOptions, OnBad, Release, ReleaseVerdict, RevertOrder, Workload
from updater.model.report import DestinationLanded, LandingEnd, ReleaseJudged
from updater.model.subscription import GitBranch
from updater.model.written import Written

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROLLOUT = Workload("Rollout", "shop", "shop")


class Releases:
    """Plays the follower: every subscription runs in a Rollout whose stable ReplicaSet has to be asked for."""

    def options_of(self, _key):
        return DeliveryOptions(workload=ROLLOUT, on_bad=OnBad.REVERT)

    def states_of(self, _release):
        return [(ROLLOUT, bad(reason="degraded", stable="abc"))]


class SilentCluster:
    """Plays a cluster that does not answer."""

    def __init__(self):
        self.is_asked = asyncio.Event()

    async def list(self, _kind, _scope):
        self.is_asked.set()
        await asyncio.Event().wait()


def judged(key):
    release = Release(subscription=key, revision=key * 40, image=parse_ref("ghcr.io/o/shop:1.1.0"), began=BEGAN)
    return ReleaseJudged(
        release=release,
        workload=ROLLOUT,
        verdict=ReleaseVerdict.BAD,
        reason="degraded",
        seconds=1.0,
        is_certain=True,
        at=BEGAN,
    )


async def test_every_bad_release_that_waits_when_a_configuration_ends_is_judged_again():
    memory, cluster = ReleaseMemory(judged={"a": "a" * 40, "b": "b" * 40, "c": "c" * 40}), SilentCluster()
    reversals = Reversals(Releases(), memory, wake=lambda _key: None, log=structlog.get_logger())
    reversals.hear(judged("a"))
    reversals.hear(judged("b"))
    running = asyncio.create_task(reversals.run(lambda _key: cluster))
    await cluster.is_asked.wait()
    running.cancel()
    await asyncio.wait([running])
    assert memory.judged == {"c": "c" * 40}


class StagedReleases(Releases):
    """Those of keys that begin with staging run in another cluster."""

    def options_of(self, key):
        cluster = ClusterContext(context="staging") if key.startswith("staging") else None
        return DeliveryOptions(workload=ROLLOUT, on_bad=OnBad.REVERT, cluster=cluster)


class StableCluster:
    """Plays a cluster that keeps the pods before."""

    async def list(self, _kind, _scope):
        return [{"spec": {"template": {"spec": {"containers": [{"image": "ghcr.io/o/shop:1.0.0"}]}}}}]


async def test_a_cluster_that_does_not_answer_keeps_no_release_of_another_one_from_being_taken_back():
    memory, woken = ReleaseMemory(), asyncio.Queue()
    clusters = {"staging": SilentCluster(), "prod": StableCluster()}
    reversals = Reversals(StagedReleases(), memory, wake=woken.put_nowait, log=structlog.get_logger())
    running = asyncio.create_task(reversals.run(clusters.__getitem__))
    reversals.hear(judged("staging"))
    await clusters["staging"].is_asked.wait()
    reversals.hear(judged("prod"))
    async with asyncio.timeout(30):
        assert await woken.get() == "prod"
    assert memory.orders.keys() == {"prod"}
    assert memory.orders["prod"].good == parse_ref("ghcr.io/o/shop:1.0.0")
    assert reversals.is_pending("staging")
    running.cancel()
    await asyncio.wait([running])


BAD, GOOD = "sha256:" + "a" * 64, "sha256:" + "b" * 64
SHOP = "ghcr.io/o/shop"


@pytest.mark.parametrize(
    ("image", "stands"),
    [
        (f"{SHOP}@{BAD}", Written(digest=BAD)),
        (f"{SHOP}:1.1.0@{BAD}", Written(digest=BAD)),
        (f"{SHOP}:1.1.0@{BAD}", Written(tag="1.1.0")),
        (f"{SHOP}:1.1.0", Written(tag="1.1.0", digest=BAD)),
        (f"{SHOP}:1.1.0", Written(digest=BAD)),
    ],
)
def test_an_order_stands_as_long_as_the_bad_value_does(image, stands):
    memory = ReleaseMemory(orders={"shop": order_for(image)})
    landing(memory, Written(digest=GOOD), stands)
    assert "shop" in memory.orders


@pytest.mark.parametrize(
    ("image", "instead"),
    [
        (f"{SHOP}@{BAD}", Written(digest=GOOD)),
        (f"{SHOP}@{BAD}", Written(tag="1.0.0")),
        (f"{SHOP}:1.1.0@{BAD}", Written(digest=GOOD)),
        (f"{SHOP}:1.1.0@{BAD}", Written(tag="1.1.0", digest=GOOD)),
        (f"{SHOP}:1.1.0", Written(tag="1.0.0", digest=BAD)),
        (f"{SHOP}@{BAD}", Written()),
    ],
)
def test_an_order_ends_when_another_value_stands_also_where_values_are_digests_alone(image, instead):
    memory = ReleaseMemory(orders={"shop": order_for(image)})
    landing(memory, instead)
    assert memory.orders == {}


def order_for(image):
    return RevertOrder(revision="c" * 40, bad=parse_ref(image), good=parse_ref(f"{SHOP}:1.0.0@{GOOD}"), reason="degraded")


def landing(memory, *written):
    reversals = Reversals(Releases(), memory, wake=lambda _key: None, log=structlog.get_logger())
    branch = GitBranch(url="https://git.example.org/fleet.git", branch="main")
    reversals.landed(
        DestinationLanded(destination=branch, outcomes=(), end=LandingEnd.QUIET, notes=(), written={"shop": written}, at=BEGAN)
    )
