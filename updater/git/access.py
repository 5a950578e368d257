"""How a Git repository is addressed and what is shown to its server; secrets never appear in a text made here."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from updater.git.faults import fault
from updater.http import redaction as telling
from updater.http.exchange import Connection
from updater.model.subscription import has_scp_password

if TYPE_CHECKING:
    from pathlib import Path

    from updater.credentials.github_app import App
    from updater.model.credential import Credential

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCP: Final = re.compile(r"(?:(?P<user>[^/:\s]+)@)?(?P<host>\[[0-9a-fA-F:]+\]|[^:/\s@\[\]]+):(?P<path>[^\s].*)")
_SCHEMES: Final = frozenset({"https", "http", "ssh", "git+ssh", "ssh+git", "file"})
_USER_WITHOUT_NAME: Final = "git"
_SHORTEST_TOKEN: Final = 20  # of a user name: no forge issues shorter ones, and organisations have shorter names


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """What a Git server is shown, and how it is recognised. Files may be given as a path or as their bytes.

    *credential*: a `registry_token` is sent as ``Authorization: Bearer``; otherwise user name and password go as Basic
    (an empty user name becomes ``git``, which the hosts take for tokens). Over SSH only the user name and, without
    a key, the password count. *headers* are sent with every HTTP request to this repository (``http.extraHeader``).
    *use_agent* lets SSH ask the agent and the keys of the user who runs the program. *unread* is what an SSH command of the
    user says and nobody reads here; errors name it. *origin* says in words where the credential was read: the Secret, file or
    variable. *deadline* is the seconds that one conversation may take where that is less than the limit of the settings.
    *push_options* go with each push, before those of the push itself. *forge* is what the API of the forge is shown where that is
    something else; Git never is.
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
    unread: tuple[str, ...] = ()
    deadline: float | None = None
    push_options: tuple[str, ...] = ()
    forge: Credential | App | None = field(default=None, repr=False)
    origin: str = field(default="", compare=False)

    def connection(self) -> Connection:
        """Return how the REST API of the same host is reached: of its forge, or where it makes tokens."""
        return Connection(
            ca=_path(self.ca),
            authority=_text(self.ca),
            client_certificate=_path(self.client_certificate),
            client_pem=_text(self.client_certificate),
            proxy=self.proxy,
            insecure=self.insecure_skip_verify,
        )

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must not be repeated."""
        known = self.credential
        texts = [self.passphrase, *(text for _, value in self.headers for text in _of_header(value))]
        if known is not None:
            texts += [known.password, known.registry_token, known.identity_token]
            texts += _of_pair(known.username or _USER_WITHOUT_NAME, known.password)
        if self.proxy is not None:
            texts.append(_proxy_password(self.proxy))
        return tuple(dict.fromkeys(text for text in texts if text))


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
    if has_scp_password(url):
        raise fault("git-url", "this Git URL holds a password", hint=_SCP_HINT)
    scp = _SCP.fullmatch(url)
    if scp is None:
        return GitAddress(scheme="file", path=url)
    return GitAddress(scheme="ssh", host=scp["host"].strip("[]"), path=_ssh_path(scp["path"]), username=scp["user"] or "git")


_SCP_HINT: Final = (
    "write user@host:path, and name the password by `credentials`; for a path that holds @ write ssh://user@host/path"
)


def _parse_url(url: str) -> GitAddress:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:  # neither the URL nor the reason is repeated: a password with a slash in it looks like a port
        raise fault("git-url", "this Git URL cannot be read: its host or port is malformed") from None
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
    """Replace every secret of *access* and *address* in *text*, which may come from a server, in any form of it."""
    return telling.masked(text, (*access.secrets(), *_of_address(address)))


def _of_address(address: GitAddress) -> list[str]:
    """Return the secrets of a URL; a long user name without a password is one over HTTP, where it is a token."""
    if address.password:
        return [address.password, *_of_pair(address.username, address.password)]
    is_token = address.scheme in {"http", "https"} and len(address.username) >= _SHORTEST_TOKEN
    return [address.username, *_of_pair(address.username, "")] if is_token else []


def _of_pair(username: str, password: str) -> list[str]:
    """Return what Basic authentication makes of a pair; the password alone would leave the user name readable in it."""
    if not (password or len(username) >= _SHORTEST_TOKEN):
        return []
    pair = f"{username}:{password}".encode()
    return [base64.b64encode(pair).decode(), base64.urlsafe_b64encode(pair).decode()]


def _of_header(value: str) -> list[str]:
    """Return the secrets of a header: its value, the token behind the scheme, and the password in it."""
    token = value.rpartition(" ")[2]
    try:
        password = base64.b64decode(token, validate=True).decode().partition(":")[2]
    except ValueError:
        password = ""
    return [value, token, password]


def _proxy_password(url: str) -> str:
    try:
        return unquote(urlsplit(url if "://" in url else f"http://{url}").password or "")
    except ValueError:
        return ""


def _path(file: Path | bytes | None) -> str | None:
    return None if file is None or isinstance(file, bytes) else str(file)


def _text(file: Path | bytes | None) -> str | None:
    return file.decode() if isinstance(file, bytes) else None
