"""W1: a repository of 10,000 files, 300 marker lines, 50 policies: first landing, a move of 5 images, quiet.

Run it by hand: `python benchmarks/w1_monorepo.py [--files 10000] [--rounds 3]`. The reference does the same work by the
git command line in the same run: shallow clone, grep, edit, commit, push; then pull, edit, commit, push. Our own
start-up (an `once` over one unchanged image in a one-file repository) is subtracted. Goals: first at most 2.5x, a move at
most 0.6x, quiet at most 2 requests and 20 ms of CPU, memory at most 100 MB, a move is 1 commit.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from pathlib import Path

from stage import BareRepository, GitServer, configuration, median, registry, run_git, start_up, updater

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


def subscriptions(host: str, url: str) -> str:
    return "".join(
        f"""\
  - key: i{number}
    image: {host}/bench/i{number}
    policy: {{semver: {{range: ">=1.0.0"}}}}
    targets:
      - git: {{url: "{url}"}}
        marker: ns:i{number}
"""
        for number in range(POLICIES)
    )


def by_git(url: str, checkout: Path, host: str, wanted: dict[int, str], *, is_first: bool) -> float:
    """The same landing by the git command line; gives seconds."""
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
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="w1-"))
    try:
        with registry() as served:
            bench(folder, served, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bench(folder: Path, served, options) -> None:
    host, rounds = served.host, options.rounds
    for number in range(POLICIES):
        served.push(f"bench/i{number}", "1.0.0")
    base = start_up(folder, host, rounds)
    base_wall, base_cpu = median([ran.wall for ran in base]), median([ran.cpu for ran in base])
    figures = {
        "first": [],
        "git first": [],
        "move": [],
        "git move": [],
        "quiet cpu": [],
        "quiet requests": [],
        "rss": [],
        "commits": [],
    }
    for turn in range(rounds):
        tags = ["0.9.0"] * POLICIES
        ours = BareRepository.make(folder / "repos" / f"ours{turn}.git", files(options.files, host, tags))
        theirs = BareRepository.make(folder / "repos" / f"theirs{turn}.git", files(options.files, host, tags))
        with GitServer(folder / "repos") as server:
            url = server.url(f"ours{turn}.git")
            config = configuration(folder, host, subscriptions(host, url), f"state{turn}")
            first = updater("once", "-c", config)
            figures["first"].append(first.wall - base_wall)
            newest = {
                number: max(served.shelf(f"bench/i{number}").tags, key=lambda t: tuple(map(int, t.split("."))))
                for number in range(POLICIES)
            }
            checkout = folder / f"checkout{turn}"
            figures["git first"].append(by_git(server.url(f"theirs{turn}.git"), checkout, host, newest, is_first=True))
            moved = {number: f"1.{turn + 1}.0" for number in range(5)}
            for number, tag in moved.items():
                served.push(f"bench/i{number}", tag)
            before = int(ours.git("rev-list", "--count", "main"))
            move = updater("once", "-c", config)
            figures["move"].append(move.wall - base_wall)
            figures["commits"].append(int(ours.git("rev-list", "--count", "main")) - before)
            figures["git move"].append(by_git(server.url(f"theirs{turn}.git"), checkout, host, moved, is_first=False))
            seen = server.count()
            quiet = updater("once", "-c", config)
            figures["quiet requests"].append(server.count() - seen)
            figures["quiet cpu"].append(quiet.cpu - base_cpu)
            figures["rss"].append(max(first.rss, move.rss, quiet.rss))
        del theirs
    show(figures, base_wall, options)


def show(figures, base_wall, options) -> None:
    first, git_first = median(figures["first"]), median(figures["git first"])
    move, git_move = median(figures["move"]), median(figures["git move"])
    print(
        f"W1  {options.files} files, 300 marker lines, {POLICIES} policies, medians of {options.rounds}; start-up {base_wall:.2f} s subtracted"
    )
    print(f"    first  {first:.2f} s, git {git_first:.2f} s: {first / git_first:.2f}x (goal <= 2.5x)")
    print(
        f"    move   {move:.2f} s, git {git_move:.2f} s: {move / git_move:.2f}x (goal <= 0.6x), {median(figures['commits'])} commit (goal 1)"
    )
    print(
        f"    quiet  {median(figures['quiet requests'])} Git requests (goal <= 2), {1000 * median(figures['quiet cpu']):.0f} ms CPU over start-up (goal <= 20)"
    )
    print(f"    memory {median(figures['rss']):.0f} MB (goal <= 100)")


if __name__ == "__main__":
    main()
