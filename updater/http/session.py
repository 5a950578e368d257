"""Aiohttp sessions: the only module that imports the aiohttp client and handles its exceptions."""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections import OrderedDict
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import http_exceptions
from yarl import URL

from updater.http.address import PRIVATE_HINT, is_spared, origin_of, shown
from updater.http.budget import SMALL, Share
from updater.http.exchange import Connection, FailureKind, HttpFailure, Response
from updater.http.lines import Lines, LineTooLong
from updater.http.resolving import GuardedResolver, PrivateAddress
from updater.http.tls import is_pem, load_authorities, private_context
from updater.reasons import hint_of, reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.client import _RequestContextManager

    from updater.http.budget import Budget
    from updater.http.exchange import HttpRequest
    from updater.http.limits import Patience

_ERROR_BODY: Final = 64 * 1024
_FILES_CHECKED_EVERY: Final = 60.0
_FIELD_SIZE: Final = 32 * 1024  # tokens and Link headers outgrow aiohttp's 8 KiB
_IDENTITY: Final = frozenset({"", "identity"})
_FOREIGN: Final = (aiohttp.ClientError, OSError, ValueError, zlib.error)
MOST_SESSIONS: Final = 64


@dataclass(slots=True)
class _OpenSession:
    """A session, the times of the files that it was made from, when they were looked at, and how many exchanges are on it."""

    session: aiohttp.ClientSession
    stamps: tuple[int, ...]
    checked: float
    users: int = 0


class Sessions:
    """One aiohttp session for each kind of connection, created when it is first needed.

    Objects of a cluster may name connections without end: of more than *most* the one that was not used for longest is closed,
    unless something is in flight on it.
    """

    def __init__(self, patience: Patience, budget: Budget, *, most: int = MOST_SESSIONS) -> None:
        self._budget = budget
        self._most = most
        self._total = patience.total_timeout
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=patience.connect_timeout)
        self._open: OrderedDict[Connection, _OpenSession] = OrderedDict()
        self._retired: list[aiohttp.ClientSession] = []
        self._proxies: dict[tuple[str, str, int], str | None] = {}

    async def exchange(self, request: HttpRequest) -> Response:
        """Send *request* once; raise `HttpFailure`, never an exception of aiohttp."""
        most = self._total if request.allowance is None else min(self._total, request.allowance.left)
        now = asyncio.get_running_loop().time
        try:
            async with self._used(self._way(request)) as session, asyncio.timeout(most) as end:
                # who waits for others to read their large answers has as much time again
                share = Share(self._budget, request.url[: request.url.find("/", 8)], lambda: end.reschedule(now() + most))
                with share:
                    async with self._begun(session, request, self._timeout) as response:
                        status = response.status
                        is_head = request.method == "HEAD"
                        body = b"" if is_head else await _read(response, request.limit, is_wanted=status < 300, share=share)
                        return Response(status=status, url=request.url, body=body, fields=response.headers)
        except HttpFailure:
            raise
        except _FOREIGN as error:
            raise _failure(request.url, error) from error

    @asynccontextmanager
    async def stream(self, request: HttpRequest, *, idle: float) -> AsyncIterator[Stream]:
        """Open *request* as a stream; raise `HttpFailure`, also while it is read."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout.sock_connect, sock_read=idle)
        async with self._used(self._way(request)) as session:
            try:
                response = await self._begun(session, request, timeout)
            except _FOREIGN as error:
                raise _failure(request.url, error) from error
            try:
                yield Stream(response, request)
            finally:
                if response.connection and response.connection.transport:
                    response.connection.transport.abort()  # a farewell of TLS would outlive us, and nothing is left to say
                response.close()

    def _begun(
        self, session: aiohttp.ClientSession, request: HttpRequest, timeout: aiohttp.ClientTimeout
    ) -> _RequestContextManager:
        proxy = request.connection.proxy or self._proxy_of(request.url)
        if proxy and proxy.lower().startswith("socks"):
            way = f"the way to {shown(request.url)} leads through a SOCKS proxy"
            message = f"{way}: APIs are asked through HTTP proxies, only Git through SOCKS"
            hint = (
                "name an http or https proxy, which carries Git too, or put one that speaks HTTP before the SOCKS proxy; "
                "HTTPS_PROXY of the environment counts where a setting names no other one"
            )
            raise HttpFailure(message, trouble=FailureKind.SETTINGS, hint=hint)
        return session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            proxy=proxy,
            server_hostname=request.connection.server_name,
            timeout=timeout,
        )

    def _way(self, request: HttpRequest) -> Connection:
        """Return how the request goes out: a proxy resolves the name itself, and its own address is the user's choice."""
        way = request.connection
        is_unguarded = way.is_guarded and (way.proxy or self._proxy_of(request.url))
        return replace(way, is_guarded=False) if is_unguarded else way

    async def retire(self, connection: Connection) -> None:
        """Forget the session of *connection*; what is in flight on it ends before the next one is retired."""
        known = self._open.pop(connection, None)
        if known:
            retired, self._retired = self._retired, [known.session]
            for old in retired:
                await old.close()

    async def close(self) -> None:
        """Close every connection."""
        sessions = [known.session for known in self._open.values()] + self._retired
        self._open, self._retired = OrderedDict(), []
        for session in sessions:
            await session.close()

    @asynccontextmanager
    async def _used(self, connection: Connection) -> AsyncIterator[aiohttp.ClientSession]:
        known = await self._taken(connection)
        try:
            yield known.session
        finally:
            known.users -= 1

    async def _taken(self, connection: Connection) -> _OpenSession:
        """Return the session of *connection* with one user more: what has a user is not closed."""
        known = self._open.get(connection)
        now = time.monotonic()
        if known and (now - known.checked < _FILES_CHECKED_EVERY or not (connection.ca or connection.client_certificate)):
            return self._again(connection, known)
        stamps = _stamps(connection)
        if known and known.stamps == stamps:
            known.checked = now
            return self._again(connection, known)
        opened = _OpenSession(self._make(connection), stamps, now, users=1)
        await self.retire(connection)  # a certificate was renewed: what is in flight may still end on the old one
        self._open[connection] = opened
        await self._close_idle()
        return opened

    def _again(self, connection: Connection, known: _OpenSession) -> _OpenSession:
        known.users += 1
        self._open.move_to_end(connection)
        return known

    async def _close_idle(self) -> None:
        """Close the sessions that are too many, those first that were not used for longest."""
        excess = len(self._open) - self._most
        idle = [key for key, known in self._open.items() if not known.users][: max(excess, 0)]
        closing = [self._open.pop(key).session for key in idle]
        for session in closing:
            await session.close()

    def _make(self, connection: Connection) -> aiohttp.ClientSession:
        resolver = GuardedResolver(connection.private_hosts) if connection.is_guarded else None
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, ssl=tls_context(connection), ttl_dns_cache=60, keepalive_timeout=30, resolver=resolver
            ),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "gitops-image-updater"},
            auto_decompress=False,
            max_field_size=_FIELD_SIZE,
            max_line_size=_FIELD_SIZE,
        )

    def _proxy_of(self, url: str) -> str | None:
        origin = origin_of(url)
        if origin not in self._proxies:
            scheme, host, port = origin
            proxies = getproxies()
            is_direct = proxy_bypass(f"{host}:{port}") or is_spared(host, proxies.get("no", ""))
            self._proxies[origin] = None if is_direct else proxies.get(scheme) or None
        return self._proxies[origin]


class Stream:
    """An endless response: its status, and its lines as they arrive."""

    def __init__(self, response: aiohttp.ClientResponse, request: HttpRequest) -> None:
        self.status = response.status
        self._response = response
        self._request = request

    async def answer(self) -> Response:
        """Read what was answered instead of a stream: an error's beginning."""
        try:
            body = await _read(self._response, self._request.limit, is_wanted=False)
        except _FOREIGN as error:
            raise _failure(self._request.url, error) from error
        return Response(status=self.status, url=self._request.url, body=body, fields=self._response.headers)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield each whole line, without its line end; ends when the server ends the answer."""
        lines = Lines(self._request.limit)
        while piece := await self._piece():
            try:
                for line in lines.feed(piece):
                    yield line
            except LineTooLong:
                raise _too_large(self._response, self._request.limit) from None

    async def _piece(self) -> bytes:
        try:
            return await self._response.content.readany()
        except _FOREIGN as error:
            raise _failure(self._request.url, error) from error


def tls_context(connection: Connection) -> ssl.SSLContext | bool:
    """Return what aiohttp wants to know of TLS; raise `HttpFailure` where a file cannot be used."""
    if connection.authority or connection.client_pem:
        return private_context(connection)
    if not connection.ca and not connection.client_certificate:
        return not connection.insecure
    try:
        context = ssl.create_default_context()
        if connection.ca:
            load_authorities(context, connection.ca)
        if connection.client_certificate:
            context.load_cert_chain(connection.client_certificate, keyfile=_key_of(connection.client_certificate))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise HttpFailure(
            f"the TLS files {_shown(connection.ca)} {_shown(connection.client_certificate)} cannot be used: "
            f"{reason_of(error) or 'they are not PEM'}",
            trouble=FailureKind.SETTINGS,
            hint="ca and client_certificate are paths of PEM files; its key is in the same file, or beside it, ending in .key",
        ) from error
    if connection.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _shown(name: str | None) -> str:
    return "(given as text)" if name and is_pem(name) else name or ""


def _key_of(certificate: str) -> str | None:
    beside = Path(certificate).with_suffix(".key")
    return str(beside) if b"PRIVATE KEY-----" not in Path(certificate).read_bytes() and beside.exists() else None


def _stamps(connection: Connection) -> tuple[int, ...]:
    stamps = []
    for name in (connection.ca, connection.client_certificate):
        try:
            stamps.append(Path(name).stat().st_mtime_ns if name and not is_pem(name) else 0)
        except OSError:
            stamps.append(-1)
    return tuple(stamps)


async def _read(response: aiohttp.ClientResponse, limit: int, *, is_wanted: bool, share: Share | None = None) -> bytes:
    """Read at most *limit* decoded bytes; of an answer that is an error, the beginning is enough."""
    coding = (response.headers.get("Content-Encoding") or "").strip().lower()
    length = response.content_length
    if is_wanted and coding in _IDENTITY and length is not None and length <= limit:
        if share:
            await share.want(length)
        return await response.read()
    if is_wanted and length is not None and length > limit:
        raise _too_large(response, limit)
    cap = limit if is_wanted else min(limit, _ERROR_BODY)
    decode = _decoder(response, coding)
    parts, size = [], 0
    while chunk := await response.content.readany():
        piece = decode(chunk, cap + 1 - size)
        parts.append(piece)
        size += len(piece)
        if share and size > SMALL:
            await share.want(cap)
        if size > cap:
            response.close()
            if is_wanted:
                raise _too_large(response, limit)
            break
    return b"".join(parts)[:cap]


class _decoder:  # noqa: N801 - used as a function; a class because gzip needs state
    def __init__(self, response: aiohttp.ClientResponse, coding: str) -> None:
        if coding not in _IDENTITY | {"gzip", "x-gzip", "deflate"}:
            raise HttpFailure(
                f"{shown(str(response.url))} answered in the encoding {coding!r}, which we did not accept",
                trouble=FailureKind.PROTOCOL,
                hint="look for a proxy in between that compresses answers",
            )
        self._inflate = None if coding in _IDENTITY else zlib.decompressobj(zlib.MAX_WBITS | 32)

    def __call__(self, chunk: bytes, room: int) -> bytes:
        return chunk if self._inflate is None else self._inflate.decompress(chunk, max(room, 1))


def _too_large(response: aiohttp.ClientResponse, limit: int) -> HttpFailure:
    return HttpFailure(
        f"{shown(str(response.url))} answered with more than {limit} bytes",
        trouble=FailureKind.TOO_LARGE,
        hint="no healthy registry sends that much here; check what answers at this address",
    )


def _failure(url: str, error: BaseException) -> HttpFailure:
    """Turn an exception of aiohttp or the system into ours."""
    place = shown(url)
    refused = getattr(error, "os_error", None) or error
    if isinstance(refused, PrivateAddress):
        return HttpFailure(f"we do not connect to {place}: {refused}", trouble=FailureKind.REDIRECT, hint=PRIVATE_HINT)
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, ssl.SSLError)):
        hint = hint_of(error, "set ca: to the PEM file of its authority; check the host name and the client certificate")
        return HttpFailure(f"no trusted TLS connection to {place}: {_reason(error)}", trouble=FailureKind.TLS, hint=hint)
    if isinstance(error, TimeoutError):
        return HttpFailure(
            f"{place} did not answer in time", trouble=FailureKind.TIMEOUT, hint="check the network and the server's load"
        )
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        return HttpFailure(f"{place} broke off its answer", trouble=FailureKind.BROKEN, hint="look into the server's log")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        hint = "check the proxy's URL, its rules and credentials"
        return HttpFailure(f"the proxy refused the way to {place}: {error.status}", trouble=FailureKind.UNREACHABLE, hint=hint)
    is_connected = isinstance(error, aiohttp.ClientOSError) and not isinstance(error, aiohttp.ClientConnectorError)
    if is_connected or isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return HttpFailure(f"{place} broke off: {_reason(error)}", trouble=FailureKind.BROKEN, hint="look into the server's log")
    if isinstance(error, OSError):
        hint = "check the host name, the port, the network and the proxy"
        return HttpFailure(f"{place} cannot be reached: {_reason(error)}", trouble=FailureKind.UNREACHABLE, hint=hint)
    hint = "check that a server of the expected kind answers at this address"
    return HttpFailure(f"{place} did not answer in valid HTTP: {_reason(error)}", trouble=FailureKind.PROTOCOL, hint=hint)


def _reason(error: BaseException) -> str:
    """Return what went wrong in words for people; those of aiohttp are for programmers, and may hold what a server sent."""
    if said := reason_of(error):
        return said
    cause = error.__cause__ if isinstance(error.__cause__, http_exceptions.HttpProcessingError) else error
    return next((words for kind, words in _ANSWERS if isinstance(cause, kind)), "no usable answer")


_ANSWERS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (http_exceptions.BadStatusLine, "its first line is not a status of HTTP"),
    (http_exceptions.LineTooLong, "a line of it is too long"),
    (http_exceptions.InvalidHeader, "a header of it is malformed"),
    (http_exceptions.PayloadEncodingError, "its body does not fit its headers"),
    (http_exceptions.HttpProcessingError, "the answer is malformed"),
    (aiohttp.InvalidURL, "the URL cannot be used"),
    (zlib.error, "its compressed body is damaged"),
)
