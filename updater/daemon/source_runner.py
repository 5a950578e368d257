"""How what sources say is taken up while the program runs, and told: in metrics, in the log, and back to the sources."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.daemon.push_evidence import ask_servers
from updater.errors import ConfigError, KubeError, UpdaterError
from updater.git.object_builder import Identity
from updater.inventory.destinations import branches_of, unnamed_beside_named
from updater.model.report import InventoryChanged, SourceState, TargetsRefused
from updater.reporting.feedback import SourceFeedback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from updater.daemon.process import Process
    from updater.inventory.inventory import Inventory, InventoryDelta
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.snapshot import Snapshot
    from updater.model.subscription import GitBranch
    from updater.sources.base import Source

TRIED_AGAIN: Final = 30.0
ASKED_AGAIN: Final = 60.0  # who may push, while several claim one place
SERVER_PATIENCE: Final = 20.0
SHORT_PATIENCE: Final = 3.0  # what else a source says waits so long for a server that does not answer


class SourceRunner:
    """Hears *sources*. *changed* is called with what each snapshot changed."""

    def __init__(
        self, asked: Inventory, sources: Sequence[Source], process: Process, *, changed: Callable[[InventoryDelta], None]
    ) -> None:
        self.asked = asked
        self.sources = tuple(sources)
        self._process = process
        self._changed = changed
        self._ask = partial(ask_servers, process.precedence, process.mirror)
        self._keys: set[str] | None = None
        self._left_out: frozenset[tuple[str, str]] = frozenset()
        self._heard_at = {source.name: 0.0 for source in self.sources}

    async def gather(self) -> None:
        """Read every source once; raise `KubeError` and `ConfigError`, since half of what is asked for is not it."""
        for source in self.sources:
            snapshot = await source.once()
            if not snapshot.complete:
                first = snapshot.problems[0]
                raise KubeError(first.message, hint=first.hint, code=first.code)
            await self._learn_heads(snapshot)
            await self._take(source, await source.again(), patience=SERVER_PATIENCE)

    async def follow(self, source: Source) -> None:
        """Take up what *source* says until cancelled; a way to it that is wrong is tried again."""

        async def deliver(snapshot: Snapshot) -> None:
            await self._take(source, snapshot)

        while True:
            try:
                await source.run(deliver)
            except ConfigError as error:
                self._process.log.warning("source", name=source.name, detail=error.message, hint=error.hint, code=error.code)
            await asyncio.sleep(TRIED_AGAIN)

    async def settle(self) -> None:
        """Ask again and again who may push, while several claim one place: rights and secrets change."""
        while True:
            await asyncio.sleep(ASKED_AGAIN)
            precedence = self._process.precedence
            branches = precedence.unknown or precedence.contested
            if branches and await self._ask(branches, patience=SERVER_PATIENCE):
                for source in self.sources:
                    await self._take(source, await source.again())

    def lead(self) -> None:
        """Let every source write what is due: this replica leads."""
        for source in self.sources:
            source.lead()

    async def finish(self) -> None:
        """Let every source write what is due now."""
        for source in self.sources:
            await source.finish()

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """What was asked for and is no subscription, each with its reason."""
        return (*self.asked.refused, *(outcome for source in self.sources for outcome in source.refused))

    def tell(self) -> None:
        """Report all that is asked for, and what is wrong with it; from now on these sources hear what becomes of it."""
        subscriptions, reports = self.asked.snapshot.subscriptions, self._process.reports
        emails = {target.commit_spec.email for item in subscriptions for target in item.targets}  # a few, of thousands
        self._process.ours |= {Identity(name="", email=email).address for email in emails}
        reports.join(SourceFeedback(self.sources))
        now = datetime.now(UTC)
        reports.publish(
            InventoryChanged(
                subscriptions=subscriptions,
                destinations=frozenset(self.asked.by_destination),
                sources=self._source_states(),
                scans=frozenset(self.asked.scans),
                at=now,
            )
        )
        if refused := self.refused:
            reports.publish(TargetsRefused(outcomes=refused, at=now))

    def _source_states(self) -> tuple[SourceState, ...]:
        problems: defaultdict[str, list[Problem]] = defaultdict(list)
        for name, problem in self.asked.problems:
            problems[name].append(problem)
        counts = {name: len(snapshot.subscriptions) for name, snapshot in self.asked.sources}
        return tuple(
            SourceState(
                name=name,
                subscriptions=counts.get(name),
                problems=tuple(problems[name]),
                heard_at=self._heard_at.get(name),
            )
            for name in dict.fromkeys((*counts, *self._heard_at))
        )

    def warn(self, problems: Iterable[Problem]) -> None:
        """Log problems."""
        for problem in problems:
            self._process.log.warning("problem", detail=str(problem), origin=problem.origin, hint=problem.hint, code=problem.code)

    async def _take(self, source: Source, snapshot: Snapshot, *, patience: float = SHORT_PATIENCE) -> None:
        is_first = source.name in self.asked.missing and snapshot.complete
        change = self.asked.take(source.name, snapshot)
        unknown = self._process.precedence.unknown
        if (
            snapshot.complete and unknown and await self._ask(unknown, patience=patience)
        ):  # before anybody is told that he lost what he may keep
            snapshot = await source.again()
            change = change.followed_by(self.asked.take(source.name, snapshot))
        if is_first:
            self._process.log.info("source", name=source.name, subscriptions=len(snapshot.subscriptions))
        self._heard_at[source.name] = time.time()
        self.tell()
        standing = set(self.asked.snapshot.problems)
        self.warn(problem for problem in change.problems if problem in standing)
        self._tell_left_out()
        self._changed(change)
        if self.asked.is_complete:  # before, what is missing is not gone
            await self._forget({item.key for item in self.asked.snapshot.subscriptions})

    async def _learn_heads(self, snapshot: Snapshot) -> None:
        """Ask which branch HEAD is where others name one of the same repository: a single pass lands on each branch once."""
        heads = [
            found for found in unnamed_beside_named(snapshot.destinations) if not self._process.default_branches.name_of(found)
        ]
        for branch, head in zip(heads, await asyncio.gather(*(_default_of(self._process, head) for head in heads)), strict=True):
            self._process.default_branches.learn(branch, head)

    def _tell_left_out(self) -> None:
        """Log each image that is listed and not kept current, when that begins: nothing is left out in silence."""
        now = {(outcome.key, outcome.code or ""): outcome for outcome in self.refused}
        for place in now.keys() - self._left_out:
            outcome = now[place]
            self._process.log.info("left out", key=outcome.key, code=outcome.code, detail=outcome.detail, origin=outcome.target)
        self._left_out = frozenset(now)

    async def _forget(self, keys: set[str]) -> None:
        """Forget what became of subscriptions that are no more, and let go of repositories that nobody names."""
        if self._keys is None or self._keys - keys:
            await self._process.cache.forget_outcomes(except_keys=keys)
            await self._process.keep_mirrors(branches_of(self.asked.by_destination))
        self._keys = keys


async def _default_of(process: Process, branch: GitBranch) -> str:
    try:
        return (await process.mirror(branch).look()).default or ""
    except UpdaterError:  # the landing says it
        return ""
