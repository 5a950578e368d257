"""W15: people push to the branch all the time while `updater run` lands on it: how long an image takes from registry to branch.

Run it by hand: `python benchmarks/w15_writers.py [--writers 10] [--images 20] [--interval 2]`. Each writer is a git program that
commits, pushes, and rebases until its push is taken. Goal: median at most 5 s beside 10 writers, the scan interval included.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from stage import BareRepository, GitServer, configuration, daemon, folder_and_registry, marked, median, subscription

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = 5
PATIENCE = 120.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--writers", type=int, default=10)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--interval", type=float, default=2.0)
    options = parser.parse_args()
    with folder_and_registry("w15") as (folder, served):
        bench(folder, served, options)


def bench(folder: Path, served, options) -> None:
    host, names = served.host, [f"i{number}" for number in range(IMAGES)]
    files = {f"{name}.yaml": marked(host, name) for name in names}
    repository = BareRepository.make(folder / "repos" / "fleet.git", {**files, **written(options.writers)})
    for name in names:
        served.push(f"bench/{name}", "1.0.0")
    with GitServer(folder / "repos") as server:
        config = configuration(folder, host, "".join(subscription(name, host, server.url("fleet.git")) for name in names))
        config.write_text(f"interval: {options.interval:g}s\n" + config.read_text())
        people = [Person(folder, server.url("fleet.git"), number) for number in range(options.writers)]
        with daemon(config):
            try:
                seconds = [latency(number, served, repository, names) for number in range(options.images)]
            finally:
                for person in people:
                    person.is_done = True
                for person in people:
                    person.join()
    pushed = sum(person.pushed for person in people)
    print(f"W15 {options.writers} writers, {pushed} pushes of theirs, interval {options.interval:g} s, {options.images} images")
    print(f"    from registry to branch: median {median(seconds):.1f} s (goal <= 5), longest {max(seconds):.1f} s")


def written(writers: int) -> dict[str, bytes]:
    return {f"people/{number}.txt": b"0\n" for number in range(writers)}


class Person(threading.Thread):
    """Commits to a file of their own and pushes, again and again."""

    def __init__(self, folder: Path, url: str, number: int) -> None:
        super().__init__(daemon=True)
        self.folder, self.file, self.number = folder / f"person{number}", f"people/{number}.txt", number
        self.pushed, self.is_done = 0, False
        subprocess.run(["git", "clone", "-q", url, str(self.folder)], check=True)
        self.start()

    def run(self) -> None:
        chance = random.Random(self.number)
        while not self.is_done:
            (self.folder / self.file).write_text(f"{self.pushed} {chance.random()}\n")
            self.git("commit", "-qam", "work")
            while not self.is_done and not self.git("push", "-q", "origin", "HEAD:main"):
                self.git("pull", "-q", "--rebase", "origin", "main")
            self.pushed += 1
            time.sleep(chance.uniform(0, 1.5))

    def git(self, *arguments: str) -> bool:
        command = ["git", "-c", f"user.name=p{self.number}", "-c", "user.email=p@example.org", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, check=False).returncode == 0


def latency(number: int, served, repository, names) -> float:
    """Push one image at a random moment; say how long it takes until it is on the branch."""
    time.sleep(random.uniform(1, 3))
    name, tag = names[number % len(names)], f"1.1.{number}"
    served.push(f"bench/{name}", tag)
    started = time.perf_counter()
    while f":{tag} ".encode() not in repository.show(f"{name}.yaml"):
        if time.perf_counter() - started > PATIENCE:
            return PATIENCE
        time.sleep(0.05)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
