"""W12: Flux's objects on a real API server: 10,000 files, 304 marked lines, 50 ImagePolicies, one automation.

Run it by hand: `python benchmarks/w12_flux.py [--files 10000] [--rounds 5]`. It needs the parts of `bash .ci/parts etcd
kube_apiserver`. The reference of the first commit is the same by git: shallow clone, grep, edit, commit, push, from the
same server in the same run. Goals: the first commit at most 1.5 s after the last image was listed; five images that move
are one commit, at most 0.5 s after the last of them was listed; a quiet interval is one Git request and no write to the
cluster (counted by the audit log of the API server too); memory at most 120 MB.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from flux_stage import NotingRegistry, create, daemon, image_policy, image_repository, load
from stage import median, registry
from w1_monorepo import by_git

from tests.fakes.git_server import IDENTITY
from tests.real.flux_lab import USER, FluxLab
from tests.real.flux_objects import IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION, NAMESPACE, flux_object
from tests.real.lab import definitions_folder

POLICIES = 50
MARKED = 304
FOLDERS = 200
INTERVAL = 10
MOVING = 5
QUIET = 3
USER_AGENT = "gitops-image-updater"
AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="w12-"))
    audit = folder / "audit.yaml"
    audit.write_text(AUDIT)
    flags = (f"--audit-policy-file={audit}", f"--audit-log-path={folder}/audit.log")
    try:
        with registry(NotingRegistry) as served, FluxLab(folder / "lab", definitions=definitions_folder(), flags=flags) as lab:
            bench(folder, served, lab, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bench(folder: Path, served: NotingRegistry, lab: FluxLab, options: argparse.Namespace) -> None:
    host = served.host
    for number in range(POLICIES):
        served.push(f"bench/i{number}", "1.0.0")
        served.push(f"bench/i{number}", "1.1.0")
    repository = lab.repository("fleet", files(options.files, host))
    branch = repository.path / "refs" / "heads" / "main"
    names = [f"i{number}" for number in range(POLICIES)]
    create(lab.cluster, IMAGE_REPOSITORY, [image_repository(host, name, f"{INTERVAL}s") for name in names])
    create(lab.cluster, IMAGE_POLICY, [image_policy(name, name, ">=1.0.0") for name in names])
    create(lab.cluster, IMAGE_UPDATE_AUTOMATION, [automation()])
    before = repository.head()
    with daemon(folder, lab, host) as running:
        running.until(lambda: len(served.answered) == POLICIES, "the tags of every image")
        spent = running.cpu
        running.until(lambda: repository.head() != before, "the first commit")
        first, cpu = branch.stat().st_mtime, running.cpu
        listed = max(when for when in served.answered.values() if when < first)
        print(f"W12 {options.files} files, {MARKED} marked lines, {POLICIES} policies, one automation; {load()}")
        print(
            f"    first commit {first - listed:.2f} s after the last image was listed (goal <= 1.5), "
            f"of it {cpu - spent:.2f} s of CPU; {first - running.began:.2f} s after the start of the process, {cpu:.2f} s of CPU"
        )
        seconds = git_alone(folder, lab, repository, before, host)
        print(f"    the same by git alone: {seconds:.2f} s, so {(first - listed) / seconds:.2f}x; {load()}")
        changed = repository.git("diff", "--shortstat", "main~1", "main").strip()
        print(f"    {changed}")
        running.settle()
        moved(running, served, repository, branch, options.rounds)
        running.settle()
        quiet(running, folder)
        now, peak = running.memory()
        print(f"    memory {now:.0f} MB, peak {peak:.0f} MB (goal <= 120); {load()}")


def git_alone(folder: Path, lab: FluxLab, repository, head: str, host: str) -> float:
    """Land the first commit once more by git, from a copy as it was before, and return the seconds."""
    copy = repository.copy(repository.path.with_name("alone.git"))
    copy.git("update-ref", "refs/heads/main", head)
    IDENTITY["GIT_SSL_NO_VERIFY"] = "1"
    url = lab.git.url("alone.git").replace("://", "://{}:{}@".format(*USER))
    return by_git(url, folder / "checkout", host, dict.fromkeys(range(POLICIES), "1.1.0"), is_first=True)


def moved(running, served: NotingRegistry, repository, branch: Path, rounds: int) -> None:
    seconds, commits, cpus = [], [], []
    for turn in range(1, rounds + 1):
        names = [f"bench/i{(turn * MOVING + part) % POLICIES}" for part in range(MOVING)]
        before, cpu = repository.head(), running.cpu
        served.push_together(names, f"1.{turn + 1}.0")
        pushed = time.time()
        running.until(lambda before=before: repository.head() != before, "the commit of a move")
        first = branch.stat().st_mtime
        listed = max(served.answered[name] for name in names if pushed < served.answered[name] < first)
        time.sleep(1.5)
        seconds.append(first - listed)
        commits.append(int(repository.git("rev-list", "--count", f"{before}..main")))
        cpus.append(running.cpu - cpu)
        time.sleep(INTERVAL / 2 * (turn % 2))
    shown = ", ".join(f"{each:.2f}" for each in seconds)
    print(f"    {MOVING} images move: {median(seconds):.2f} s after the last of them was listed (goal <= 0.5; {shown})")
    print(
        f"    {max(commits)} commit each (goal 1); {median(cpus):.2f} s of CPU from push to commit, interval included; {load()}"
    )


def quiet(running, folder: Path) -> None:
    writes, asked, cpu, audited, began = running.writes(), running.git_requests(), running.cpu, writes_in(folder), time.time()
    time.sleep(QUIET * INTERVAL)
    intervals = (time.time() - began) / INTERVAL
    requests = (running.git_requests() - asked) / intervals
    print(
        f"    quiet, {QUIET} intervals of {INTERVAL} s: {requests:.2f} Git requests each (goal 1), "
        f"{running.writes() - writes:.0f} writes to the cluster (goal 0; {writes_in(folder) - audited} in the audit log), "
        f"{(running.cpu - cpu) / intervals * 1000:.0f} ms of CPU each"
    )


def writes_in(folder: Path) -> int:
    """How many writes of the daemon the API server has logged."""
    events = map(json.loads, (folder / "audit.log").read_text().splitlines())
    return sum(1 for event in events if event.get("userAgent", "").startswith(USER_AGENT))


def automation() -> dict:
    git = {
        "checkout": {"ref": {"branch": "main"}},
        "commit": {"author": {"name": "fluxbot", "email": "flux@example.org"}},
        "push": {"branch": "main"},
    }
    source = {"kind": "GitRepository", "name": "fleet"}
    spec = {"interval": f"{INTERVAL}s", "sourceRef": source, "git": git, "update": {"path": "./apps", "strategy": "Setters"}}
    return flux_object(IMAGE_UPDATE_AUTOMATION, "fleet", spec)


def files(count: int, host: str) -> dict[str, bytes]:
    """Deployments like people's; MARKED of their lines carry a marker."""
    made = {}
    for number in range(count):
        lines = [
            f"# service {number}",
            "apiVersion: apps/v1",
            "kind: Deployment",
            "metadata:",
            f"  name: service-{number}",
            "spec:",
        ]
        index, rest = divmod(number, count // MARKED)
        if rest == 0 and index < MARKED:
            setter = f'{{"$imagepolicy": "{NAMESPACE}:i{index % POLICIES}"}}'
            lines.append(f"  image: {host}/bench/i{index % POLICIES}:1.0.0 # {setter}")
        lines += [f"  key{line}: value {number * line}  # a comment that a person wrote" for line in range(12)]
        made[f"apps/team{number % FOLDERS}/service{number}.yaml"] = ("\n".join(lines) + "\n").encode()
    return made


if __name__ == "__main__":
    main()
