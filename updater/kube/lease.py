"""Leader election: one replica holds a Lease, renews it, and reports at once when it is no longer certain to lead.

Clocks of two machines are never compared: a holder counts as gone when its record did not change for the Lease's duration on
our own clock. https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.errors import KubeConflict, KubeError, KubeGone, UpdaterError
from updater.http.client import Clock
from updater.kube.kinds import LEASE, Object, Ref
from updater.model.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.kube.client import KubeClient

RELEASE_SECONDS: Final = 3.0
RELEASED: Final = 1  # what a Lease that was given back lasts
ADDRESS: Final = "image-updater.gitops/address"
_ADDRESS: Final = re.compile(r"http://(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-f:]{2,39}\]):[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseDurations:
    """Lease times in seconds: others wait *duration* for a renewal; the holder is no longer certain after *sure*.

    *sure* is below *duration*, so that no two ever lead at one time; *every* is between two looks.
    """

    duration: float = 15.0
    sure: float = 10.0
    every: float = 2.0


class LeaderElector:
    """One replica's part in electing a leader. *identity* is unique to it; others read it as `leader`.

    *address* is where the others reach this replica while it leads; they read it as `leader_address`.

    *gained* and *lost* are called in the event loop, at once, and must not block or raise; *report* is told what went wrong.
    """

    def __init__(  # noqa: PLR0913 - three calls, all of them needed
        self,
        client: KubeClient,
        place: tuple[str, str],
        *,
        identity: str,
        gained: Callable[[], None],
        lost: Callable[[], None],
        report: Callable[[KubeError], None] = lambda _error: None,
        term: LeaseDurations | None = None,
        surroundings: Clock | None = None,
        address: str = "",
    ) -> None:
        self._client = client
        self._ref = Ref(LEASE, *place)
        self._identity = identity
        self._address = address
        self._gained, self._lost, self._report = gained, lost, report
        self._term = term or LeaseDurations()
        self._around = surroundings or Clock()
        self._seen: Object | None = None
        self._seen_at = 0.0
        self._must_read = True
        self._sure_until = 0.0
        self._taken_until = 0.0
        self._leads = False
        self.gives_back = True

    @property
    def is_leader(self) -> bool:
        """Whether this replica leads at this moment; it is computed from the clock, so a process that slept is not fooled."""
        return self._leads and self._around.clock() < self._sure_until

    @property
    def leader(self) -> str | None:
        """Return the identity of who led when last looked, None where nobody did."""
        holder = _spec(self._seen).get("holderIdentity")
        return holder if isinstance(holder, str) and holder else None

    @property
    def leader_address(self) -> str:
        """Return where another replica that leads is reached, "" where none leads or that is not known."""
        if self.leader in {None, self._identity}:
            return ""
        found = _annotation(self._seen)
        return found if _ADDRESS.fullmatch(found) else ""

    async def run(self) -> None:
        """Take part until cancelled, then give the Lease back. Stop what the leader does before cancelling this.

        Every `KubeError` is reported and survived.
        """
        try:
            while True:
                await self._look()
                self._check()
                await self._around.sleep(self._pause())
                self._check()
        finally:
            await self._release()

    async def _look(self) -> None:
        """Renew or try to take the Lease; a request that hangs must not outlast what we are sure of."""
        began = self._around.clock()
        limit = self._sure_until - began if self._leads else self._term.sure
        try:
            async with asyncio.timeout(limit):
                await self._try(began)
        except KubeConflict:
            self._must_read = True  # changed by another: a candidate that was faster, or a person
        except KubeError as error:
            self._must_read = True
            self._report(error)
        except TimeoutError:
            self._must_read = True  # it may have been done or not; what it means for leading the clock decides

    async def _try(self, began: float) -> None:
        if self._must_read or not self._leads:
            await self._read()
        spec = _spec(self._seen)
        if self._seen is None:
            if self._around.clock() < self._taken_until:
                self._end()
                return
            self._take(await self._client.create(self._ref, self._body(transitions=0)), began)
        elif spec.get("holderIdentity") == self._identity:
            self._take(await self._write(self._body()), began)
        else:
            self._end()
            if self._is_free(spec):
                self._take(await self._write(self._body(transitions=_number(spec.get("leaseTransitions")) + 1)), began)

    async def _read(self) -> None:
        try:
            found = await self._client.get(self._ref)
        except KubeGone:
            if self._seen is not None and self.leader != self._identity and not self._is_free(_spec(self._seen)):
                # a person deleted it: who held it may still be sure of leading, and makes it anew first
                self._taken_until = self._seen_at + _duration(_spec(self._seen), self._term)
            self._seen = None
            return
        if self._seen is None or _spec(found) != _spec(self._seen):
            self._seen_at = self._around.clock()
        self._seen = found
        self._must_read = False

    async def _write(self, body: Object) -> Object:
        version = str((self._seen or {}).get("metadata", {}).get("resourceVersion", ""))
        return await self._client.patch(self._ref, body, version=version)

    def _take(self, found: Object, began: float) -> None:
        """Note that the Lease is ours. What we are sure of starts before the request, not with its answer."""
        self._seen, self._seen_at, self._must_read = found, self._around.clock(), False
        self._sure_until = began + self._term.sure
        if not self._leads:
            self._leads = True
            self._gained()

    def _is_free(self, spec: dict[str, Any]) -> bool:
        return self._around.clock() - self._seen_at >= _duration(spec, self._term)

    def _body(self, *, transitions: int | None = None) -> Object:
        """Return the record of a renewal; with *transitions*, the count of holders before, that of taking it."""
        now = rfc3339(self._around.wall(), "microseconds")
        spec: dict[str, Any] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, int(self._term.duration)),
            "renewTime": now,
        }
        if transitions is not None:
            spec |= {"acquireTime": now, "leaseTransitions": transitions}
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"name": self._ref.name, "namespace": self._ref.namespace, **_place(self._address, self._seen)},
            "spec": spec,
        }

    def _check(self) -> None:
        if self._leads and not self.is_leader:
            self._end()

    def _end(self) -> None:
        if self._leads:
            self._leads = False
            self._lost()

    def _pause(self) -> float:
        pause = self._term.every * (0.8 + 0.4 * self._around.random())
        return min(pause, max(self._sure_until - self._around.clock(), 0.0)) if self._leads else pause

    async def _release(self) -> None:
        """Release the Lease, so that the next leader need not wait for its end; not without `gives_back`."""
        held, self._must_read = self.gives_back and self._leads and not self._must_read, True
        self._end()
        if not held:
            return
        body = self._body()
        body["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": RELEASED}
        with contextlib.suppress(UpdaterError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._write(body)


def _spec(found: Object | None) -> dict[str, Any]:
    spec = (found or {}).get("spec")
    return spec if isinstance(spec, dict) else {}


def _place(address: str, seen: Object | None) -> Object:
    """Return the annotation that says where the holder is reached, or that takes away where another one was."""
    if address:
        return {"annotations": {ADDRESS: address}}
    return {"annotations": {ADDRESS: None}} if _annotation(seen) else {}


def _annotation(found: Object | None) -> str:
    metadata = (found or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    address = annotations.get(ADDRESS) if isinstance(annotations, dict) else None
    return address if isinstance(address, str) else ""


def _duration(spec: dict[str, Any], term: LeaseDurations) -> float:
    """Return the seconds for which a record that does not change holds; one that was given back holds no more.

    A holder that was only taken out, as by a person, may still be sure of leading.
    """
    seconds = _number(spec.get("leaseDurationSeconds"))
    if not spec.get("holderIdentity") and seconds <= RELEASED:
        return 0.0
    return seconds or term.duration


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
