"""Which forge a repository lies on, where its API answers, and what the repository is called there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

from updater.errors import ForgeError

if TYPE_CHECKING:
    from collections.abc import Callable


class ForgeKind(StrEnum):
    """The forges that are known."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    BITBUCKET = "bitbucket"
    BITBUCKET_SERVER = "bitbucket-server"
    AZURE = "azure"


_HOSTS: Final = {
    "github.com": ForgeKind.GITHUB,
    "gitlab.com": ForgeKind.GITLAB,
    "gitea.com": ForgeKind.GITEA,
    "codeberg.org": ForgeKind.GITEA,
    "bitbucket.org": ForgeKind.BITBUCKET,
    "dev.azure.com": ForgeKind.AZURE,
}
_DOMAINS: Final = {".ghe.com": ForgeKind.GITHUB, ".visualstudio.com": ForgeKind.AZURE}
#: hosts that only speak SSH, and the one that they stand for
_SSH_HOSTS: Final = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
}
_APIS: Final = {
    "//api.github.com": ForgeKind.GITHUB,
    "/api/v3": ForgeKind.GITHUB,
    "/api/v4": ForgeKind.GITLAB,
    "/api/v1": ForgeKind.GITEA,
    "//api.bitbucket.org/2.0": ForgeKind.BITBUCKET,
    "/rest/api/1.0": ForgeKind.BITBUCKET_SERVER,
}
_OLD_AZURE_SSH: Final = "vs-ssh.visualstudio.com"
_SCP: Final = re.compile(r"(?:[^/:@\s]+@)?(?P<host>[^/:@\s]+):(?P<path>[^\s].*)")
HINT: Final = "write the kind under git.repositories[].forge of this repository: " + ", ".join(ForgeKind)
_PATH_HINT: Final = "a repository on a forge has a URL such as https://host/owner/name.git"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeRepository:
    """One repository on a forge: *api* is the URL of its API without a slash at the end, *path* is its name in URLs of it."""

    kind: ForgeKind
    api: str
    path: str

    def __str__(self) -> str:
        path = self.path.removeprefix("projects/").replace("/repos/", "/").replace("%2F", "/")
        return f"{urlsplit(self.api).netloc}/{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeAddress:
    """A Git URL taken apart: *scheme* by which its forge is asked, *place* the host with port, *folders* of the path."""

    scheme: str
    host: str
    place: str
    folders: tuple[str, ...]

    @property
    def kind(self) -> ForgeKind | None:
        """The forge that the host stands for, or a path that only one forge has; None where only the host itself can tell."""
        known = _HOSTS.get(self.host) or next((kind for end, kind in _DOMAINS.items() if self.host.endswith(end)), None)
        return known or (ForgeKind.AZURE if "_git" in self.folders[:-1] else None)


def locate_repository(url: str, *, kind: ForgeKind | None = None, api: str = "") -> ForgeRepository:
    """Return where the repository of a Git URL is asked for pull requests; *kind* and *api* win over what the host tells.

    Raises `ForgeError` ``forge-unknown`` where nobody says which forge it is, and ``forge-path`` where the URL names no
    repository of a forge.
    """
    address = forge_address(url)
    kind = kind or address.kind
    if kind is None:
        raise _unknown(address, url)
    found = _PLACES[kind](address)
    if found is None:
        raise ForgeError(f"{address.host or url} names no owner and repository", hint=_PATH_HINT, code="forge-path")
    return ForgeRepository(kind=kind, api=api.rstrip("/") or found[0], path=found[1])


def _unknown(address: ForgeAddress, url: str) -> ForgeError:
    """Return why nobody can be asked for a pull request: a folder is on no forge, of a host it is not known."""
    if url.startswith("file:") or ("://" not in url and not address.host):
        return ForgeError(f"{url} is a folder: pull requests need a repository on a forge", hint=_PATH_HINT, code="forge-unknown")
    return ForgeError(f"which forge {address.host or 'this repository'} is, is not known", hint=HINT, code="forge-unknown")


def check_repository(url: str, *, kind: ForgeKind | None = None) -> None:
    """Raise what `locate_repository` raises, but not for a host that can be asked which forge it is."""
    address = forge_address(url)
    if kind or address.kind or not address.host:
        locate_repository(url, kind=kind)
    elif len(address.folders) < 2:
        raise ForgeError(f"{address.host} names no owner and repository", hint=_PATH_HINT, code="forge-path")


def kind_of_api(api: str) -> ForgeKind | None:
    """Return the kind whose API has such a URL, None where none is known by it."""
    return next((kind for end, kind in _APIS.items() if api.rstrip("/").endswith(end)), None)


def forge_address(url: str) -> ForgeAddress:
    """Take a Git URL apart: what it does not say is empty."""
    if "://" not in url:
        found = _SCP.fullmatch(url)
        return _address("", found["host"], "", found["path"]) if found else _address("", "", "", "")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return _address("", "", "", "")
    if parts.scheme.lower() not in {"http", "https"}:
        return _address("", host, "", parts.path)
    name = f"[{host}]" if ":" in host else host
    return _address(parts.scheme.lower(), host, f"{name}:{port}" if port else name, parts.path)


def _address(scheme: str, host: str, place: str, path: str) -> ForgeAddress:
    host = _SSH_HOSTS.get(host.lower(), host.lower())
    folders = tuple(unquote(part) for part in path.split("/") if part)
    if folders:
        folders = (*folders[:-1], folders[-1].removesuffix(".git"))
    return ForgeAddress(scheme=scheme or "https", host=host, place=place or host, folders=tuple(filter(None, folders)))


def _quoted(*names: str) -> str:
    return "/".join(quote(name, safe="~") for name in names)


def _github(address: ForgeAddress) -> tuple[str, str] | None:
    if len(address.folders) < 2:
        return None
    if address.host == "github.com":
        api = "https://api.github.com"
    elif address.host.endswith(".ghe.com"):
        api = f"https://api.{address.host}"
    else:
        api = f"{address.scheme}://{address.place}/api/v3"
    return api, _quoted(*address.folders[-2:])


def _gitea(address: ForgeAddress) -> tuple[str, str] | None:
    if len(address.folders) < 2:
        return None
    return f"{_home(address, address.folders[:-2])}/api/v1", _quoted(*address.folders[-2:])


def _gitlab(address: ForgeAddress) -> tuple[str, str] | None:
    """Return the whole path: groups lie in groups, so that a GitLab below a path of its host is known by its `api` alone."""
    if len(address.folders) < 2:
        return None
    return f"{address.scheme}://{address.place}/api/v4", quote("/".join(address.folders), safe="")


def _bitbucket(address: ForgeAddress) -> tuple[str, str] | None:
    return ("https://api.bitbucket.org/2.0", _quoted(*address.folders)) if len(address.folders) == 2 else None


def _bitbucket_server(address: ForgeAddress) -> tuple[str, str] | None:
    """Return project and repository: after ``scm`` by HTTP, at the end by SSH; ``~user`` is a project of a person."""
    if len(address.folders) < 2:
        return None
    *above, project, name = address.folders
    home = _home(address, tuple(above[:-1] if above and above[-1] == "scm" else above))
    return f"{home}/rest/api/1.0", f"projects/{_quoted(project)}/repos/{_quoted(name)}"


def _azure(address: ForgeAddress) -> tuple[str, str] | None:
    """Return project and repository. A project may be left out where the repository has its name."""
    folders = [part for part in address.folders if part not in {"_optimized", "_full"}]
    if "_git" in folders:
        *above, name = [part for part in folders if part != "_git"]
        is_old = address.host.endswith(".visualstudio.com")
        first = 0 if is_old else 1  # the organisation is in the host, or is the first folder; so is a collection of Server
        if is_old and above and above[0].lower() == "defaultcollection":
            above = above[1:]
        collection, rest = above[:-1] if len(above) > first else above, above[-1:] if len(above) > first else [name]
        return _home(address, tuple(collection)), _quoted(*rest, name)
    if folders[:1] == ["v3"] and len(folders) == 4:
        _, organisation, project, name = folders
        is_old = address.host == _OLD_AZURE_SSH
        home = f"https://{organisation}.visualstudio.com" if is_old else f"https://dev.azure.com/{_quoted(organisation)}"
        return home, _quoted(project, name)
    return None


def _home(address: ForgeAddress, above: tuple[str, ...]) -> str:
    return "/".join((f"{address.scheme}://{address.place}", *(quote(part, safe="~") for part in above)))


_PLACES: Final[dict[ForgeKind, Callable[[ForgeAddress], tuple[str, str] | None]]] = {
    ForgeKind.GITHUB: _github,
    ForgeKind.GITLAB: _gitlab,
    ForgeKind.GITEA: _gitea,
    ForgeKind.BITBUCKET: _bitbucket,
    ForgeKind.BITBUCKET_SERVER: _bitbucket_server,
    ForgeKind.AZURE: _azure,
}
