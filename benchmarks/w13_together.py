"""W13: five images are pushed at one moment, again and again, while `updater run` follows its intervals: commits and requests.

Run it by hand: `python benchmarks/w13_together.py [--passes 120] [--interval 1] [--images 5]`. A pass takes one interval in
the mean, and about a second in which the daemon collects and writes: 120 passes at 1 s take four minutes, at 30 s a whole
hour. The longer interval has the wider jitter. Goals: one commit and at most 6 Git requests in 99 % of passes.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from stage import ROOT, BareRepository, GitServer, configuration, median, registry

PATIENCE = 30.0  # seconds beside two intervals
SETTLED = 0.2  # seconds after the last value is written, in which a commit too many would still come


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passes", type=int, default=120)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--images", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="w13-"))
    try:
        with registry() as served:
            bench(folder, served, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bench(folder: Path, served, options) -> None:
    host = served.host
    names = [f"i{number}" for number in range(options.images)]
    for name in names:
        served.push(f"bench/{name}", "1.0.0")
    files = {f"{name}.yaml": f'image: {host}/bench/{name}:1.0.0 # {{"$imagepolicy": "ns:{name}"}}\n'.encode() for name in names}
    repository = BareRepository.make(folder / "repos" / "fleet.git", files)
    with GitServer(folder / "repos") as server:
        config = configuration(folder, host, "".join(subscription(name, host, server) for name in names))
        config.write_text(f"interval: {options.interval:g}s\n" + config.read_text())
        command = [sys.executable, "-m", "updater", "run", "-c", str(config)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            push(served, names, "1.1.0")
            land(repository, names, "1.1.0", process, PATIENCE + 2 * options.interval)
            made = passes(served, repository, server, (names, process), options)
        finally:
            process.terminate()
            process.wait(20)
    commits, requests, seconds = zip(*made, strict=True)
    good = sum(count == 1 and asked <= 6 for count, asked, _ in made)
    print(f"W13 {len(names)} images pushed together, {len(made)} times, interval {options.interval:g} s")
    print(f"    commits a pass {dict(sorted(Counter(commits).items()))}")
    print(f"    Git requests a pass {dict(sorted(Counter(requests).items()))}")
    print(f"    one commit and <= 6 requests in {100 * good / len(made):.1f} % of passes (goal >= 99)")
    print(f"    median {median(seconds):.2f} s from push to commit")


def subscription(name: str, host: str, server) -> str:
    return f"""\
  - key: {name}
    image: {host}/bench/{name}
    policy: {{semver: {{range: "1.x"}}}}
    targets:
      - git: {{url: "{server.url("fleet.git")}", branch: main}}
        marker: ns:{name}
"""


def push(served, names, tag: str) -> None:
    """Push at one moment, also on a machine that is busy: it might stop this thread between two pushes."""
    served.push_together([f"bench/{name}" for name in names], tag)


def land(repository, names, tag: str, process, patience: float) -> None:
    """Wait until every image is written."""
    limit = time.monotonic() + patience
    while not all(f":{tag} ".encode() in repository.show(f"{name}.yaml") for name in names):
        if time.monotonic() > limit or process.poll() is not None:
            raise SystemExit(f"{tag} never landed")
        time.sleep(0.02)


def passes(served, repository, server, parts, options) -> list[tuple[int, int, float]]:
    """Do pass after pass, and show every twentieth: whoever waits sees that it goes on, and how long each takes."""
    made, started = [], time.monotonic()
    for number in range(1, options.passes + 1):
        made.append(one_pass(number, served, repository, server, parts, options))
        if number % 20 == 0:
            print(f"    {number} passes in {time.monotonic() - started:.0f} s", flush=True)
    return made


def one_pass(number: int, served, repository, server, parts, options) -> tuple[int, int, float]:
    """Push at a random moment of the interval; a quiet look before the landing, or just after it, counts as a request too."""
    names, process = parts
    time.sleep(options.interval * random.random())
    commits = int(repository.git("rev-list", "--count", "main"))
    requests = server.count()
    started, tag = time.perf_counter(), f"1.2.{number}"
    push(served, names, tag)
    land(repository, names, tag, process, PATIENCE + 2 * options.interval)
    seconds = time.perf_counter() - started
    time.sleep(SETTLED)
    return int(repository.git("rev-list", "--count", "main")) - commits, server.count() - requests, seconds


if __name__ == "__main__":
    main()
