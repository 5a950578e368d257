"""Whether Flux's own image controllers work on the same objects: as long as they renew their Leases, they do.

Two updaters on the same objects would overwrite each other's statuses and race for each branch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import mapping_in
from updater.errors import KubeDenied, KubeError, KubeGone
from updater.http.client import Clock
from updater.kube.kinds import LEASE, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.kube.client import KubeClient

CONTROLLERS: Final = ("image-reflector-controller", "image-automation-controller")
LOOK_EVERY: Final = 5.0
USUAL_DURATION: Final = 35.0  # what Flux's manifests set
LONGEST_DURATION: Final = 3600
CLOCKS_DIFFER: Final = 600.0


@dataclass(slots=True)
class _Seen:
    """The record of a Lease, and until when it counts, on our own clock."""

    record: Any
    until: float


class RivalControllers:
    """Looks at the Leases of Flux's image controllers in *namespace*; with a label *selector* at those of that shard.

    A controller works while its record changes, and for the duration of its Lease after the last change that was seen on our own
    clock. Only a record that is far older than the clocks of two machines differ is nobody's from the start: a controller that
    was killed leaves it behind. *report* is told an error, and None when it is over.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        *,
        selector: str = "",
        report: Callable[[KubeError | None], None] = lambda _error: None,
        surroundings: Clock | None = None,
    ) -> None:
        self._client = client
        self._around = surroundings or Clock()
        self._report = report
        suffix = f"-{hashlib.sha256(selector.encode()).hexdigest()[:8]}" if selector else ""
        self._refs = {name: Ref(LEASE, namespace, f"{name}-leader-election{suffix}") for name in CONTROLLERS}
        self._seen: dict[str, _Seen] = {}
        self._known: set[str] = set()
        self.working: tuple[str, ...] = ()

    async def look(self) -> tuple[str, ...]:
        """Return the names of the controllers that work; what cannot be read now stays as it was."""
        working: list[str] = []
        failure: KubeError | None = None
        for name, ref in self._refs.items():
            try:
                works = self._works(name, await self._read(ref))
                self._known.add(name)
            except KubeDenied as error:  # that lasts, and is told: who runs both has to say so by the right or the setting
                works, failure = False, error
                self._known.add(name)
            except KubeError as error:
                works, failure = name in self.working, error
            if works:
                working.append(name)
        self.working = tuple(working)
        self._report(failure)  # once for all of them: they would take turns otherwise
        return self.working

    async def look_first(self) -> None:
        """Look until it is known who works: an API server that fails now says nothing of that."""
        await self.look()
        while self._known != self._refs.keys():
            await self._around.sleep(LOOK_EVERY)
            await self.look()

    async def follow(self, changed: Callable[[], None]) -> None:
        """Look again and again, and call *changed* whenever other controllers work than before, until cancelled."""
        while True:
            await self._around.sleep(LOOK_EVERY)
            before = self.working
            if await self.look() != before:
                changed()

    async def _read(self, ref: Ref) -> dict[str, Any]:
        try:
            return dict(mapping_in(await self._client.get(ref), "spec"))
        except KubeGone:
            return {}

    def _works(self, name: str, record: dict[str, Any]) -> bool:
        """Judge the record of a Lease; one that was given back, or that nobody ever held, is nobody's."""
        if not record.get("holderIdentity"):
            self._seen.pop(name, None)
            return False
        now, known = self._around.clock(), self._seen.get(name)
        if known is None or known.record != record:
            duration = record.get("leaseDurationSeconds")
            seconds = float(duration) if isinstance(duration, int) and 0 < duration <= LONGEST_DURATION else USUAL_DURATION
            is_left = known is None and self._around.wall() - _renewed(record) > seconds + CLOCKS_DIFFER
            self._seen[name] = known = _Seen(record, now if is_left else now + seconds)
        return now < known.until


def _renewed(record: dict[str, Any]) -> float:
    """Return when a Lease was renewed, in Unix time; what cannot be read is far ahead."""
    try:
        return datetime.fromisoformat(str(record.get("renewTime"))).timestamp()
    except (ValueError, OverflowError):
        return float("inf")
