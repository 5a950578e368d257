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
    LeaderOnlyWriter,
    WriterRoutes,
    git_access,
    git_writer,
    live_writer,
    scans_of,
)
from updater.daemon.decision_watch import DecisionWatch, holds_place
from updater.daemon.forges import Forges
from updater.daemon.git_access import RenewingWriter
from updater.daemon.proposal_sources import ProposalSources
from updater.daemon.reflections import Reflections
from updater.daemon.single_pass import SinglePass
from updater.daemon.source_runner import SourceRunner
from updater.daemon.tasks import LongTask, generation_tasks, run_beside
from updater.daemon.watch_reports import watch_reporter
from updater.daemon.watching import PassProgress
from updater.engine.announced import AnnouncedImages
from updater.engine.gating import Gatekeeper, opening
from updater.engine.hints import HintQueue
from updater.engine.landing import Landing, LandingContext, land
from updater.engine.outcomes import failed
from updater.engine.reports import landing_reports, scan_report
from updater.errors import PushRefused, UpdaterError
from updater.inventory.destinations import branches_of, destinations_of, marker_names
from updater.inventory.inventory import Inventory
from updater.sources.base import SourceRequests
from updater.sources.file import require_author
from updater.writeback.proposals import ProposalSurroundings, ProposalWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from updater.daemon.argocd import ArgocdComponents, PeerConfiguration
    from updater.daemon.delivery import Delivery
    from updater.daemon.flux import FluxComponents
    from updater.daemon.process import Process
    from updater.engine.landing import Chooser
    from updater.engine.schedule import Schedule
    from updater.inventory.inventory import InventoryDelta
    from updater.inventory.plan import Plan
    from updater.kube.client import KubeClient
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.release import PastVerdict
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.model.view import PastCommit
    from updater.reporting.last_outcomes import LastOutcomes
    from updater.reporting.metrics import Metrics
    from updater.settings import Settings
    from updater.sources.file import LoadedConfiguration
    from updater.writeback.base import Writer

LONGEST_PAUSE: Final = 0.1
ANSWERS_AT_MOST: Final = 2.0


class Generation:
    """One configuration at work. Build it with `start`; what its file says stays, what its sources say may change.

    *peer* is what lies below the file in the cluster, None where nothing does.
    """

    def __init__(
        self, loaded: LoadedConfiguration, process: Process, crew: Components, peer: PeerConfiguration | None = None
    ) -> None:
        self.loaded = loaded
        self.crew = crew
        self.asked = Inventory(loaded.snapshot, [source.name for source in crew.sources], process.precedence)
        self.hearing = SourceRunner(self.asked, crew.sources, process, changed=self._replan)
        self.schedule: Schedule | None = None
        self._reflections = Reflections(self.asked, crew.scans, process.reports.publish, may_work=process.may_write)
        self._process = process
        self.gates = Gatekeeper(clock=process.wall, memory=process.waiting)
        self._hints = HintQueue(self._scan_hinted)
        self._announced = AnnouncedImages(loaded.settings.interval_with_webhooks)
        self.peer = peer
        self._delivery = _delivery(loaded, process)
        self.holds = holds_place(loaded.settings.holds, process)
        self.progress = PassProgress()

    @classmethod
    async def start(
        cls, loaded: LoadedConfiguration, process: Process, *, wrap: Callable[[Writer], Writer] = lambda writer: writer
    ) -> Generation:
        """Put a generation together; *wrap* may stand between a landing and its writer.

        Raises `ConfigError`, and `KubeError` where what lies below it in a cluster cannot be read.
        """
        generation: Generation

        requests = SourceRequests()
        argocd = await _argocd(loaded, process)
        settings = argocd.settings if argocd else loaded.settings
        flux = _flux(settings, process, requests)
        require_author(settings, loaded.snapshot.subscriptions)

        def known() -> frozenset[str]:
            names = marker_names(generation.asked.snapshot.subscriptions)
            return names | flux.source.translation.marker_names if flux else names

        git = await git_writer(settings, process, known)
        live = live_writer(process, argocd.source if argocd else None)
        repositories, objects = argocd.repositories if argocd else None, flux.repositories if flux else None
        access = git_access(settings, process, repositories, objects)
        forges = Forges(settings, process, access)
        scans = scans_of(settings, process, flux.registries if flux else None)
        sources = ProposalSources(scans.registry, lambda: generation.asked.by_destination)
        around = ProposalSurroundings(
            forge=forges.of,
            mirror=process.mirror,
            asked=lambda: generation.asked.by_destination,
            base=lambda branch: branch.branch or process.default_branches.name_of(branch),
            links=sources.links,
        )
        routes = WriterRoutes(RenewingWriter(ProposalWriter(git, around), repositories, objects), live)
        crew = Components(
            scans=scans,
            git=git,
            writer=wrap(LeaderOnlyWriter(routes, process.may_write)),
            access=access,
            sources=tuple(parts.source for parts in (argocd, flux) if parts),
            requests=requests,
        )
        if argocd:
            problems = (*loaded.snapshot.problems, *argocd.problems)
            loaded = replace(loaded, settings=settings, snapshot=replace(loaded.snapshot, problems=problems))
        generation = cls(loaded, process, crew, argocd.peer if argocd else None)
        if generation._delivery:
            await generation._delivery.recall()
        decided = await generation.holds.read()
        generation.asked.decide(decided.decisions, decided.problems)
        crew.scans.follow(generation.asked.by_image, generation.asked.by_image, listed_anyway=generation.asked.scans)
        return generation

    def take_over(self) -> None:
        """Let the process reach Git as this generation says; call it when no other one works any more."""
        self._process.access_for = self.crew.access
        self._process.bounds.limits = self.loaded.settings.git.limits.limits()
        self._process.metrics.keep("updater_watch_lost", ())  # what the one before lost is watched anew
        self._follow_proposals()
        self.hearing.tell()
        self.hearing.warn(self.asked.snapshot.problems)

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
        sources = {f"source-{item.name}": "no snapshot yet" if item.name in missing else "" for item in self.crew.sources}
        return {"configuration": "", "schedule": "" if is_working else "not started", **sources}

    async def once(self, subscriptions: Sequence[Subscription], *, is_dry: bool) -> tuple[Landing, ...]:
        """Make one pass over *subscriptions*, and over what their branches need besides; its reports are heard meanwhile."""
        landings = SinglePass(self).run(subscriptions, is_dry=is_dry)
        return await run_beside(landings, [LongTask(name="reports", run=self._process.reports.run)])

    async def scan(self, listed: ScanKey) -> bool:
        """Scan one image; return whether what it offers differs from before. A failure stands until the next scan."""
        began = datetime.now(UTC)
        timeouts = [asked.timeout for asked in self.asked.scans.get(listed, ()) if asked.timeout]
        scans = self.crew.scans
        before = scans.offered(listed) if scans.has_scanned(listed) and not scans.failure(listed) else None
        has_changed = await scans.scan(listed, within=max(timeouts, default=None))
        names, failure = scans.offered(listed), scans.failure(listed)
        report = scan_report(listed, names=names, failure=failure, began=began, at=datetime.now(UTC))
        self._process.reports.publish(report)
        self._hints.scanned(listed, names)
        is_news = has_changed and failure is None and before is not None and (before != names or scans.follows(listed))
        if self._announced.scanned(listed, has_changed=is_news):
            self._stretch()
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
        if subscriptions is None:
            subscriptions = self.asked.by_destination.get(destination, ())
        parts = LandingContext(
            writer=self.crew.writer,
            choose=choose or self.crew.scans.choose,
            pause=partial(_pause, metrics=self._process.metrics),
            now=self._process.wall,
            gates=self.gates if self.schedule else replace(self.gates, waits=False),
        )
        if self.schedule:
            parts = replace(parts, settle=partial(self.schedule.settle, destination))
        if self._delivery:
            parts = replace(parts, reverts=self._delivery.order_of)
        if self._delivery and self.schedule:
            parts = replace(parts, gates=replace(parts.gates, busy=self._delivery.busy_of))
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
        return [(item, await self.crew.git.history(item, limit)) for item in branches_of(destinations_of(subscriptions))]

    async def verdicts(self) -> tuple[PastVerdict, ...]:
        """Return how releases ended, as far as the cache remembers."""
        return await self._process.cache.verdicts()

    async def last_outcomes(self) -> tuple[Outcome, ...]:
        """Return the last outcome of every target that the cache remembers."""
        return await self._process.cache.outcomes()

    async def run(self) -> None:
        """Work by the schedule, and follow every source, until `stop`."""
        from updater.engine.schedule import Schedule  # noqa: PLC0415 - it loads the scheduler, which a single pass does not need

        self.schedule = schedule = Schedule(self._plan(), scan=self.scan, land=self._land)
        requests = self.crew.requests
        requests.scan, requests.land, requests.reflect = schedule.scan_afresh, schedule.due, self._reflections.again
        releases = self._delivery.joined(schedule.due) if self._delivery else None
        self.lead()

        async def work() -> None:
            await schedule.run()
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWERS_AT_MOST):
                    await self.hearing.finish()

        decisions = DecisionWatch(
            place=self.holds, asked=self.asked, process=self._process, put=self.hearing.decide, wake=schedule.due
        )
        follow = LongTask(name="follow people's decisions", run=decisions.run)
        hints = LongTask(name="scan what webhooks name", run=self._hints.run)
        lasting = generation_tasks(self.hearing, self._reflections.run, self._close_left, releases)
        await run_beside(work(), (*lasting, follow, hints))

    def hint(self, images: Iterable[ScanKey], tag: str, destinations: Iterable[Destination]) -> None:
        """Scan *images*, of which somebody said that *tag* was pushed ("": any), and look at *destinations*, at once."""
        self._hints.add(images, tag)
        if self.schedule:
            for destination in destinations:
                self.schedule.due(destination)

    def lead(self) -> None:
        """Work if this replica is the one that writes, else wait: call it when that changed."""
        if self.schedule is None:
            return
        if self._process.may_write():
            self.schedule.resume()
            self._reflections.wake()
            self.hearing.lead()
            if self._delivery:
                self._delivery.lead()
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

    async def _close_left(self) -> None:
        await self._process.left_proposals.run(lambda branch: self.land(branch, ()), self._process.may_write)

    def _follow_proposals(self) -> None:
        self._process.left_proposals.follow(self.asked.by_destination, is_whole=not self.asked.missing)

    def _scan_hinted(self, named: Mapping[ScanKey, Collection[str]]) -> None:
        self._process.metrics.count("updater_webhook_scans_total", by=len(named))
        for listed, tags in named.items():
            self.crew.scans.forget(listed, tags)
        if self.schedule:
            self.schedule.ask(named)
        if self._announced.hear(named):
            self._stretch()

    def _plan(self) -> Plan:
        plan = self._announced.stretched(self.asked.plan, self.asked.scans)
        self._process.metrics.set("updater_images_with_webhooks", to=len(self._announced))
        return plan

    def _stretch(self) -> None:
        """Scan images at the intervals that follow from what webhooks told lately."""
        if self.schedule:
            self.schedule.replan(self._plan())

    def _replan(self, change: InventoryDelta) -> None:
        self._follow_proposals()
        self.crew.git.keep(set(branches_of(self.asked.by_destination)))
        afresh = self.crew.scans.follow(self.asked.by_image, change.images, listed_anyway=self.asked.scans)
        if self.schedule:
            self.schedule.replan(self._plan(), changed=change.destinations, afresh=afresh)
            self._reflections.changed(change.images)


async def _pause(_attempt: int, metrics: Metrics) -> None:
    """Let two of ours come out of step; waiting longer would only let more writers pass."""
    metrics.count("updater_replays_total")
    await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 - jitter, no secret


async def _argocd(loaded: LoadedConfiguration, process: Process) -> ArgocdComponents | None:
    """Put the parts for Argo CD together where they are wanted: who has no cluster need not import them."""
    if loaded.settings.applications is None:
        return None
    from updater.daemon.argocd import argocd_components  # noqa: PLC0415 - see above

    return await argocd_components(loaded.settings, process)


def _flux(settings: Settings, process: Process, requests: SourceRequests) -> FluxComponents | None:
    """Put the parts for Flux together where they are wanted."""
    if settings.flux is None:
        return None
    from updater.daemon.flux import flux_components  # noqa: PLC0415 - who has no cluster need not import them

    return flux_components(settings, process, requests, watch_reporter(process))


def _delivery(loaded: LoadedConfiguration, process: Process) -> Delivery | None:
    """Put the parts together that follow releases, where a subscription asks for that."""
    if not any(item.delivery for item in loaded.snapshot.subscriptions):
        return None
    from updater.daemon.delivery import Delivery  # noqa: PLC0415 - who has no cluster need not import them

    return Delivery(loaded.snapshot.subscriptions, process)
