"""W4: a semver policy on 10,000 tags against a loop that only parses the same strings by one compiled regex.

Prints the medians of interleaved rounds and their ratios: the first selection, the next one after one new tag,
and the next one on a listing that did not change. Run by hand: ``python benchmarks/w4_semver_policy.py [tags]``.
"""

from __future__ import annotations

import random
import re
import statistics
import sys
import time

from updater.model.candidate import Candidate
from updater.model.subscription import PolicySpec
from updater.policies import build, build_filter
from updater.policies.choose import RankingMemory, SelectionRequest, choose, drive
from updater.policies.versions import _parts

ROUNDS = 21
SEMVER = re.compile(
    r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


def tags(count: int) -> list[str]:
    """Make tags as registries of busy projects hold them: releases, candidates, variants, branches and commits."""
    dice = random.Random(4)
    made: dict[str, None] = {}
    while len(made) < count:
        number = f"{dice.choice(['', 'v'])}{dice.randint(0, 30)}.{dice.randint(0, 60)}.{dice.randint(0, 60)}"
        kind = dice.random()
        if kind < 0.15:
            number += dice.choice(["-rc.1", "-rc.2", "-beta.1", "-alpine", "-alpine3.19", "-debian-12-r4"])
        elif kind < 0.20:
            number = f"{dice.choice(['main', 'sha', 'pr'])}-{dice.randint(0, 10**7)}"
        made[number] = None
    return sorted(made)


def only_parse(listed: list[str]) -> None:
    for tag in listed:
        match = SEMVER.fullmatch(tag)
        if match:
            match.groups()


def timed(work) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


def measure(count: int, range_: str, current: str | None) -> None:
    policy, name_filter = build(PolicySpec("semver", {"range": range_})), build_filter()
    listed = tags(count)
    before = {tag: Candidate(tag=tag) for tag in listed}
    after = {tag: before.get(tag) or Candidate(tag=tag) for tag in sorted([*listed, "29.61.0"])}

    def select(candidates: dict[str, Candidate], memory: RankingMemory) -> None:
        drive(
            choose(SelectionRequest(candidates=candidates, policy=policy, name_filter=name_filter, current=current), memory),
            lambda _: None,
        )

    rows: dict[str, list[float]] = {"regex": [], "first": [], "one new tag": [], "no change": []}
    for _ in range(ROUNDS):
        _parts.cache_clear()
        memory = RankingMemory()
        rows["regex"].append(timed(lambda: only_parse(listed)))
        rows["first"].append(timed(lambda: select(before, memory)))  # noqa: B023 - called in this round
        rows["one new tag"].append(timed(lambda: select(after, memory)))  # noqa: B023
        rows["no change"].append(timed(lambda: select(after, memory)))  # noqa: B023
    medians = {name: statistics.median(values) for name, values in rows.items()}
    print(f"W4  {count} tags, range {range_}, current {current}")
    print(f"    regex only   {medians['regex']:8.2f} ms")
    print(f"    first        {medians['first']:8.2f} ms   {medians['first'] / medians['regex']:.2f}x of regex only (goal <= 3x)")
    for name in ("one new tag", "no change"):
        print(f"    {name:<12} {medians[name]:8.2f} ms   {medians[name] / medians['first']:.1%} of first (goal <= 5 %)")


if __name__ == "__main__":
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for asked in (">=1.0.0", ">=1.0.0 <20 || 25.x, !=25.1.0"):
        for written in (None, "1.0.0"):
            measure(size, asked, written)
