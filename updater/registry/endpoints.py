"""Find the settings of an image: the entry with the longest prefix, and its URL."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from updater.errors import ConfigError
from updater.http.address import is_host_pattern, origin_of
from updater.http.exchange import Connection
from updater.model.image import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef

DEFAULT_CONCURRENCY: Final = 16
HUB_URL: Final = "https://registry-1.docker.io"
_HUB_SPELLINGS: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """The settings of the images below *prefix* (a host, or a host and a path).

    *url* is where the API is asked; None is ``https://`` and the host. *rate* is in requests per second, after a *burst*.
    *insecure* allows plain HTTP and does not verify certificates; *is_plain* asks by plain HTTP where no *url* is set, and
    verifies whatever TLS follows. *ca* and *client_certificate* are paths of PEM files, the former may be PEM text;
    *client_pem* is a client certificate with its key as text. *credentials_lifetime* is in seconds: how long what was read
    stays in use. *default_namespace* stands before names of one part below *prefix*. *private_hosts* are names and networks
    of a private network to which this registry may send requests on: its token server, its storage. *is_default* serves the
    images that are spelled without a registry.
    """

    prefix: str
    url: str | None = None
    insecure: bool = False
    is_plain: bool = False
    rate: float | None = None
    burst: int = 1
    concurrency: int = DEFAULT_CONCURRENCY
    ca: str | None = None
    client_certificate: str | None = None
    client_pem: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    credentials: CredentialRef | None = None
    credentials_lifetime: float | None = None
    default_namespace: str | None = None
    private_hosts: tuple[str, ...] = ()
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The endpoint of one image: the base URL without a trailing slash, the path, and the settings.

    Two endpoints are equal when they ask the same server for the same image. *official* is the path that the image has
    there if it is one of Docker Hub's official images behind a mirror, None where it cannot be; *is_guess* says that this
    is less than likely: another repository may have that path. *known* is how the other hosts that the configuration
    names are reached.
    """

    url: str
    path: str
    entry: RegistryEntry = field(compare=False)
    official: str | None = field(default=None, compare=False)
    is_guess: bool = field(default=False, compare=False)
    known: Mapping[str, Connection] = field(default_factory=dict, compare=False, repr=False)


class RegistryTable:
    """The entries of a configuration; raise `ConfigError` if two conflict or one cannot be used.

    *rate* holds for registries without an entry, in requests per second; None is no limit.
    """

    def __init__(self, entries: Iterable[RegistryEntry] = (), *, rate: float | None = None) -> None:
        self._rate = rate
        self._by_prefix: dict[str, RegistryEntry] = {}
        self._default: RegistryEntry | None = None
        for entry in entries:
            self._add(entry)
        self._longest_first = sorted(self._by_prefix, key=len, reverse=True)
        self._by_api = _by_api(self._by_prefix.values())
        self.known = self._hosts()
        self._known_to_others = {host: replace(way, client_certificate=None) for host, way in self.known.items()}

    def _add(self, entry: RegistryEntry) -> None:
        prefix = normalise_prefix(entry.prefix)
        if not prefix:
            raise ConfigError(
                "a registry entry has no prefix", hint="write prefix: and the registry's host", code="registry-entry"
            )
        if prefix in self._by_prefix:
            raise ConfigError(f"two registry entries have the prefix {prefix}", hint="keep one of them", code="registry-entry")
        if entry.is_default and self._default:
            raise ConfigError(
                f"{prefix} cannot be the default registry: {self._default.prefix} already is",
                hint="set default at one entry only",
                code="registry-entry",
            )
        _check(entry)
        self._by_prefix[prefix] = entry
        if entry.is_default:
            self._default = entry

    def find(self, image: ImageName) -> RegistryEntry:
        """Return the entry of *image*: the default one for a name without registry, else the longest prefix.

        An image that no prefix covers, and that names the host at which one entry alone is asked, is asked by that entry:
        its credentials are for that host.
        """
        if self._default and not _names_registry(image):
            return self._default
        canonical = image.canonical
        for prefix in self._longest_first:
            if canonical.startswith(prefix) and canonical[len(prefix) : len(prefix) + 1] in {"", "/"}:
                return self._by_prefix[prefix]
        asked_there = self._by_api.get(image.registry)
        return replace(asked_there, prefix=image.registry) if asked_there else self._usual(image.registry)

    def _usual(self, host: str) -> RegistryEntry:
        """Return what holds for a registry that nobody configured."""
        return RegistryEntry(prefix=host, rate=self._rate, burst=max(1, round(self._rate or 1)))

    def _hosts(self) -> Mapping[str, Connection]:
        """Return how each host that an entry names is reached; hosts of which two entries say different things are left out."""
        found: dict[str, set[Connection]] = {}
        for entry in self._by_prefix.values():
            host = normalise_prefix(entry.prefix).partition("/")[0]
            found.setdefault(origin_of(entry.url or _url_of(host, entry))[1], set()).add(connection_of(entry))
        return {host: ways.pop() for host, ways in found.items() if len(ways) == 1}

    def locate(self, image: ImageName, within: RegistryEntry | None = None) -> Endpoint:
        """Return the base URL and path at which *image* is asked; *within* stands in for the settings that `find` returns."""
        found = self.find(image)
        entry = within or found
        known = self.known if within is None and self._is_listed(image, found) else self._known_to_others
        base = ""
        if found is self._default and not _names_registry(image):
            host, path = normalise_prefix(entry.prefix).partition("/")[0], image.spelled
            if host == DOCKER_HUB and "/" not in path:
                path = image.path
        else:
            host, path = image.registry, image.path
            base = normalise_prefix(entry.prefix).partition("/")[2]
        url = (entry.url or _url_of(host, entry)).rstrip("/")
        below = path[len(base) + 1 :] if base else path
        if below and "/" not in below and entry.default_namespace:
            return Endpoint(url=url, path=_within(path, entry.default_namespace), entry=entry, known=known)
        depth = below.count("/")
        may_be_official = (
            below and host != DOCKER_HUB and not entry.default_namespace and (depth == 0 or (depth == 1 and not base))
        )
        official = _within(path, "library") if may_be_official else None
        return Endpoint(url=url, path=path, entry=entry, official=official, is_guess=depth > 0, known=known)

    def _is_listed(self, image: ImageName, entry: RegistryEntry) -> bool:
        """Return whether the settings name the registry of *image*: no other one is sent on with our client certificates.

        Whoever may name an image names its registry, which names its token server, and is sent what that server grants.
        """
        return normalise_prefix(entry.prefix) in self._by_prefix or image.registry in self._by_api


def _within(path: str, namespace: str) -> str:
    """Put a namespace before the last part of a path."""
    head, slash, name = path.rpartition("/")
    return f"{head}{slash}{namespace.strip('/')}/{name}"


def connection_of(entry: RegistryEntry) -> Connection:
    """Return how the servers of *entry* are reached."""
    return Connection(
        ca=entry.ca,
        client_certificate=entry.client_certificate,
        client_pem=entry.client_pem,
        proxy=entry.proxy,
        insecure=entry.insecure,
        private_hosts=entry.private_hosts,
    )


def normalise_prefix(text: str) -> str:
    """Return *text* without scheme and slashes at its end, its host in lower case and Docker Hub by one name."""
    host, slash, path = text.strip().partition("://")[2 if "://" in text else 0].strip("/").partition("/")
    host = host.lower()
    return (DOCKER_HUB if host in _HUB_SPELLINGS else host) + slash + path


def is_loopback(host: str) -> bool:
    """Return whether *host*, with or without a port, is this machine by its spelling."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name.endswith(".localhost"):
            return True
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _by_api(entries: Iterable[RegistryEntry]) -> dict[str, RegistryEntry]:
    """Return the entries by the host of their URL, where one entry alone has it and it has no path."""
    found: dict[str, RegistryEntry] = {}
    shared: set[str] = set()
    for entry in entries:
        parts = urlsplit(entry.url or "")
        host = parts.netloc.lower()
        if host in found or parts.path.strip("/"):
            shared.add(host)
        elif host:
            found[host] = entry
    return {host: entry for host, entry in found.items() if host not in shared}


def _names_registry(image: ImageName) -> bool:
    return image.registry != DOCKER_HUB or image.spelled.partition("/")[0].lower() in _HUB_SPELLINGS


def _url_of(host: str, entry: RegistryEntry) -> str:
    if host == DOCKER_HUB:
        return HUB_URL
    # Plain HTTP on loopback is what every registry client speaks; a CA or a client certificate says TLS.
    wants_tls = bool(entry.ca or entry.client_certificate or entry.client_pem)
    is_plain = entry.insecure or entry.is_plain or (is_loopback(host) and not wants_tls)
    return f"{'http' if is_plain else 'https'}://{host}"


def _check(entry: RegistryEntry) -> None:
    if entry.concurrency < 1 or (entry.rate is not None and entry.rate <= 0):
        raise ConfigError(
            f"{entry.prefix}: rate and concurrency must be above zero",
            hint="leave them out for the defaults",
            code="registry-entry",
        )
    for text in entry.private_hosts:
        if not is_host_pattern(text):
            raise ConfigError(
                f"{entry.prefix}: {text!r} in private_hosts is neither a host name nor a network",
                hint="write auth.corp.example, *.corp.example or 10.0.0.0/8, without scheme and port",
                code="registry-entry",
            )
    if entry.url is None:
        return
    try:
        parts = urlsplit(entry.url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(
            f"{entry.prefix}: {entry.url!r} is not a registry URL", hint="write https://host[:port]", code="registry-entry"
        )
    if parts.username or parts.password:
        raise ConfigError(
            f"{entry.prefix}: its URL holds a secret", hint="name it by credentials: instead", code="registry-entry"
        )
    if parts.scheme == "http" and not entry.insecure and not is_loopback(parts.netloc):
        raise ConfigError(
            f"{entry.prefix}: its URL is plain HTTP", hint="use https, or set insecure: true", code="registry-entry"
        )
