"""What the workloads of Flux's objects stand on: a registry that notes who asked when, and a daemon seen from outside."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from stage import ROOT, ThreadedRegistry

from tests.real.cluster import ADMIN_TOKEN
from tests.real.flux_objects import IMAGE_POLICY, IMAGE_REPOSITORY, NAMESPACE, flux_object
from tests.real.parts import free_port

IMAGE_ROOT = f"{IMAGE_POLICY.root}/namespaces/{NAMESPACE}"
HEADERS = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}


class NotingRegistry(ThreadedRegistry):
    """Notes when each tag list was answered last, in Unix time, and counts them."""

    def __init__(self, loop) -> None:
        super().__init__(loop)
        self.answered: dict[str, float] = {}
        self.lists: Counter[str] = Counter()

    async def _tags(self, request):
        answer = await super()._tags(request)
        name = request.match_info["name"]
        self.answered[name] = time.time()
        self.lists[name] += 1
        return answer


def image_repository(host: str, name: str, interval: str) -> dict:
    return flux_object(IMAGE_REPOSITORY, name, {"image": f"{host}/bench/{name}", "interval": interval, "insecure": True})


def image_policy(name: str, repository: str, wanted: str) -> dict:
    spec = {"imageRepositoryRef": {"name": repository}, "policy": {"semver": {"range": wanted}}}
    return flux_object(IMAGE_POLICY, name, spec)


def create(cluster, kind, bodies: list[dict]) -> None:
    """Make objects of one kind, over a few connections that stay open."""
    place = urlsplit(cluster.url)
    local = threading.local()

    def one(body: dict) -> None:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPSConnection(place.hostname, place.port, context=cluster._context)
        local.connection.request("POST", f"{IMAGE_ROOT}/{kind.plural}", json.dumps(body), HEADERS)
        answer = local.connection.getresponse()
        said = answer.read()
        assert answer.status == 201, said

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, bodies))


class Watcher:
    """Watches the objects of a kind, and notes when the status of each first had *member*, and how often each was written."""

    def __init__(self, cluster, kind, member: str) -> None:
        place = urlsplit(cluster.url)
        listed = cluster.request("GET", f"{IMAGE_ROOT}/{kind.plural}?limit=1")
        self._connection = http.client.HTTPSConnection(place.hostname, place.port, context=cluster._context)
        version = listed["metadata"]["resourceVersion"]
        self._path = f"{IMAGE_ROOT}/{kind.plural}?watch=1&resourceVersion={version}"
        self._member = f'"{member}":'.encode()
        self.seen: dict[bytes, float] = {}
        self.writes = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._connection.request("GET", self._path, headers=HEADERS)
        for line in self._connection.getresponse():
            self.writes += 1
            if self._member in line and (found := re.search(rb'"name":"([^"]+)","namespace"', line)):
                self.seen.setdefault(found[1], time.time())


class Daemon:
    """`updater run` as a process of its own, seen by its metrics and by what the kernel counts for it."""

    def __init__(self, folder: Path, config: Path, port: int) -> None:
        self.port = port
        self.log = folder / "run.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
        self.began = time.time()
        with self.log.open("w") as log:
            command = [*os.environ.get("BENCH_PYTHON", sys.executable).split(), "-m", "updater", "run", "-c", str(config)]
            self.process = subprocess.Popen(command, env=environment, stderr=log)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[float, float]:
        """Resident memory now and at its peak, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return tuple(int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM"))

    def metric(self, pattern: str) -> float:
        """The sum of the series whose line *pattern* matches up to the value; 0 before it listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", text, re.MULTILINE))

    def writes(self) -> float:
        """Writes to the cluster but those of the Lease."""
        return self.metric(r'updater_kubernetes_writes_total\{kind="(?!lease)[^}]*\}')

    def git_requests(self) -> float:
        return self.metric(r"updater_git_requests_total\{[^}]*\}")

    def until(self, is_so, what: str, seconds: float = 180.0) -> None:
        end = time.time() + seconds
        while not is_so():
            if time.time() > end or self.process.poll() is not None:
                raise SystemExit(f"{what} did not come within {seconds:.0f} s\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def settle(self, seconds: float = 6.0) -> None:
        """Wait until nothing was written to the cluster for some seconds."""
        before = -1.0
        while before != (now := self.writes()):
            before = now
            time.sleep(seconds)


@contextmanager
def daemon(folder: Path, lab, host: str):
    port, config = free_port(), folder / "updater.yaml"
    config.write_text(
        f"""\
state: {folder}/state
listen: {{metrics: "127.0.0.1:{port}"}}
registries:
  - {{prefix: "{host}", url: "http://{host}", insecure: true, concurrency: 32}}
kubernetes: {{kubeconfig: "{lab.kubeconfig}", namespace: {NAMESPACE}, leader_election: false}}
sources:
  - flux: {{}}
"""
    )
    running = Daemon(folder, config, port)
    try:
        yield running
    finally:
        running.stop()


def load() -> str:
    return f"load average {os.getloadavg()[0]:.1f}"
