"""The types of one HTTP exchange: request, response, and failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from updater.errors import UpdaterError
from updater.http.redaction import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from multidict import CIMultiDictProxy

_LONGEST_MESSAGE: Final = 2048
DEFAULT_LIMIT: Final = 4 * 1024 * 1024


class FailureKind(StrEnum):
    """The reason why an exchange has no response."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    DOWN = "down"
    PAUSED = "paused"
    TLS = "tls"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    REDIRECT = "redirect"
    PROTOCOL = "protocol"
    SETTINGS = "settings"


_PASSING: Final = frozenset({FailureKind.UNREACHABLE, FailureKind.TIMEOUT, FailureKind.BROKEN})


class HttpFailure(UpdaterError):  # noqa: N818 - the name says what is the case, as in updater.errors
    """A request without a response. *trouble* says why; *retry_after* is in seconds if a pause is in force.

    Rooms above turn it into their own errors; its code is ``http-`` and the trouble.
    """

    def __init__(self, message: str, *, trouble: FailureKind, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint, code=f"http-{trouble}")
        self.trouble = trouble
        self.retry_after = retry_after

    def without(self, secrets: Iterable[str]) -> HttpFailure:
        """Return this failure with none of *secrets* in its message, which may hold words of the server."""
        message = told(self.message, most=_LONGEST_MESSAGE, secrets=secrets)
        return HttpFailure(message, trouble=self.trouble, hint=self.hint, retry_after=self.retry_after)

    @property
    def is_passing(self) -> bool:
        """Return whether the same request may work a moment later."""
        return self.trouble in _PASSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach a server: paths of PEM files, the URL of a proxy, and whether to skip verification of certificates.

    *client_certificate* holds the certificate and its key, or stands beside a file of the same name that
    ends in ``.key``. Without *proxy* the environment's HTTP_PROXY, HTTPS_PROXY and NO_PROXY count.

    *authority* and *client_pem* are PEM texts for servers of a private authority: it alone is trusted, not the system's
    as well, and *client_pem* holds certificates and key. *server_name* is the name that the server's certificate must have.

    *is_guarded* is set where another server named the host: a name that resolves to an address of a private network is not
    connected to, unless *private_hosts* lists the name or a network of the address.
    """

    ca: str | None = None
    client_certificate: str | None = None
    proxy: str | None = field(default=None, repr=False)
    insecure: bool = False
    authority: str | None = field(default=None, repr=False)
    client_pem: str | None = field(default=None, repr=False)
    server_name: str | None = None
    is_guarded: bool = False
    private_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """The request rate for one host: simultaneous requests, and requests per second (None means no limit) after a *burst*."""

    concurrency: int = 16
    rate: float | None = None
    burst: int = 1


class Allowance:
    """The total seconds that servers may take for a group of requests; waiting for a slot does not count."""

    __slots__ = ("_left", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._left = seconds

    @property
    def left(self) -> float:
        """The seconds that are left, zero or more."""
        return max(self._left, 0.0)

    def spend(self, seconds: float) -> None:
        """Take away what a server took."""
        self._left -= seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. Requests of different *lane*s take turns. *limit* is the maximum size of the decoded body, in bytes.

    *is_repeatable* says that sending it twice does what sending it once does. One that is not is tried again only where the
    server said that it did nothing (429 and 503). *known* are the other hosts that the configuration names, and how each is
    reached: what *connection* says holds for the host of *url* alone. *secrets* must not be repeated either, besides what the
    headers show. *allowance* bounds the time of all requests that share it. *what* says in words what is asked for.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    connection: Connection = Connection()
    known: Mapping[str, Connection] = field(default_factory=dict, repr=False)
    pace: Pace = Pace()
    lane: str = ""
    limit: int = DEFAULT_LIMIT
    is_repeatable: bool = True
    secrets: tuple[str, ...] = field(default=(), repr=False)
    allowance: Allowance | None = field(default=None, repr=False, compare=False)
    what: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response: status, decoded body, and the URL that answered after redirects.

    *secrets* is what the other side was shown to get it. It may say so again: none of it is ever repeated. *asked_by* says in
    words where the credential of who asked was read, "" for nobody or where that does not matter.
    """

    status: int
    url: str
    body: bytes
    fields: CIMultiDictProxy[str]
    secrets: tuple[str, ...] = field(default=(), repr=False)
    asked_by: str = ""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, None where it is absent."""
        return self.fields.get(name)

    def headers(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, in the order sent."""
        return tuple(self.fields.getall(name, ()))
