"""What the workloads stand on: a registry in this process, a real git http-backend, and the program as a child process."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.fakes.git_server import BareRepository, GitServer, run_git  # noqa: E402
from updater.cli.embedded_registry import EmbeddedRegistry  # noqa: E402

__all__ = [
    "BareRepository",
    "GitServer",
    "Ran",
    "daemon",
    "folder_and_registry",
    "marked",
    "median",
    "registry",
    "run_git",
    "start_up",
    "subscription",
    "subscriptions",
    "updater",
]
COMPILED = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}  # a start with compiled modules, as a user has it


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
    environment = {**os.environ, **COMPILED, **(environment or {})}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    return Ran(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, output)


def updater(*arguments, cwd=None) -> Ran:
    ran = run([sys.executable, "-m", "updater", *map(str, arguments)], cwd=cwd)
    if ran.code not in {0, 10}:
        raise SystemExit(f"updater {arguments}: {ran.code}\n{ran.output[-3000:]}")
    return ran


def median(values) -> float:
    return statistics.median(values)


class ThreadedRegistry(EmbeddedRegistry):
    """The embedded registry whose requests are answered by *loop*, in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def push_together(self, names, tag: str) -> None:
        """Push *tag* of all *names* between two requests: no answer knows one of them without the others."""

        async def push() -> None:
            for name in names:
                self.push(name, tag)

        asyncio.run_coroutine_threadsafe(push(), self._loop).result(30)


@contextmanager
def registry(kind=ThreadedRegistry):
    """The embedded registry in a thread of its own; push with `registry.push`."""
    loop = asyncio.new_event_loop()
    served = kind(loop)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(served.start(), loop).result(10)
    try:
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(served.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


@contextmanager
def folder_and_registry(name: str):
    """A folder that is gone afterwards, and the registry beside it."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        with registry() as served:
            yield folder, served
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def daemon(config: Path):
    """`updater run` as a child process, ended by SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "updater", "run", "-c", str(config)],
        env={**os.environ, **COMPILED},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def marked(host: str, name: str, tag: str = "1.0.0") -> bytes:
    """A file of one line with the marker of *name*."""
    return f'image: {host}/bench/{name}:{tag} # {{"$imagepolicy": "ns:{name}"}}\n'.encode()


def subscription(name: str, host: str, git: str, place: str = "", *, versions: str = ">=1.0.0") -> str:
    """One subscription that follows *versions* of bench/*name*, written at *place* of *git*: its marker where that is empty."""
    return f"""\
  - key: {name}
    image: {host}/bench/{name}
    policy: {{semver: {{range: "{versions}"}}}}
    targets:
      - git: {{url: "{git}"}}
        {place or f"marker: ns:{name}"}
"""


def subscriptions(count: int, host: str, git: str) -> str:
    """The subscriptions of i0, i1 …, all at markers of one repository."""
    return "".join(subscription(f"i{number}", host, git) for number in range(count))


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
    BareRepository.make(folder / "repos" / "small.git", {"a.yaml": marked(host, "i0")})
    with GitServer(folder / "repos") as server:
        text = subscription("i0", host, server.url("small.git"), versions="1.0.0")
        config = configuration(folder, host, text, "state-small")
        updater("once", "-c", config)
        return [updater("once", "-c", config) for _ in range(rounds)]


def peak_children() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
