"""The texts that settings are written in: durations, rates, addresses, URLs and paths inside a repository.

Every reader takes the text of one value and raises `ConfigError` with a hint; a text that may hold a secret is never repeated.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from updater.errors import ConfigError
from updater.model.credential import parse_credential_ref
from updater.model.gates import ChangeRate
from updater.model.release import WORKLOAD_KINDS, Workload
from updater.model.subscription import CredentialRef, LiveApplication, has_scp_password
from updater.policies.globs import LONGEST_GLOB, glob_expression

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+")
_DURATION_PART: Final = re.compile(r"(?<![0-9])([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SIZE: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(KiB|MiB|GiB)")
_SIZE_UNITS: Final = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_RATE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)/(s|m|h)")
_CHANGES: Final = re.compile(r"([1-9][0-9]{0,5})/(m|h|d)")
_SCP_LIKE: Final = re.compile(r"(?:[^:/\s]+@)?(?:\[[0-9a-fA-F:]+\]|[^:/\s@\[\]]+):[^\s]+")
_CREDENTIAL_KINDS: Final = frozenset({"env", "file", "ext", "secret", "pullsecret", "cloud"})
_GIT_SCHEMES: Final = frozenset({"https", "http", "ssh", "file"})
_NAME: Final = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_MARKER: Final = re.compile(rf"{_NAME}:{_NAME}")
_OBJECT: Final = re.compile(rf"({_NAME})/({_NAME})")
_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LONGEST_LABEL: Final = 50  # of GitHub, which has the shortest
_ACCOUNT: Final = re.compile(r"[^\s@/,\x00-\x1f\x7f](?:[^\s,\x00-\x1f\x7f]{0,199}[^\s/,\x00-\x1f\x7f])?")
_TOKENS: Final = (
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "ATBB",
)  # issued by forges; as user names they are secrets
IN_A_POD: Final = "KUBERNETES_SERVICE_HOST"
LONGEST_DURATION: Final = 366 * 86400.0
LARGEST_SIZE: Final = 2**40
CONFIG_MAP: Final = "configmap:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """Where a server listens; an empty *host* is every interface."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def usual_address() -> ListenAddress:
    """Return where metrics are served unless it is set: in a pod, probes and Prometheus ask from outside it."""
    return ListenAddress(host="0.0.0.0" if os.environ.get(IN_A_POD) else "127.0.0.1", port=8080)  # noqa: S104 - in a pod, probes and Prometheus come from outside


def read_duration(text: str) -> float:
    """Read ``90s``, ``2m``, ``1h30m`` or ``1d``; returns seconds, above zero and at most a year."""
    if not _DURATION.fullmatch(text):
        hint = f"write {text}s" if text.isdigit() else "write a number and its unit, such as 90s, 2m, 1h30m or 1d"
        raise ConfigError(f"{_shown(text)} is not a duration", hint=hint, code="duration")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))
    if not 0 < seconds <= LONGEST_DURATION:
        raise ConfigError(f"{_shown(text)} is out of range", hint="a duration is above zero and at most 366d", code="duration")
    return seconds


def read_holds_place(text: str) -> str:
    """Read a path, or ``configmap:namespace/name``."""
    if not text.strip() or "\x00" in text:
        raise ConfigError("this is empty", hint="write a path such as holds.yaml, or configmap:namespace/name", code="empty")
    if text.startswith(CONFIG_MAP) and not _OBJECT.fullmatch(text.removeprefix(CONFIG_MAP)):
        raise ConfigError(f"{_shown(text)} names no ConfigMap", hint="write configmap:namespace/name", code="object-name")
    return text


def read_size(text: str) -> int:
    """Read ``64KiB``, ``8MiB`` or ``1.5GiB``; returns bytes, at least 1 KiB and at most 1024 GiB."""
    found = _SIZE.fullmatch(text)
    if not found:
        hint = f"write {text}MiB" if text.isdigit() else "write a number and its unit, such as 512KiB, 8MiB or 1GiB"
        raise ConfigError(f"{_shown(text)} is not a size", hint=hint, code="size")
    size = int(float(found[1]) * _SIZE_UNITS[found[2]])
    if not 1024 <= size <= LARGEST_SIZE:
        raise ConfigError(f"{_shown(text)} is out of range", hint="a size is at least 1KiB and at most 1024GiB", code="size")
    return size


def read_names(text: str) -> str:
    """Read a glob of names; raise `PolicyError` where it is none."""
    glob_expression(text)
    if not text or len(text) > LONGEST_GLOB:
        raise ConfigError(f"{_shown(text)} is not a glob of names", hint="write a name, or team-*", code="policy")
    return text


def read_rate(text: str) -> float:
    """Read ``50/s``, ``100/m`` or ``1000/h``; returns requests a second."""
    found = _RATE.fullmatch(text)
    if not found or float(found[1]) == 0:
        raise ConfigError(f"{_shown(text)} is not a rate", hint="write requests per time, such as 50/s or 100/m", code="rate")
    return float(found[1]) / _UNITS[found[2]]


def read_changes(text: str) -> ChangeRate:
    """Read ``4/h``, ``10/d`` or ``1/m``: how many changes in which time."""
    found = _CHANGES.fullmatch(text)
    if not found:
        raise ConfigError(
            f"{_shown(text)} is not a number of changes", hint="write changes per time, such as 4/h or 10/d", code="rate"
        )
    return ChangeRate(count=int(found[1]), seconds=_UNITS[found[2]], unit=found[2])


def read_address(text: str) -> ListenAddress:
    """Read ``host:port``, ``[::1]:port`` or ``:port``."""
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_clear = ":" not in host or host != bare
    if not (port.isascii() and port.isdigit() and int(port) <= 65535 and is_clear) or re.search(r"[\s/@]", host):
        raise ConfigError(
            f"{_shown(text)} is not an address to listen on", hint="write host:port, such as 0.0.0.0:8080", code="address"
        )
    return ListenAddress(host=bare, port=int(port))


def read_credential(text: str) -> CredentialRef:
    """Read a reference to a credential. The text is never repeated: it may be the secret itself."""
    kind = text.partition(":")[0]
    try:
        found = parse_credential_ref(text)
    except ConfigError as error:
        if kind in _CREDENTIAL_KINDS:
            raise ConfigError(f"this is not a {kind} reference", hint=error.hint, code=error.code) from None
        message = "this is not a credential reference; a secret itself must not be in a file"
        raise ConfigError(message, hint=error.hint.partition(";")[0], code=error.code) from None
    if found.kind == "cloud":
        hint = "use ext: with a program that prints user:password"
        raise ConfigError(
            "cloud providers are not asked for credentials in this version", hint=hint, code="credential-unsupported"
        )
    return found


def read_git_url(text: str) -> str:
    """Check the URL of a Git repository: https, http, ssh, scp-like, or a local path that begins with ``/`` or ``.``."""
    if not text or re.search(r"[\s\x00-\x1f]", text):
        raise ConfigError("this is not a Git URL", hint=_GIT_HINT, code="git-url")
    _check_scp(text)
    if "://" in text:
        _check_url(text, _GIT_SCHEMES, _GIT_HINT, code="git-url")
    elif not (text.startswith(("/", "./", "../")) or text in {".", ".."} or _SCP_LIKE.fullmatch(text)):
        raise ConfigError(f"{_shown(text)} is not a Git URL", hint=f"{_GIT_HINT}; a path here is ./{text}", code="git-url")
    return text.removeprefix("file://") if text.startswith("file:///") else text


def read_prefix(text: str) -> str:
    """Check the beginning of Git URLs; a secret in it is refused."""
    if not text or re.search(r"\s", text):
        raise ConfigError("this is not the beginning of a Git URL", hint=_GIT_HINT, code="git-url")
    _check_scp(text)
    if "://" in text:
        _check_url(text, _GIT_SCHEMES, _GIT_HINT, code="git-url", needs_host=False)
    return text


def read_proxy(text: str) -> str:
    """Check the URL of a proxy; one with a password is refused."""
    _check_url(text, frozenset({"http", "https", "socks5", "socks5h"}), "write http://host:port", code="url")
    return text


def read_events_address(text: str) -> str:
    """Check the address of a receiver of Events, an http or https URL without a secret."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        hint = "write http://notification-controller.flux-system.svc.cluster.local./"
        raise ConfigError("this is not an address of an event receiver", hint=hint, code="url")
    return text


def read_repository_path(text: str) -> str:
    """Read a path below the root of a repository, ``.`` is the root; returned without ``./`` and without a ``/`` at its end."""
    if not text or text.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", text):
        raise ConfigError(f"{_shown(text)} is not a path in a repository", hint=_PATH_HINT, code="path")
    parts = text.split("/")
    if ".." in parts or ".git" in parts or "\\" in text or "\x00" in text:
        raise ConfigError(f"{_shown(text)} leaves the files of the repository", hint=_PATH_HINT, code="path")
    return posixpath.normpath(text)


def read_marker(text: str) -> str:
    """Check the name by which markers are found, ``namespace:policy``."""
    if not _MARKER.fullmatch(text):
        hint = "write namespace:policy as in the marker, without :tag or :name"
        raise ConfigError(f"{_shown(text)} is not the name of a marker", hint=hint, code="marker")
    return text


def read_application(text: str) -> LiveApplication:
    """Read ``namespace/name`` of an Argo CD Application."""
    found = _OBJECT.fullmatch(text)
    if not found:
        raise ConfigError(f"{_shown(text)} names no Application", hint="write namespace/name", code="application")
    return LiveApplication(namespace=found[1], name=found[2])


def read_workload(text: str) -> Workload:
    """Read ``kind/namespace/name`` of what runs an image."""
    kind, _, place = text.partition("/")
    found = _OBJECT.fullmatch(place)
    if not found or kind not in WORKLOAD_KINDS:
        hint = f"write kind/namespace/name, such as Deployment/shop/web; the kind is {', '.join(WORKLOAD_KINDS)}"
        raise ConfigError(f"{_shown(text)} names no workload", hint=hint, code="workload")
    return Workload(kind, found[1], found[2])


def read_glob(text: str) -> str:
    """Check a pattern of file names."""
    if not text.strip() or text.startswith("/") or "\\" in text:
        raise ConfigError(
            f"{_shown(text)} is not a pattern of file names", hint='write it like "Dockerfile*" or "*.env"', code="glob"
        )
    return text


def check_registry_url(text: str) -> str:
    """Check the URL at which a registry is asked; one with a password is refused."""
    _check_url(text, frozenset({"http", "https"}), "write https://host[:port]", code="url")
    version = urlsplit(text).path.rstrip("/").rpartition("/")[2]
    if version in {"v1", "v2"}:
        usual = (
            "https://registry-1.docker.io for Docker Hub" if urlsplit(text).hostname in _HUB_INDEXES else "https://host[:port]"
        )
        raise ConfigError(
            f"the URL ends in /{version}, and the API would be asked below /{version}/v2/, where no registry answers",
            hint=f"write {usual}: the address in docker's config.json is only the name of an entry",
            code="url",
        )
    return text.rstrip("/")


def check_forge_api(text: str) -> str:
    """Check the URL of the API of a forge; one with a password is refused."""
    _check_url(
        text,
        frozenset({"http", "https"}),
        "write https://host/api/v3, /api/v4, /api/v1 or /rest/api/1.0, as your forge documents it",
        code="url",
    )
    return text.rstrip("/")


def read_group(text: str) -> str:
    """Read the name of a group of subscriptions."""
    if not _GROUP.fullmatch(text):
        hint = "write letters, digits, '.', '_' and '-', at most 63, such as shop"
        raise ConfigError(f"{_shown(text)} is not the name of a group", hint=hint, code="proposal-group")
    return text


def read_push_option(text: str) -> str:
    """Return a push option, ``key`` or ``key=value``; raise `ConfigError` ``push-options``."""
    if not text or not text.isprintable() or text != text.strip():
        raise ConfigError(
            f"the push option {text!r} cannot be sent", hint="a push option is one line of text", code="push-options"
        )
    return text


def read_label(text: str) -> str:
    """Read a label of pull requests; forges divide several by commas."""
    if not text.strip() or text != text.strip() or not text.isprintable() or "," in text or len(text) > _LONGEST_LABEL:
        hint = f"write one line of at most {_LONGEST_LABEL} characters without a comma, such as image-update"
        raise ConfigError(f"{_shown(text)} is not a label", hint=hint, code="proposal-label")
    return text


def read_account(text: str) -> str:
    """Read the name of a user or of a team of a forge, without an @ before it."""
    if not _ACCOUNT.fullmatch(text):
        hint = "write a user name without @, or org/team"
        raise ConfigError(f"{_shown(text)} is not the name of a user or a team", hint=hint, code="proposal-account")
    return text


_HUB_INDEXES: Final = frozenset({"index.docker.io", "docker.io", "hub.docker.com", "registry-1.docker.io"})
_GIT_HINT: Final = "write https://host/path, ssh://git@host/path, git@host:path or a local path"
_PATH_HINT: Final = "write it from the root of the repository, such as apps/prod; the root itself is ."


def _check_scp(text: str) -> None:
    if has_scp_password(text):
        message = "this URL contains a password, and secrets must not be written in a file"
        hint = "write user@host:path, and name the password by credentials:; for a path that holds @ write ssh://user@host/path"
        raise ConfigError(message, hint=hint, code="secret")


def _check_url(text: str, schemes: frozenset[str], hint: str, *, code: str, needs_host: bool = True) -> None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ConfigError("this is not a URL", hint=hint, code=code) from None
    if parts.password is not None or (parts.username or "").startswith(_TOKENS):
        message = "this URL contains a password, and secrets must not be written in a file"
        raise ConfigError(
            message, hint="take it out and name it by credentials:, such as file:/path or env:VARIABLE", code="secret"
        )
    if parts.scheme not in schemes:
        raise ConfigError(f"the scheme {_shown(parts.scheme)} is not supported", hint=hint, code=code)
    if needs_host and not parts.hostname and parts.scheme != "file":
        raise ConfigError(f"{_shown(text)} names no host", hint=hint, code=code)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
