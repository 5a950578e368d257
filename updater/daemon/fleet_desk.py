"""Who answers the API: what the generation in force and the process know of the fleet, as values."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater import __version__
from updater.daemon.generation import gates_in_force, landing_context
from updater.daemon.leader import leader_address
from updater.daemon.one_shot import chosen
from updater.engine.landing import land
from updater.errors import ConfigError
from updater.http.single_flight import SingleFlight
from updater.inventory.destinations import by_destination, destinations_of, with_companions
from updater.model.scan_key import scan_key_for
from updater.reporting.last_outcomes import SubscriptionStatus
from updater.web.detail import DetailFacts, SubscriptionDetail, detail_of
from updater.web.events import EventLog
from updater.web.fleet import UNKNOWN, FleetRow, FleetTable, row_of, table_of, with_statuses
from updater.web.health import BudgetView, FleetHealth, HostView, RegistryView, ReplicaView, SourceView
from updater.web.links import ForgeLinks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.daemon.generation import Generation
    from updater.daemon.process import Process
    from updater.engine.landing import Landing
    from updater.errors import UpdaterError
    from updater.forge.address import ForgeKind
    from updater.gates.answers import GateAnswer
    from updater.http.pacing import HostState
    from updater.model.subscription import Destination, Subscription

KEPT_FOR: Final = 2.0
MOST_KEPT: Final = 64
LOOKS_AT_ONCE: Final = 4
#: how many more are made for acts, which do not wait behind the looks of those who read
ACTS_AT_ONCE: Final = 2
_AT_ONCE: Final = 200


class FleetDesk:
    """Answers for the generation in force, which *generation* returns. What was looked up just now is not looked up again."""

    def __init__(self, process: Process, generation: Callable[[], Generation]) -> None:
        self._process = process
        self._generation = generation
        self.events = EventLog()
        process.reports.join(self.events)
        self._table = FleetTable(version=-1)
        self._looking = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._acting = asyncio.Semaphore(ACTS_AT_ONCE)
        self._looks = SingleFlight()
        self._details: dict[str, tuple[float, SubscriptionDetail]] = {}
        self._forgotten = 0

    @property
    def replica(self) -> ReplicaView:
        """Which replica this is."""
        return ReplicaView(is_leader=self._process.may_write(), leader=leader_address(self._process))

    async def table(self) -> FleetTable:
        """Return every subscription as a row; only those are made anew of which something was reported."""
        last = self._process.last_outcomes
        heard, touched = last.heard, last.touched_since(self._table.version)
        if touched is None or any(key not in self._table.rows for key in touched):
            statuses = []
            for number, status in enumerate(last.statuses(), start=1):
                statuses.append(status)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._table = table_of(statuses, version=heard)
        elif heard != self._table.version:
            self._table = with_statuses(self._table, last.statuses_of(touched), version=heard)
        return self._table

    async def rows_of(self, keys: Sequence[str]) -> Sequence[FleetRow]:
        """Return the rows of *keys* that are known, at the price of these alone."""
        return tuple(map(row_of, self._process.last_outcomes.statuses_of(keys)))

    async def counts(self) -> Mapping[str, int]:
        """Return how many subscriptions there are of each state."""
        return {str(state or UNKNOWN): count for state, count in self._process.last_outcomes.counts().items()}

    async def detail(self, key: str) -> SubscriptionDetail:
        """Return one subscription in full, by a dry look at its destinations; raise `ConfigError` for an unknown key."""
        made, found = self._details.get(key, (0.0, None))
        if found is not None and time.monotonic() - made <= KEPT_FOR:
            return found
        forgotten = self._forgotten
        return await self._looks.share((key, forgotten), lambda: self._look_and_keep(key, forgotten))

    def forget(self, key: str) -> None:
        """Look up *key* again when it is asked for next: somebody did something about it."""
        self._forgotten += 1
        self._details.pop(key, None)

    async def health(self) -> FleetHealth:
        """Return how everything that is asked is."""
        generation = self._generation()
        missing = set(generation.asked.missing)
        problems = Counter(name for name, _ in generation.asked.problems)
        sources = tuple(
            SourceView(
                name=name, subscriptions=len(snapshot.subscriptions), problems=problems[name], is_heard=name not in missing
            )
            for name, snapshot in sorted({**dict(generation.asked.sources)}.items())
        )
        return FleetHealth(
            version=__version__,
            at=datetime.now(UTC),
            waits_for=generation.waits_for,
            replica=self.replica,
            sources=sources,
            registries=_registries(generation),
            hosts=tuple(map(_host, self._process.http.hosts)),
            budgets=tuple(
                BudgetView(
                    host=state.host,
                    account=state.account,
                    resource=state.resource,
                    remaining=state.remaining,
                    limit=state.limit,
                    renewed_in=round(state.renewed_in),
                    rests_for=round(state.rests_for),
                )
                for state in self._process.forge_budget.states()
            ),
            problems=generation.problems,
        )

    async def dry_landings(
        self, generation: Generation, item: Subscription, decided: Subscription | None = None
    ) -> tuple[Landing, ...]:
        """Return what `dry_landings` does; no more than `LOOKS_AT_ONCE` are made at one time, whoever asks for them."""
        async with self._looking:
            return await dry_landings(generation, self._process, item, decided)

    async def landings_for_act(self, generation: Generation, item: Subscription, decided: Subscription) -> tuple[Landing, ...]:
        """Return what `dry_landings` does, to somebody who acts: there are `ACTS_AT_ONCE` places that no reader takes."""
        async with self._acting:
            return await dry_landings(generation, self._process, item, decided)

    async def _look_and_keep(self, key: str, forgotten: int) -> SubscriptionDetail:
        found, now = await self._look(key), time.monotonic()
        self._details = {kept: entry for kept, entry in self._details.items() if now - entry[0] <= KEPT_FOR}
        if forgotten == self._forgotten and len(self._details) < MOST_KEPT:
            self._details[key] = (now, found)
        return found

    async def _look(self, key: str) -> SubscriptionDetail:
        generation = self._generation()
        status = next(iter(self._process.last_outcomes.statuses_of((key,))), None)
        if status is not None and all(found.key != key for found in generation.subscriptions):
            return SubscriptionDetail(row=row_of(status))  # it is listed and not kept current: the reason is all there is
        item = find_subscription(generation, key)
        status = status or SubscriptionStatus(key=key, image=str(item.image), origin=item.origin, policy=str(item.policy))
        landings: Sequence[Landing] = ()
        is_complete = self._process.may_write()
        if is_complete:
            landings = await self.dry_landings(generation, item)
        facts = DetailFacts(
            subscription=item,
            status=status,
            landings=landings,
            candidates=generation.components.scans.candidates(scan_key_for(item)),
            gates=_gates(generation, item, landings),
            verdicts=await generation.verdicts(),
            problems=[found for found in generation.problems if found.origin in {str(item.origin), key}],
            is_complete=is_complete,
        )
        return detail_of(facts, ForgeLinks(self._kind_of))

    def _kind_of(self, url: str) -> ForgeKind | None:
        entry = self._generation().loaded.settings.repository_for(url)
        return entry.forge.kind if entry is not None else None


def find_subscription(generation: Generation, key: str) -> Subscription:
    """Return the subscription *key*; raise `ConfigError` with the nearest key where there is none."""
    for item in generation.subscriptions:
        if item.key == key:
            return item
    chosen(generation, key)
    raise ConfigError(f"{key} names several subscriptions", hint="name one of them", code="unknown-key")


async def dry_landings(
    generation: Generation, process: Process, item: Subscription, decided: Subscription | None = None
) -> tuple[Landing, ...]:
    """Land every destination of *item* without writing, and without a trace: what would happen at this moment.

    Who has to move with it comes along. *decided* stands in the place of *item*: what would happen if more were decided.
    """
    whole = with_companions((item,), generation.subscriptions)
    together = by_destination([decided if decided and each is item else each for each in whole])

    async def look(destination: Destination) -> Landing:
        context = landing_context(generation, process, destination, is_dry=True)
        gates = replace(context.gates, memory=context.gates.memory.copy())
        return await land(destination, together[destination], replace(context, gates=gates), is_dry=True)

    return tuple(await asyncio.gather(*(look(destination) for destination in destinations_of((item,)))))


def _gates(generation: Generation, item: Subscription, landings: Sequence[Landing]) -> list[tuple[str, GateAnswer]]:
    gates = gates_in_force(generation, is_dry=True)
    return [
        (str(landing.destination), found)
        for landing in landings
        if landing.view is not None
        for found in gates.explained(landing.view, item, landing.choices)
    ]


def _registries(generation: Generation) -> tuple[RegistryView, ...]:
    images: Counter[str] = Counter()
    failing: dict[str, list[UpdaterError]] = {}
    for listed in {*generation.asked.by_image, *generation.asked.scans}:
        host = listed.image.registry
        images[host] += 1
        if failure := generation.components.scans.failure(listed):
            failing.setdefault(host, []).append(failure)
    return tuple(
        RegistryView(
            host=host,
            images=count,
            failing=len(failing.get(host, ())),
            code=failing[host][0].code if host in failing else None,
            reason=(failing[host][0].public or failing[host][0].message) if host in failing else None,
            hint=failing[host][0].hint if host in failing else None,
        )
        for host, count in sorted(images.items())
    )


def _host(state: HostState) -> HostView:
    word = "down" if state.down else "paused" if state.paused else "failing" if state.failures else "ok"
    return HostView(
        host=state.name,
        state=word,
        paused=round(state.paused),
        down=round(state.down),
        failures=state.failures,
        remaining=state.remaining,
        limit=state.limit,
    )
