"""Write Events on objects of the cluster, where `kubectl describe` and Argo CD's page show them.

Events of the core group: everything shows those; of the newer group the pages of today leave out time and count.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from updater.errors import KubeError, KubeGone
from updater.http.client import Clock
from updater.kube.kinds import EVENT, Object, Ref, key_of
from updater.model.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.kube.client import KubeClient

SAID_AGAIN: Final = 600.0
LONGEST_MESSAGE: Final = 1024
MOST_REMEMBERED: Final = 4096
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An Event to write. *reason* is one word in CamelCase, *message* a sentence for people, *annotations* are for programs."""

    reason: str
    message: str
    weight: Literal["Normal", "Warning"] = "Normal"
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Told:
    name: str
    first: float
    written: float
    count: int = 1


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRate:
    """The rate of Events for one object: *burst* at once, then one every *seconds*."""

    burst: int = 25
    seconds: float = 300.0


class EventRecorder:
    """Write each Event once: repetitions are counted, and the count is written at most every ten minutes.

    *component* is the name of the program in them, *instance* that of this replica. Nothing here raises: a remark that cannot be
    written is left out, and *report* is told why.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        component: str,
        instance: str,
        report: Callable[[KubeError], None] = lambda _error: None,
        rate: EventRate | None = None,
        surroundings: Clock | None = None,
    ) -> None:
        self._client = client
        self._component, self._instance = component, instance
        self._report = report
        self._rate = rate or EventRate()
        self._around = surroundings or Clock()
        self._told: dict[str, _Told] = {}
        self._buckets: dict[str, _Bucket] = {}

    async def tell(self, item: Object, remark: Event) -> bool:
        """Return *remark* on *item*, an object with apiVersion, kind and metadata; False where nothing was written."""
        key, now = self._key(item, remark), self._around.clock()
        known = self._told.pop(key, None)
        if known:
            self._told[key] = known  # last again
            known.count += 1
            if now - known.written < SAID_AGAIN:
                return False
        if not self._may(item):
            return False
        try:
            if known:
                await self._count(item, remark, known, now)
            else:
                await self._write(item, remark, key, now)
        except KubeError as error:
            self._report(error)
            return False
        return True

    async def _write(self, item: Object, remark: Event, key: str, now: float) -> None:
        wall = self._around.wall()
        name = _name(item, key, wall)
        # noted before the request: who says the same meanwhile is only counted
        self._told[key] = told = _Told(name, wall, now)
        while len(self._told) > MOST_REMEMBERED:
            del self._told[next(iter(self._told))]
        try:
            await self._client.create(self._ref(item, name), self._body(item, remark, told))
        except KubeError:
            self._told.pop(key, None)
            raise

    async def _count(self, item: Object, remark: Event, told: _Told, now: float) -> None:
        change = {"count": told.count, "lastTimestamp": rfc3339(self._around.wall())}
        told.written = now
        try:
            await self._client.patch(self._ref(item, told.name), change)
        except KubeGone:  # events are kept for an hour
            told.first = self._around.wall()
            await self._client.create(self._ref(item, told.name), self._body(item, remark, told))

    def _body(self, item: Object, remark: Event, told: _Told) -> Object:
        metadata = item["metadata"]
        involved = {
            "apiVersion": item["apiVersion"],
            "kind": item["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace"),
            "uid": metadata.get("uid"),
            "resourceVersion": metadata.get("resourceVersion"),
        }
        ref = self._ref(item, told.name)
        annotations = {"annotations": dict(remark.annotations)} if remark.annotations else {}
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": ref.name, "namespace": ref.namespace, **annotations},
            "involvedObject": {name: value for name, value in involved.items() if value},
            "type": remark.weight,
            "reason": remark.reason,
            "message": _cut(remark.message),
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
            "firstTimestamp": rfc3339(told.first),
            "lastTimestamp": rfc3339(self._around.wall()),
            "count": told.count,
        }

    def _ref(self, item: Object, name: str) -> Ref:
        return Ref(EVENT, key_of(item)[0] or "default", name)

    def _may(self, item: Object) -> bool:
        """Take a token of the object's bucket: one object in a loop must not fill the cluster's store."""
        now, key = self._around.clock(), "/".join((str(item["kind"]), *key_of(item)))
        bucket = self._buckets.pop(key, None) or _Bucket(self._rate.burst, now)
        bucket.tokens = min(self._rate.burst, bucket.tokens + (now - bucket.filled) / self._rate.seconds)
        bucket.filled = now
        self._buckets[key] = bucket
        while len(self._buckets) > MOST_REMEMBERED:
            del self._buckets[next(iter(self._buckets))]
        if bucket.tokens < 1.0:
            return False
        bucket.tokens -= 1.0
        return True

    def _key(self, item: Object, remark: Event) -> str:
        uid = str(item["metadata"].get("uid", ""))
        parts = (str(item["kind"]), *key_of(item), uid, remark.weight, remark.reason, remark.message, self._instance)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _name(item: Object, key: str, wall: float) -> str:
    """Return a name that no other event has: the object's, a part of what is said, and when."""
    base = _NOT_IN_NAMES.sub("-", key_of(item)[1].lower())[:200].strip(".-") or "object"
    return f"{base}.{key[:10]}{int(wall * 1000):x}"


def _cut(message: str) -> str:
    """Cut to what the API server takes: 1,024 bytes."""
    whole = message.encode()
    return message if len(whole) <= LONGEST_MESSAGE else whole[: LONGEST_MESSAGE - 3].decode(errors="ignore") + "…"
