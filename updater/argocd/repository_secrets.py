"""Which of Argo CD's repository Secrets holds for a Git URL, and what it says of the way there. Nothing is asked here.

Source: Argo CD's reference of declarative repositories and repository credentials. A `repository` Secret holds for one URL, a
`repo-creds` Secret for all that begin with its own; URLs are compared as Argo CD does, without case, ``.git`` and ``ssh://``.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from updater.argocd.request.values import read_boolean
from updater.credentials.github_app import API, App
from updater.errors import ConfigError
from updater.git.access import GitAccess
from updater.http.address import is_spared
from updater.model.credential import FORGE_TOKEN, Credential, read_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from updater.git.access import GitAddress

LABEL: Final = "argocd.argoproj.io/secret-type"
REPOSITORY: Final = "repository"
TEMPLATE: Final = "repo-creds"
SELECTOR: Final = f"{LABEL} in ({REPOSITORY},{TEMPLATE})"
APP_FIELDS: Final = ("githubAppID", "githubAppInstallationID", "githubAppPrivateKey")
#: what a `repository` Secret takes from `repo-creds`, field by field, once it has no credentials of its own
_INHERITED: Final = (
    *("username", "password", "bearerToken", "sshPrivateKey", "tlsClientCertData", "tlsClientCertKey"),
    *(*APP_FIELDS, "githubAppEnterpriseBaseUrl", "gcpServiceAccountKey", "useAzureWorkloadIdentity"),
    *("proxy", "noProxy", FORGE_TOKEN),
)
_OWN: Final = (
    *("username", "password", "bearerToken", "sshPrivateKey", "tlsClientCertData"),
    *("githubAppPrivateKey", "gcpServiceAccountKey"),
)
_READ: Final = frozenset({*_INHERITED, "url", "type", "project", "insecure", "insecureIgnoreHostKey"})
_WITH_USER: Final = re.compile(r"(?:ssh://)?[^/:@]*@[^@]+")
_PEM: Final = "-----BEGIN "


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFields:
    """The fields of one Secret, decoded; *place* is its namespace and name, *unreadable* the fields that are no text."""

    place: str
    fields: Mapping[str, str] = field(repr=False)
    unreadable: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        """Return a field, "" where it is not there; raise `ConfigError` where it is no text."""
        if name in self.unreadable:
            raise flawed(self.place, f"the field {name} is not UTF-8 text", hint="write it again, as text")
        return self.fields.get(name, "")

    def is_true(self, name: str) -> bool:
        """Read a flag; what is no boolean is false, as in Argo CD, and `remarks` tells of it."""
        return _flag(self.fields.get(name, "")) or False

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what is wrong with this Secret, one sentence each; never what stands in it."""
        flags = ("insecure", "insecureIgnoreHostKey", "useAzureWorkloadIdentity")
        doubtful = [name for name in flags if _flag(self.fields.get(name, "")) is None]
        return tuple(f"the Secret {self.place}: {name} is neither true nor false, and counts as false" for name in doubtful)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySecret:
    """One Secret of Argo CD's: of the kind `REPOSITORY` or `TEMPLATE`, for *url*, compared in its normal form."""

    kind: str
    url: str
    given: SecretFields


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLogin:
    """What a Git server is shown. With *app* the credential is a token that is still to be had."""

    access: GitAccess
    app: App | None = None


def read_secrets(items: Iterable[Mapping[str, Any]]) -> tuple[tuple[RepositorySecret, ...], tuple[str, ...]]:
    """Read the Secrets that hold for Git repositories; return them, and a sentence on each that is left out or doubtful."""
    found: list[RepositorySecret] = []
    remarks: list[str] = []
    for item in items:
        metadata = item.get("metadata") or {}
        kind = (metadata.get("labels") or {}).get(LABEL)
        if kind not in {REPOSITORY, TEMPLATE}:
            continue
        given = read_fields(f"{metadata.get('namespace')}/{metadata.get('name')}", item.get("data"))
        if given.fields.get("type", "").lower() not in {"", "git"}:
            continue
        url, project = given.fields.get("url", "").strip(), given.fields.get("project", "")
        if not url:
            remarks.append(f"the Secret {given.place} names no url, and is ignored")
        elif kind == REPOSITORY and project:
            remarks.append(f"the Secret {given.place} belongs to the project {project} alone, and is not used")
        else:
            remarks += given.remarks
            found.append(RepositorySecret(kind=kind, url=normalised(url), given=given))
    return tuple(found), tuple(remarks)


def read_fields(place: str, data: object, *, is_decoded: bool = False) -> SecretFields:
    """Read the fields that count; *data* is base64 as the API gives it, unless *is_decoded*."""
    fields: dict[str, str] = {}
    unreadable: list[str] = []
    for name, value in data.items() if isinstance(data, dict) else ():
        if name not in _READ:
            continue
        try:
            raw = value if is_decoded else base64.b64decode(value, validate=True)
            fields[name] = raw.decode().strip("\r\n")  # `echo` and `--from-file` add a line end, and no password has one
        except (ValueError, TypeError):
            unreadable.append(name)
    return SecretFields(place=place, fields=fields, unreadable=tuple(unreadable))


def normalised(url: str) -> str:
    """Return *url* as Argo CD compares it."""
    text = url.strip().lower()
    if _WITH_USER.fullmatch(text) and not text.startswith("ssh://"):
        text = text.replace(":", "/", 1)
    return text.removesuffix(".git").removeprefix("ssh://")


def choose(secrets: Sequence[RepositorySecret], url: str) -> SecretFields | None:
    """Return what holds for *url*: its own Secret, with what it inherits; else the longest beginning. None: nothing does."""
    wanted = normalised(url)
    own = next((item.given for item in secrets if item.kind == REPOSITORY and item.url == wanted), None)
    if own is not None and (own.is_true("useAzureWorkloadIdentity") or own.unreadable or any(map(own.fields.get, _OWN))):
        return own
    below = [item for item in secrets if item.kind == TEMPLATE and _is_below(item.url, wanted)]
    template = max(below, key=lambda item: len(item.url)).given if below else None
    if own is None or template is None:
        return own or (_without_trust(template) if template else None)
    inherited = {name: template.fields[name] for name in _INHERITED if template.fields.get(name) and not own.fields.get(name)}
    unreadable = tuple(name for name in template.unreadable if not own.fields.get(name))
    place = f"{own.place}, with {template.place}"
    return SecretFields(place=place, fields={**own.fields, **inherited}, unreadable=unreadable)


def login(given: SecretFields, address: GitAddress) -> GitLogin:
    """Return what the server at *address* is shown; raise `ConfigError` where a field is missing or cannot be used."""
    is_insecure = given.is_true("insecure") or given.is_true("insecureIgnoreHostKey")
    proxy = _proxy(given, address.host, address.port)
    if address.scheme == "ssh":
        key = given["sshPrivateKey"]
        private_key = f"{key}\n".encode() if key else None
        access = GitAccess(private_key=private_key, proxy=proxy, insecure_skip_verify=is_insecure)
        app = app_of(given, access) if given["githubAppPrivateKey"] else None
        return GitLogin(access=replace(access, forge=_forge_token(given) or app))
    pem = _client_pem(given)
    access = GitAccess(client_certificate=pem, proxy=proxy, insecure_skip_verify=is_insecure, forge=_forge_token(given))
    return _shown(given, access)


def app_of(given: SecretFields, access: GitAccess) -> App:
    """Read a GitHub App; raise `ConfigError` naming the field that is missing."""
    require(given, APP_FIELDS)
    identity, installation, key = (given[name].strip() for name in APP_FIELDS)
    base = given["githubAppEnterpriseBaseUrl"].strip() or API
    try:
        parts = urlsplit(base)
        proxy = _proxy(given, parts.hostname or "", parts.port)
    except ValueError:
        raise flawed(given.place, "githubAppEnterpriseBaseUrl is not a URL", hint="write https://host/api/v3") from None
    connection = replace(access.connection(), proxy=proxy)
    return App(identity=identity, installation=installation, private_key=key, base_url=base, connection=connection)


def _forge_token(given: SecretFields) -> Credential | None:
    """Return what the forge is shown by a field of its own; Argo CD reads no such field."""
    token = given[FORGE_TOKEN].strip()
    return read_token(token) if token else None


def require(given: SecretFields, names: Iterable[str]) -> None:
    """Raise `ConfigError` for the first of *names* that the Secret does not have."""
    for name in names:
        if not given[name]:
            fields = ", ".join(sorted(given.fields)) or "none that are known here"
            raise flawed(given.place, f"it has no field {name}", hint=f"its fields are: {fields}")


def flawed(place: str, message: str, *, hint: str) -> ConfigError:
    """Make the error of a Secret that cannot be used."""
    return ConfigError(f"the Secret {place}: {message}", hint=hint, code="credential-secret")


def _shown(given: SecretFields, access: GitAccess) -> GitLogin:
    """Choose among several credentials in Argo CD's order."""
    if given["password"]:
        return GitLogin(access=replace(access, credential=Credential(username=given["username"], password=given["password"])))
    if given["bearerToken"]:
        return GitLogin(access=replace(access, credential=Credential(registry_token=given["bearerToken"])))
    if given["githubAppPrivateKey"]:
        return GitLogin(access=access, app=app_of(given, access))
    for name, is_set in (
        ("gcpServiceAccountKey", bool(given["gcpServiceAccountKey"])),
        ("useAzureWorkloadIdentity", given.is_true("useAzureWorkloadIdentity")),
    ):
        if is_set:
            hint = "give this repository credentials under git.repositories: ext: runs a program that prints user:password"
            message = f"the Secret {given.place}: {name} is not supported"
            raise ConfigError(message, hint=hint, code="credential-unsupported")
    return GitLogin(access=access)


def _without_trust(template: SecretFields) -> SecretFields:
    """Leave out what would turn off verification for many repositories at once: Argo CD does not read it there either."""
    fields = {name: value for name, value in template.fields.items() if name in _INHERITED}
    return SecretFields(place=template.place, fields=fields, unreadable=template.unreadable)


def _is_below(prefix: str, url: str) -> bool:
    """Return whether credentials for *prefix* may be shown to *url*: it begins so, and both name one whole host and port."""
    scheme, separator, rest = url.partition("://")
    host = f"{scheme}{separator}{rest.partition('/')[0]}" if separator else url.partition("/")[0]
    return url.startswith(prefix) and prefix.startswith(host)


def _client_pem(given: SecretFields) -> bytes | None:
    certificate, key = given["tlsClientCertData"], given["tlsClientCertKey"]
    if not certificate and not key:
        return None
    require(given, ("tlsClientCertData", "tlsClientCertKey"))
    if not (certificate.lstrip().startswith(_PEM) and key.lstrip().startswith(_PEM)):
        raise flawed(given.place, "tlsClientCertData or tlsClientCertKey is not PEM text", hint="both are PEM, the key unlocked")
    return f"{certificate}\n{key}\n".encode()


def _proxy(given: SecretFields, host: str, port: int | None) -> str | None:
    """Return the proxy for *host*, None where there is none; then the environment's rules hold."""
    proxy = given["proxy"].strip()
    if not proxy or is_direct(host, port, given["noProxy"]):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(proxy)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise flawed(given.place, "proxy is not a URL of an HTTP proxy", hint="write http://host:port")
    return proxy


def is_direct(host: str, port: int | None, spared: str) -> bool:
    """Return whether *spared*, a list as in NO_PROXY, names *host*: names with what is below them, addresses, networks, ``*``."""
    name = host.lower().rstrip(".")
    for entry in (text.strip().lower() for text in spared.split(",")):
        beginning, colon, number = entry.rpartition(":")
        if colon and number.isdecimal() and ":" not in beginning:
            if number != str(port or 443):
                continue
            entry = beginning  # noqa: PLW2901 - what follows is about the host
        domain = entry.removeprefix("*")
        if entry == "*" or (domain and (name.endswith(f".{domain.lstrip('.')}") or name == domain)):
            return True
    return is_spared(host, spared)


def _flag(text: str) -> bool | None:
    """Read a boolean; None where it is none."""
    try:
        return read_boolean(text) if text else False
    except ConfigError:
        return None
