"""Updates that wait for others go together, are not put off by a refused push, and by others that are written meanwhile."""

from __future__ import annotations

from dataclasses import replace

from tests.engine.making import BRANCH, chosen, reading, subscription, view
from updater.engine.decide import decide
from updater.engine.gating import Gatekeeper, WaitingMemory
from updater.model.gates import GateRules
from updater.model.outcome import Status


class Case:
    """One destination with subscriptions that wait five minutes for others; one of them does not."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.memory = WaitingMemory()
        self.keeper = Gatekeeper(clock=lambda: self.now, memory=self.memory)

    def gated(self, *keys: str, tag: str = "1.1.0") -> dict[str, Status]:
        items = [replace(subscription(key), gates=GateRules() if key == "free" else GateRules(coalesce=300.0)) for key in keys]
        places = {(key, 0): (reading(path=f"{key}.yaml"),) for key in keys}
        seen = replace(view(), readings=places)
        choices = {(key, readings[0].written): chosen(tag) for (key, _), readings in places.items()}
        decided = self.keeper.gated(seen, decide(seen, items, choices))
        return {decision.subscription.key: decision.places[0].status for decision in decided}


def test_what_came_later_goes_with_the_oldest_that_waits():
    case = Case()
    assert case.gated("app") == {"app": Status.HELD}
    case.now += 290
    assert case.gated("app", "web") == {"app": Status.HELD, "web": Status.HELD}
    case.now += 10
    assert case.gated("app", "web") == {"app": Status.UPDATED, "web": Status.UPDATED}


def test_a_push_that_is_refused_makes_nothing_wait_again():
    case = Case()
    case.gated("app")
    case.now += 300
    assert case.gated("app") == {"app": Status.UPDATED}
    case.now += 1
    assert case.gated("app") == {"app": Status.UPDATED}
    case.memory.written(BRANCH)
    assert case.gated("app", tag="1.2.0") == {"app": Status.HELD}


def test_what_others_write_meanwhile_puts_nobody_off():
    case = Case()
    case.gated("app")
    case.now += 200
    assert case.gated("app", "free") == {"app": Status.HELD, "free": Status.UPDATED}
    case.memory.written(BRANCH)
    case.now += 100
    assert case.gated("app") == {"app": Status.UPDATED}


def test_what_is_not_wanted_any_more_does_not_count_as_waiting():
    case = Case()
    case.gated("app")
    case.now += 200
    assert case.gated("app", tag="1.0.0") == {"app": Status.UNCHANGED}
    case.now += 200
    assert case.gated("app") == {"app": Status.HELD}


def test_a_clock_that_is_set_back_lets_nobody_wait_longer_than_the_delay():
    case = Case()
    case.gated("app")
    case.now -= 100_000
    assert case.gated("app") == {"app": Status.HELD}
    case.now += 300
    assert case.gated("app") == {"app": Status.UPDATED}
