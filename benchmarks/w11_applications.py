"""W11: Applications of a real API server: 500 with 3 images each from first snapshot to outcomes; 50 that move at once (W2).

Run it by hand: `python benchmarks/w11_applications.py [--applications 500]`. Goals: at most 10 s from the start of the process to
last outcome, 150 MB; quiet: no write to the cluster, at most 1 registry request an image a pass; 50 that move: 1 commit, at most
6 Git requests, at most 3 s over the same pass without a change.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stage import ROOT, median, registry, updater

from tests.real.lab import Lab
from tests.real.parts import free_port

MOVING = 50
INTERVAL = 20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--applications", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--live", action="store_true", help="write the Applications themselves (method argocd)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="w11-"))
    try:
        with registry() as served, Lab(folder / "lab") as lab:
            bench(folder, served, lab, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bench(folder: Path, served, lab: Lab, options) -> None:
    host = served.host
    for number in range(MOVING):
        served.push(f"bench/m{number}", "1.0.0")
    moving = [(f"m{number}", [f"bench/m{number}"], "kustomization") for number in range(MOVING)]
    lab.repository.commit({f"apps/m{number}/kustomization.yaml": kustomization(host, number) for number in range(MOVING)})
    make(lab, host, moving, options)
    config = settings(folder, lab, host, "moving")
    updater("once", "-c", config)
    quiet = [updater("once", "-c", config) for _ in range(options.rounds)]
    base, base_cpu = median([ran.wall for ran in quiet]), median([ran.cpu for ran in quiet])
    asked, before, walls, cpus, commits = [], len(lab.git_log()), [], [], []
    for turn in range(1, options.rounds + 1):
        for number in range(MOVING):
            served.push(f"bench/m{number}", f"1.{turn}.0")
        requests = lab.git.count()
        ran = updater("once", "-c", config)
        walls.append(ran.wall - base)
        cpus.append(ran.cpu - base_cpu)
        asked.append(lab.git.count() - requests)
        commits.append(len(lab.git_log()) - before)
        before = len(lab.git_log())
    print(
        f"W11 {MOVING} Applications on one branch move at once, medians of {options.rounds}; "
        f"a quiet pass of {base:.2f} s subtracted"
    )
    print(f"    {median(asked)} Git requests (goal <= 6), {median(commits)} commit (goal 1)")
    print(f"    {median(walls):.2f} s (goal <= 3), of it {median(cpus):.2f} s of CPU")
    many(folder, served, lab, options)


def many(folder: Path, served, lab: Lab, options) -> None:
    host, count = served.host, options.applications
    for number in range(count):
        for part in "abc":
            for tag in ("1.0.0", "1.1.0"):
                served.push(f"bench/{part}{number}", tag)
    apps = [(f"app{number}", [f"bench/{part}{number}" for part in "abc"], "") for number in range(count)]
    make(lab, host, apps, options)
    port = free_port()
    config = settings(folder, lab, host, "many", port)
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
    log = (folder / "run.log").open("w")
    process = subprocess.Popen([sys.executable, "-m", "updater", "run", "-c", str(config)], env=environment, stderr=log)
    try:
        wait_for(port, r"updater_outcomes_total\{.*\} (\S+)", 3 * count)
        whole = time.perf_counter() - started
        cpu = used(process.pid)
        settle(port)
        before, asked, began, quiet = writes(port), scans(port), time.perf_counter(), used(process.pid)
        time.sleep(2 * INTERVAL)
        passes = (time.perf_counter() - began) / INTERVAL
        print(f"    {count} Applications with 3 images each: all outcomes after {whole:.1f} s (goal <= 10), {cpu:.1f} s of CPU")
        peak, commits = memory(process.pid), len(lab.git_log())
        print(f"    peak {peak:.0f} MB (goal <= 150); commits {commits}; load average {os.getloadavg()[0]:.1f}")
        print(
            f"    quiet: {writes(port) - before:.0f} writes to the cluster but the Lease (goal 0), "
            f"{(scans(port) - asked) / passes / (3 * count + MOVING):.2f} registry requests an image and pass (goal <= 1), "
            f"{(used(process.pid) - quiet) / (time.perf_counter() - began) * 100:.1f} % of a core at an interval of {INTERVAL} s"
        )
    finally:
        process.terminate()
        process.wait(20)


def make(lab: Lab, host: str, apps, options) -> None:
    def one(app) -> None:
        name, images, target = app
        listed = ",".join(f"{image.rpartition('/')[2]}={host}/{image}:1.x" for image in images)
        annotations = {"image-list": listed, "write-back-method": "argocd" if options.live and not target else "git"}
        if target:
            annotations["write-back-target"] = target
        else:
            for image in images:
                alias = image.rpartition("/")[2]
                annotations |= {f"{alias}.helm.image-name": f"{alias}.name", f"{alias}.helm.image-tag": f"{alias}.tag"}
        live = [f"{host}/{image}:1.0.0" for image in images]
        lab.application(name, images=live, annotations=annotations, types=("Kustomize",) if target else ("Helm",))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, apps))


def kustomization(host: str, number: int) -> bytes:
    return f"resources: [../base]\nimages:\n- name: {host}/bench/m{number}\n  newTag: 1.0.0\n".encode()


def settings(folder: Path, lab: Lab, host: str, state: str, port: int | None = None) -> Path:
    path = folder / f"{state}.yaml"
    path.write_text(
        f"""\
interval: {INTERVAL}s
state: {folder}/{state}
listen: {{metrics: {f'"127.0.0.1:{port}"' if port else "null"}}}
registries:
  - {{prefix: "{host}", url: "http://{host}", insecure: true, concurrency: 32}}
kubernetes: {{kubeconfig: "{lab.kubeconfig}", namespace: argocd}}
sources:
  - applications: {{}}
"""
    )
    return path


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def wait_for(port: int, pattern: str, goal: int) -> None:
    for _ in range(600):
        try:
            if sum(float(value) for value in re.findall(pattern, scrape(port))) >= goal:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the outcomes did not come within a minute")


def settle(port: int) -> None:
    """Wait until all that is told of the first pass was told: Events go out at ten a second."""
    before = -1.0
    while before != (now := writes(port)):
        before = now
        time.sleep(INTERVAL / 2)


def writes(port: int) -> float:
    found = re.findall(r'updater_kubernetes_writes_total\{kind="(?!lease)[^}]*\} (\S+)', scrape(port))
    return sum(map(float, found))


def scans(port: int) -> float:
    found = re.findall(r"updater_registry_requests_total\{[^}]*\} (\S+)", scrape(port))
    return sum(map(float, found))


def used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


if __name__ == "__main__":
    main()
