"""Git's smart protocol over HTTP: which answers mean what, and that no credential leaves its origin.

dulwich frames and negotiates; this module owns every request: TLS, proxy, time limits, one retry of a read whose
kept connection had gone, the redirect rule, and the memory of a listing, so that a fetch needs no second one.
Protocol 2 is asked for first: a listing then names only the wanted refs. Its capabilities do not change between
listings, so they are remembered and a quiet look is one request (Git documentation, gitprotocol-v2).
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from dulwich.client import AbstractHttpGitClient, build_ls_refs_request_v2, read_pkt_refs_v2
from dulwich.protocol import Protocol, pkt_line
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InsecureRequestWarning,
    LocationValueError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.exceptions import (
    TimeoutError as UrlTimeoutError,
)

from updater.git.access import GitAccess, GitAddress, authorization, masked
from updater.git.faults import clean, fault
from updater.git.sockets import Sockets
from updater.git.tunnel import socks_dialler
from updater.reasons import hint_of, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from updater.errors import GitError
    from updater.git.conversation import Conversation

CONNECT_SECONDS: Final = 15.0
READ_SECONDS: Final = 60.0
_MAX_REDIRECTS: Final = 5
_MAX_ERROR_TEXT: Final = 300
_READ_OF_ERROR: Final = 8192  # more than is shown, so that no part of a secret stands at the end of what is read
_PIECE: Final = 65536
_UPLOAD: Final = b"git-upload-pack"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_STATUS_CODES: Final = {
    HTTPStatus.UNAUTHORIZED: "git-denied",
    HTTPStatus.FORBIDDEN: "git-forbidden",
    HTTPStatus.NOT_FOUND: "git-not-found",
    HTTPStatus.GONE: "git-not-found",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "git-proxy",
    HTTPStatus.REQUEST_TIMEOUT: "git-timeout",
    HTTPStatus.TOO_MANY_REQUESTS: "git-rate-limited",
}

Discovered = tuple[dict[bytes, bytes | None], set[bytes], str, dict[bytes, bytes], dict[bytes, bytes]]


@dataclass(slots=True)
class ServerMemory:
    """What one repository's server said last: its protocol-2 capabilities, its redirected base, its listing."""

    capabilities: set[bytes] | None = None
    base_url: str = ""
    listing: Discovered | None = None
    version: int = 0
    pushing: tuple[int, Discovered] | None = None


@dataclass(slots=True)
class HttpConnection:
    """The connections to one server, kept between calls, and what was learned over them.

    *trace* is told of each request: method, URL, status (0 where there is none) and seconds.
    """

    address: GitAddress
    access: GitAccess
    trace: Callable[[str, str, int, float], None] | None = None
    pool: urllib3.PoolManager = field(init=False)
    memory: ServerMemory = field(default_factory=ServerMemory)
    sockets: Sockets = field(default_factory=Sockets)

    def __post_init__(self) -> None:
        self.pool = open_pool(self.address, self.access)
        self.pool.pool_classes_by_scheme = self.sockets.pool_classes(socks_dialler(self.access.proxy, CONNECT_SECONDS))

    def abort(self) -> None:
        """Break every connection, from any thread, and let no new one begin."""
        self.sockets.abort()

    @property
    def base_url(self) -> str:
        """The URL without user info."""
        return f"{self.address.scheme}://{self.address.netloc}{self.address.path.rstrip('/')}/"

    def masked(self, text: str) -> str:
        """Return *text*, which may come from the server, without what it was shown."""
        return masked(text, self.access, self.address)

    def request(self, method: str, url: str, headers: dict[str, str], data: bytes | Iterator[bytes] | None) -> Any:
        """Send once; return the answer of urllib3 with its body unread, raise what it raises."""
        began, status = time.monotonic(), 0
        try:
            response = self.pool.request(method, url, headers=headers, body=data, preload_content=False, redirect=False)
            status = response.status
        finally:
            if self.trace:
                self.trace(method, self.masked(clean(url)), status, time.monotonic() - began)
        return response

    def close(self) -> None:
        """Close every connection."""
        self.pool.clear()


def open_pool(address: GitAddress, access: GitAccess) -> urllib3.PoolManager:
    """Make the connection pool of one repository: its TLS, its proxy, no retries and no redirects of its own."""
    settings: dict[str, Any] = {
        "retries": False,
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        "maxsize": 1,
        "block": False,
    }
    if address.scheme == "https":
        settings["ssl_context"] = _tls(access)
    proxy = access.proxy or _environment_proxy(address)
    if proxy is None or socks_dialler(access.proxy, CONNECT_SECONDS):
        return urllib3.PoolManager(**settings)
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise fault("git-url", f"{clean(proxy)} is not an HTTP proxy")
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return urllib3.ProxyManager(url, proxy_headers=urllib3.util.make_headers(proxy_basic_auth=pair) if pair else None, **settings)


def _environment_proxy(address: GitAddress) -> str | None:
    host = address.netloc
    return None if proxy_bypass(host) else getproxies().get(address.scheme)


def _tls(access: GitAccess) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if isinstance(access.ca, bytes):
            context.load_verify_locations(cadata=access.ca.decode("ascii", "ignore"))  # comments of bundles
        elif access.ca is not None:
            context.load_verify_locations(cafile=access.ca)
        if access.client_certificate is not None:
            _load_client_certificate(context, access.client_certificate)
    except (OSError, ValueError) as error:
        raise fault("git-certificate", f"a certificate cannot be loaded: {reason_of(error) or 'it is not PEM'}") from error
    if access.insecure_skip_verify:
        urllib3.disable_warnings(InsecureRequestWarning)  # the setting was a decision; a warning per request helps nobody
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, source: Path | bytes) -> None:
    if isinstance(source, Path):
        context.load_cert_chain(source)
        return
    descriptor, name = tempfile.mkstemp(prefix="updater-")  # the standard library reads a key from a file only; mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(source)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


class GitHttpClient(AbstractHttpGitClient):
    """One call's client over a `HttpConnection`; *count* is told of every request, with the name of its service.

    A client lives for one call: dulwich keeps the state of a conversation in it. With *expected* it pushes as if the server had
    just listed these refs, where its capabilities are known: the server compares them itself.
    """

    def __init__(self, line: HttpConnection, count: Callable[[], None], *, thin_packs: bool = True, reuse: bool = False) -> None:
        super().__init__(line.base_url, thin_packs=thin_packs)
        self._line = line
        self._count = count
        self._reuse = reuse
        self.expected: dict[bytes, bytes | None] | None = None
        self.talk: Conversation | None = None
        self._responses: list[Any] = []

    def close(self) -> None:
        """Close what is left open of the conversation: dulwich leaves an answer open where the next request fails."""
        for response in self._responses:
            _let_go(response)

    def can_filter(self) -> bool:
        """Return whether the server of the remembered listing leaves out trees and files when asked to."""
        features = (item for item in self._line.memory.capabilities or () if item.startswith(b"fetch="))
        return any(b"filter" in item.split(b"=", 1)[1].split() for item in features)

    def _discover_references(  # type: ignore[override] # dulwich's alias types hide plain bytes
        self,
        service: bytes,
        base_url: str,
        protocol_version: int | None = None,
        ref_prefix: Sequence[bytes] | None = None,
    ) -> Discovered:
        version, prefixes = protocol_version, ref_prefix
        memory = self._line.memory
        if service != _UPLOAD:
            if memory.pushing is not None and self.expected is not None:
                self.protocol_version, known = memory.pushing
                return (self.expected, *known[1:])
            found = self._ask(service, memory.base_url or base_url, None, None)
            memory.pushing = self.protocol_version, ({}, *found[1:])
            return found
        if self._reuse and memory.listing is not None:
            self.protocol_version = memory.version
            return memory.listing
        if memory.capabilities is not None:
            found = self._list_again(memory, prefixes or ())
        else:
            found = self._ask(service, base_url, version, prefixes)
        memory.listing, memory.base_url, memory.version = found, found[2], self.protocol_version
        memory.capabilities = found[1] if self.protocol_version == 2 else None
        return found

    def _ask(self, service: bytes, base_url: str, version: int | None, prefixes: Sequence[bytes] | None) -> Discovered:
        found: Any = super()._discover_references(service, base_url, protocol_version=version, ref_prefix=prefixes)
        if self.dumb:
            raise fault("git-protocol", f"{self._line.address} answers, but not in Git's smart protocol")
        return found  # type: ignore[no-any-return]

    def _list_again(self, memory: ServerMemory, prefixes: Sequence[bytes]) -> Discovered:
        capabilities = memory.capabilities or set()
        self.protocol_version = 2
        command, arguments = build_ls_refs_request_v2(capabilities, "sha1", list(prefixes))
        if not any(item.startswith(b"object-format") for item in capabilities):
            command = [item for item in command if not item.startswith(b"object-format")]
        body = b"".join(map(pkt_line, command)) + b"0001" + b"".join(map(pkt_line, arguments)) + b"0000"
        memory.capabilities = None  # a server that changed its mind is asked from the start next time
        response, read = self._smart_request("git-upload-pack", memory.base_url, body)
        try:
            refs, symrefs, peeled = read_pkt_refs_v2(Protocol(read, lambda _: None).read_pkt_seq())
        finally:
            response.close()
        found: Any = (refs, capabilities, memory.base_url, symrefs, peeled)
        return found  # type: ignore[no-any-return]

    def _http_request(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,  # noqa: FBT001, FBT002, ARG002 - dulwich's signature
    ) -> tuple[Any, Callable[[int], bytes]]:
        response, final = self._follow(url, dict(headers or {}), data)
        self._responses.append(response)
        response.content_type = response.headers.get("Content-Type", "")
        if data is not None and not response.content_type.startswith("application/x-git-"):
            _let_go(response)
            kind = self._line.masked(response.content_type) or "nothing"
            raise fault("git-protocol", f"{self._line.address} answers a Git request with {kind}")
        response.redirect_location = final if final != url else ""
        return response, self._reader(response)

    def _reader(self, response: Any) -> Callable[[int], bytes]:
        def take(size: int) -> bytes:
            try:
                data = bytes(response.read(size))
            except (HTTPError, OSError) as error:
                raise self._failure(error) from error
            if self.talk is not None:
                self.talk.spend(len(data))
            return data

        def read(size: int | None = None) -> bytes:
            parts: list[bytes] = []
            while piece := take(_PIECE if size is None else size):
                parts.append(piece)
                if size is not None:
                    break
            return b"".join(parts)

        return read

    def _follow(self, url: str, headers: dict[str, str], data: bytes | Iterator[bytes] | None) -> tuple[Any, str]:
        """Send, and follow redirects of the first request within the origin (or from http to https of one host)."""
        for _ in range(_MAX_REDIRECTS):
            response = self._send(url, headers, data)
            if response.status == HTTPStatus.OK:
                return response, url
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                raise self._refusal(response)
            _let_go(response)
            target = urljoin(url, location)
            if data is not None or not _is_same_place(url, target):
                shown = self._line.masked(urlsplit(target)._replace(query="", fragment="").geturl())
                raise fault("git-redirect", f"{self._line.address} is redirected to {shown}")
            url = target
        raise fault("git-redirect", f"{self._line.address} is redirected more than {_MAX_REDIRECTS} times")

    def _send(self, url: str, headers: dict[str, str], data: bytes | Iterator[bytes] | None) -> Any:
        headers = {"User-Agent": "git/2 updater", "Pragma": "no-cache", **headers, **dict(self._line.access.headers)}
        if (shown := authorization(self._line.access, self._line.address)) is not None:
            headers["Authorization"] = shown
        method = "GET" if data is None else "POST"
        is_read = not url.endswith("/git-receive-pack")
        for is_last in (not is_read, True):
            self._count()
            try:
                return self._line.request(method, url, headers, data)
            except ProtocolError as error:  # a kept connection that the server closed meanwhile: reading twice is harmless
                if is_last or self._line.sockets.is_aborted:
                    raise self._failure(error) from error
            except (HTTPError, LocationValueError, OSError) as error:
                raise self._failure(error) from error
        raise AssertionError("the second try returns or raises")

    def _failure(self, error: BaseException) -> GitError:
        code = next((code for kinds, code in _FAILURES if isinstance(error, kinds)), "git-unreachable")
        if isinstance(error, ProtocolError) and isinstance(error.args[-1], ssl.SSLError):
            code = "git-tls"
        hint = hint_of(error, "") if code == "git-tls" else ""
        return fault(code, f"{self._line.address}: {self._line.masked(_reason(error))}", hint=hint)

    def _refusal(self, response: Any) -> GitError:
        text = ""
        if "text/plain" in response.headers.get("Content-Type", ""):  # a page of HTML tells a person nothing in a log line
            with contextlib.suppress(HTTPError, OSError):
                text = self._line.masked(response.read(_READ_OF_ERROR).decode("utf-8", "replace")).strip()[:_MAX_ERROR_TEXT]
        detail = f": {text}" if text else ""
        _let_go(response)
        status: int = response.status
        code = _STATUS_CODES.get(HTTPStatus(status), "") if status in set(HTTPStatus) else ""
        code = code or ("git-unavailable" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "git-protocol")
        return fault(code, f"{self._line.address} answered {status}{detail}", hint=_hint(self._line, code))


_FAILURES: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (SSLError, "git-tls"),
    (NewConnectionError, "git-unreachable"),
    (UrlTimeoutError, "git-timeout"),
    (ProxyError, "git-unreachable"),
    (ProtocolError, "git-interrupted"),
    (LocationValueError, "git-url"),
    (ssl.SSLError, "git-tls"),
)


def _let_go(response: Any) -> None:
    """Close an answer whose body nobody reads, and its socket, which an empty body would keep open."""
    response.close()
    if (original := response._original_response) is not None:  # noqa: SLF001 - urllib3 closes it only when it was read
        original.close()


def _reason(error: BaseException) -> str:
    """Return what went wrong in words for people: urllib3's own begin with the name and address of an object."""
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return f"no connection within {CONNECT_SECONDS:.0f} s"
    if isinstance(error, ReadTimeoutError):  # of a handshake too, which has less time than an answer
        return "no answer in time"
    if said := reason_of(error):
        return said
    if isinstance(error, ProtocolError):
        return "the server closed the connection in the middle of an answer"
    return "the URL cannot be used" if isinstance(error, LocationValueError) else "no usable answer"


def _hint(line: HttpConnection, code: str) -> str:
    is_anonymous = authorization(line.access, line.address) is None and not line.access.headers
    is_asked = code == "git-denied" and is_anonymous
    return "no credentials match this repository: give it some under git.repositories" if is_asked else ""


def _is_same_place(url: str, target: str) -> bool:
    """Return whether credentials for *url* may be shown to *target*: the same origin, or the same host by https."""
    old, new = urlsplit(url), urlsplit(target)
    if old.hostname != new.hostname or new.username:
        return False
    ports = [part.port or _DEFAULT_PORTS.get(part.scheme) for part in (old, new)]
    is_upgrade = (old.scheme, new.scheme) == ("http", "https") and ports == [80, 443]
    return is_upgrade or (old.scheme == new.scheme and ports[0] == ports[1])
