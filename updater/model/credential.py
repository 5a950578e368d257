"""The grammar of credential references: ``env:VAR``, ``file:/path``, ``secret:ns/name#field`` and kin.

References to objects, such as ``imagerepository:ns/name``, are made by the sources that read the objects, never written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from updater.errors import ConfigError
from updater.model.subscription import CredentialRef

#: of an object in a cluster; never ``.`` or ``..``, which would lead to another path of its API
_NAME: Final = "[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_OBJECT_NAME: Final = re.compile(_NAME)
_FORMS: Final = {
    "env": (re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "env:VARIABLE"),
    "file": (re.compile(r"/.+"), "file:/absolute/path"),
    "ext": (re.compile(r"/.+"), "ext:/absolute/program"),
    "secret": (re.compile(rf"{_NAME}/{_NAME}#.+"), "secret:namespace/name#field"),
    "pullsecret": (re.compile(rf"{_NAME}/{_NAME}"), "pullsecret:namespace/name"),
    "cloud": (re.compile(r"aws|gcp|azure"), "cloud:aws, cloud:gcp or cloud:azure"),
}
#: the key of a Secret for Git that holds the token for the forge, where Git is shown something else
FORGE_TOKEN: Final = "forgeToken"  # noqa: S105 - the name of a key
SERVICE_ACCOUNT: Final = "serviceaccount"
IMAGE_REPOSITORY: Final = "imagerepository"
GIT_REPOSITORY: Final = "gitrepository"
_OF_OBJECTS: Final = frozenset({SERVICE_ACCOUNT, IMAGE_REPOSITORY, GIT_REPOSITORY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a registry or Git server is shown; its secrets never appear in `repr`.

    *origin* says in words where it was read: the Secret, file, variable or program.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    origin: str = field(default="", compare=False)


def read_token(text: str) -> Credential:
    """Read ``Bearer TOKEN``, ``user:token``, or a token alone, in which no forge writes a colon."""
    scheme, _, token = text.partition(" ")
    if scheme.lower() == "bearer" and token:
        return Credential(registry_token=token.strip())
    user, colon, password = text.partition(":")
    return Credential(username=user, password=password) if colon else Credential(password=text)


def parse_credential_ref(text: str) -> CredentialRef:
    """Read a reference to a credential; raise `ConfigError`."""
    kind, _, value = text.partition(":")
    if kind in _OF_OBJECTS and value:
        raise ConfigError(
            f"{kind}: cannot be written: only an object of the cluster itself refers to credentials in this way",
            hint="write pullsecret:namespace/name for a registry, or secret:namespace/name#field",
            code="credential-ref",
        )
    if kind not in _FORMS:
        raise ConfigError(
            f"{kind + ':' if value else 'this text'} is not a credential reference",
            hint="write one of " + ", ".join(form for _, form in _FORMS.values()) + "; the secret itself is never written here",
            code="credential-ref",
        )
    pattern, form = _FORMS[kind]
    if not pattern.fullmatch(value):
        raise ConfigError(f"{text!r} is not a {kind} reference", hint=f"write {form}", code="credential-ref")
    return CredentialRef(kind=kind, value=value)


def object_credential(kind: str, namespace: str, name: str) -> CredentialRef:
    """Return the reference to what the object *name* says of credentials; *kind* as in a reference."""
    return CredentialRef(kind=kind, value=f"{namespace}/{name}")


def is_object_name(name: str) -> bool:
    """Return whether *name* can be that of an object in a cluster, and leads nowhere else in the paths of its API."""
    return _OBJECT_NAME.fullmatch(name) is not None
