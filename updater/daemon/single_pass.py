"""One pass over everything and no more: what `once` and `explain` do, and how far it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from updater.engine.slots import SHARE
from updater.inventory.destinations import by_destination, destinations_of, with_companions
from updater.model.scan_key import scan_key_for

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence

    from updater.daemon.components import Components
    from updater.daemon.watching import PassProgress
    from updater.engine.landing import Chooser, Landing
    from updater.errors import UpdaterError
    from updater.model.image import ImageName
    from updater.model.scan_key import ScanKey
    from updater.model.selection import RevertedImage, Selection
    from updater.model.subscription import Destination, Subscription
    from updater.model.written import Written
    from updater.policies.choose import NamedTags

_T = TypeVar("_T")


class PassPerformer(Protocol):
    """Who scans and lands; see `updater.daemon.generation.Generation`."""

    components: Components
    progress: PassProgress

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """All there are."""

    @property
    def scans(self) -> Iterable[ScanKey]:
        """The images that are scanned for their own sake."""

    async def scan(self, listed: ScanKey) -> bool:
        """Scan one image."""

    async def land(
        self, destination: Destination, subscriptions: Sequence[Subscription] | None, *, is_dry: bool, choose: Chooser | None
    ) -> Landing:
        """Land one destination."""


class SinglePass:
    """A pass of *generation*, counted in its progress.

    A destination is read while its images are scanned, and chosen for when its own are: one silent server is waited for once, and
    hides no fault of another one.
    """

    def __init__(self, generation: PassPerformer) -> None:
        self._generation = generation
        self._progress = generation.progress
        self._scans: dict[ScanKey, asyncio.Future[None]] = {}

    async def run(self, subscriptions: Sequence[Subscription], *, is_dry: bool) -> tuple[Landing, ...]:
        """Scan the images of *subscriptions* and land their destinations, side by side.

        A branch that is made anew at each landing takes the other subscriptions of it along, or it would drop what they hold.
        """
        generation = self._generation
        whole = with_companions(subscriptions, generation.subscriptions)
        images = dict.fromkeys(scan_key_for(subscription) for subscription in whole if not subscription.is_fixed)
        if len(whole) == len(generation.subscriptions):  # a pass over everything answers who only wants a scan too
            images |= dict.fromkeys(generation.scans)
        together, destinations = by_destination(whole), destinations_of(subscriptions)
        self._progress.images, self._progress.destinations = len(images), len(destinations)
        async with asyncio.TaskGroup() as group:
            self._scan_all(images, group)
            lands = (generation.land(item, together[item], is_dry=is_dry, choose=self._choose) for item in destinations)
            landings = [group.create_task(self._counted(land, "landed")) for land in lands]
        return tuple(landing.result() for landing in landings)

    def _scan_all(self, images: Iterable[ScanKey], group: asyncio.TaskGroup) -> None:
        """Scan *images* by as many tasks a host as may ask it at one time: thousands that only wait would fill the memory."""
        loop = asyncio.get_running_loop()
        hosts: dict[str, list[ScanKey]] = {}
        for listed in images:
            self._scans[listed] = loop.create_future()
            hosts.setdefault(listed.image.registry, []).append(listed)
        for waiting in hosts.values():
            queue = iter(waiting)
            for _ in range(min(SHARE, len(waiting))):
                group.create_task(self._scan_each(queue))

    async def _scan_each(self, queue: Iterator[ScanKey]) -> None:
        for listed in queue:
            await self._counted(self._generation.scan(listed), "scanned")
            self._scans[listed].set_result(None)

    async def _counted(self, work: Coroutine[Any, Any, _T], name: str) -> _T:
        done = await work
        setattr(self._progress, name, getattr(self._progress, name) + 1)
        return done

    async def _choose(
        self,
        subscription: Subscription,
        written: Written,
        *,
        needs_digest: bool,
        rejected: Mapping[str, RevertedImage],
        named: NamedTags,
    ) -> Selection:
        """Choose when the scan of the image has ended; raise what it met."""
        if not subscription.is_fixed:
            await asyncio.shield(self._scans[scan_key_for(subscription)])
        scans = self._generation.components.scans
        return await scans.choose(subscription, written, needs_digest=needs_digest, rejected=rejected, named=named)


def scan_failures(generation: PassPerformer, subscriptions: Iterable[Subscription]) -> dict[str, tuple[ImageName, UpdaterError]]:
    """Return what the last scan of each subscription's image met, by key; those whose scan went well are left out."""
    failures = {item.key: (item.image, generation.components.scans.failure(scan_key_for(item))) for item in subscriptions}
    return {key: (image, failure) for key, (image, failure) in failures.items() if failure is not None}
