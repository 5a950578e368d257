"""One loaded configuration at work: its sources, its scans, its landings, its schedule."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.daemon.components import (
    NOT_LEADING,
    Components,
)
from updater.daemon.decision_watch import DecisionWatch, holds_place
from updater.daemon.healthy_runs import RecalledRuns
from updater.daemon.notifications import PASS_TOLD_WITHIN, finish_notifications, untold_problems, use_routes
from updater.daemon.offers import Offers
from updater.daemon.past_verdicts import recall_verdicts
from updater.daemon.reflections import Reflections
from updater.daemon.single_pass import SinglePass
from updater.daemon.source_runner import SourceRunner
from updater.daemon.tasks import LongTask, generation_tasks, run_beside
from updater.daemon.watching import PassProgress
from updater.daemon.webhook_scans import WebhookScans
from updater.engine.gating import Gatekeeper, opening
from updater.engine.landing import Landing, LandingContext, land
from updater.engine.outcomes import failed
from updater.engine.reports import landing_reports, scan_report
from updater.errors import PushRefused, UpdaterError
from updater.gates.promotion import unwatched
from updater.inventory.destinations import branches_of, destinations_of
from updater.inventory.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from updater.daemon.argocd import PeerConfiguration
    from updater.daemon.delivery import Delivery
    from updater.daemon.process import Process
    from updater.engine.landing import Chooser
    from updater.engine.schedule import Schedule
    from updater.inventory.inventory import InventoryDelta
    from updater.kube.client import KubeClient
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.model.view import PastCommit
    from updater.reporting.last_outcomes import LastOutcomes
    from updater.reporting.metrics import Metrics
    from updater.sources.file import LoadedConfiguration
    from updater.sources.holds import HoldsReading

LONGEST_PAUSE: Final = 0.1
ANSWERS_AT_MOST: Final = 2.0
LISTENS_AT_MOST: Final = 5.0


class Generation:
    """One configuration at work, as `updater.daemon.assembly` puts it together.

    What its file says stays, what its sources say may change.

    *peer* is what lies below the file in the cluster, None where nothing does.
    """

    def __init__(
        self, loaded: LoadedConfiguration, process: Process, components: Components, peer: PeerConfiguration | None = None
    ) -> None:
        self.loaded = loaded
        self.components = components
        self.asked = Inventory(loaded.snapshot, [source.name for source in components.sources], process.precedence)
        self.runner = SourceRunner(self.asked, components.sources, process, changed=self._replan)
        self.schedule: Schedule | None = None
        self._reflections = Reflections(self.asked, components.scans, process.reports.publish, may_work=process.may_write)
        self._process = process
        self.webhooks = WebhookScans(
            self.asked, components.scans, process.metrics, longest=loaded.settings.interval_with_webhooks
        )
        self.peer = peer
        self.delivery = _delivery(loaded, process, lambda: self.subscriptions)
        self._recalled = RecalledRuns(lambda: self.subscriptions, process)
        self.gates = Gatekeeper(
            clock=process.wall,
            memory=process.waiting,
            offers=Offers(lambda: self.subscriptions, self._recalled.runs, process.wall).offer,
            bad=process.releases.bad.get,
        )
        self.verdicts = process.cache.verdicts
        self.holds = holds_place(loaded.settings.holds, process)
        self.decisions = DecisionWatch(
            place=self.holds, asked=self.asked, process=process, put=partial(_decide, self.runner, self._replan)
        )
        self._catch_ups = (*(source.caught_up for source in components.sources), self.decisions.look)
        self.progress = PassProgress()

    def take_over(self) -> None:
        """Let the process reach Git as this generation says; call it when no other one works any more."""
        self._process.access_for = self.components.access
        self._process.bounds.limits = self.loaded.settings.git.limits.limits()
        self._process.metrics.keep("updater_watch_lost", ())  # what the one before lost is watched anew
        self._follow_proposals()
        self.runner.tell()
        self.runner.warn(self.asked.snapshot.problems)

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """What all sources together ask for."""
        return self.asked.snapshot.subscriptions

    @property
    def client(self) -> KubeClient:
        """The cluster; raise `ConfigError` where no way leads to one."""
        return self._process.cluster.client

    @property
    def scans(self) -> Iterable[ScanKey]:
        """The images that are scanned for their own sake."""
        return self.asked.scans

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with what the sources say."""
        return self.asked.snapshot.problems

    @property
    def untold(self) -> tuple[Problem, ...]:
        """What stood in the way of notifications last, for each route."""
        return untold_problems(self._process)

    @property
    def last(self) -> LastOutcomes:
        """What became of each subscription, as far as this process has seen."""
        return self._process.last_outcomes

    @property
    def waits_for(self) -> str:
        """What readiness still waits for, in words; "" where this replica is ready, also one that waits to lead."""
        if self.schedule is None or not (self.schedule.is_running or self.schedule.is_paused):
            return "the schedule to start"
        return f"the first snapshot of {', '.join(self.asked.missing)}" if self.asked.missing else ""

    @property
    def conditions(self) -> dict[str, str]:
        """Each condition of readiness by name, with what it still waits for, "" where it holds."""
        is_working = self.schedule is not None and (self.schedule.is_running or self.schedule.is_paused)
        missing = self.asked.missing
        sources = {f"source-{item.name}": "no snapshot yet" if item.name in missing else "" for item in self.components.sources}
        return {"configuration": "", "schedule": "" if is_working else "not started", **sources}

    async def once(self, subscriptions: Sequence[Subscription], *, is_dry: bool) -> tuple[Landing, ...]:
        """Make one pass over *subscriptions*, and over what their branches need besides; its reports are heard meanwhile."""
        process = self._process
        await self._recalled.recall()
        await recall_verdicts(process, {item.key: item for item in self.subscriptions if item.delivery}, is_all=False)

        async def work() -> tuple[Landing, ...]:
            landings = await SinglePass(self).run(subscriptions, is_dry=is_dry)
            if not is_dry:
                await finish_notifications(process, PASS_TOLD_WITHIN, is_patient=True)
            return landings

        if not is_dry:
            use_routes(self.loaded.settings, process, self.asked)
        beside = (LongTask(name="reports", run=process.reports.run), LongTask(name="notify", run=process.notifications.run))
        return await run_beside(work(), beside)

    async def scan(self, listed: ScanKey) -> bool:
        """Scan one image; return whether what it offers differs from before. A failure stands until the next scan."""
        began = datetime.now(UTC)
        timeouts = [asked.timeout for asked in self.asked.scans.get(listed, ()) if asked.timeout]
        before = self.webhooks.before(listed)
        has_changed = await self.components.scans.scan(listed, within=max(timeouts, default=None))
        names, failure = self.components.scans.offered(listed), self.components.scans.failure(listed)
        report = scan_report(listed, names=names, failure=failure, began=began, at=datetime.now(UTC))
        self._process.reports.publish(report)
        self.webhooks.scanned(listed, before, has_changed=has_changed)
        await self._reflections.scanned(listed, began)
        return has_changed

    async def land(
        self,
        destination: Destination,
        subscriptions: Sequence[Subscription] | None = None,
        *,
        is_dry: bool = False,
        choose: Chooser | None = None,
    ) -> Landing:
        """Land one destination, and report; a bug ends its targets as failed, with the traceback in the log.

        *subscriptions* are those that count, None for all of this destination; *choose* stands in for the choice of the scans.
        """
        started = time.monotonic()
        follows = subscriptions is None and self.schedule is not None
        if subscriptions is None:
            subscriptions = self.asked.by_destination.get(destination, ())
        parts = landing_context(self, self._process, destination, choose, is_dry=is_dry)
        if follows:
            parts = replace(parts, asked_now=partial(_asked_now, self.asked, destination, self._catch_ups))
        try:
            landing = await land(destination, subscriptions, parts, is_dry=is_dry)
        except Exception:  # an unexpected exception ends one destination, and others go on
            self._process.log.exception("bug", destination=str(destination))
            error = UpdaterError("a bug in updater ended this update; the log has the traceback", code="bug")
            landing = Landing(destination=destination, outcomes=failed(subscriptions, destination, error), choices={})
        if not (is_dry or any(outcome.code == NOT_LEADING for outcome in landing.outcomes)):  # that is the leader's to tell
            for report in landing_reports(landing, seconds=time.monotonic() - started, at=datetime.now(UTC)):
                self._process.reports.publish(report)
        return landing

    async def history(self, subscriptions: Sequence[Subscription], limit: int) -> list[tuple[GitBranch, tuple[PastCommit, ...]]]:
        """Return our own commits among the last *limit* of every branch that *subscriptions* write, newest first."""
        return [(item, await self.components.git.history(item, limit)) for item in branches_of(destinations_of(subscriptions))]

    async def last_outcomes(self) -> tuple[Outcome, ...]:
        """Return the last outcome of every target that the cache remembers."""
        return await self._process.cache.outcomes()

    async def run(self) -> None:
        """Work by the schedule, and follow every source, until `stop`."""
        from updater.engine.schedule import Schedule  # noqa: PLC0415 - it loads the scheduler, which a single pass does not need

        self.schedule = self.webhooks.schedule = schedule = Schedule(self.webhooks.plan(), scan=self.scan, land=self._land)
        requests = self.components.requests
        requests.scan, requests.land, requests.reflect = schedule.scan_afresh, schedule.due, self._reflections.again
        releases = await self.delivery.joined(schedule.due) if self.delivery else None
        self.lead()

        async def work() -> None:
            await schedule.run()
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWERS_AT_MOST):
                    await self.runner.finish()

        async def close_left() -> None:
            left = self._process.left_proposals
            await left.run(lambda branch: self.land(branch, ()), self._process.may_write, self.components.sweep)

        self.decisions.wake = schedule.due
        follow = LongTask(name="follow people's decisions", run=self.decisions.run)
        hints = LongTask(name="scan what webhooks name", run=self.webhooks.run)
        lasting = generation_tasks(self.runner, self._reflections.run, close_left, releases)
        await run_beside(work(), (*lasting, follow, hints))

    def lead(self) -> None:
        """Work if this replica is the one that writes, else wait: call it when that changed."""
        if self.schedule is None:
            return
        if self._process.may_write():
            self.schedule.resume()
            self._reflections.wake()
            self.runner.lead()
            if self.delivery:
                self.delivery.lead()
        else:
            self.schedule.pause()

    def stop(self) -> None:
        """Take no more work; `run` returns when landings that have begun are done."""
        if self.schedule:
            self.schedule.stop()

    async def _land(self, destination: Destination) -> None:
        if not self._process.may_write():  # leading may have ended since this was due
            return
        landing = await self.land(destination)
        if self.schedule and any(outcome.code == PushRefused.default_code for outcome in landing.outcomes):
            self.schedule.due(destination)  # others were faster every time: that is no reason to wait for the next interval
        if self.schedule and (opens := opening(landing.outcomes)) is not None:
            self.schedule.due_at(destination, opens)

    def _follow_proposals(self) -> None:
        self._process.left_proposals.follow(self.asked.by_destination, is_whole=not self.asked.missing)

    def _replan(self, change: InventoryDelta) -> None:
        self._follow_proposals()
        self.components.keep({*branches_of(self.asked.by_destination), *self._process.left_proposals.branches})
        afresh = self.components.scans.follow(self.asked.by_image, change.images, listed_anyway=self.asked.scans)
        if self.schedule:
            self.schedule.replan(self.webhooks.plan(), changed=change.destinations, afresh=afresh)
            self._reflections.changed(change.images)


async def _asked_now(
    asked: Inventory, destination: Destination, catch_ups: Sequence[Callable[[], Awaitable[None]]]
) -> Sequence[Subscription]:
    """Return what counts for a destination, after all that sources and people have said by now."""
    with suppress(TimeoutError):  # a cluster that does not answer holds up nobody who wrote before it fell silent
        async with asyncio.timeout(LISTENS_AT_MOST):
            await asyncio.gather(*(catch_up() for catch_up in catch_ups))
    return asked.by_destination.get(destination, ())


def landing_context(
    generation: Generation, process: Process, destination: Destination, choose: Chooser | None = None, *, is_dry: bool
) -> LandingContext:
    """Return what a landing of *destination* needs; *choose* stands in for the choice of the scans."""
    schedule, delivery = generation.schedule, generation.delivery
    parts = LandingContext(
        writer=generation.components.writer,
        choose=choose or generation.components.scans.choose,
        pause=partial(_pause, metrics=process.metrics),
        now=process.wall,
        gates=gates_in_force(generation, is_dry=is_dry),
    )
    if schedule:
        parts = replace(parts, settle=partial(schedule.settle, destination))
    if delivery:
        parts = replace(parts, reverts=delivery.order_of)
    if delivery and schedule:
        parts = replace(parts, settle=partial(_settle, schedule, delivery, destination))
    return parts


def gates_in_force(generation: Generation, *, is_dry: bool) -> Gatekeeper:
    """Return the gates as a landing asks them, and as whoever explains them has to: who watches the cluster answers for it."""
    gates, delivery = generation.gates, generation.delivery
    if generation.schedule is None:
        gates = replace(gates, waits=False)
    elif delivery:
        busy = delivery.busy.seen if is_dry else delivery.busy.of
        return replace(gates, busy=busy, offers=delivery.offers.offer)
    return gates if is_dry else replace(gates, offers=unwatched)  # what another process saw is no ground to write


async def _settle(schedule: Schedule, delivery: Delivery, destination: Destination) -> None:
    await schedule.settle(destination)
    await delivery.settle()


def _decide(runner: SourceRunner, replan: Callable[[InventoryDelta], None], reading: HoldsReading) -> None:
    """Take up what people decided, and let what that changes be landed."""
    change = runner.asked.decide(reading.decisions, reading.problems)
    runner.tell()
    runner.warn(change.problems)
    replan(change)


async def _pause(_attempt: int, metrics: Metrics) -> None:
    """Let two of ours come out of step; waiting longer would only let more writers pass."""
    metrics.count("updater_replays_total")
    await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 - jitter, no secret


def _delivery(loaded: LoadedConfiguration, process: Process, asked: Callable[[], tuple[Subscription, ...]]) -> Delivery | None:
    """Put the parts together that follow releases, where the file asks for that, or a source may."""
    settings = loaded.settings
    sources = {"Application": settings.applications, "ImagePolicy": settings.flux}
    namespaces = {kind: source.namespaces for kind, source in sources.items() if source is not None}
    if not namespaces and not any(item.delivery for item in loaded.snapshot.subscriptions):
        return None
    from updater.daemon.delivery import Delivery  # noqa: PLC0415 - who has no cluster need not import them

    silent = {kind for kind, source in sources.items() if source is not None and not source.events}
    return Delivery(loaded.snapshot.subscriptions, process, asked, namespaces=namespaces, silent=silent)
