"""What the workloads stand on: a registry in this process, a real git http-backend, and the program as a child process."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.fakes.git_server import BareRepository, GitServer, run_git  # noqa: E402
from updater.cli.embedded_registry import EmbeddedRegistry  # noqa: E402

__all__ = ["BareRepository", "GitServer", "Ran", "median", "registry", "run_git", "start_up", "updater"]


@dataclass
class Ran:
    """One finished child process: wall and CPU seconds, peak memory in MB, exit code, output."""

    wall: float
    cpu: float
    rss: float
    code: int
    output: str


def run(command, *, cwd=None, environment=None) -> Ran:
    started = time.perf_counter()
    environment = {**(environment or {}), "PYTHONDONTWRITEBYTECODE": ""}  # a start with compiled modules, as a user has it
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    return Ran(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, output)


def updater(*arguments, cwd=None) -> Ran:
    ran = run([sys.executable, "-m", "updater", *map(str, arguments)], cwd=cwd, environment={"PYTHONPATH": str(ROOT)})
    if ran.code not in {0, 10}:
        raise SystemExit(f"updater {arguments}: {ran.code}\n{ran.output[-3000:]}")
    return ran


def median(values) -> float:
    return statistics.median(values)


@contextmanager
def registry(kind=EmbeddedRegistry):
    """The embedded registry in a thread of its own; push with `registry.push`."""
    loop = asyncio.new_event_loop()
    served = kind()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(served.start(), loop).result(10)
    try:
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(served.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def configuration(folder: Path, host: str, subscriptions: str, state: str = "state") -> Path:
    path = folder / f"updater-{state}.yaml"
    path.write_text(
        f"""\
state: {folder}/{state}
listen: {{metrics: null}}
registries:
  - {{prefix: "{host}", url: "http://{host}", insecure: true, concurrency: 32}}
git:
  author: {{name: updater, email: updater@example.org}}
subscriptions:
{subscriptions}"""
    )
    return path


def start_up(folder: Path, host: str, rounds: int) -> list[Ran]:
    """What one `once` over one unchanged image in a one-file repository costs: everything that is not the workload."""
    BareRepository.make(
        folder / "repos" / "small.git", {"a.yaml": f'image: {host}/bench/i0:1.0.0 # {{"$imagepolicy": "ns:i0"}}\n'.encode()}
    )
    with GitServer(folder / "repos") as server:
        text = f"""\
  - key: i0
    image: {host}/bench/i0
    policy: {{semver: {{range: "1.0.0"}}}}
    targets:
      - git: {{url: "{server.url("small.git")}"}}
        marker: ns:i0
"""
        config = configuration(folder, host, text, "state-small")
        updater("once", "-c", config)
        return [updater("once", "-c", config) for _ in range(rounds)]


def peak_children() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
