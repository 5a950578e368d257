"""W8: start to ready with 1,000 subscriptions; `version`; `check --tags-file`; each against `python -c pass`.

Run it by hand: `python benchmarks/w8_start.py [--subscriptions 1000] [--rounds 5]`. Goals: ready within 2.5 s, `version`
at most 0.15 s and `check --tags-file` at most 0.35 s above the bare interpreter. Ready is what /readyz says.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from stage import ROOT, BareRepository, GitServer, configuration, daemon, folder_and_registry, median, run, subscriptions

sys.path.insert(0, str(ROOT))
from tests.real.parts import free_port


def child(*arguments) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    ran = run([sys.executable, *arguments])
    return ran.wall, ran.cpu


def ready(config: Path, port: int) -> tuple[float, float]:
    """Return wall and CPU seconds of the daemon until it is ready."""
    started = time.perf_counter()
    with daemon(config) as process:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return time.perf_counter() - started, cpu_of(process.pid)
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None:
                    raise SystemExit("the daemon ended") from None
            time.sleep(0.01)


def cpu_of(process: int) -> float:
    """CPU seconds of a process so far (proc(5))."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with folder_and_registry("w8") as (folder, served):
        bench(folder, served, options)


def bench(folder: Path, served, options) -> None:
    tags = folder / "tags.txt"
    tags.write_text("\n".join(f"1.{minor}.{patch}" for minor in range(10) for patch in range(10)))
    check = ["-m", "updater", "check", "example.org/app", "--policy", "semver", "--range", ">=1", "--tags-file", str(tags)]
    bare, version, checked = [], [], []
    for _ in range(options.rounds):
        bare.append(child("-c", "pass"))
        version.append(child("-m", "updater", "version"))
        checked.append(child(*check))
    for number in range(options.subscriptions):
        served.push(f"bench/i{number}", "1.0.0")
    BareRepository.make(folder / "repos" / "fleet.git", {"a.yaml": b"x: 1\n"})
    with GitServer(folder / "repos") as server:
        text = subscriptions(options.subscriptions, served.host, server.url("fleet.git"))
        port = free_port()
        config = configuration(folder, served.host, text)
        config.write_text(config.read_text().replace("listen: {metrics: null}", f'listen: {{metrics: "127.0.0.1:{port}"}}'))
        starts = [ready(config, port) for _ in range(options.rounds)]
    floor = middle(bare)
    print(f"W8  medians of {options.rounds}, wall and CPU seconds; python -c pass {floor[0]:.3f} {floor[1]:.3f}")
    for name, rows, goal in (("version", version, 0.15), ("check --tags-file", checked, 0.35)):
        wall, cpu = middle(rows)
        print(f"    {name:<19} + {wall - floor[0]:.3f} + {cpu - floor[1]:.3f} (goal <= {goal})")
    wall, cpu = middle(starts)
    print(f"    ready, {options.subscriptions} subscriptions  {wall:.2f} {cpu:.2f} (goal <= 2.5)")


def middle(rows: list[tuple[float, float]]) -> tuple[float, float]:
    return median(wall for wall, _ in rows), median(cpu for _, cpu in rows)


if __name__ == "__main__":
    main()
