"""Subscriptions, snapshots and a source by hand, for tests of what a daemon does with them."""

from __future__ import annotations

import asyncio

from tests.engine.making import git_branch
from tests.fakes.kube import kubeconfig
from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER
from updater.kube.kinds import CONFIG_MAP, LEASE
from updater.model.image import parse_name
from updater.model.outcome import Outcome, Status
from updater.model.problem import Problem
from updater.model.snapshot import Snapshot
from updater.model.subscription import GitBranch, LiveApplication, Locator, Origin, PolicySpec, Subscription, Target

MAIN = GitBranch(url="https://git.test/fleet", branch="main")
REBUILT = git_branch("https://git.test/fleet", push="update")
LIVE = LiveApplication(namespace="argocd", name="web")


def asked(key, *destinations, image="r.test/app", interval=120.0, editor="marker"):
    locator = Locator(name=f"ns:{key}")
    targets = tuple(Target(destination=item, editor=editor, locator=locator, interval=interval) for item in destinations)
    return Subscription(
        key=key,
        image=parse_name(image),
        policy=PolicySpec("semver", {}),
        targets=targets,
        interval=interval,
        origin=Origin(kind="Application", name=f"argocd/{key}"),
    )


def snapshot(*subscriptions, problems=(), complete=True):
    return Snapshot(subscriptions=tuple(subscriptions), problems=tuple(problems), complete=complete)


def problem(code="unknown-key", origin="Application argocd/web"):
    return Problem(path="", code=code, message="it is wrong", hint="mend it", origin=origin)


def outcome(key="web", status=Status.FAILED, code="gone"):
    return Outcome(key=key, target="somewhere", status=status, detail="words", code=code)


class SourceByHand:
    """A source: `say` hands a snapshot on, or raises an error out of it; `heard` is what it was told."""

    name = "applications"

    def __init__(self, first=None, refused=()):
        self.first = first
        self.refused = refused
        self.heard = []
        self.said: asyncio.Queue = asyncio.Queue()
        self.runs = 0

    async def again(self):
        return self.first

    async def once(self):
        return self.first

    async def run(self, deliver):
        self.runs += 1
        while True:
            said = await self.said.get()
            if isinstance(said, Exception):
                raise said
            await deliver(said)

    def hear(self, report):
        self.heard += report.outcomes

    async def caught_up(self):
        self.heard.append("caught up")

    def lead(self):
        self.heard.append("lead")

    async def finish(self):
        self.heard.append("finish")


def install(server):
    """Let an API server of our own serve every kind that a daemon reads."""
    for kind in (CONFIG_MAP, LEASE, APPLICATION, IMAGE_UPDATER):
        server.install(kind)


def configured(server, folder, more="", *, namespaces="argocd"):
    """Write an updater.yaml that reads the Applications of *server*, and give its path."""
    (folder / "kubeconfig").write_text(kubeconfig(server.url, {}))
    path = folder / "updater.yaml"
    path.write_text(
        f"state: {folder / 'state'}\nlisten: {{metrics: null}}\n"
        f"kubernetes: {{kubeconfig: {folder / 'kubeconfig'}, namespace: argocd}}\n"
        f"sources: [{{applications: {{namespaces: [{namespaces}]}}}}]\n{more}"
    )
    return path
