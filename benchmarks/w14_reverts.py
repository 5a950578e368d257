"""W14r: seconds from the status of an aborted canary to the revert commit on the remote, over 50 aborts, one after another.

Run it by hand: `python benchmarks/w14_reverts.py [--aborts 50] [--together]`. Rollouts are objects in a real API server whose
statuses this script writes as Argo Rollouts does; the Git server is git's http-backend, the daemon a process of its own. All
lines are in one repository. With --together all are aborted at once. Goal: p99 ≤ 5 s.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import time
import urllib.request
from pathlib import Path

import yaml
from stage import BareRepository, GitServer, daemon, folder_and_registry

from tests.real import cluster as real_cluster
from tests.real.parts import free_port

PATIENCE = 120.0
NAMESPACE = "shop"
MERGE = "application/merge-patch+json"
ROLLOUTS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--aborts", type=int, default=50)
    parser.add_argument("--together", action="store_true")
    options = parser.parse_args()
    with folder_and_registry("w14r") as (folder, registry):
        (folder / "cluster").mkdir()
        with real_cluster.start(folder / "cluster") as cluster:
            cluster.install("argoproj.io", "Rollout", "rollouts")
            cluster.namespace(NAMESPACE)
            Bench(folder, registry, cluster, [f"i{number}" for number in range(options.aborts)]).run(together=options.together)


class Bench:
    """The Rollouts, the repository and what is measured."""

    def __init__(self, folder: Path, registry, cluster, names) -> None:
        self.folder, self.registry, self.cluster, self.names = folder, registry, cluster, names
        host = registry.host
        files = {f"{name}.yaml": f'image: {host}/o/{name}:1.0.0 # {{"$imagepolicy": "ns:{name}"}}\n'.encode() for name in names}
        self.repository = BareRepository.make(folder / "repos" / "fleet.git", files)
        for name in names:
            for tag in ("1.0.0", "1.1.0"):
                registry.push(f"o/{name}", tag, labels={"tag": tag, "name": name})
            self.deploy(name, "1.0.0")
            self.replica_set(name)
            self.status(name, stableRS=f"{name}-old", currentPodHash=f"{name}-old", phase="Healthy")

    def run(self, *, together: bool) -> None:
        port = free_port()
        with GitServer(self.folder / "repos") as server, daemon(self.settings(server.url("fleet.git"), port)) as process:
            until(lambda: in_flight(port) == len(self.names), process)
            for name in self.names:
                self.deploy(name, "1.1.0")
                self.status(name, stableRS=f"{name}-old", currentPodHash=f"{name}-new", phase="Paused")
            began, took, base = {}, [], self.repository.head()
            for name in self.names:
                began[name] = time.perf_counter()
                self.status(name, stableRS=f"{name}-old", currentPodHash=f"{name}-new", phase="Paused", abort=True)
                if not together:
                    took.append(self.until_reverted(name, process) - began[name])
            if together:
                took = self.all_reverted(began, base, process)
        show(took, together=together, commits=self.repository.git("rev-list", "--count", "main"))

    def until_reverted(self, name: str, process) -> float:
        """Return when the branch has the old tag: its head is a file, which costs nothing to read."""
        head, seen = self.repository.path / "refs/heads/main", ""
        end = time.perf_counter() + PATIENCE
        while time.perf_counter() < end and process.poll() is None:
            now = head.read_text()
            if now != seen:
                at, seen = time.perf_counter(), now
                if b":1.0.0 " in self.repository.show(f"{name}.yaml"):
                    return at
            time.sleep(0.002)
        raise SystemExit(f"{name} was not taken back")

    def all_reverted(self, began, base, process) -> list[float]:
        head, seen, took = self.repository.path / "refs/heads/main", "", {}
        end = time.perf_counter() + PATIENCE
        while len(took) < len(began) and time.perf_counter() < end and process.poll() is None:
            now = head.read_text()
            if now != seen:
                at, seen = time.perf_counter(), now
                written = self.repository.git("diff", "--name-only", base, "main").split()
                for name in {Path(line).stem for line in written} - took.keys():
                    took[name] = at - began[name]
            time.sleep(0.002)
        if len(took) < len(began):
            raise SystemExit(f"{len(began) - len(took)} were not taken back")
        return list(took.values())

    def settings(self, url: str, port: int) -> Path:
        host = self.registry.host
        subscriptions = [
            {
                "key": name,
                "image": f"{host}/o/{name}",
                "policy": {"semver": {"range": ">=1.0.0"}},
                "delivery": {"workload": f"Rollout/{NAMESPACE}/{name}", "on_bad": "revert"},
                "targets": [{"git": {"url": url}, "marker": f"ns:{name}"}],
            }
            for name in self.names
        ]
        tree = {
            "interval": "10m",
            "state": str(self.folder / "state"),
            "listen": {"metrics": f"127.0.0.1:{port}"},
            "registries": [{"prefix": host, "url": f"http://{host}", "insecure": True}],
            "git": {"author": {"name": "bench", "email": "bench@example.org"}},
            "kubernetes": {"kubeconfig": str(self.cluster.kubeconfig(self.folder / "kubeconfig")), "leader_election": False},
            "sources": [],
            "subscriptions": subscriptions,
        }
        path = self.folder / "updater.yaml"
        path.write_text(yaml.safe_dump(tree))
        return path

    def deploy(self, name: str, tag: str) -> None:
        containers = [{"name": "web", "image": f"{self.registry.host}/o/{name}:{tag}"}]
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
        metadata = {"name": name, "namespace": NAMESPACE}
        body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": {"template": template}}
        self.cluster.apply_object(body)

    def status(self, name: str, **status) -> None:
        generation = self.cluster.request("GET", f"{ROLLOUTS}/{name}")["metadata"]["generation"]
        body = {"status": {"observedGeneration": str(generation), "abort": False, **status}}
        self.cluster.request("PATCH", f"{ROLLOUTS}/{name}/status", body, form=MERGE)

    def replica_set(self, name: str) -> None:
        labels = {"app": name, "rollouts-pod-template-hash": f"{name}-old"}
        containers = [{"name": "web", "image": f"{self.registry.host}/o/{name}:1.0.0"}]
        template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        metadata = {"name": f"{name}-old", "namespace": NAMESPACE, "labels": labels}
        self.cluster.apply_object({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec})


def in_flight(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            found = re.search(r"^updater_releases_in_flight (\S+)$", answer.read().decode(), re.MULTILINE)
    except OSError:
        return 0
    return int(float(found[1])) if found else 0


def until(question, process) -> None:
    end = time.perf_counter() + PATIENCE
    while not question():
        if time.perf_counter() > end or process.poll() is not None:
            raise SystemExit("it does not get there")
        time.sleep(0.1)


def show(took, *, together: bool, commits: str) -> None:
    took = sorted(took)
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    how = "at once" if together else "one after another"
    print(f"W14r {len(took)} aborts {how}: p50 {statistics.median(took):.2f} s, p99 {p99:.2f} s, longest {took[-1]:.2f} s")
    print(f"  {int(commits)} commits; load {os.getloadavg()[0]:.0f}; goal: p99 ≤ 5 s")
    print(json.dumps([round(seconds, 3) for seconds in took]))


if __name__ == "__main__":
    main()
