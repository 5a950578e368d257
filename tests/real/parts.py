"""Finds the real programs that tests stand on, and says by name what is missing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

EXTRA_PATHS = ("/usr/sbin", "/usr/lib/git-core", str(Path.home() / "go" / "bin"))


def find(program: str) -> str | None:
    """Give the path of *program*, looked for in PATH, the usual other places and the cache of real parts."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = os.environ.get("UPDATER_REAL_PARTS") or str(caches / "updater-real-parts" / "bin")
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join((cache, *EXTRA_PATHS)))


def require(program: str) -> str:
    """Give the path of *program*; skip the test by name where it is absent, or fail where nothing may be skipped."""
    path = find(program)
    if path is None:
        if os.environ.get("UPDATER_REQUIRE_REAL") == "1":
            pytest.fail(f"{program} is not installed, and UPDATER_REQUIRE_REAL=1 allows no skip")
        pytest.skip(f"{program} is not installed")
    return path


def free_port() -> int:
    """Give a TCP port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ended(process: subprocess.Popen[bytes], seconds: float = 10) -> None:
    """Ask *process* to end, and end it where it does not within *seconds*."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
