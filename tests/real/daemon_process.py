"""Runs `updater run` as a process of its own, and asks it over HTTP as Prometheus and the kubelet do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final, Self

from tests.real.lab_objects import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE: Final = 40.0


def until(question: Callable[[], Any], seconds: float = PATIENCE, *, say: Callable[[], object] = lambda: "") -> Any:
    """Ask until the answer is true, and give it; *say* tells what to show where it never is."""
    end = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {say()}"
        time.sleep(0.1)


class Daemon:
    """`updater run` in a process of its own, and what it says. As a context it is killed at the end, if it still runs."""

    def __init__(self, config: Path, port: int, log: Path) -> None:
        self.config, self.port, self.log = config, port, log
        command = [sys.executable, "-m", "updater", "run", "-c", str(config)]
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=environment())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def stop(self) -> float:
        """Ask it to stop, and give the seconds that it took; its code must be 0."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(12) == 0, self.said()
        return time.monotonic() - began

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """Ask it over HTTP; 0 where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """Give the sum of the series of a metric that have *labels*; 0 where there is none."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            found = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
            if found and all(f'{key}="{value}"' in (found[1] or "") for key, value in labels.items()):
                total += float(found[2])
        return total

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.said()
        return self.get("/readyz")[0] == 200

    def until(self, question: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Ask until the answer is true, while the daemon lives."""

        def asked() -> Any:
            assert self.process.poll() is None, self.said()
            return question()

        return until(asked, seconds, say=lambda: self.said()[-6000:])

    def leads(self) -> bool:
        return self.metric("updater_leader") == 1 and self.is_ready()


def environment() -> dict[str, str]:
    """Give the variables of this process without those that lead to a cluster or to settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "UPDATER_", "COVERAGE", "COV_"))}
    return {**kept, "DOCKER_CONFIG": "/nonexistent", "NO_COLOR": "1"}
