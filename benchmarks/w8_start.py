"""W8: start to ready with 1,000 subscriptions; `version`; `check --tags-file`; each against `python -c pass`.

Run it by hand: `python benchmarks/w8_start.py [--subscriptions 1000] [--rounds 5]`. Goals: ready within 2.5 s, `version`
at most 0.15 s and `check --tags-file` at most 0.35 s above the bare interpreter. Ready is what /readyz says.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from stage import ROOT, BareRepository, GitServer, configuration, median, registry, run

sys.path.insert(0, str(ROOT))
from tests.real.parts import free_port

ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}


def child(*arguments) -> float:
    return run([sys.executable, *arguments], environment=ENVIRONMENT).wall


def ready(config: Path, port: int) -> float:
    started = time.perf_counter()
    daemon = subprocess.Popen(
        [sys.executable, "-m", "updater", "run", "-c", config], env={**os.environ, **ENVIRONMENT}, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return time.perf_counter() - started
            except (urllib.error.URLError, ConnectionError):
                if daemon.poll() is not None:
                    raise SystemExit("the daemon ended") from None
            time.sleep(0.01)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="w8-"))
    try:
        with registry() as served:
            bench(folder, served, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
        text = "".join(
            f"""\
  - key: i{number}
    image: {served.host}/bench/i{number}
    policy: {{semver: {{range: ">=1.0.0"}}}}
    targets:
      - git: {{url: "{server.url("fleet.git")}"}}
        marker: ns:i{number}
"""
            for number in range(options.subscriptions)
        )
        port = free_port()
        config = configuration(folder, served.host, text)
        config.write_text(config.read_text().replace("listen: {metrics: null}", f'listen: {{metrics: "127.0.0.1:{port}"}}'))
        starts = [ready(config, port) for _ in range(options.rounds)]
    floor = median(bare)
    print(f"W8  medians of {options.rounds}; python -c pass {floor:.3f} s")
    print(f"    version             + {median(version) - floor:.3f} s (goal <= 0.15), {median(version) / floor:.1f}x")
    print(f"    check --tags-file   + {median(checked) - floor:.3f} s (goal <= 0.35), {median(checked) / floor:.1f}x")
    print(
        f"    ready, {options.subscriptions} subscriptions  {median(starts):.2f} s (goal <= 2.5), {median(starts) / floor:.0f}x"
    )


if __name__ == "__main__":
    main()
