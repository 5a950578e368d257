"""W2: 50 kustomizations of one repository of 10,000 files move at once: requests, commits, seconds over start-up.

Run it by hand: `python benchmarks/w2_kustomizations.py [--files 10000] [--rounds 3]`. Goals: at most 6 Git requests,
1 commit, at most 3 s over start-up.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stage import BareRepository, GitServer, configuration, folder_and_registry, median, start_up, subscription, updater

if TYPE_CHECKING:
    from pathlib import Path

APPS = 50


def files(count: int, host: str) -> dict[str, bytes]:
    made = {f"base/team{number % 200}/file{number}.yaml": f"key: {number}\n".encode() * 40 for number in range(count - APPS)}
    for number in range(APPS):
        made[f"apps/app{number}/kustomization.yaml"] = (
            f"resources: [../base]\nimages:\n- name: {host}/bench/i{number}\n  newTag: 1.0.0\n".encode()
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with folder_and_registry("w2") as (folder, served):
        bench(folder, served, options)


def bench(folder: Path, served, options) -> None:
    host = served.host
    for number in range(APPS):
        served.push(f"bench/i{number}", "1.0.0")
    base = median([ran.wall for ran in start_up(folder, host, options.rounds)])
    for number in range(APPS):
        served.push(f"bench/i{number}", "1.1.0")
    seconds, requests, commits = [], [], []
    for turn in range(options.rounds):
        repository = BareRepository.make(folder / "repos" / f"fleet{turn}.git", files(options.files, host))
        with GitServer(folder / "repos") as server:
            url = server.url(f"fleet{turn}.git")
            places = {f"i{number}": f"kustomize: {{path: apps/app{number}}}" for number in range(APPS)}
            text = "".join(subscription(name, host, url, place) for name, place in places.items())
            config = configuration(folder, host, text, f"state{turn}")
            seconds.append(updater("once", "-c", config).wall - base)
            requests.append(server.count())
            commits.append(int(repository.git("rev-list", "--count", "main")) - 1)
    print(f"W2  {APPS} kustomizations of {options.files} files, medians of {options.rounds}; start-up {base:.2f} s subtracted")
    print(
        f"    {median(requests)} Git requests (goal <= 6), {median(commits)} commit (goal 1), {median(seconds):.2f} s (goal <= 3)"
    )


if __name__ == "__main__":
    main()
