"""Notices, routes and receivers by hand."""

from __future__ import annotations

import asyncio

import structlog

from tests.reporting.making import at
from updater.model.image import parse_ref
from updater.model.notification import NotifiedEvent
from updater.model.outcome import Move, Outcome, Status
from updater.model.release import Release, ReleaseVerdict, Workload
from updater.model.report import ReleaseJudged, ReleaseProgressed
from updater.model.written import Written
from updater.reporting.metrics import Metrics
from updater.reporting.notifications.desk import NotificationDesk, NotifyRoute
from updater.reporting.notifications.notices import Notice, NoticeLine
from updater.reporting.notifications.queue import NotifyError, QueueSurroundings

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FLEET = "https://git.test/fleet#main"


def moved(key="web", old="1.0.0", new="1.1.0", status=Status.UPDATED, **options):
    name = "r.test/app"
    move = Move(old=Written(name=name, tag=old), new=Written(name=name, tag=new))
    options = {"revision": COMMIT, "target": "somewhere"} | options
    return Outcome(key=key, status=status, detail=f"{name} {old} → {new}", moves=(move,), **options)


def line(event=NotifiedEvent.UPDATED, key="web", **options):
    options = {"target": "somewhere", "destination": FLEET, "detail": "words"} | options
    return NoticeLine(event=event, key=key, **options)


def notice(*lines, minutes=0.0, **options):
    return Notice(lines=lines or (line(),), at=at(minutes), **options)


def judged(verdict=ReleaseVerdict.BAD, revision=COMMIT, key="web", workload="web"):
    release = Release(subscription=key, revision=revision, image=parse_ref("r.test/app:1.1.0"), began=at())
    workload = Workload("Deployment", "shop", workload) if workload else None
    return ReleaseJudged(release=release, workload=workload, verdict=verdict, reason="it crashes", seconds=1.0, at=at())


def progressed(progress=None, revision=COMMIT, key="web"):
    report = judged(revision=revision, key=key)
    return ReleaseProgressed(
        release=report.release, workload=report.workload, progress=progress, reason="it is paused", at=at(5.0)
    )


class ReceiverByHand:
    """Takes messages, or raises what `script` holds."""

    def __init__(self, *script):
        self.script = list(script)
        self.taken: list[Notice] = []
        self.attempts = 0
        self.gate: asyncio.Event | None = None

    async def send(self, notice):
        self.attempts += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.script:
            error = self.script.pop(0)
            if error is not None:
                raise error
        self.taken.append(notice)

    @property
    def told(self):
        return [[(item.key, item.event.value) for item in notice.lines] for notice in self.taken]


def down(**options):
    return NotifyError("the receiver is down", **options)


class MemoryByHand:
    """What a cache would hold."""

    def __init__(self):
        self.kept: dict[str, dict[tuple[str, str], str]] = {}

    async def read(self, route):
        return dict(self.kept.get(route, {}))

    async def write(self, route, states):
        held = {**self.kept.get(route, {}), **states}
        self.kept[route] = {place: state for place, state in held.items() if state}

    async def keep(self, routes):
        self.kept = {route: states for route, states in self.kept.items() if route in routes}


class Surroundings:
    """Time that passes when somebody sleeps, metrics and a log that can be read."""

    def __init__(self, **options):
        self.metrics = Metrics()
        self.log = structlog.testing.CapturingLogger()
        self.slept: list[float] = []
        self.parts = QueueSurroundings(metrics=self.metrics, log=self.log, sleep=self.sleep, random=lambda: 1.0, **options)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def metric(self, name, *labels):
        names = {"updater_notifications_total": ("route", "result")}.get(name, ("route",))
        return self.metrics.registry.get_sample_value(name, dict(zip(names, labels, strict=True))) or 0.0

    @property
    def said(self):
        return [call.kwargs for call in self.log.calls]


class DeskByHand:
    """A desk whose queues work whenever `hear` has handed something on."""

    def __init__(self, *receivers, memory=None, leads=True, **options):
        self.around, self.memory, self.leads, self.whole = Surroundings(), memory or MemoryByHand(), leads, True
        self.receivers = receivers or (ReceiverByHand(),)
        self.desk = NotificationDesk(self.around.parts, self.memory, may_tell=lambda: self.leads)
        self.use(**options)

    def use(self, **options):
        options = {"on": frozenset(NotifiedEvent)} | options
        routes = [NotifyRoute(name=f"r{number}", receiver=item, **options) for number, item in enumerate(self.receivers)]
        self.desk.use(routes, is_whole=lambda: self.whole)

    async def hear(self, *reports):
        await self.desk.hear(reports)
        working = asyncio.create_task(self.desk.run())
        async with asyncio.timeout(30):
            await asyncio.gather(*(told.queue.idle() for told in self.desk._routes.values()))
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    @property
    def told(self):
        return self.receivers[0].told
