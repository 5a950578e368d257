"""Who asks, and what they may do: the values that settings and requests become. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.settings.web import WebSettings

LONGEST_NAME: Final = 256
_LONGEST_FORWARDED: Final = 1000
#: who asks on loopback where nobody has to sign in
LOCAL_NAME: Final = "localhost"


class SignInEvidence(StrEnum):
    """By what it is known who asks: nothing but loopback, a session, a password, a proxy, or another replica."""

    LOOPBACK = "loopback"
    SESSION = "session"
    PASSWORD = "password"  # noqa: S105 - the word, not one
    PROXY = "proxy"
    REPLICA = "replica"


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePerson:
    """Who asks. *form_token* is what a form of theirs must hold, "" where none is needed: no browser sends their evidence."""

    name: str
    may_view: bool
    may_act: bool
    evidence: SignInEvidence
    form_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRules:
    """Who is let in. *is_local* where only this machine can ask; *origin* is scheme and host of the site, "" where not named."""

    is_local: bool
    has_users: bool = False
    header: str = ""
    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    view: tuple[str, ...] = ("*",)
    act: tuple[str, ...] = ()
    origin: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has to sign in: only this machine can ask, and nothing that asks for others is named."""
        return self.is_local and not self.has_users and not self.proxies

    @property
    def knows_people(self) -> bool:
        """Whether there are users, or proxies that sign people in."""
        return self.has_users or bool(self.proxies and self.header)

    @property
    def is_secure(self) -> bool:
        """Whether people reach the site over TLS alone."""
        return self.origin.startswith("https://")

    def is_proxy(self, address: str) -> bool:
        """Return whether *address* is that of a proxy that may say who somebody is, or from where they ask."""
        found = _address(address)
        return found is not None and any(found in network for network in self.proxies if network.version == found.version)

    def client(self, peer: str, forwarded: str) -> str:
        """Return the address of who asks: of *peer*, or what the proxies that are trusted say in X-Forwarded-For.

        Each proxy adds at the end whom it was asked by, so that what a client writes there itself comes before.
        """
        client = peer
        for entry in reversed(forwarded[-_LONGEST_FORWARDED:].split(",")):
            found = _address(entry.strip())
            if found is None or not self.is_proxy(client):
                break
            client = str(found)
        return client

    def person(self, name: str, evidence: SignInEvidence, *, form_token: str = "") -> SitePerson:
        """Return what the person of a *name* may do."""
        is_local = evidence is SignInEvidence.LOOPBACK
        may_act = is_local or _is_named(name, self.act)
        may_view = may_act or _is_named(name, self.view)
        return SitePerson(name=name, may_view=may_view, may_act=may_act, evidence=evidence, form_token=form_token)


def rules_of(web: WebSettings, *, is_local: bool) -> SiteRules:
    """Return the rules that settings mean."""
    proxies = web.trusted_proxies
    return SiteRules(
        is_local=is_local,
        has_users=web.users is not None,
        header=(proxies.header or "") if proxies else "",
        proxies=tuple(ipaddress.ip_network(text, strict=False) for text in proxies.sources) if proxies else (),
        view=web.roles.view,
        act=web.roles.act,
        origin=_origin(web.url or ""),
    )


def origin_of_host(host: str) -> frozenset[str]:
    """Return the origins of a page that was asked for by a Host header: TLS may end before us."""
    return frozenset({_origin(f"http://{host}"), _origin(f"https://{host}")}) - {""}


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, which some proxies write with a port; one of IPv4 within IPv6 is that of IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _origin(url: str) -> str:
    """Return scheme, host and port of *url* as browsers write an origin, "" where there is none."""
    try:
        found = urlsplit(url)
        host, port = (found.hostname or "").lower(), found.port
    except ValueError:
        return ""
    if not host:
        return ""
    usual = {"http": 80, "https": 443}.get(found.scheme)
    name = f"[{host}]" if ":" in host else host
    return f"{found.scheme}://{name}" + (f":{port}" if port and port != usual else "")


def _is_named(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
