"""The stream of events over HTTP (text/event-stream): one number for each client, and no queue that could grow.

A client that does not read is cut off when nothing could be written to it for a while.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from updater.reporting.plain import plain
from updater.web.answers import ApiRefusal, encoded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from updater.web.events import EventLog, FleetEvent

    Render = Callable[[web.Request, Sequence[FleetEvent]], Awaitable[bytes]]

MOST_CLIENTS: Final = 256
BEAT_EVERY: Final = 15.0
SLOWEST: Final = 20.0
LASTS: Final = 900.0  # then a client comes back and is asked again who it is: its person may be gone meanwhile
TOGETHER: Final = 0.2  # what happens within this time is sent at once: 50 open pages cost 50 writes, not 5,000
WRITE_AHEAD: Final = 64 * 1024
_HEADERS: Final = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}


class EventStreams:
    """Serves *log* to many clients, as JSON or as *render* returns events for who sent a request.

    *beat_every*, *slowest* and *together* are in seconds.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        most: int = MOST_CLIENTS,
        beat_every: float = BEAT_EVERY,
        slowest: float = SLOWEST,
        together: float = TOGETHER,
        render: Render | None = None,
    ) -> None:
        self._log = log
        self._render = render or self._as_json
        self._most = most
        self._beat_every, self._slowest, self._together = beat_every, slowest, together
        self._serving: set[asyncio.Task[object]] = set()
        self._texts: dict[int, bytes] = {}

    @property
    def clients(self) -> int:
        """How many clients follow at the moment."""
        return len(self._serving)

    async def close(self, _app: web.Application) -> None:
        """End every stream: the server stops."""
        for task in self._serving:
            task.cancel()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send what happens until the client goes, or does not read; raise `ApiRefusal` where too many follow already."""
        if len(self._serving) >= self._most:
            raise ApiRefusal(
                503, "too-many-clients", f"{self._most} clients follow events already", headers={"Retry-After": "10"}
            )
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._serving.add(task)
        try:
            return await self._follow(request)
        finally:
            self._serving.discard(task)

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        if request.transport is not None:
            request.transport.set_write_buffer_limits(high=WRITE_AHEAD)
        try:
            await self._send_all(request, response)
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()  # a client that does not read would hold what was written
        return response

    async def _send_all(self, request: web.Request, response: web.StreamResponse) -> None:
        told = self._begin(request)
        await self._write(response, f"retry: 3000\nid: {self._log.run}-{max(told, 0)}\nevent: hello\ndata: {{}}\n\n".encode())
        ends = asyncio.get_running_loop().time() + LASTS
        while asyncio.get_running_loop().time() < ends:
            found = self._log.since(told) if told >= 0 else None
            if found is None:
                told = self._log.last
                await self._write(response, _framed(f"{self._log.run}-{told}", "reset", b"{}"))
            elif found:
                told = found[-1].number
                await self._write(response, await self._render(request, found))
            try:
                async with asyncio.timeout(self._beat_every):
                    await self._log.wait(told)
            except TimeoutError:
                await self._write(response, b": still here\n\n")
            else:
                await asyncio.sleep(self._together)

    def _begin(self, request: web.Request) -> int:
        """Return up to which event a client was told; -1 where what it missed is not kept any more."""
        known = request.headers.get("Last-Event-ID") or request.query.get("after") or ""
        run, _, number = known.rpartition("-")
        if not known:
            return self._log.last
        is_ours = run == self._log.run and number.isascii() and number.isdigit() and len(number) < 16
        return min(int(number), self._log.last) if is_ours else -1

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(self._slowest):
            await response.write(data)

    async def _as_json(self, _request: web.Request, events: Sequence[FleetEvent]) -> bytes:
        return b"".join(map(self._text, events))

    def _text(self, event: FleetEvent) -> bytes:
        """Return an event as it is sent; made once for all clients."""
        known = self._texts.get(event.number)
        if known is None:
            known = _framed(f"{self._log.run}-{event.number}", event.kind, encoded(plain(event)))
            self._texts[event.number] = known
            if len(self._texts) > self._log.most:
                del self._texts[next(iter(self._texts))]
        return known


def _framed(number: str, kind: str, data: bytes) -> bytes:
    # JSON has no line ends outside its strings, and escapes those within
    return f"id: {number}\nevent: {kind}\ndata: ".encode() + data + b"\n\n"
