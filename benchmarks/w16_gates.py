"""W16: what the gates of 5,000 subscriptions cost the event loop a minute, in CPU, at an interval of 2 minutes.

Run: python benchmarks/w16_gates.py [SUBSCRIPTIONS]. Each subscription has a branch of its own, three windows, a rate, a delay,
and 200 commits of ours in the history that was read.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from updater.engine.decide import PlaceDecision, TargetDecision
from updater.engine.gating import Gatekeeper
from updater.model.gates import ChangeRate, GateRules, UpdateWindow, WindowKind
from updater.model.image import ImageRef, parse_name
from updater.model.outcome import Status
from updater.model.subscription import GitBranch, Locator, Origin, PolicySpec, Subscription, Target
from updater.model.update import Update
from updater.model.view import Part, PartKind, PastCommit, Reading, View
from updater.model.written import Written

NOW = datetime(2026, 11, 27, 13, tzinfo=UTC)
PASSES_A_MINUTE = 0.5
RULES = GateRules(
    windows=(
        UpdateWindow(kind=WindowKind.ALLOW, schedule="0 9 * * 1-5", duration=8 * 3600, time_zone="Europe/Berlin"),
        UpdateWindow(kind=WindowKind.DENY, schedule="0 12 * * 5", duration=60 * 3600, time_zone="Europe/Berlin"),
        UpdateWindow(kind=WindowKind.DENY, schedule="0 0 24 12 *", duration=9 * 86400, time_zone="Europe/Berlin"),
    ),
    max_changes=ChangeRate(count=4, seconds=3600.0),
    coalesce=300.0,
)


def landing(number: int, *, is_moving: bool) -> tuple[View, tuple[TargetDecision, ...]]:
    """Return what a landing has in its hands when it asks the gates."""
    key = f"app-{number}"
    branch = GitBranch(url=f"https://git.test/{number}.git", branch="main")
    target = Target(destination=branch, editor="marker", locator=Locator(name=f"ns:{key}"))
    image = parse_name(f"ghcr.io/o/{key}")
    item = Subscription(
        key=key,
        image=image,
        policy=PolicySpec("semver", {}),
        targets=(target,),
        gates=RULES,
        origin=Origin(kind="file", name="updater.yaml"),
    )
    part = Part(kind=PartKind.REFERENCE, line=1, where="image", text=f"{image}:1.0.0")
    reading = Reading(
        path="a.yaml", where="image", line=1, setter="", parts=(part,), written=Written(name=str(image), tag="1.0.0")
    )
    ref = ImageRef(name=image, tag="1.1.0")
    update = Update(
        subscription=key, target=target, reading=reading, image=ref, written_as=ref, policy="semver", origin="file updater.yaml"
    )
    past = tuple(
        PastCommit(
            revision=f"{age:040d}",
            when=NOW - timedelta(hours=age),
            subject="Update",
            subscriptions=(key,),
            images=(),
            policies=(),
            changes=(f"{key} 0.{age}.0 0.{age + 1}.0",),
            places=(f"{key} 0123abcd",),
        )
        for age in range(200)
    )
    view = View(destination=branch, head="1" * 40, readings={}, problems={}, pending={}, recent=past)
    place = PlaceDecision(status=Status.UPDATED, detail="1.0.0 → 1.1.0", update=update)
    if not is_moving:
        place = PlaceDecision(status=Status.UNCHANGED, detail="1.0.0 is already the newest allowed version")
    return view, (TargetDecision(subscription=item, target=target, places=(place,)),)


def again(decisions: tuple[TargetDecision, ...]) -> tuple[TargetDecision, ...]:
    """Return equal decisions that share with *decisions* what the landings of one branch share."""
    ((decision),) = decisions
    (place,) = decision.places
    update = replace(place.update) if place.update else None
    return (replace(decision, places=(replace(place, detail="".join(list(place.detail)), update=update),)),)


def measured(count: int, *, is_moving: bool) -> float:
    """Return the milliseconds of one pass over *count* landings: the median of seven."""
    landings = [landing(number, is_moving=is_moving) for number in range(count)]
    keeper = Gatekeeper(clock=NOW.timestamp)
    times = []
    for _ in range(7):
        anew = [(view, again(decisions)) for view, decisions in landings]  # as each landing decides for itself
        begun = time.process_time()
        for view, decisions in anew:
            keeper.gated(view, decisions)
        times.append((time.process_time() - begun) * 1000)
    return statistics.median(times)


def main() -> None:
    """Print both cases."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    for words, is_moving in (("nothing to write", False), ("all held by a window", True)):
        took = measured(count, is_moving=is_moving)
        print(f"{count} subscriptions, {words}: {took:.1f} ms a pass, {took * PASSES_A_MINUTE:.1f} ms a minute")


if __name__ == "__main__":
    main()
