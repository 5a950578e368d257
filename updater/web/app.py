"""The HTTP routes of the process: /metrics, /healthz, /readyz, and the statuses of subscriptions as JSON."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from updater.errors import ConfigError
from updater.reasons import reason_of
from updater.reporting.last_outcomes import globs_of
from updater.reporting.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from updater.reporting.last_outcomes import SubscriptionStatus


STATUS_PATH: Final = "/api/v1/status"
MOST_STATUSES: Final = 20_000
MOST_KEYS: Final = 100
#: a glob is tried on every subscription
MOST_GLOBS: Final = 10
TOO_MANY_GLOBS: Final = f"there are more than {MOST_GLOBS} globs among the keys"
_AT_ONCE: Final = 200
#: after how many seconds a client that reads nothing of an answer is dropped, and the answer with it
STALLED: Final = 60.0
#: for how many seconds a connection may be without a whole request: before the first one, or since the last
IDLE: Final = 75.0
_REASONS: Final = {
    errno.EADDRINUSE: "the address is already in use",
    errno.EACCES: "this user may not use the port",
    errno.EADDRNOTAVAIL: "this machine does not have the address",
}


def _no_statuses(_keys: Sequence[str]) -> tuple[SubscriptionStatus, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """What the routes ask: metrics text, readiness, and the statuses that keys name.

    Readiness is what is still waited for ("" if ready), in words and by condition.
    """

    render_metrics: Callable[[], bytes]
    content_type: str
    waits_for: Callable[[], str]
    conditions: Callable[[], Mapping[str, str]] = dict
    statuses: Callable[[Sequence[str]], Iterable[SubscriptionStatus]] = _no_statuses


def application(probes: Probes) -> web.Application:
    """Build the application over *probes*."""

    async def metrics(_request: web.Request) -> web.Response:
        body = await asyncio.to_thread(probes.render_metrics)
        return web.Response(body=body, headers={"Content-Type": probes.content_type})

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # an answer at all is the sign of life: the loop that lands gives it

    async def readyz(request: web.Request) -> web.Response:
        waiting = probes.waits_for()
        if "verbose" in request.query:
            return web.Response(status=503 if waiting else 200, text=_verbose(probes.conditions(), is_ready=not waiting))
        return web.Response(status=503 if waiting else 200, text=f"{waiting or 'ok'}\n")

    async def statuses(request: web.Request) -> web.Response:
        keys, states = request.query.getall("key", [])[:MOST_KEYS], set(request.query.getall("state", []))
        if len(globs_of(keys)) > MOST_GLOBS:
            return web.Response(status=400, text=f"{TOO_MANY_GLOBS}\n")
        rows, total = await _rows(probes.statuses(keys), states)
        body = await asyncio.to_thread(_as_json, rows, total)
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    app = web.Application()
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get(STATUS_PATH, statuses),
        ]
    )
    return app


async def _rows(statuses: Iterable[SubscriptionStatus], states: set[str]) -> tuple[list[dict[str, Any]], int]:
    """Return the first rows of *states* (none: all), and how many there are; some at a time, between other things of the loop."""
    rows: list[dict[str, Any]] = []
    total = 0
    for number, status in enumerate(statuses, start=1):
        if not states or (status.state is not None and status.state.value in states):
            total += 1
            if len(rows) < MOST_STATUSES:
                rows.append(plain(status.row()))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return rows, total


def _as_json(rows: list[dict[str, Any]], total: int) -> bytes:
    return json.dumps({"subscriptions": rows, "total": total}, sort_keys=True, ensure_ascii=False).encode()


def _verbose(conditions: Mapping[str, str], *, is_ready: bool) -> str:
    """Return each condition on a line of its own, as the API server of Kubernetes does for ``/readyz?verbose``."""
    lines = [f"[-]{name} failed: {waits}" if waits else f"[+]{name} ok" for name, waits in conditions.items()]
    return "\n".join([*lines, f"readyz check {'passed' if is_ready else 'failed'}"]) + "\n"


Served = web.AppRunner  # what answers at one address, until its `cleanup`


async def serve(app: web.Application, listen: str, *, setting: str = "listen.metrics") -> Served:
    """Listen on ``host:port`` (port 0 takes a free one); raise `ConfigError` where that is impossible."""
    host, _, port = listen.rpartition(":")
    app.on_response_prepare.append(_drop_stalled)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, keepalive_timeout=IDLE)
    await runner.setup()
    try:
        await web.TCPSite(runner, host.strip("[]") or None, int(port)).start()
    except (OSError, ValueError) as error:
        await runner.cleanup()
        raise ConfigError(
            f"cannot listen on {listen}: {_why(error)}", hint=f"{setting} is host:port, on a port that is free", code="listen"
        ) from error
    return runner


async def _drop_stalled(request: web.Request, _response: web.StreamResponse) -> None:
    """Let the kernel end the connection where a client stays away or does not read: nothing else ends the wait for it."""
    found = request.transport.get_extra_info("socket") if request.transport is not None else None
    if found is not None and found.family in {socket.AF_INET, socket.AF_INET6} and hasattr(socket, "TCP_USER_TIMEOUT"):
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED * 1000))


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0) or reason_of(error) or "the address cannot be used"
    return "the port is not a number"
