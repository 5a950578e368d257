"""Stages that follow each other: subscriptions of one image, a Deployment each, whose controller the test plays."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.eventually import until, until_there
from tests.fakes.kube import FakeKube, kubeconfig
from tests.flows.fleet import Fleet, fleet
from updater.delivery.kinds import KINDS
from updater.model.report import DestinationLanded

HOUR = 3600.0
DEPLOYMENT = KINDS["Deployment"].kind
_FORMS = {"tag": "1.0.0", "tag@digest": "1.0.0"}


class MovedClock:
    """The wall clock, with what a test lets pass."""

    def __init__(self):
        self.moved = 0.0

    def __call__(self):
        return time.time() + self.moved

    def pass_(self, seconds):
        self.moved += seconds


@dataclass
class Stages:
    """One daemon, its stages, and what a test says of their Deployments."""

    made: Fleet
    kube: FakeKube
    clock: MovedClock
    generation: object = None
    ends: dict = field(default_factory=dict)
    landings: dict = field(default_factory=dict)
    name: str = "stages"

    @property
    def host(self):
        return self.made.registry.host

    def add(self, key, *, gates="", delivery="settle: 50ms", policy='{semver: {range: ">=1.0.0"}}', more="", git=""):
        workload = f"delivery: {{workload: Deployment/{key}/app, {delivery}}}" if delivery else ""
        self.made.subscriptions.append(
            f"""\
  - key: {key}
    image: {self.host}/o/app
    policy: {policy}
    {workload}
    {f"gates: {gates}" if gates else ""}
    {more}
    targets:
      - git: {{url: "{self.made.url}"{git}}}
        marker: ns:{key}
"""
        )

    def push(self, tag, **more):
        self.made.registry.push("o/app", tag, **more)

    def says(self, key, branch="main"):
        """What Git says at a stage: the tag, with its digest where there is one."""
        return self.made.file(f"{key}.yaml", branch).partition("o/app:")[2].partition(" ")[0]

    async def written(self, key, tag, branch="main"):
        """Wait until Git says *tag* at a stage."""

        def is_written():
            is_there = branch == "main" or self.made.repository.git("branch", "--list", branch)
            return bool(is_there) and self.says(key, branch).partition("@")[0] == tag

        await until_there(is_written)

    async def deploys(self, key, tag=None, *, available=1, conditions=()):
        """Do what an agent and the controller of Deployments do: apply what Git says, and report how it runs."""
        tag = tag or self.says(key)
        container = {"name": "app", "image": f"{self.host}/o/app:{tag}"}
        status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available}
        await self.kube.put(
            DEPLOYMENT,
            "app",
            key,
            metadata={"name": "app", "namespace": key, "generation": 1},
            spec={"replicas": 1, "template": {"spec": {"containers": [container]}}},
            status={**status, "conditions": list(conditions)},
        )

    async def fails(self, key, tag=None):
        failed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
        await self.deploys(key, tag, available=0, conditions=[failed])

    def offer(self, key):
        """What *key* is offered now."""
        (asked,) = [item for item in self.generation.subscriptions if item.key == key]
        return self.generation.delivery.offers.offer(asked.gates.follows)

    def outcome(self, key):
        """How the last landing of a stage ended."""
        (status,) = self.generation.last.statuses([key], is_public=False)
        return status

    async def runs_well(self, key, follower):
        """Wait until it is known that the stage *key* runs what Git says there, for the clock of *follower*."""
        tag = self.says(key).partition("@")[0]

        def is_known():
            offer = self.offer(follower)
            is_timed = offer.opens_at is not None or offer.standing in offer.promoted
            return offer.standing is not None and offer.standing.tag == tag and offer.standing.digest and is_timed

        await until(is_known)

    @asynccontextmanager
    async def running(self):
        """The daemon at work; what ends it is the end of the block."""
        async with self.made.opened() as generation:
            self.generation = generation
            generation._process.reports.join(self)
            work = asyncio.create_task(generation.run())
            reports = asyncio.create_task(generation._process.reports.run())
            try:
                await until(lambda: work.done() or (generation.schedule is not None and generation.schedule.is_running))
                yield
                assert not work.done(), work.exception()
            finally:
                generation.stop()
                await work
                reports.cancel()

    def detail(self, key):
        """What is told of a stage."""
        return " ".join(item.detail for item in self.ends.get(key, ()))

    def hear(self, report):
        """Take up what landed; see `updater.reporting.stream.Listener`."""
        if isinstance(report, DestinationLanded):
            for item in report.outcomes:
                self.ends[item.key] = [item]
                self.landings[item.key] = self.landings.get(item.key, 0) + 1

    async def decided(self, *keys):
        """Let *keys* be decided twice from now on: what was under way then does not count."""
        for _ in range(2):
            before = {key: self.landings.get(key, 0) for key in keys}
            await self.wakes(*keys)
            await until(lambda before=before: all(self.landings.get(key, 0) > count for key, count in before.items()))

    async def scanned(self):
        """Let every image be scanned anew."""
        for listed in self.generation.asked.by_image:
            await self.generation.scan(listed)

    async def noted(self):
        """Keep what is known of healthy times, as the daemon does now and then."""
        times = self.generation.delivery.healthy_runs.times
        times.judge()
        await self.generation._process.cache.remember_runs(times.remembered())

    async def wakes(self, *keys):
        """Let the destinations of stages land at once."""
        for item in self.generation.subscriptions:
            for target in item.targets if item.key in keys else ():
                self.generation.schedule.due(target.destination)


@asynccontextmanager
async def stages(folder, *keys, form="tag"):
    """Stages named *keys*, whose lines say 1.0.0; subscriptions are added by the test."""
    line = 'spec:\n  image: {{host}}/o/app:{value}  # {{{{"$imagepolicy": "ns:{key}"}}}}\n'
    files = {f"{key}.yaml": line.format(key=key, value=_FORMS[form]) for key in keys}
    async with fleet(folder, **files) as made, FakeKube() as kube:
        kube.install(DEPLOYMENT)
        path = folder / "kubeconfig"
        path.write_text(kubeconfig(kube.url, {}))
        made.extra = f"kubernetes: {{kubeconfig: {path}, leader_election: false}}"
        made.wall = clock = MovedClock()
        yield Stages(made=made, kube=kube, clock=clock)
