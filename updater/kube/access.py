"""Access to the API server: its address and the client's identity, in a pod or from a kubeconfig.

What is read from files is read again every minute and when the server refused it: tokens of service accounts are renewed
in place (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/).
"""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from updater.errors import KubeDenied
from updater.http.exchange import Connection
from updater.kube.kubeconfig import ConfigEntry, ContextChoice, choose
from updater.kube.plugin import ExecPlugin
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
READ_AGAIN: Final = 60.0
_EXTENSION: Final = "client.authentication.k8s.io/exec"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiLogin:
    """The identity of one request."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    connection: Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEnvironment:
    """The inputs for finding access to a cluster: environment, home, the pod's files, and time (*clock*, *wall* in seconds)."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path = field(default_factory=Path.home)
    service_account: Path = SERVICE_ACCOUNT
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class FileText:
    """The text of a small file, read again every minute; the last good text applies while it cannot be read."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock
        self._text = ""
        self._read_at: float | None = None

    def text(self) -> str:
        """Return the text without the white space around it; raise `KubeDenied` where there never was one."""
        now = self._clock()
        if self._read_at is None or now - self._read_at >= READ_AGAIN:
            try:
                self._text = self.path.read_text(encoding="utf-8").strip() or self._text
                self._read_at = now
            except (OSError, ValueError) as error:
                if not self._text:
                    reason = reason_of(error) or "it is not text"
                    hint = "check the path, the mount and the rights of this user"
                    raise KubeDenied(f"{self.path} cannot be read: {reason}", hint=hint, code="kube-login") from error
        return self._text

    def expire(self) -> None:
        """Read the file at the next asking."""
        self._read_at = None


@dataclass(slots=True, kw_only=True)
class _Ways:
    """Where each part of a `ApiLogin` comes from."""

    connection: Connection
    authority: FileText | None = None
    certificate: FileText | None = None
    key: FileText | None = None
    token: str = ""
    token_file: FileText | None = None
    plugin: ExecPlugin | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> tuple[FileText, ...]:
        found = (self.authority, self.certificate, self.key, self.token_file)
        return tuple(file for file in found if file)


class ClusterAccess:
    """Access to one cluster: `url` without a trailing slash, and the default `namespace`."""

    def __init__(self, url: str, namespace: str, ways: _Ways) -> None:
        self.url = url.rstrip("/")
        self.namespace = namespace
        self._ways = ways
        self._last: ApiLogin | None = None

    async def login(self) -> ApiLogin:
        """Return how the next request shows who we are; raise `KubeDenied` where nothing says it now."""
        ways = self._ways
        token, pem = await ways.plugin.credential() if ways.plugin else ("", "")
        if ways.certificate and ways.key:
            pem = f"{ways.certificate.text()}\n{ways.key.text()}\n"
        token = token or _first_text(ways.token_file, ways.token)
        connection = ways.connection
        if ways.authority:
            connection = replace(connection, authority=ways.authority.text())
        if pem:
            connection = replace(connection, client_pem=pem)
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        self._last = ApiLogin(headers={**ways.headers, **bearer}, connection=connection)
        return self._last

    def refused(self, login: ApiLogin) -> bool:
        """Note that the server refused *login* (401), and return whether another one may be had."""
        if self._last is not None and login != self._last:
            return True  # it was renewed meanwhile
        for file in self._ways.files():
            file.expire()
        if self._ways.plugin:
            self._ways.plugin.expire()
        return bool(self._ways.plugin or self._ways.files())


def find_access(
    kubeconfig: Path | None = None, context: str = "", *, surroundings: AccessEnvironment | None = None
) -> ClusterAccess:
    """Return the way to the cluster: *kubeconfig*, else KUBECONFIG, else the pod's own, else ``~/.kube/config``.

    A *context* is one of a kubeconfig: where it is named, the pod's own way does not count.

    Raises `ConfigError` with code ``kubeconfig`` where there is none, or where it cannot be used.
    """
    found = surroundings or AccessEnvironment()
    is_pod = found.environment.get("KUBERNETES_SERVICE_HOST") and (found.service_account / "token").exists()
    if is_pod and not kubeconfig and not context and not _named_files(found):
        return _of_pod(found)
    return find_context(context, kubeconfig, surroundings=found)


def find_context(context: str, kubeconfig: Path | None = None, *, surroundings: AccessEnvironment | None = None) -> ClusterAccess:
    """Return the way to the cluster of *context*: of *kubeconfig*, else KUBECONFIG, else ``~/.kube/config``; never the pod's own.

    Raises `ConfigError` as `find_access` does.
    """
    found = surroundings or AccessEnvironment()
    if kubeconfig:
        return _of_choice(choose([kubeconfig], context), found)
    files = _named_files(found) or [found.home / ".kube" / "config"]
    return _of_choice(choose(files, context, may_miss=True), found)


def _named_files(found: AccessEnvironment) -> list[Path]:
    return [Path(name) for name in found.environment.get("KUBECONFIG", "").split(os.pathsep) if name]


def _of_pod(found: AccessEnvironment) -> ClusterAccess:
    host, port = found.environment["KUBERNETES_SERVICE_HOST"], found.environment.get("KUBERNETES_SERVICE_PORT") or "443"
    folder = found.service_account
    try:
        namespace = (folder / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = ""
    ways = _Ways(
        connection=Connection(),
        authority=FileText(folder / "ca.crt", found.clock),
        token_file=FileText(folder / "token", found.clock),
    )
    return ClusterAccess(f"https://{f'[{host}]' if ':' in host else host}:{port}", namespace or "default", ways)


def _of_choice(choice: ContextChoice, found: AccessEnvironment) -> ClusterAccess:
    cluster = choice.cluster
    url, proxy = _url(cluster), cluster.text("proxy-url")
    if proxy and urlsplit(proxy).scheme not in {"http", "https"}:
        raise cluster.wrong(f"the proxy {urlsplit(proxy).scheme}:// is not supported", hint="use an http:// proxy")
    insecure = cluster.flag("insecure-skip-tls-verify")
    authority = "" if insecure else _data(cluster, "certificate-authority-data")
    file = None if insecure or authority else cluster.path("certificate-authority")
    connection = Connection(
        proxy=proxy or None,
        insecure=insecure,
        authority=authority or None,
        server_name=cluster.text("tls-server-name") or None,
    )
    ways = _Ways(connection=connection, authority=FileText(file, found.clock) if file else None)
    if choice.user:
        _add_user(ways, choice.user, cluster, found)
    return ClusterAccess(url, choice.namespace, ways)


def _url(cluster: ConfigEntry) -> str:
    url = cluster.text("server")
    try:
        parts = urlsplit(url)
        is_fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        is_fine = False
    if not is_fine:
        raise cluster.wrong("server is not an http or https URL", hint="write it as https://host:6443")
    return url


def _add_user(ways: _Ways, user: ConfigEntry, cluster: ConfigEntry, found: AccessEnvironment) -> None:
    """Add to *ways* what *user* says; kubectl's order: data before files, a token file before a token."""
    if certificate := _data(user, "client-certificate-data"):
        key = _data(user, "client-key-data") or _text_of(user, "client-key")
        ways.connection = replace(ways.connection, client_pem=f"{certificate.rstrip()}\n{key.rstrip()}\n")
    elif path := user.path("client-certificate"):
        ways.certificate = FileText(path, found.clock)
        ways.key = FileText(user.path("client-key") or path, found.clock)
    file = user.path("tokenFile")
    ways.token_file = FileText(file, found.clock) if file else None
    ways.token = user.text("token")
    if user.values.get("exec") is not None:
        ways.plugin = ExecPlugin(user, _info(cluster), environment=found.environment, wall=found.wall)
    ways.headers = _impersonation(user)
    _refuse_the_old(ways, user)


def _refuse_the_old(ways: _Ways, user: ConfigEntry) -> None:
    has_more = bool(ways.token or ways.files() or ways.plugin or ways.connection.client_pem)
    if user.values.get("auth-provider") is not None and not has_more:
        hint = "use the provider's program by `exec`, as kubectl requires since 1.26"
        raise user.wrong("auth-provider is no longer supported by Kubernetes", hint=hint)
    if user.text("username") and not has_more:
        hint = "use a token, a client certificate or a program by `exec`"
        raise user.wrong("API servers take no user name and password since 1.19", hint=hint)


def _impersonation(user: ConfigEntry) -> dict[str, str]:
    groups = user.values.get("as-groups") or []
    if user.values.get("as-user-extra") or not isinstance(groups, list) or len(groups) > 1:
        raise user.wrong("only one group and no extra can be impersonated", hint="give the account itself the rights it needs")
    given = {
        "Impersonate-User": user.text("as"),
        "Impersonate-Uid": user.text("as-uid"),
        "Impersonate-Group": "".join(map(str, groups)),
    }
    return {name: value for name, value in given.items() if value}


def _info(cluster: ConfigEntry) -> dict[str, Any]:
    """Return what a program is told of the cluster, by the names of its own API."""
    values = cluster.values
    named = {
        "server": values.get("server"),
        "tls-server-name": values.get("tls-server-name"),
        "insecure-skip-tls-verify": values.get("insecure-skip-tls-verify"),
        "certificate-authority-data": values.get("certificate-authority-data"),
        "proxy-url": values.get("proxy-url"),
        "config": _extension(values.get("extensions")),
    }
    if path := cluster.path("certificate-authority"):
        named["certificate-authority-data"] = named["certificate-authority-data"] or _encoded(path)
    return {name: value for name, value in named.items() if value is not None}


def _extension(extensions: object) -> Any:
    entries = extensions if isinstance(extensions, list) else []
    return next((item.get("extension") for item in entries if isinstance(item, dict) and item.get("name") == _EXTENSION), None)


def _encoded(path: Path) -> str | None:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError:
        return None


def _data(entry: ConfigEntry, key: str) -> str:
    try:
        return base64.b64decode(entry.text(key)).decode()
    except ValueError:
        raise entry.wrong(f"{key} is not base64 of a PEM text") from None


def _text_of(entry: ConfigEntry, key: str) -> str:
    path = entry.path(key)
    try:
        return path.read_text(encoding="utf-8") if path else ""
    except (OSError, ValueError) as error:
        raise entry.wrong(f"{key}: {path} cannot be read") from error


def _first_text(file: FileText | None, text: str) -> str:
    """Return what the file holds; *text* counts where there is no file, or nothing to read in it."""
    if file is None:
        return text
    try:
        return file.text()
    except KubeDenied:
        if text:
            return text
        raise
