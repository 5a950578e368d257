"""Decide which addresses may be followed, and show an address without its secrets.

A redirect or token realm is chosen by the other side. A private address there is a request forged from inside our
network, unless the registry itself lives at that host or the configuration names it. Every spelling of an address is
read as the resolver would read it before it is judged; names are judged by what they resolve to, where the connection
is made (`updater.http.resolving`).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit, urlunsplit

from updater.http.exchange import Connection, FailureKind, HttpFailure
from updater.http.redaction import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[a-z0-9._-]+")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: what a DNS64 makes of public IPv4 addresses
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")  # RFC 4291 §2.5.5.1, deprecated and still routed to IPv4 by some
_NOBODY: Final[Mapping[str, Connection]] = MappingProxyType({})
# not public by the registries of IANA, whatever the version of Python says
_NOT_PUBLIC: Final = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16"))
)
_ISATAP: Final = 0x5EFE  # RFC 5214 §6.1: the last 32 bits behind it are an IPv4 address
PRIVATE_HINT: Final = "if you trust that place, list it in private_hosts of this registry, or set its url to where it really is"
_HARMLESS_QUERY: Final = frozenset({"n", "last", "service", "scope", "client_id", "artifactType"})


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port: what two URLs must share to be one server to a browser."""
    end = url.find("/", url.find("://") + 3)
    return _origin(url if end < 0 else url[:end])


@lru_cache(maxsize=1024)
def _origin(beginning: str) -> tuple[str, str, int]:
    """Taken apart once for each server, not for each request."""
    parts = split(beginning)
    host = (parts.hostname or "").lower()
    with suppress(ValueError):  # it is the user's own: the resolver will judge it
        host = normalised(host)
    return parts.scheme, host, parts.port or _DEFAULT_PORTS[parts.scheme]


def shown(url: str) -> str:
    """Return *url* for people: no user, no password, and no query that could hold a signature."""
    try:
        parts = urlsplit(url)
        names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        return "an unreadable URL"
    host = parts.netloc.rpartition("@")[2]
    query = parts.query if names <= _HARMLESS_QUERY else "…"
    text = urlunsplit((parts.scheme, host, parts.path, query, ""))
    return told(text, most=len(text))  # cut where secrets are masked: cut in two, one would no longer be found


def split(url: str) -> SplitResult:
    """Take *url* apart; raise `HttpFailure` unless it is http or https with a host and a real port."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise HttpFailure(
            f"{shown(url)} is not an http or https URL", trouble=FailureKind.PROTOCOL, hint="check the URL of the server"
        )
    return parts


def resolve(
    base: str,
    reference: str,
    *,
    home: str,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    known: Mapping[str, Connection] = _NOBODY,
) -> str:
    """Return the URL that *reference* names at *base*, with its host normalised; raise `HttpFailure` if it may not be asked.

    *home* is the URL that the user configured, reached by *connection*: its own host is always fine. *known* are the other
    hosts that the configuration names. Plain HTTP is fine for a host of which the user said so, and for no other.
    """
    try:
        target = urljoin(base, reference)
    except ValueError:
        raise _refused(base, reference, "it is not a URL") from None
    parts = split(target)
    if parts.username is not None or parts.password is not None:
        raise _refused(base, target, "it holds a user name")
    try:
        host = normalised(parts.hostname or "")
    except ValueError:
        raise _refused(base, target, "its host is not a host name") from None
    at_home = host == origin_of(home)[1]
    if is_private(host) and not at_home and host not in known and not is_listed(host, connection.private_hosts):
        raise _refused(base, target, "it is an address of a private network", hint=PRIVATE_HINT)
    is_plain_home = at_home and home.startswith("http://")
    if (
        parts.scheme == "http"
        and not is_plain_home
        and not connection_to(host, home=home, connection=connection, known=known).insecure
    ):
        hint = "set insecure: true in a registry entry of that host if plain HTTP is fine there"
        raise _refused(base, target, "it is plain HTTP, which is not allowed for that host", hint=hint)
    netloc = (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port is not None else "")
    return urlunsplit(parts._replace(netloc=netloc, fragment=""))


def connection_to(host: str, *, home: str, connection: Connection, known: Mapping[str, Connection] = _NOBODY) -> Connection:
    """Return how *host* is reached after a server named it: what the user said of one host holds for that host alone.

    A host that the configuration does not name gets verified TLS, no client certificate, and public addresses only.
    """
    if host == origin_of(home)[1]:
        return connection
    return known.get(host) or replace(
        connection, insecure=False, client_certificate=None, client_pem=None, server_name=None, is_guarded=True
    )


def normalised(host: str) -> str:
    """Return *host* as the resolver reads it: ASCII, lower case, no dot at the end, addresses in their usual form.

    Raises `ValueError` for what is no host name. IDNA folds full-width and enclosed digits and every kind of dot (RFC 3490 §3.1).
    """
    name = host.strip("[]")
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    name = name.lower().rstrip(".")
    address = _address(name)
    if address is not None:
        return f"{address}{name[name.index('%') :]}" if "%" in name else str(address)
    if not _HOST.fullmatch(name):
        raise ValueError("not a host name")
    return name


def is_private(host: str) -> bool:
    """Return whether *host* spells an address that is not of the public internet, in any spelling of it."""
    try:
        name = normalised(host)
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and not _is_public(address)


def is_listed(host: str, entries: Iterable[str]) -> bool:
    """Return whether one of *entries* means *host*: its name, ``*.`` and the end of its name, or a network of its address."""
    try:
        name = normalised(host)
    except ValueError:
        return False
    address = _address(name)
    for entry in entries:
        if address is None:
            text = entry.lower().rstrip(".")
            if text == name or (text.startswith("*.") and name.endswith(text[1:])):
                return True
        elif (network := network_of(entry)) is not None and address in network:
            return True
    return False


def is_host_pattern(text: str) -> bool:
    """Return whether *text* is an entry that `is_listed` can match: a host name, one behind ``*.``, or a network."""
    if network_of(text) is not None:
        return True
    name = text.lower().removeprefix("*.").rstrip(".")
    return _HOST.fullmatch(name) is not None and _address(name) is None


def network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Read an address or network such as ``10.0.0.0/8``; None for a name."""
    try:
        return ipaddress.ip_network(text.strip().strip("[]"), strict=False)
    except ValueError:
        return None


def is_spared(host: str, networks: str) -> bool:
    """Return whether *host* is an address in one of *networks*, as NO_PROXY lists them: ``10.0.0.0/8,fd00::/8,.svc``.

    Clusters name their Services so; the standard library reads only names.
    """
    address = _address(host.strip("[]"))
    if address is None:
        return False
    for entry in networks.split(","):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue  # a name, which the standard library reads
    return False


def _is_public(address: _Address) -> bool:
    if any(address in network for network in _NOT_PUBLIC):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if int(address) >> 32 & 0xFDFFFFFF == _ISATAP and not _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)):
            return False  # its own network is judged below
        if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        if address.teredo or address.is_site_local or address.is_reserved:
            return False
    return address.is_global and not address.is_multicast


def _address(name: str) -> _Address | None:
    with suppress(ValueError):
        address = ipaddress.ip_address(name.partition("%")[0])
        return address if "%" not in name or address.version == 6 else None  # only IPv6 has zones
    try:  # the resolver reads 127.1, 0x7f.1 and 2130706433 as addresses too
        return ipaddress.IPv4Address(socket.inet_aton(name)) if _HOST.fullmatch(name) else None
    except (OSError, ValueError):
        return None


def _refused(base: str, target: str, reason: str, *, hint: str = "") -> HttpFailure:
    return HttpFailure(
        f"{shown(base)} sent us to {shown(target)}, which we refuse: {reason}",
        trouble=FailureKind.REDIRECT,
        hint=hint or "set the url of this registry to where it really is, if you trust that place",
    )
