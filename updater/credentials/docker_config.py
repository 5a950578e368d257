"""Docker's `config.json`, podman's `auth.json`, and which of their entries apply to an image.

Docker configurations are matched as kubelet does (Kubernetes documentation, "Interpretation of config.json"):
each part of the host may be a glob, ports are equal, the path is a plain prefix, and every match counts,
the longer key first. Podman's file has no globs and matches whole path parts (containers-auth.json(5)).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError
from updater.http.redaction import told
from updater.model.credential import Credential
from updater.model.image import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.image import ImageName

HUB_KEY: Final = "https://index.docker.io/v1/"
_HUB_HOSTS: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HOST_AND_PORT: Final = re.compile(r"(.+):([0-9]{1,5})", re.DOTALL)
_SUFFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MOST_HOSTS: Final = 8
_FORMAT_HINT: Final = 'write user:password, or the content of a docker config.json: {"auths": {"ghcr.io": {"auth": "…"}}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig:
    """The entries of one file: credentials by key, and the credential helpers."""

    auths: Mapping[str, Credential] = field(default_factory=dict, repr=False)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The registries that it has entries for, a few of them, without what else stands in their keys."""
        hosts = dict.fromkeys(_split_key(key)[0] for key in (*self.auths, *self.helpers))
        return tuple(told(host, most=80) for host in sorted(hosts)[:_MOST_HOSTS])

    def matches(self, image: ImageName, *, as_podman: bool = False) -> tuple[Credential, ...]:
        """Return the credentials that serve *image*, to be tried in this order."""
        serves = _serves_as_podman if as_podman else _serves
        found = [self.auths[key] for key in sorted(self.auths, reverse=True) if serves(key, image)]
        return tuple(found[:1] if as_podman else dict.fromkeys(found))

    def helper(self, image: ImageName) -> tuple[str, str] | None:
        """Return the suffix of the helper program for *image* and the server it is asked for; None without one."""
        server = HUB_KEY if image.registry == DOCKER_HUB else image.registry
        hosts = sorted(_HUB_HOSTS) if image.registry == DOCKER_HUB else [image.registry]
        suffix = next((self.helpers[key] for key in (server, *hosts) if key in self.helpers), self.store)
        return (suffix, server) if suffix else None


def parse_secret_text(text: str, *, place: str) -> DockerConfig | Credential:
    """Read ``user:password`` or the JSON of a docker configuration; raise `ConfigError` that names *place*."""
    stripped = text.strip("\r\n \t\ufeff")
    if stripped.startswith("{"):
        return parse_docker_config(stripped, place=place)
    username, colon, password = stripped.partition(":")
    if not colon or not username or not password or "\n" in stripped:
        raise ConfigError(f"{place} holds no user:password", hint=_FORMAT_HINT, code="credential-format", path=place)
    return Credential(username=username, password=password)


def parse_docker_config(text: str, *, place: str) -> DockerConfig:
    """Read a docker `config.json`, or the bare map of the older `.dockercfg`; raise `ConfigError`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed(place, "it is not JSON") from None
    if not isinstance(document, dict):
        raise _malformed(place, "it is not a JSON object")
    is_config = any(key in document for key in ("auths", "credHelpers", "credsStore"))
    auths = _value_or(document.get("auths"), {}) if is_config else _bare_auths(document)
    helpers = _value_or(document.get("credHelpers"), {})
    store = _value_or(document.get("credsStore"), "")
    if not isinstance(auths, dict) or not isinstance(helpers, dict) or not isinstance(store, str):
        raise _malformed(place, "auths and credHelpers are objects, credsStore is a text")
    for suffix in (*helpers.values(), store):
        if not isinstance(suffix, str) or (suffix and not _SUFFIX.fullmatch(suffix)):
            raise _malformed(place, f"{suffix!r} is not the name of a credential helper")
    credentials = {key: _credential(entry, key, place) for key, entry in auths.items()}
    return DockerConfig(auths={key: value for key, value in credentials.items() if value}, helpers=helpers, store=store)


def _value_or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _bare_auths(document: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a `.dockercfg`; a new docker configuration may hold none and other settings."""
    return {key: value for key, value in document.items() if isinstance(value, dict) and {"auth", "username"} & value.keys()}


def _credential(entry: Any, key: str, place: str) -> Credential | None:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name) or "", str) for name in _FIELDS):
        raise _malformed(place, f"the entry {key} is not an object of texts")
    auth, username, password, identity, registry = (entry.get(name) or "" for name in _FIELDS)
    if auth:
        username, password = _decoded(auth, key, place)
    if not (username and password) and not identity and not registry:
        return None
    return Credential(username=username, password=password, identity_token=identity, registry_token=registry)


_FIELDS: Final = ("auth", "username", "password", "identitytoken", "registrytoken")


def _decoded(auth: str, key: str, place: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth + "=" * (-len(auth) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _malformed(place, f"the auth of {key} is not base64 of user:password") from None
    username, colon, password = text.partition(":")
    if not colon:
        raise _malformed(place, f"the auth of {key} is not base64 of user:password")
    return username, password.strip("\x00")


def _malformed(place: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{place} is not a Docker configuration: {reason}", hint=_FORMAT_HINT, code="credential-format", path=place
    )


def _split_key(key: str) -> tuple[str, int | None, str]:
    """Return host, port and path of a key, which may have a scheme and the API's version in front of its path."""
    # Not urlsplit: in a key, `?` and `[` are globs.
    host, slash, path = key.partition("://")[2 if "://" in key else 0].partition("/")
    path = slash + path
    for version in ("/v1", "/v2"):
        if path == version or path.startswith(f"{version}/"):
            path = path[len(version) :]
    found = _HOST_AND_PORT.fullmatch(host.rpartition("@")[2].lower())
    name, port = (found[1], int(found[2])) if found else (host.lower(), None)
    return (DOCKER_HUB if name in _HUB_HOSTS else name), port, path.strip("/")


def _serves(key: str, image: ImageName) -> bool:
    """Match as kubelet: each label a glob that never crosses a dot, ports equal, the path a plain prefix."""
    host, port, path = _split_key(key)
    image_host, image_port, _ = _split_key(image.registry)
    labels, image_labels = host.split("."), image_host.split(".")
    if not host or port != image_port or len(labels) != len(image_labels) or not image.path.startswith(path):
        return False
    return all(
        glob == offered or fnmatchcase(offered, glob.replace("[^", "[!"))  # equal first: an IPv6 address looks like a glob
        for glob, offered in zip(labels, image_labels, strict=True)
    )


def _serves_as_podman(key: str, image: ImageName) -> bool:
    host, port, path = _split_key(key)
    same_host = (host, port) == _split_key(image.registry)[:2]
    return same_host and (not path or f"{image.path}/".startswith(f"{path}/"))
