"""W17: 1,000 releases in flight: what they cost in memory, and what a change of one workload costs the event loop.

Run: python benchmarks/w17_releases.py [RELEASES]. Each subscription has an Application that applied a Deployment and a Service;
what the watch would keep is put in place, no API server is asked. Goal: at most 30 MB more, and nothing is done while nothing
changes.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from updater.controller.objects import Sharing
from updater.delivery.following import ReleaseFollower
from updater.delivery.kinds import WATCHED, prune_followed
from updater.http.client import Clock
from updater.model.image import parse_name
from updater.model.outcome import Move, Outcome, Status
from updater.model.release import DeliveryOptions, Workload
from updater.model.report import DestinationLanded, LandingEnd
from updater.model.subscription import GitBranch, Locator, Origin, PolicySpec, Subscription, Target
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = datetime(2026, 11, 29, 7, tzinfo=UTC)
OLD, NEW = "b" * 40, "c" * 40
BRANCH = GitBranch(url="https://git.test/fleet.git", branch="main")


class Known:
    """What a watch would keep: objects as they are pruned."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Any] = {}
        self._sharing = Sharing()

    def put(self, item: dict[str, Any]) -> tuple[str, str, str]:
        names = item["metadata"]
        key = (item["kind"], names["namespace"], names["name"])
        self.objects[key] = prune_followed(item, WATCHED[item["kind"]], self._sharing)
        return key

    def is_known(self, _kind: str, _namespace: str) -> bool:
        return True

    def is_awaited(self, _kind: str, _namespace: str) -> bool:
        return False

    def get(self, kind: str, namespace: str, name: str) -> Any:
        return self.objects.get((kind, namespace, name))

    def readers_of(self, _kind: str, _place: tuple[str, str]) -> Iterable[tuple[str, str]]:
        return ()


def deployment(number: int, tag: str, available: int) -> dict[str, Any]:
    image = f"ghcr.io/o/app-{number}:{tag}"
    counts = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": available, "availableReplicas": available}
    told = [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": f"app-{number} is progressing"}]
    return {
        "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": f"app-{number}", "generation": 2, "uid": f"{number:036d}"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
        "status": {"observedGeneration": 2, **counts, "conditions": told},
    }


def application(number: int, revision: str) -> dict[str, Any]:
    resources = [{"kind": kind, "namespace": "shop", "name": f"app-{number}"} for kind in ("Deployment", "Service")]
    sync = {"status": "Synced", "revision": revision}
    return {
        "kind": "Application",
        "metadata": {"namespace": "argocd", "name": f"app-{number}", "generation": 2, "uid": f"{number:036d}"},
        "spec": {"source": {"repoURL": BRANCH.url, "path": f"apps/app-{number}"}},
        "status": {"sync": sync, "health": {"status": "Progressing"}, "resources": resources},
    }


def subscription(number: int) -> Subscription:
    target = Target(destination=BRANCH, editor="marker", locator=Locator(name=f"ns:app-{number}"))
    agent = Workload("Application", "argocd", f"app-{number}")
    return Subscription(
        key=f"app-{number}",
        image=parse_name(f"ghcr.io/o/app-{number}"),
        policy=PolicySpec("semver"),
        targets=(target,),
        delivery=DeliveryOptions(agent=agent),
        origin=Origin(kind="Application", name=f"argocd/app-{number}"),
    )


def landed(items: list[Subscription]) -> DestinationLanded:
    """Return the report of one landing that moved every subscription."""
    move = Move(old=Written(tag="1.0.0"), new=Written(tag="1.1.0"))
    return DestinationLanded(
        destination=BRANCH,
        outcomes=tuple(
            Outcome(key=item.key, target="t", status=Status.UPDATED, detail="", revision=NEW, moves=(move,)) for item in items
        ),
        end=LandingEnd.PUSHED,
        notes=(),
        written={item.key: (Written(tag="1.1.0"),) for item in items},
        paths={item.key: (f"apps/{item.key}/deploy.yaml",) for item in items},
        head=OLD,
        at=NOW,
    )


def resident() -> float:
    gc.collect()
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    """Print memory and times."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    items = [subscription(number) for number in range(count)]
    follower = ReleaseFollower(items, publish=lambda _report: None, surroundings=Clock(wall=NOW.timestamp))
    before = resident()
    known = Known()
    for number in range(count):
        known.put(deployment(number, "1.0.0", 2))
        known.put(application(number, OLD))
    follower.known = known
    follower.hear(landed(items))
    for number in range(count):
        known.put(deployment(number, "1.1.0", 1))
        known.put(application(number, NEW))
    follower.index.changed(None)
    follower.judge()
    print(f"{follower.in_flight} in flight: {resident() - before:.1f} MB more, their objects among it")
    times = []
    for number in range(count):
        key = known.put(deployment(number, "1.1.0", number % 2))
        begun = time.process_time()
        follower.judge(follower.index.changed(frozenset({key})))
        times.append((time.process_time() - begun) * 1_000_000)
    begun = time.process_time()
    follower.judge()
    whole = (time.process_time() - begun) * 1000
    print(f"one workload that changes: {statistics.median(times):.0f} µs; all of them at once: {whole:.0f} ms")


if __name__ == "__main__":
    main()
