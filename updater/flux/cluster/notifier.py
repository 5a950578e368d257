"""Events posted as Flux's notification-controller takes them, so that Alerts that people have go on.

It answers 429 where it was told the same within some minutes: that is no failure, and no reason to wait. What its Alerts look
at are kind, name, namespace and labels of the object, severity and message; the names of the controllers are shown in messages
and labels of what they send, so those of the original stay.
https://fluxcd.io/flux/components/notification/events/
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.controller.work import repeat
from updater.errors import KubeError
from updater.flux.kinds import IMAGE_UPDATE_AUTOMATION
from updater.http.exchange import HttpFailure, HttpRequest
from updater.http.limits import Patience
from updater.model.moments import rfc3339

if TYPE_CHECKING:
    from updater.controller.objects import KeptObject
    from updater.controller.options import ControllerOptions
    from updater.http.client import HttpClient
    from updater.kube.events import Event
    from updater.kube.kinds import Ref

TIMEOUT: Final = 5.0
TRIES: Final = 5
LONGEST_MESSAGE: Final = 39_000
MOST_WAITING: Final = 1_000
AT_THE_END: Final = 20
DUPLICATE: Final = 429
#: of the client that posts: it tries once, and a server that is away is asked again when there is something to tell
PATIENCE: Final = Patience(attempts=1, connect_timeout=TIMEOUT, total_timeout=TIMEOUT, broken_in_a_row=1_000_000)
_REFLECTOR: Final = "image-reflector-controller"
_AUTOMATION: Final = "image-automation-controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsAddress:
    """Where Events are posted: the URL of the events address, and the name of this replica."""

    url: str
    instance: str


class Notifier:
    """Posts Events one after the other, each once more for some times where that fails; the oldest are lost where too many wait.

    *http* should have `PATIENCE`. Failures are reported and counted by *options*, and only the replica that leads posts.
    """

    def __init__(self, address: EventsAddress, http: HttpClient, options: ControllerOptions) -> None:
        self._address = address
        self._http = http
        self._options = options
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._due = asyncio.Event()

    def put(self, ref: Ref, event: Event, kept: KeptObject) -> None:
        """Post an Event on an object soon; returns at once."""
        if len(self._waiting) == MOST_WAITING:
            self._options.count("notification", "dropped")
        self._waiting.append(json.dumps(self._body(ref, event, kept), ensure_ascii=False).encode(errors="replace"))
        self._due.set()

    def wake(self) -> None:
        """Post what waits."""
        self._due.set()

    async def run(self) -> None:
        """Post what comes until cancelled."""
        await repeat(self._work, detail="an Event was not posted to the events address")

    async def finish(self) -> None:
        """Post what waits, each once and not very many: the end of a single pass."""
        for _ in range(min(AT_THE_END, len(self._waiting))):
            if self._options.may_write():
                await self._post(self._waiting.popleft(), tries=1)

    async def _work(self) -> None:
        await self._due.wait()
        self._due.clear()
        while self._waiting and self._options.may_write():
            await self._post(self._waiting.popleft(), tries=TRIES)

    async def _post(self, body: bytes, *, tries: int) -> None:
        """Post one Event; after the last try it is reported and left out."""
        for attempt in range(tries):
            failure = await self._try(body)
            if failure is None:
                return
            is_last = attempt == tries - 1 or failure.code == "notification-refused"
            if is_last:
                self._options.count("notification", failure.code)
                self._options.report("events address", failure)
                return
            around = self._options.surroundings
            await around.sleep(PATIENCE.delay(attempt + 1, around.random))

    async def _try(self, body: bytes) -> KubeError | None:
        """Post once; return why it was not taken."""
        request = HttpRequest(
            url=self._address.url,
            method="POST",
            headers={"Content-Type": "application/json"},
            body=body,
            is_repeatable=False,
            limit=64 * 1024,
        )
        try:
            # streamed, because the client would leave the whole host alone after a 429
            async with asyncio.timeout(TIMEOUT), self._http.stream(request, idle=TIMEOUT) as answer:
                status = answer.status
        except TimeoutError:
            return _failure(f"the events address did not answer within {TIMEOUT:g} seconds", "notification-failed")
        except HttpFailure as failure:
            return _failure(failure.message, "notification-failed")
        if status < 300 or status == DUPLICATE:
            self._options.count("notification", "ok" if status < 300 else "duplicate")
            return None
        code = "notification-failed" if status >= 500 else "notification-refused"
        return _failure(f"the events address answered HTTP {status}", code)

    def _body(self, ref: Ref, event: Event, kept: KeptObject) -> dict[str, Any]:
        metadata = kept.item["metadata"]
        involved = {
            "apiVersion": ref.kind.api_version,
            "kind": ref.kind.name,
            "name": ref.name,
            "namespace": ref.namespace,
            "uid": metadata.get("uid"),
            "resourceVersion": kept.version,
        }
        body: dict[str, Any] = {
            "involvedObject": {name: value for name, value in involved.items() if value},
            "severity": "error" if event.weight == "Warning" else "info",
            "timestamp": rfc3339(self._options.surroundings.wall()),
            "message": event.message if len(event.message) <= LONGEST_MESSAGE else f"{event.message[: LONGEST_MESSAGE - 3]}...",
            "reason": event.reason,
            "reportingController": _AUTOMATION if ref.kind == IMAGE_UPDATE_AUTOMATION else _REFLECTOR,
            "reportingInstance": self._address.instance,
        }
        return body | ({"metadata": dict(event.annotations)} if event.annotations else {})


def _failure(message: str, code: str) -> KubeError:
    hint = "check that notification-controller runs and that flux.events_address names its Service"
    return KubeError(message, hint=hint, code=code)
