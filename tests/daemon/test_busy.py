"""Who waits while a rollout is in progress, and for how long where nobody can tell."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import structlog

from tests.delivery.objects import ROLLOUT, merged
from tests.delivery.test_finding import APPLICATION, Cluster, application
from tests.delivery.test_following import BRANCH
from tests.delivery.test_watch import FILE, SEARCHED, SHOP_FOUND
from tests.fakes.eventually import until
from updater.daemon import busy
from updater.daemon.busy import UNKNOWN_BUSY, BusyRollouts
from updater.daemon.generation import landing_context
from updater.delivery.finding import MOST_FOUND
from updater.delivery.following import ReleaseFollower
from updater.engine.gating import Gatekeeper
from updater.model.release import ClusterContext, DeliveryOptions, Workload
from updater.model.report import InventoryChanged

IN_PROGRESS = merged(ROLLOUT, {"status": {"phase": "Paused", "stableRS": "old"}})
CANARY = Workload("Rollout", "shop", "shop")


NAMED = DeliveryOptions(agent=APPLICATION)


class Gate:
    """The gate with a cluster and a clock of its own; `woken` lists who was let land."""

    def __init__(self, *objects, awaited=(), delivery=NAMED):
        self.now, self.woken = 1000.0, []
        item = replace(SHOP_FOUND, delivery=delivery)
        self.follower = ReleaseFollower([item], publish=lambda _report: None)
        self.has(*objects, awaited=awaited)
        process = SimpleNamespace(log=structlog.get_logger())
        acts = {"is_pending": lambda _key: False, "wake": self.woken.append}
        self.busy = BusyRollouts(self.follower, process, clock=lambda: self.now, **acts)

    def has(self, *objects, awaited=()):
        cluster = Cluster(*objects, awaited=awaited)
        cluster.is_known = lambda kind, _namespace: kind not in awaited
        self.follower.known = cluster


def test_a_rollout_that_is_found_is_waited_for_and_wakes_when_it_ends():
    gate = Gate(application(CANARY), IN_PROGRESS)
    assert gate.busy.of("shop") == "Rollout shop/shop is in progress"
    gate.busy.freed({"shop"})
    assert gate.woken == []
    gate.has(application(CANARY), ROLLOUT)
    gate.busy.freed({"shop"})
    gate.busy.freed({"shop"})
    assert gate.woken == ["shop"]


def test_what_is_in_progress_in_another_cluster_holds_only_who_is_followed_there():
    staging = ClusterContext(context="staging")
    for cluster, is_busy in ((None, False), (staging, True)):
        gate = Gate(application(CANARY), ROLLOUT, delivery=replace(NAMED, cluster=cluster))
        elsewhere = Cluster(application(CANARY), IN_PROGRESS)
        elsewhere.is_known = lambda _kind, _namespace: True
        gate.follower.index.put_known(staging, elsewhere)
        assert bool(gate.busy.of("shop")) is is_busy


def test_what_is_not_known_yet_is_waited_for_and_the_reason_says_how_long():
    gate = Gate(awaited={"Application"})
    assert gate.busy.of("shop")
    gate.now += UNKNOWN_BUSY - 10
    assert gate.busy.of("shop") == "it is not known yet whether a rollout of it is in progress, for 10 s at most"
    gate.now += 10
    assert gate.busy.of("shop") == ""


async def test_a_cluster_that_never_answers_holds_nothing_for_ever(monkeypatch):
    monkeypatch.setattr(busy, "_LOOKED_EVERY", 0.0)
    gate = Gate(awaited={"Application"})
    assert gate.busy.of("shop")
    ending = asyncio.create_task(gate.busy.end())
    gate.now += UNKNOWN_BUSY
    await until(lambda: gate.woken)
    ending.cancel()
    await asyncio.wait([ending])
    assert gate.woken == ["shop"]


def test_what_is_awaited_again_long_after_the_start_is_waited_for_as_long_as_at_the_start():
    gate = Gate(awaited={"Application"})
    assert gate.busy.of("shop")
    gate.now += UNKNOWN_BUSY
    gate.busy.freed(None)
    gate.has(application(CANARY), IN_PROGRESS)
    gate.busy.freed(None)
    gate.now += UNKNOWN_BUSY
    gate.has(application(CANARY), IN_PROGRESS, awaited={"Rollout"})
    gate.busy.freed(None)
    assert gate.busy.of("shop") == "it is not known yet whether a rollout of it is in progress, for 300 s at most"
    assert gate.woken == ["shop"]


def test_a_subscription_that_is_first_asked_about_long_after_the_start_waits_for_what_is_not_known():
    gate = Gate(awaited={"Rollout"})
    gate.now += 10 * UNKNOWN_BUSY
    assert gate.busy.of("shop")


def test_a_look_that_changes_nothing_lets_nothing_land_later():
    gate = Gate(application(CANARY), IN_PROGRESS)
    assert gate.busy.seen("shop") == "Rollout shop/shop is in progress"
    gate.has(application(CANARY), ROLLOUT)
    gate.busy.freed(None)
    assert gate.woken == []


def test_a_dry_landing_asks_without_waiting_and_another_one_waits():
    for is_dry, woken in ((True, []), (False, ["shop"])):
        gate = Gate(application(CANARY), IN_PROGRESS)
        delivery = SimpleNamespace(busy=gate.busy, order_of=None, settle=None, offers=SimpleNamespace(offer=None))
        components = SimpleNamespace(writer=None, scans=SimpleNamespace(choose=None))
        generation = SimpleNamespace(
            gates=Gatekeeper(), schedule=SimpleNamespace(settle=print), delivery=delivery, components=components
        )
        process = SimpleNamespace(metrics=None, wall=lambda: 0.0)
        gates = landing_context(generation, process, BRANCH, is_dry=is_dry).gates
        assert gates.busy("shop") == "Rollout shop/shop is in progress"
        gate.has(application(CANARY), ROLLOUT)
        gate.busy.freed(None)
        assert gate.woken == woken


def test_who_waits_for_nothing_any_more_is_woken_once():
    gate = Gate(application(CANARY), IN_PROGRESS)
    assert gate.busy.of("shop")
    item = replace(SHOP_FOUND, delivery=DeliveryOptions(workload=Workload("Deployment", "shop", "shop")))
    gate.follower.hear(InventoryChanged(subscriptions=(item,), destinations=frozenset(), sources=(), at=datetime.now(UTC)))
    for _ in range(3):
        gate.busy.freed(None)
    assert gate.woken == ["shop"]


def lose(gate):
    gate.follower.known.is_known = lambda kind, _namespace: kind != "Rollout"
    gate.busy.freed(None)


def test_a_kind_that_was_never_seen_and_cannot_be_watched_holds_nothing_back():
    gate = Gate(application(CANARY))
    lose(gate)
    assert gate.busy.of("shop") == ""


def test_a_rollout_that_was_not_in_progress_when_its_watch_was_lost_holds_nothing_back():
    gate = Gate(application(CANARY), ROLLOUT)
    lose(gate)
    assert gate.busy.of("shop") == ""


def test_a_watch_that_is_lost_in_the_middle_of_a_canary_frees_nobody_for_five_minutes():
    gate = Gate(application(CANARY), IN_PROGRESS)
    assert gate.busy.of("shop") == "Rollout shop/shop is in progress"
    lose(gate)
    assert gate.woken == []
    said = "it is not known at the moment whether Rollout shop/shop is still in progress, for 300 s at most"
    assert gate.busy.of("shop") == said
    gate.now += UNKNOWN_BUSY
    gate.busy.freed(None)
    assert gate.woken == ["shop"]


def test_a_canary_that_ended_while_its_watch_was_lost_frees_who_waited():
    gate = Gate(application(CANARY), IN_PROGRESS)
    assert gate.busy.of("shop")
    lose(gate)
    gate.has(application(CANARY), ROLLOUT)
    gate.busy.freed(None)
    assert gate.woken == ["shop"]


@pytest.mark.parametrize("count", [MOST_FOUND - 1, MOST_FOUND])
def test_applications_that_others_add_open_the_gate_of_nobody_for_five_minutes(count):
    theirs = [merged(application(CANARY), {"metadata": {"namespace": "aaa", "name": f"n{number}"}}) for number in range(count)]
    gate = Gate(application(CANARY), IN_PROGRESS, delivery=SEARCHED)
    gate.follower.index.put_paths("shop", BRANCH, (FILE.path,))
    assert gate.busy.of("shop") == "Rollout shop/shop is in progress"
    gate.has(application(CANARY), IN_PROGRESS, *theirs)
    gate.busy.freed(None)
    assert gate.woken == []
    if count < MOST_FOUND:
        assert gate.busy.of("shop") == "Rollout shop/shop is in progress"
        return
    assert gate.busy.of("shop").endswith("(delivery.application or delivery.kustomization), for 300 s at most")
    gate.now += UNKNOWN_BUSY
    gate.busy.freed(None)
    assert gate.woken == ["shop"]


def test_applications_that_others_add_again_open_the_gate_of_nobody_at_once():
    theirs = [
        merged(application(CANARY), {"metadata": {"namespace": "aaa", "name": f"n{number}"}}) for number in range(MOST_FOUND)
    ]
    gate = Gate(application(CANARY), IN_PROGRESS, delivery=SEARCHED)
    gate.follower.index.put_paths("shop", BRANCH, (FILE.path,))

    def seen(*others):
        gate.has(application(CANARY), IN_PROGRESS, *others)
        gate.busy.freed({"shop"})

    seen(*theirs)
    assert gate.busy.of("shop")
    gate.now += UNKNOWN_BUSY
    seen(*theirs)
    assert gate.woken == ["shop"]
    seen()
    seen(*theirs)
    assert gate.busy.of("shop").endswith("for 300 s at most")


def test_a_subscription_that_is_not_followed_waits_for_nothing():
    gate = Gate(application(CANARY), IN_PROGRESS)
    assert gate.busy.of("other") == ""
