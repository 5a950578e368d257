"""How a Git repository is addressed and what is shown to its server; secrets never appear in a text made here."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from updater.git.faults import fault

if TYPE_CHECKING:
    from pathlib import Path

    from updater.model.credential import Credential

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCP: Final = re.compile(r"(?:(?P<user>[^/:\s]+)@)?(?P<host>\[[0-9a-fA-F:]+\]|[^:/\s@\[\]]+):(?P<path>[^\s].*)")
_SCHEMES: Final = frozenset({"https", "http", "ssh", "git+ssh", "ssh+git", "file"})
_USER_WITHOUT_NAME: Final = "git"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """What a Git server is shown, and how it is recognised. Files may be given as a path or as their bytes.

    *credential*: a `registry_token` is sent as ``Authorization: Bearer``; otherwise user name and password go as Basic
    (an empty user name becomes ``git``, which the hosts take for tokens). Over SSH only the user name and, without
    a key, the password count. *headers* are sent with every HTTP request to this repository (``http.extraHeader``).
    *use_agent* lets SSH ask the agent and the keys of the user who runs the program. *origin* says in words where the credential
    was read: the Secret, file or variable.
    """

    credential: Credential | None = None
    ca: Path | bytes | None = None
    client_certificate: Path | bytes | None = field(default=None, repr=False)
    known_hosts: Path | bytes | None = None
    private_key: bytes | None = field(default=None, repr=False)
    passphrase: str = field(default="", repr=False)
    proxy: str | None = field(default=None, repr=False)
    insecure_skip_verify: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    use_agent: bool = False
    origin: str = field(default="", compare=False)

    def secrets(self) -> tuple[str, ...]:
        """Every text that must not be repeated, longest first."""
        known = self.credential
        texts = [self.passphrase, *(value for _, value in self.headers)]
        if known is not None:
            texts += [known.password, known.registry_token, known.identity_token]
            texts.append(base64.b64encode(f"{known.username}:{known.password}".encode()).decode() if known.password else "")
        return tuple(sorted((text for text in texts if len(text) > 3), key=len, reverse=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAddress:
    """A Git URL taken apart; *scheme* is https, http, ssh or file, *path* is what the server is asked for."""

    scheme: str
    path: str
    host: str = ""
    port: int | None = None
    username: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        if self.scheme == "file":
            return self.path
        return f"{self.scheme}://{self.netloc}/{self.path.lstrip('/')}"

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


def parse_address(url: str) -> GitAddress:
    """Read a Git URL, an scp-like ``user@host:path`` or a local path; raise `GitError` ``git-url``."""
    if not url.strip() or _has_control(url):
        raise fault("git-url", "a Git URL is empty or holds control characters")
    if _SCHEME.match(url):
        return _parse_url(url)
    scp = _SCP.fullmatch(url)
    if scp is None:
        return GitAddress(scheme="file", path=url)
    return GitAddress(scheme="ssh", host=scp["host"].strip("[]"), path=_ssh_path(scp["path"]), username=scp["user"] or "git")


def _parse_url(url: str) -> GitAddress:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise fault("git-url", f"{url} is no URL: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in _SCHEMES:
        raise fault("git-url", f"{scheme}:// is not a way to reach a Git repository")
    if scheme == "file":
        return GitAddress(scheme="file", path=unquote(parts.path))
    if not host or parts.path.strip("/") == "":
        raise fault("git-url", f"{url} names no {'repository' if host else 'host'}")
    is_ssh = "ssh" in scheme
    return GitAddress(
        scheme="ssh" if is_ssh else scheme,
        host=host,
        port=port,
        path=_ssh_path(unquote(parts.path)) if is_ssh else parts.path,
        username=unquote(parts.username or ("git" if is_ssh else "")),
        password=unquote(parts.password or ""),
    )


def _ssh_path(path: str) -> str:
    path = path.removeprefix("/") if path.startswith("/~") else path
    if path.startswith("-"):
        raise fault("git-url", "the path of a repository cannot begin with a hyphen: the server would read it as an option")
    return path


def _has_control(text: str) -> bool:
    return any(ord(character) < 32 or ord(character) == 127 for character in text)


def authorization(access: GitAccess, address: GitAddress) -> str | None:
    """The value of the Authorization header, from the credential or the URL's user info; None where there is neither."""
    known = access.credential
    if known is not None and known.registry_token:
        return f"Bearer {known.registry_token}"
    username, password = (known.username, known.password) if known is not None else (address.username, address.password)
    if not username and not password:
        return None
    pair = f"{username or _USER_WITHOUT_NAME}:{password}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def masked(text: str, access: GitAccess, address: GitAddress) -> str:
    """Replace every secret of *access* and *address* in *text*, which may come from a server."""
    for secret in (*access.secrets(), *((address.password,) if len(address.password) > 3 else ())):
        text = text.replace(secret, "•••")
    return text
