"""Which forge a repository lies on, where its API answers, and what the repository is called there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from updater.errors import ForgeError


class ForgeKind(StrEnum):
    """The forges that are known."""

    GITHUB = "github"
    GITEA = "gitea"


_HOSTS: Final = {
    "github.com": ForgeKind.GITHUB,
    "gitea.com": ForgeKind.GITEA,
    "codeberg.org": ForgeKind.GITEA,
}
_SCP: Final = re.compile(r"(?:[^/:@\s]+@)?(?P<host>[^/:@\s]+):(?P<path>[^\s].*)")
_HINT: Final = "write kind: github or kind: gitea under git.repositories[].forge of this repository"
_PATH_HINT: Final = "a repository on a forge has a URL such as https://host/owner/name.git"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeRepository:
    """One repository on a forge: *api* is the URL of its API without a slash at the end, *path* is owner/name for URLs of it."""

    kind: ForgeKind
    api: str
    path: str

    def __str__(self) -> str:
        return f"{urlsplit(self.api).netloc}/{self.path}"


def locate_repository(url: str, *, kind: ForgeKind | None = None, api: str = "") -> ForgeRepository:
    """Return where the repository of a Git URL is asked for pull requests; *kind* and *api* win over what the host tells.

    Raises `ForgeError` ``forge-unknown`` where nobody says which forge it is, and ``forge-path`` where the URL names no
    repository of a forge.
    """
    scheme, host, netloc, path = _taken_apart(url)
    kind = kind or _HOSTS.get(host)
    if kind is None:
        raise ForgeError(f"which forge {host or 'this repository'} is, is not known", hint=_HINT, code="forge-unknown")
    *folders, owner, name = ["", "", *path.strip("/").removesuffix("/").removesuffix(".git").split("/")]
    if not owner or not name:
        raise ForgeError(f"{host or url} names no owner and repository", hint=_PATH_HINT, code="forge-path")
    above = "/".join(filter(None, folders))
    return ForgeRepository(
        kind=kind,
        api=api.rstrip("/") or _api_of(kind, scheme, netloc if scheme else host, above),
        path=f"{quote(owner, safe='')}/{quote(name, safe='')}",
    )


def _api_of(kind: ForgeKind, scheme: str, place: str, above: str) -> str:
    if kind is ForgeKind.GITHUB:
        return "https://api.github.com" if place.lower() == "github.com" else f"{scheme or 'https'}://{place}/api/v3"
    return f"{scheme or 'https'}://{place}{f'/{above}' if above else ''}/api/v1"


def _taken_apart(url: str) -> tuple[str, str, str, str]:
    """Return the scheme by which its forge is asked ("": the usual one), host, host with port, and path of a Git URL."""
    if "://" not in url:
        found = _SCP.fullmatch(url)
        return ("", found["host"].lower(), "", found["path"]) if found else ("", "", "", "")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", "", "", ""
    if parts.scheme.lower() not in {"http", "https"}:
        return "", host, "", parts.path
    name = f"[{host}]" if ":" in host else host
    return parts.scheme.lower(), host, f"{name}:{port}" if port else name, unquote(parts.path)
