"""W1: a repository of 10,000 files, 300 marker lines, 50 policies: first landing, a move of 5 images, quiet.

Run it by hand: `python benchmarks/w1_monorepo.py [--files 10000] [--rounds 3]`. The reference does the same work by the
git command line in the same run: shallow clone, grep, edit, commit, push; then pull, edit, commit, push. Our own
start-up (an `once` over one unchanged image in a one-file repository) is subtracted. A daemon is measured beside it, because
moves and quiet looks are its life. Goals: first at most 2.5x, a move at most 0.6x, quiet at most 2 requests and 20 ms of
CPU, memory at most 100 MB, a move is 1 commit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from stage import (
    COMPILED,
    BareRepository,
    GitServer,
    configuration,
    folder_and_registry,
    median,
    run_git,
    start_up,
    subscriptions,
    updater,
)

if TYPE_CHECKING:
    from pathlib import Path

POLICIES = 50
FOLDERS = 200


def files(count: int, host: str, tags: list[str]) -> dict[str, bytes]:
    """Deployments of 2.8 KB like people's; 300 of their lines carry a marker."""
    made = {}
    marked = 0
    for number in range(count):
        lines = [
            f"# service {number}",
            "apiVersion: apps/v1",
            "kind: Deployment",
            "metadata:",
            f"  name: service-{number}",
            "spec:",
        ]
        if number % (count // 300) == 0 and marked < 300:
            policy = marked % POLICIES
            lines.append(f'  image: {host}/bench/i{policy}:{tags[policy]} # {{"$imagepolicy": "ns:i{policy}"}}')
            marked += 1
        lines += [f"  key{line}: value {number * line}  # a comment that a person wrote" for line in range(12)]
        made[f"apps/team{number % FOLDERS}/service{number}.yaml"] = ("\n".join(lines) + "\n").encode()
    return made


def by_git(url: str, checkout: Path, host: str, wanted: dict[int, str], *, is_first: bool) -> float:
    """The same landing by the git command line; return seconds."""
    started = time.perf_counter()
    if is_first:
        run_git("clone", "-q", "--depth=1", url, checkout)
    else:
        run_git("pull", "-q", "--depth=1", "--rebase", cwd=checkout)
    names = run_git("grep", "-l", "--fixed-strings", '"$imagepolicy"', cwd=checkout).split()
    for name in names:
        path = checkout / name
        before = path.read_text()
        after = before
        for number, tag in wanted.items():
            after = re.sub(rf"{re.escape(host)}/bench/i{number}:[^ ]+", f"{host}/bench/i{number}:{tag}", after)
        if after != before:
            path.write_text(after)
    run_git("commit", "-q", "-a", "-m", "Update images", cwd=checkout)
    run_git("push", "-q", cwd=checkout)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--passes", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.passes:
        asyncio.run(passes(options.passes))
        return
    with folder_and_registry("w1") as (folder, served):
        bench(folder, served, options)


class Daemon:
    """A process that makes a pass of the daemon for each line it reads, and says what the pass cost."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--passes", config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **COMPILED},
        )

    def once(self) -> dict[str, float]:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)


async def passes(config: str) -> None:
    """Scan and land for each line of standard input; the landing of a quiet pass is the look at Git and the decisions."""
    from updater.cli.collector import settle
    from updater.daemon.one_shot import opened

    settle()  # as the program does

    async with opened([config]) as generation:
        subscriptions = generation.subscriptions
        for _ in iter(sys.stdin.readline, ""):
            wall = time.perf_counter()
            await generation.once(subscriptions, is_dry=False)
            wall = time.perf_counter() - wall
            cpu = time.process_time()
            await generation.land(subscriptions[0].targets[0].destination)
            print(json.dumps({"wall": wall, "quiet": time.process_time() - cpu}), flush=True)


def bench(folder: Path, served, options) -> None:
    host, rounds = served.host, options.rounds
    for number in range(POLICIES):
        served.push(f"bench/i{number}", "1.0.0")
    base = median([ran.wall for ran in start_up(folder, host, rounds)])
    figures: dict[str, list[float]] = defaultdict(list)
    for turn in range(rounds):
        tags = ["0.9.0"] * POLICIES
        for name in ("ours", "theirs"):
            BareRepository.make(folder / "repos" / f"{name}{turn}.git", files(options.files, host, tags))
        with GitServer(folder / "repos") as server:
            one_round(folder, served, server, turn, base, figures)
    show(figures, base, options)


def one_round(folder: Path, served, server, turn: int, base: float, figures) -> None:
    host, url, theirs = served.host, server.url(f"ours{turn}.git"), server.url(f"theirs{turn}.git")
    config, checkout = configuration(folder, host, subscriptions(POLICIES, host, url), f"state{turn}"), folder / f"checkout{turn}"
    first = updater("once", "-c", config)
    newest = {number: max(served.shelf(f"bench/i{number}").tags, key=_version) for number in range(POLICIES)}
    figures["first"].append(first.wall - base)
    figures["git first"].append(by_git(theirs, checkout, host, newest, is_first=True))
    moved = release(served, 3 * turn + 1)
    before = BareRepository(folder / "repos" / f"ours{turn}.git").git("rev-list", "--count", "main")
    move = updater("once", "-c", config)
    after = BareRepository(folder / "repos" / f"ours{turn}.git").git("rev-list", "--count", "main")
    figures["commits"].append(int(after) - int(before))
    figures["move"].append(move.wall - base)
    figures["git move"].append(by_git(theirs, checkout, host, moved, is_first=False))
    daemon = Daemon(config)
    daemon.once()
    moved = release(served, 3 * turn + 2)
    figures["daemon move"].append(daemon.once()["wall"])
    figures["git move"].append(by_git(theirs, checkout, host, moved, is_first=False))
    seen = server.count()
    figures["quiet"].append(daemon.once()["quiet"])
    figures["requests"].append((server.count() - seen) / 2)
    daemon.end()
    figures["rss"].append(max(first.rss, move.rss))


def release(served, number: int) -> dict[int, str]:
    """Push a new tag of five images."""
    moved = dict.fromkeys(range(5), f"1.{number}.0")
    for image, tag in moved.items():
        served.push(f"bench/i{image}", tag)
    return moved


def _version(tag: str) -> tuple[int, ...]:
    return tuple(map(int, tag.split(".")))


def show(figures, base: float, options) -> None:
    middle = {name: median(values) for name, values in figures.items()}
    first, move, daemon = middle["first"], middle["move"], middle["daemon move"]
    print(f"W1  {options.files} files, 300 marker lines, {POLICIES} policies, medians of {options.rounds}")
    print(f"    start-up {base:.2f} s is subtracted from `once`")
    print(
        f"    first           {first:.2f} s, git {middle['git first']:.2f} s: {first / middle['git first']:.2f}x (goal <= 2.5x)"
    )
    print(f"    move by once    {move:.2f} s, git {middle['git move']:.2f} s: {move / middle['git move']:.2f}x (goal <= 0.6x)")
    print(f"    move by daemon  {daemon:.2f} s, with the scan of {POLICIES} images: {daemon / middle['git move']:.2f}x")
    print(f"    a move is {middle['commits']:.0f} commit (goal 1)")
    print(
        f"    quiet look      {middle['requests']:.0f} Git request (goal <= 2), {1000 * middle['quiet']:.1f} ms CPU (goal <= 20)"
    )
    print(f"    memory          {middle['rss']:.0f} MB (goal <= 100)")


if __name__ == "__main__":
    main()
