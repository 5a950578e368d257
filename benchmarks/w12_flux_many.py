"""W12b and W12c: many of Flux's objects on a real API server, without an automation.

Run it by hand: `python benchmarks/w12_flux_many.py [--images 1000] [--policies 5000] [--only b]`. It needs the parts of
`bash .ci/parts etcd kube_apiserver`. W12b: 1,000 ImageRepositories at 1m; goals: at most one registry request each and
interval, at most 5 % of a core, no write to the cluster. W12c: 5,000 ImagePolicies over 500 images; goals: from the first
snapshot to all of latestRef in the statuses at most 10 s, memory at most 180 MB. The reference of the same run is a bare
aiohttp loop that writes a status of the same size to each of them, as many at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import aiohttp
from flux_stage import HEADERS, IMAGE_ROOT, NotingRegistry, Watcher, create, daemon, image_policy, image_repository, load
from stage import registry

from tests.real.flux_lab import FluxLab
from tests.real.flux_objects import IMAGE_POLICY, IMAGE_REPOSITORY
from tests.real.lab import definitions_folder
from updater.controller.status_writer import AT_A_TIME

INTERVAL = 60
INTERVALS = 2
IMAGES_OF_POLICIES = 500


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--policies", type=int, default=5000)
    parser.add_argument("--only", choices=["b", "c"])
    options = parser.parse_args()
    parts = {"b": many_images, "c": many_policies}
    for name, part in parts.items():
        if options.only in {None, name}:
            folder = Path(tempfile.mkdtemp(prefix="w12-"))
            try:
                with registry(NotingRegistry) as served, FluxLab(folder / "lab", definitions=definitions_folder()) as lab:
                    part(folder, served, lab, options)
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def many_images(folder: Path, served: NotingRegistry, lab: FluxLab, options: argparse.Namespace) -> None:
    names = [f"i{number}" for number in range(options.images)]
    push(served, names)
    create(lab.cluster, IMAGE_REPOSITORY, [image_repository(served.host, name, f"{INTERVAL}s") for name in names])
    watcher = Watcher(lab.cluster, IMAGE_REPOSITORY, "lastScanResult")
    with daemon(folder, lab, served.host) as running:
        running.until(lambda: len(watcher.seen) >= options.images, "every lastScanResult")
        print(f"W12b {options.images} ImageRepositories at {INTERVAL} s; {load()}")
        print(
            f"    every lastScanResult {max(watcher.seen.values()) - running.began:.1f} s after the start of the process, "
            f"{running.cpu:.1f} s of CPU, {watcher.writes} writes of their statuses"
        )
        running.settle(15.0)
        before, lists, cpu, began = running.writes(), served.lists.copy(), running.cpu, time.time()
        time.sleep(INTERVALS * INTERVAL)
        seconds, cpu, asked = time.time() - began, running.cpu - cpu, served.lists - lists
        requests = sum(asked.values()) / (seconds / INTERVAL) / options.images
        now, peak = running.memory()
        print(
            f"    quiet, {INTERVALS} intervals: {requests:.2f} registry requests each (goal <= 1), "
            f"{cpu / seconds * 100:.1f} % of a core (goal <= 5), {running.writes() - before:.0f} writes to the cluster (goal 0)"
        )
        print(f"    memory {now:.0f} MB, peak {peak:.0f} MB; {load()}")


def many_policies(folder: Path, served: NotingRegistry, lab: FluxLab, options: argparse.Namespace) -> None:
    names = [f"i{number}" for number in range(IMAGES_OF_POLICIES)]
    push(served, names)
    create(lab.cluster, IMAGE_REPOSITORY, [image_repository(served.host, name, "5m") for name in names])
    policies = [image_policy(f"p{number}", names[number % len(names)], "1.x") for number in range(options.policies)]
    create(lab.cluster, IMAGE_POLICY, policies)
    server = lab.cluster._server.pid
    watcher = Watcher(lab.cluster, IMAGE_POLICY, "latestRef")
    spent = cpu_of(server)
    with daemon(folder, lab, served.host) as running:
        running.until(lambda: served.answered, "the first request")
        asked = time.time()
        running.until(lambda: len(watcher.seen) >= options.policies, "every latestRef")
        done = max(watcher.seen.values())
        cpu = running.cpu
        print(f"W12c {options.policies} ImagePolicies over {IMAGES_OF_POLICIES} images; {load()}")
        print(
            f"    every latestRef is in its status {done - asked:.1f} s after the first snapshot (goal <= 10), "
            f"{done - running.began:.1f} s after the start of the process, {cpu:.1f} s of CPU"
        )
        print(f"    {watcher.writes} writes of their statuses; the API server spent {cpu_of(server) - spent:.1f} s of CPU")
        time.sleep(15)
        now, peak = running.memory()
        print(f"    memory {now:.0f} MB, peak {peak:.0f} MB (goal <= 180); {watcher.writes} writes, {running.cpu:.1f} s of CPU")
    items = lab.cluster.request("GET", f"{IMAGE_ROOT}/{IMAGE_POLICY.plural}")["items"]
    began, spent, own = time.time(), cpu_of(server), time.process_time()
    asyncio.run(bare(lab.cluster, items))
    reference = time.time() - began
    print(
        f"    a bare loop of {len(items)} writes: {reference:.1f} s, of it {time.process_time() - own:.1f} s of CPU here and "
        f"{cpu_of(server) - spent:.1f} s in the API server; the daemon needs {(done - asked) / reference:.2f}x; {load()}"
    )


async def bare(cluster, items: list[dict]) -> None:
    """Write another status of the same size to each of *items*, on its version, and read the answers."""
    queue = iter(items)
    headers = {**HEADERS, "Content-Type": "application/merge-patch+json"}
    connector = aiohttp.TCPConnector(limit=AT_A_TIME, ssl=cluster._context)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def work() -> None:
            for item in queue:
                metadata, status = item["metadata"], item["status"]
                status["latestRef"]["tag"] = "1.3.0"
                url = f"{cluster.url}{IMAGE_ROOT}/{IMAGE_POLICY.plural}/{metadata['name']}/status"
                body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": status}
                async with session.patch(url, data=json.dumps(body)) as answer:
                    said = await answer.read()
                    assert answer.status == 200, said

        await asyncio.gather(*(work() for _ in range(AT_A_TIME)))


def push(served: NotingRegistry, names: list[str]) -> None:
    for name in names:
        for tag in ("1.0.0", "1.1.0", "1.2.0", "2.0.0"):
            served.push(f"bench/{name}", tag)


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
