"""W9: the statuses of 5,000 Applications of about 13 KB change, 10 times a second in total: CPU as a share of a core, and memory.

Run it by hand: `python benchmarks/w9_status_churn.py [--applications 5000] [--rate 10] [--seconds 30]`. The API server is a
process of its own. Nothing of what changes matters to an image, so after the first snapshot none must follow. Goal: 5 %.
Printed too: the share of reading the same events as JSON and throwing them away, and what each Application costs in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stage import ROOT

sys.path.insert(0, str(ROOT))

PREFIX = "argocd-image-updater.argoproj.io/"
IMAGES = 3


def application(number: int, turn: int = 0) -> dict:
    """An Application as Argo CD keeps it, about 13 KB of JSON; *turn* changes what a sync changes."""
    name = f"app-{number}"
    images = [f"registry.test/team-{number % 50}/service-{image}:1.{number % 7}.0" for image in range(IMAGES)]
    moment = f"2026-01-01T{turn // 3600 % 24:02}:{turn // 60 % 60:02}:{turn % 60:02}Z"
    listed = ",".join(f"i{index}={image.rpartition(':')[0]}:^1" for index, image in enumerate(images))
    resources = [
        {"group": "apps", "kind": "Deployment", "name": f"{name}-{index}", "namespace": name, "status": "Synced", "version": "v1"}
        | {"health": {"status": "Healthy", "lastTransitionTime": moment}, "syncWave": index}
        for index in range(20)
    ]
    history = [
        {"id": index, "revision": f"{index:040x}", "deployedAt": moment, "source": {"repoURL": "https://git.test/fleet.git"}}
        for index in range(10)
    ]
    fields = {f"f:field{index}": {"f:inner": {}, "f:other": {".": {}}} for index in range(90)}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": "argocd",
            "labels": {"team": f"team-{number % 50}", "tier": "backend", "app.kubernetes.io/part-of": "fleet"},
            "annotations": {f"{PREFIX}image-list": listed, f"{PREFIX}write-back-method": "git", "note": "x" * 500},
            "managedFields": [{"manager": "argocd-controller", "operation": "Update", "time": moment, "fieldsV1": fields}],
        },
        "spec": {
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "source": {
                "repoURL": f"https://git.test/fleet-{number % 20}.git",
                "path": f"apps/{name}",
                "targetRevision": "main",
                "kustomize": {"images": images},
            },
        },
        "status": {
            "sourceType": "Kustomize",
            "summary": {"images": images},
            "reconciledAt": moment,
            "resources": resources,
            "history": history,
            "sync": {"status": "Synced", "revision": f"{turn:040x}"},
            "health": {"status": "Healthy" if turn % 2 else "Progressing"},
        },
    }


def serve(applications: int, rate: float) -> None:
    """The API server, as a process of its own: prints its address, and lets statuses change once it is asked to."""
    from tests.fakes.kube import FakeKube
    from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER

    async def put(server: FakeKube, number: int, turn: int = 0) -> None:
        item = application(number, turn)
        metadata = {key: value for key, value in item["metadata"].items() if key not in {"name", "namespace"}}
        content = {"spec": item["spec"], "status": item["status"]}
        await server.put(APPLICATION, item["metadata"]["name"], "argocd", metadata=metadata, **content)

    async def forever() -> None:
        async with FakeKube() as server:
            server.install(APPLICATION)
            server.install(IMAGE_UPDATER)
            for number in range(applications):
                await put(server, number)
            for shelf in server._shelves.values():
                shelf.changes.clear()
            print(server.url, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            turn = 0
            while True:
                turn += 1
                await put(server, turn * 7919 % applications, turn)
                for shelf in server._shelves.values():
                    del shelf.changes[:-50]
                await asyncio.sleep(1 / rate)

    asyncio.run(forever())


def rss() -> float:
    """Resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def measure(url: str, begin: asyncio.Event, arguments: argparse.Namespace) -> dict[str, float]:
    from tests.fakes.kube import kubeconfig
    from updater.argocd.cluster.feedback import FeedbackOptions
    from updater.argocd.cluster.source import ArgocdSource
    from updater.argocd.request.subscriptions import TranslationDefaults
    from updater.http.client import HttpClient
    from updater.kube.access import AccessEnvironment, find_access
    from updater.kube.client import PATIENCE, KubeClient

    snapshots: asyncio.Queue = asyncio.Queue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kubeconfig"
        path.write_text(kubeconfig(url, {}))
        access = find_access(path, surroundings=AccessEnvironment(environment={}, home=Path(folder)))
        async with HttpClient(patience=PATIENCE) as http:
            before, wall, cpu = rss(), time.perf_counter(), time.process_time()
            source = ArgocdSource(KubeClient(access, http), defaults=TranslationDefaults(), answers=FeedbackOptions())
            task = asyncio.create_task(source.run(snapshots.put))
            snapshot = await snapshots.get()
            row = {"first s": time.perf_counter() - wall, "first cpu s": time.process_time() - cpu}
            row["subscriptions"] = len(snapshot.subscriptions)
            await asyncio.sleep(2)
            begin.set()
            await asyncio.sleep(2)
            cpu = time.process_time()
            await asyncio.sleep(arguments.seconds)
            row["cpu %"] = 100 * (time.process_time() - cpu) / arguments.seconds
            row["snapshots meanwhile"] = snapshots.qsize()
            row["rss MB"] = rss()
            row["KB an Application"] = (row["rss MB"] - before) * 1000 / arguments.applications
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    return row


def floor(rate: float) -> float:
    """The share of a core that reading the events as JSON takes."""
    import orjson

    lines = [json.dumps({"type": "MODIFIED", "object": application(1, turn)}).encode() for turn in range(200)]
    began = time.process_time()
    for line in lines:
        orjson.loads(line)
    return 100 * rate * (time.process_time() - began) / len(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.applications, arguments.rate)
        return
    print(f"one Application is {len(json.dumps(application(1))) / 1000:.1f} KB of JSON")
    command = [sys.executable, __file__, "--serve", "--applications", str(arguments.applications), "--rate", str(arguments.rate)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin
    assert server.stdout
    try:
        url = server.stdout.readline().strip()

        async def both() -> dict[str, float]:
            begin = asyncio.Event()

            async def start() -> None:
                await begin.wait()
                server.stdin.write("go\n")
                server.stdin.flush()

            starting = asyncio.create_task(start())
            row = await measure(url, begin, arguments)
            await starting
            return row

        row = asyncio.run(both())
    finally:
        server.terminate()
        server.wait()
    for name, value in row.items():
        print(f"{name:22} {value:10.2f}")
    print(f"{'JSON alone, cpu %':22} {floor(arguments.rate):10.2f}")


if __name__ == "__main__":
    main()
