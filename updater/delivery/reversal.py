"""Which bad releases are taken back, and in favour of what: the last image that ran well, never merely the one before.

One step back may be a version whose canary was never promoted. What ran well is asked of the controller first, which keeps it:
the ReplicaSet of `stableRS`, the primary of a Canary. Of other kinds it is what we saw healthy. Where nobody knows, nothing is
taken back.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Protocol

from updater.delivery.kinds import REPLICA_SET
from updater.delivery.state import images_of, is_asked_for, read_reference
from updater.documents.members import mapping_in
from updater.errors import ConfigError, KubeError
from updater.kube.client import ListScope
from updater.model.release import OnBad, ReleaseVerdict, RevertOrder
from updater.model.written import says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from updater.delivery.memory import ReleaseMemory
    from updater.delivery.state import WorkloadState
    from updater.kube.client import KubeClient
    from updater.model.image import ImageRef
    from updater.model.release import ClusterContext, DeliveryOptions, Release, Workload
    from updater.model.report import DestinationLanded, ReleaseJudged

_HASH = "rollouts-pod-template-hash"
_CLOSED = "proposal-closed"


class JudgedReleases(Protocol):
    """Who knows the workloads of releases; see `updater.delivery.following.ReleaseFollower`."""

    def options_of(self, key: str) -> DeliveryOptions | None:
        """Return how the releases of a subscription are followed."""

    def states_of(self, release: Release) -> list[tuple[Workload, WorkloadState]]:
        """Return what each workload of a release says of itself now."""


class Reversals:
    """Decides which bad releases are taken back. *wake* is told the key of a subscription that has an order."""

    def __init__(self, releases: JudgedReleases, memory: ReleaseMemory, *, wake: Callable[[str], None], log: Any) -> None:
        self._releases = releases
        self._memory = memory
        self._wake = wake
        self._log = log
        self._waiting: asyncio.Queue[ReleaseJudged] = asyncio.Queue()
        self._pending: set[str] = set()

    def is_pending(self, key: str) -> bool:
        """Return whether it is not known yet whether a bad release of a subscription is taken back."""
        return key in self._pending

    def hear(self, report: ReleaseJudged) -> None:
        """Let a bad release be taken back where that was asked for, where it is certain, and never twice in a row."""
        options = self._releases.options_of(report.release.subscription)
        if report.verdict is not ReleaseVerdict.BAD or options is None or options.on_bad is not OnBad.REVERT:
            return
        if report.release.is_revert:
            self._refuse(report, "it took another release back already; a second step back is for a person to make")
        elif not report.is_certain:
            self._refuse(report, "it was not followed from its commit on, or never applied, so its fault is not certain")
        else:
            self._pending.add(report.release.subscription)
            self._waiting.put_nowait(report)

    def landed(self, report: DestinationLanded) -> None:
        """Forget the orders that are done: the value does not stand any more, or people closed the pull request of the revert."""
        for outcome in report.outcomes:
            if outcome.code == _CLOSED and (order := self._memory.orders.pop(outcome.key, None)) is not None:
                self._say_no(outcome.key, order.bad, order.revision, outcome.detail)
        for key in report.written.keys() & self._memory.orders.keys():
            bad = self._memory.orders[key].bad
            if not any(says(value, bad, if_unknown=True) for value in report.written[key]):
                del self._memory.orders[key]

    async def run(self, client_for: Callable[[str], KubeClient]) -> None:
        """Order what is to be taken back, until cancelled; what waits then is judged again by whoever comes after.

        *client_for* returns the cluster in which a subscription is followed, by its key; it may raise `ConfigError`.
        """
        lanes: defaultdict[ClusterContext | None, asyncio.Lock] = defaultdict(asyncio.Lock)
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    report = await self._waiting.get()
                    options = self._releases.options_of(report.release.subscription)
                    lane = lanes[options.cluster if options else None]  # one that does not answer keeps nobody else waiting
                    tasks.create_task(self._finish(report, client_for, lane), name="order a revert")
        finally:
            for key in self._pending:
                self._memory.judged.pop(key, None)

    async def _finish(self, report: ReleaseJudged, client_for: Callable[[str], KubeClient], lane: asyncio.Lock) -> None:
        async with lane:
            await self._order(report, client_for)
        self._pending.discard(report.release.subscription)
        self._wake(report.release.subscription)

    async def _order(self, report: ReleaseJudged, client_for: Callable[[str], KubeClient]) -> None:
        release = report.release
        kept = await self._kept(release, client_for)
        good = kept or self._remembered(release)
        if good is None:
            self._refuse(report, "no version is known that ran well before")
            return
        self._memory.orders[release.subscription] = RevertOrder(
            revision=release.revision, bad=release.image, good=good, reason=report.reason, is_kept=kept is not None
        )

    async def _kept(self, release: Release, client_for: Callable[[str], KubeClient]) -> ImageRef | None:
        """Return what ran well before *release*, where its controllers keep that; several must have kept the same."""
        kept: set[ImageRef] = set()
        for workload, state in self._releases.states_of(release):
            images = await self._stable(release, (workload, state.stable), client_for) if state.stable else state.kept
            found = another_image(images, release.image)
            kept |= {found} if found is not None else set()
        return kept.pop() if len(kept) == 1 else None

    def _remembered(self, release: Release) -> ImageRef | None:
        found = self._memory.healthy.get(release.subscription)
        return found if found is not None and not is_asked_for(found, release.image) else None

    async def _stable(
        self, release: Release, kept: tuple[Workload, str], client_for: Callable[[str], KubeClient]
    ) -> tuple[str, ...]:
        """Return the images of the ReplicaSet that a Rollout calls stable."""
        workload, hash_ = kept
        scope = ListScope(namespace=workload.namespace, labels=f"{_HASH}={hash_}")
        try:
            sets = await client_for(release.subscription).list(REPLICA_SET, scope)
        except (ConfigError, KubeError) as error:
            self._log.warning("release", key=release.subscription, detail=error.message, hint=error.hint, code=error.code)
            return ()
        return tuple(text for item in sets for text in images_of(mapping_in(mapping_in(item, "spec"), "template")))

    def _refuse(self, report: ReleaseJudged, why: str) -> None:
        self._say_no(report.release.subscription, report.release.image, report.release.revision, why)

    def _say_no(self, key: str, image: ImageRef, revision: str, why: str) -> None:
        self._log.warning(
            "not taken back",
            key=key,
            image=str(image),
            revision=revision[:9],
            detail=why,
            code="revert-held",
            hint="revert the commit by hand, or write the version that you want",
        )


def another_image(texts: Iterable[str], image: ImageRef) -> ImageRef | None:
    """Return the one reference of the same image name among *texts* where it is another image; None where there are several."""
    refs = {ref for text in texts if (ref := read_reference(text)) is not None and ref.name == image.name}
    return next((ref for ref in refs if not is_asked_for(ref, image)), None) if len(refs) == 1 else None
