"""Soak: the daemon for 20 minutes at an interval of 1 s while 10 % of all answers fail; what it holds must stay flat.

Run it by hand: `python benchmarks/soak.py [--minutes 20] [--faults 10] [--repositories 4] [--images 4] [--tags 0]`. Half of the
repositories are written by the daemon alone; people commit to the others too, and half have a branch that is rebuilt. Twice
a second a tag is pushed, so nearly every pass lands. What the daemon holds is read from its own metrics. At the end the
faults stop: every image must stand at its newest tag, each tag may have been written once, and the last quarter of the
samples may not stand above the second by more than the growth that is allowed. Memory grows with the tags of the registry.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from stage import ROOT, BareRepository, GitServer, registry, run_git

HELD = {
    # metric: growth that is allowed from the least of the second quarter to that of the last
    "process_open_fds": 15,
    "process_resident_memory_bytes": 12 * 2**20,
    "updater_threads": 4,
    "updater_tasks": 10,
    "updater_mirror_packs": 30,
}
KINDS = ("status", "drop", "refuse", "html")
PORT = 38_631


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--faults", type=float, default=10, help="per cent of answers of the Git server")
    parser.add_argument("--repositories", type=int, default=4)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--tags", type=int, default=0, help="how many tags of an image the registry keeps; 0: all")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        with registry() as served, GitServer(folder / "repos") as server:
            fleet = Fleet(folder, served, server, options)
            sys.exit(0 if soak(fleet, options) else 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Fleet:
    """Repositories with one marked file an image, and the newest tag of each image."""

    def __init__(self, folder: Path, served, server, options) -> None:
        self.folder, self.served, self.server, self.kept = folder, served, server, options.tags
        self.newest: dict[tuple[int, int], int] = {}
        self.repositories: list[BareRepository] = []
        texts = []
        for number in range(options.repositories):
            files = {f"o/{extra}.yaml": b"a: 1\n" * 20 for extra in range(100)}
            for image in range(options.images):
                served.push(f"soak/r{number}i{image}", "1.0.0")
                self.newest[number, image] = 0
                name = f"{served.host}/soak/r{number}i{image}"
                files[f"a{image}.yaml"] = f'image: {name}:1.0.0 # {{"$imagepolicy": "ns:r{number}i{image}"}}\n'.encode()
                texts.append(self._subscription(number, image, name))
            self.repositories.append(BareRepository.make(folder / "repos" / f"r{number}.git", files))
        self.config = folder / "updater.yaml"
        self.config.write_text(
            f"interval: 1s\nstate: {folder}/state\nlisten: {{metrics: '127.0.0.1:{PORT}'}}\n"
            f'registries:\n  - {{prefix: "{served.host}", url: "http://{served.host}", insecure: true}}\n'
            "git:\n  author: {name: updater, email: updater@example.org}\nsubscriptions:\n" + "".join(texts)
        )

    def _subscription(self, number: int, image: int, name: str) -> str:
        pushed = ", push: updates" if self.branch(number) == "updates" else ""
        url = self.server.url(f"r{number}.git")
        return (
            f"  - key: r{number}i{image}\n    image: {name}\n    policy: {{semver: {{range: '1.x'}}}}\n"
            f'    targets:\n      - git: {{url: "{url}", branch: main{pushed}}}\n        marker: ns:r{number}i{image}\n'
        )

    @staticmethod
    def branch(number: int) -> str:
        return "updates" if number % 4 == 2 else "main"

    def push_a_tag(self, chance: random.Random) -> None:
        number, image = place = chance.choice(list(self.newest))
        self.newest[place] += 1
        self.served.push(f"soak/r{number}i{image}", f"1.0.{self.newest[place]}")
        if self.kept and (old := self.newest[place] - self.kept) > 0:
            self.served.delete(f"soak/r{number}i{image}", f"1.0.{old}")

    def wrong(self) -> list[str]:
        """Name every image that does not stand at its newest tag, and every one whose tags were not written in order."""
        found = []
        for (number, image), newest in self.newest.items():
            repository, branch, path = self.repositories[number], self.branch(number), f"a{image}.yaml"
            text = repository.show(path, branch).decode()
            if f":1.0.{newest} " not in text:
                found.append(f"r{number}i{image}: {text.strip()[:80]}, and not 1.0.{newest}")
            log = repository.git("log", "--reverse", "-p", "-U0", "--format=", branch, "--", path)
            written = [int(tag) for tag in re.findall(r"^\+image: \S+:1\.0\.(\d+) ", log, re.MULTILINE)]
            if written != sorted(set(written)):
                found.append(f"r{number}i{image}: tags were written twice or out of order")
        return found


def soak(fleet: Fleet, options) -> bool:
    command = [sys.executable, "-m", "updater", "run", "-c", str(fleet.config)]
    with (fleet.folder / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})
    stop = threading.Event()
    troubles = threading.Thread(target=trouble, args=(fleet, options, stop), daemon=True)
    troubles.start()
    try:
        samples = watch(fleet, daemon, options)
        went_on = troubles.is_alive()  # without it nothing would land, and all would be flat
        stop.set()
        troubles.join()
        fleet.server.faults.clear()
        is_right = wait_until_right(fleet)
    finally:
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(60)
    commits = sum(int(run_git("--git-dir", item.path, "rev-list", "--count", "--all")) for item in fleet.repositories)
    bugs = (fleet.folder / "log").read_bytes().count(b'"code":"bug"')
    print(f"{len(samples)} samples, {commits} commits, {fleet.server.count()} Git requests, exit {code}, bugs {bugs}")
    return all([flat(samples), is_right, went_on, code == 0, not bugs])


def trouble(fleet: Fleet, options, stop: threading.Event) -> None:
    """Push tags, let answers fail, and let people commit to half of the repositories."""
    chance = random.Random(3)
    seen = turn = 0
    while not stop.wait(0.5):
        turn += 1
        fleet.push_a_tag(chance)
        asked, seen = fleet.server.count() - seen, fleet.server.count()
        for _ in range(sum(chance.random() < options.faults / 100 for _ in range(asked))):
            fleet.server.fail(chance.choice(KINDS), status=chance.choice((429, 500, 503)))
        if turn % 20 == 0:
            repository = fleet.repositories[chance.randrange(len(fleet.repositories)) | 1]
            with contextlib.suppress(AssertionError):  # the daemon pushed meanwhile: whoever comes next commits
                repository.commit({f"people/{turn}.yaml": b"a: 1\n"})


def watch(fleet: Fleet, daemon: subprocess.Popen, options) -> list[dict[str, float]]:
    samples: list[dict[str, float]] = []
    end = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end and daemon.poll() is None:
        time.sleep(min(10, 60 * options.minutes / 24))
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=30) as answer:
                text = answer.read().decode()
        except OSError:
            continue  # a machine that is busy answers the next time
        found = {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE) if name in HELD}
        samples.append(found)
        state = sum(file.stat().st_size for file in (fleet.folder / "state").rglob("*") if file.is_file()) / 2**20
        print(" ".join(f"{name}={value:.0f}" for name, value in sorted(found.items())), f"state={state:.1f}MB", flush=True)
    return samples


def wait_until_right(fleet: Fleet) -> bool:
    for _ in range(60):
        time.sleep(1)
        if not (wrong := fleet.wrong()):
            return True
    print("\n".join(wrong))
    return False


def flat(samples: list[dict[str, float]]) -> bool:
    """Compare the least that was held in the second quarter, when all is warm, with that of the last: a leak raises it."""
    quarter = max(1, len(samples) // 4)
    is_flat = True
    for name, most in HELD.items():
        before = min(item[name] for item in samples[quarter : 2 * quarter])
        after = min(item[name] for item in samples[-quarter:])
        is_flat &= after - before <= most
        print(f"{name}: {before:.0f}, at the end {after:.0f} (at most {before + most:.0f})")
    return is_flat


if __name__ == "__main__":
    main()
