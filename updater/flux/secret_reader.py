"""Secrets and ServiceAccounts that Flux's objects name, read one by one from the namespace of the object."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from updater.errors import ConfigError, KubeDenied, KubeGone
from updater.kube.kinds import SECRET, SERVICE_ACCOUNT, Ref
from updater.model.credential import is_object_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.kube.client import KubeClient
    from updater.kube.kinds import Kind, Object


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretContent:
    """One Secret: its namespace and name as *place*, its type, and its data decoded."""

    place: str
    form: str = ""
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def text(self, *keys: str) -> str:
        """Return the first of *keys* that has a value, "" where none has; raise `ConfigError` where it is not UTF-8.

        A line end that ``echo`` or an editor added is dropped: no token and no password has one.
        """
        key = next((key for key in keys if self.data.get(key, b"").strip()), "")
        try:
            return self.data[key].decode().strip("\r\n") if key else ""
        except UnicodeDecodeError:
            raise self.flawed(f"the key {key} is not UTF-8 text", hint="write it again, as text") from None

    def flawed(self, message: str, *, hint: str = "") -> ConfigError:
        """Make the error of this Secret; without *hint* it names the keys that are there."""
        keys = ", ".join(sorted(self.data)) or "none"
        return flawed_secret(self.place, message, hint=hint or f"its keys are: {keys}; its type is {self.form or 'Opaque'}")


@dataclass(frozen=True, slots=True)
class SecretUse:
    """One Secret or ServiceAccount in one use, as a key: the same Secret may be read for several."""

    namespace: str
    name: str
    use: str


class SecretReader:
    """Reads one object at a time, as often as it is asked."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def secret(self, namespace: str, name: str) -> SecretContent:
        """Return a Secret; raise `ConfigError` where it is not there or its data cannot be read, and `KubeError`."""
        return _content(await self._get(SECRET, namespace, name), f"{namespace}/{name}")

    async def pull_secrets(self, namespace: str, name: str) -> tuple[str, ...]:
        """Return the names of the `imagePullSecrets` of a ServiceAccount; raise as `secret` does."""
        found = (await self._get(SERVICE_ACCOUNT, namespace, name)).get("imagePullSecrets") or ()
        return tuple(item["name"] for item in found if isinstance(item, dict) and isinstance(item.get("name"), str))

    async def _get(self, kind: Kind, namespace: str, name: str) -> Object:
        ref = Ref(kind, namespace, name)
        if not is_object_name(name):
            raise flawed_secret(ref.place, f"{name!r} is not the name of an object", hint="correct the reference", kind=kind)
        try:
            return await self._client.get(ref)
        except KubeGone:
            hint = f"create it in the namespace {namespace}, or correct the reference"
            raise flawed_secret(ref.place, "it does not exist", hint=hint, kind=kind) from None
        except KubeDenied as error:
            hint = f"{error.hint}; it needs the right: get of {kind.plural} in the namespace {namespace}"
            raise KubeDenied(error.message, hint=hint, code=error.code) from error


def flawed_secret(place: str, message: str, *, hint: str, kind: Kind = SECRET) -> ConfigError:
    """Make the error of a Secret or ServiceAccount that cannot be used."""
    return ConfigError(f"the {kind.name} {place}: {message}", hint=hint, code="credential-secret")


def _content(found: Object, place: str) -> SecretContent:
    given, form = found.get("data"), found.get("type")
    data: dict[str, bytes] = {}
    for key, value in given.items() if isinstance(given, dict) else ():
        try:
            data[key] = base64.b64decode(value, validate=True)
        except (ValueError, TypeError):
            raise flawed_secret(place, f"the key {key} is not base64", hint="write it again") from None
    return SecretContent(place=place, form=form if isinstance(form, str) else "", data=data)
