"""Send one request and return its response: pacing, retries, redirects.

Everything here is bounded: tries, waits, redirects, bytes. aiohttp itself (0.3 s to import) is loaded
with the first request.
"""

from __future__ import annotations

import asyncio
import random as randomness
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self, TypeVar
from urllib.parse import urlsplit

from updater.http.address import connection_to, origin_of, resolve, shown
from updater.http.budget import Budget
from updater.http.exchange import FailureKind, HttpFailure, HttpRequest, Response
from updater.http.limits import RETRIED, UNTOUCHED, Patience, left_of_limit, pause_asked, retry_after
from updater.http.masking import SECRET_HEADERS, masked, secrets_sent
from updater.http.pacing import Host
from updater.http.waiting import HINT, SilentServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from updater.http.exchange import Connection
    from updater.http.pacing import HostState
    from updater.http.session import Sessions, Stream
    from updater.http.waiting import ServerWatch

A = TypeVar("A")
T = TypeVar("T")
MOST_REDIRECTS: Final = 5
MOST_HOSTS: Final = 4096
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_EASY_METHODS: Final = frozenset({"GET", "HEAD"})


def _observe_nothing(_host: str, _status: int, _seconds: float) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and randomness: *clock* counts seconds, *wall* returns seconds since 1970, *random* is from 0 to 1."""

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = randomness.random


class HttpClient:
    """Send requests. Open one per process and close it at the end; many tasks may share it.

    *budget* bounds what large answers hold in memory at one time.

    *observe* is called for each exchange with host and port, status (0 where no answer came), and seconds. `watch` is set where a
    person waits: it gives up servers that stay silent.
    """

    def __init__(
        self,
        *,
        patience: Patience | None = None,
        observe: Callable[[str, int, float], None] = _observe_nothing,
        surroundings: Clock | None = None,
        budget: Budget | None = None,
    ) -> None:
        surroundings = surroundings or Clock()
        self._patience = patience or Patience()
        self._observe = observe
        self._clock = surroundings.clock
        self._wall = surroundings.wall
        self._sleep = surroundings.sleep
        self._random = surroundings.random
        self._hosts: dict[tuple[tuple[str, str, int], str | None], Host] = {}
        self._names: set[str] = set()
        self._sessions: Sessions | None = None
        self.budget = budget or Budget()
        self.watch: ServerWatch | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; the client may be used again after that."""
        sessions, self._sessions = self._sessions, None
        if sessions:
            await sessions.close()

    @property
    def hosts(self) -> tuple[HostState, ...]:
        """How each host is that was asked, by name."""
        now = self._clock()
        return tuple(sorted((host.state(now) for host in self._hosts.values()), key=lambda state: state.name))

    async def send(self, request: HttpRequest) -> Response:
        """Return the answer to *request*, whatever its status, after retries and redirects; raise `HttpFailure`."""
        secrets = _secrets_of(request)
        request = replace(request, secrets=secrets) if secrets else request
        try:
            answer = await self._follow_through(request)
        except HttpFailure as failure:
            raise failure.without(secrets) from None  # a foreign error behind it may hold what was sent
        return replace(answer, secrets=secrets) if secrets else answer

    async def _follow_through(self, request: HttpRequest) -> Response:
        hop = request
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._persist(hop)
            location = answer.header("Location") if answer.status in _REDIRECTS else None
            if location is None:
                return answer
            hop = _follow(request, hop, answer.status, location)
        raise HttpFailure(
            f"{shown(request.url)} redirected us more than {MOST_REDIRECTS} times",
            trouble=FailureKind.REDIRECT,
            hint="set the url of this registry to where it really is",
        )

    @asynccontextmanager
    async def stream(self, request: HttpRequest, *, idle: float) -> AsyncIterator[Stream]:
        """Open an answer that is read line by line for as long as the server goes on; raise `HttpFailure`.

        It is sent once, follows no redirect and takes no slot of its host, which it would hold for minutes. It ends with a
        timeout when nothing came for *idle* seconds. `HttpRequest.limit` caps each line, and the body of an answer that is an
        error.
        """
        host = self._host(request)
        wait = host.wait(self._clock())
        if wait > 0:
            await self._sleep(wait)
        began, status = self._clock(), 0
        try:
            async with self._opened().stream(request, idle=idle) as stream:
                status = stream.status
                self._observe(host.name, status, self._clock() - began)
                yield stream
        except HttpFailure as failure:
            if not status:
                self._observe(host.name, 0, self._clock() - began)
            raise failure.without(_secrets_of(request)) from None

    async def retire(self, connection: Connection) -> None:
        """Forget a way to connect that is not used again, as after a certificate was renewed."""
        if self._sessions:
            await self._sessions.retire(connection)

    def wait_asked(self, answer: Response) -> float | None:
        """Return the seconds that the answer's Retry-After asks for, None where it does not."""
        return retry_after(answer, self._wall())

    async def _persist(self, request: HttpRequest) -> Response:
        """Try until there is an answer that another try would not better."""
        attempts = self._patience.attempts
        retried = RETRIED if request.is_repeatable else UNTOUCHED
        for attempt in range(attempts):
            is_last = attempt == attempts - 1
            _check_time(request)
            try:
                answer = await self._once(request)
            except HttpFailure as failure:
                _check_time(request)
                if is_last or not failure.is_passing or not request.is_repeatable:
                    raise
                await self._wait(self._patience.delay(attempt, self._random), request)
                continue
            if is_last or answer.status not in retried:
                return answer
            wait = retry_after(answer, self._wall()) or self._patience.delay(attempt, self._random)
            if wait > self._patience.bearable:
                return answer
            await self._wait(wait, request)
        raise AssertionError("at least one attempt")  # pragma: no cover - attempts is above zero

    async def _once(self, request: HttpRequest) -> Response:
        """Send once, in turn, and note what the host's answer says about the next ones."""
        host = self._host(request)
        gate = host.gate(request.pace)
        await gate.enter(request.lane)
        try:
            asked, own = host.wait(self._clock()), gate.book(self._clock())
            if asked > 0 or own > 0:
                await self._wait(asked, request)
                await self._sleep(max(own - asked, 0.0))
                host.wait(self._clock())
            return await self._exchange(request, host)
        finally:
            gate.leave()

    async def _exchange(self, request: HttpRequest, host: Host) -> Response:
        began = self._clock()
        status = 0
        try:
            answer = await _watched(self.watch, request, self._opened().exchange, request)
            status = answer.status
        except HttpFailure as failure:
            if failure.is_passing:
                host.failed(self._clock(), self._random)
            raise
        finally:
            took = self._clock() - began
            self._observe(host.name, status, took)
            if self.watch and self.watch.trace:
                self.watch.trace(request.method, masked(shown(request.url), request.secrets), status, took)
            if request.allowance:
                request.allowance.spend(took)
        host.succeeded()
        if left := left_of_limit(answer):
            host.remaining, host.limit = left
        pause = pause_asked(answer, self._wall())
        if not pause and status == 429:
            pause = self._patience.delay(0, self._random)
        if pause:
            host.pause(self._clock() + pause)
        return answer

    async def _wait(self, seconds: float, request: HttpRequest) -> None:
        """Wait because of what the server said or did: that is its time."""
        if seconds > 0:
            if request.allowance:
                request.allowance.spend(seconds)
                _check_time(request)
            await _watched(self.watch, request, self._sleep, seconds)

    def _host(self, request: HttpRequest) -> Host:
        """Return what is known of a host. Servers name hosts: their number is bounded, and so are the names that are observed.

        Behind a proxy that a connection names stands another host: what that proxy answers or breaks is no news of the host for
        those who reach it otherwise.
        """
        origin = origin_of(request.url)
        key = origin, request.connection.proxy
        host = self._hosts.get(key)
        if host is None:
            name = masked(f"{origin[1]}:{origin[2]}", request.secrets)
            if name not in self._names:
                name = name if len(self._names) < MOST_HOSTS else "other"
                self._names.add(name)
            if len(self._hosts) >= MOST_HOSTS:
                now = self._clock()
                self._hosts = {kept: known for kept, known in self._hosts.items() if not known.is_idle(now)}
            host = self._hosts[key] = Host(name, self._patience)
        return host

    def _opened(self) -> Sessions:
        if self._sessions is None:
            from updater.http.session import Sessions  # noqa: PLC0415 - aiohttp costs 0.3 s, and not every command asks

            self._sessions = Sessions(self._patience, self.budget)
        return self._sessions


def _watched(watch: ServerWatch | None, request: HttpRequest, work: Callable[[A], Awaitable[T]], argument: A) -> Awaitable[T]:
    """Do *work* with its *argument*; its time counts as the server's where somebody watches."""
    return work(argument) if watch is None else _under(watch, request, lambda: work(argument))


async def _under(watch: ServerWatch, request: HttpRequest, work: Callable[[], Awaitable[T]]) -> T:
    """Do *work* and count its time as the server's; raise `HttpFailure` where it is given up."""
    host, what = urlsplit(request.url).netloc.rpartition("@")[2], request.what or shown(request.url)
    try:
        async with watch.asked(host, what):
            return await work()
    except SilentServer as silent:
        raise HttpFailure(str(silent), trouble=FailureKind.DOWN, hint=HINT) from None


def _check_time(request: HttpRequest) -> None:
    if request.allowance and not request.allowance.left:
        raise HttpFailure(
            f"{shown(request.url)} took more than {request.allowance.seconds:g} seconds in all",
            trouble=FailureKind.TOO_SLOW,
            hint="check the registry's load and the network to it, or raise registry_limits.list_time",
        )


def _secrets_of(request: HttpRequest) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*secrets_sent(request.headers, request.connection.proxy), *request.secrets)))


def _follow(first: HttpRequest, hop: HttpRequest, status: int, location: str) -> HttpRequest:
    """Return the request that a redirect asks for; raise `HttpFailure` where it must not be followed."""
    home, connection, known = first.url, first.connection, first.known
    target = resolve(hop.url, location, home=home, connection=connection, known=known)
    is_same = origin_of(target) == origin_of(hop.url)
    if hop.method not in _EASY_METHODS and not (is_same and status in {307, 308}):
        raise HttpFailure(
            f"{shown(hop.url)} redirected a {hop.method} to {shown(target)}",
            trouble=FailureKind.REDIRECT,
            hint="what such a request holds is for the first server only; set the url to where it really is",
        )
    if is_same:
        return replace(hop, url=target)
    headers = {name: value for name, value in hop.headers.items() if name.lower() not in SECRET_HEADERS}
    way = connection_to(origin_of(target)[1], home=home, connection=connection, known=known)
    return replace(hop, url=target, headers=headers, connection=replace(way, client_certificate=None, client_pem=None))
