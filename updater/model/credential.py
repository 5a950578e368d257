"""The grammar of credential references: ``env:VAR``, ``file:/path``, ``secret:ns/name#field`` and kin."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from updater.errors import ConfigError
from updater.model.subscription import CredentialRef

#: of an object in a cluster; never ``.`` or ``..``, which would lead to another path of its API
_NAME: Final = "[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_FORMS: Final = {
    "env": (re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "env:VARIABLE"),
    "file": (re.compile(r"/.+"), "file:/absolute/path"),
    "ext": (re.compile(r"/.+"), "ext:/absolute/program"),
    "secret": (re.compile(rf"{_NAME}/{_NAME}#.+"), "secret:namespace/name#field"),
    "pullsecret": (re.compile(rf"{_NAME}/{_NAME}"), "pullsecret:namespace/name"),
    "cloud": (re.compile(r"aws|gcp|azure"), "cloud:aws, cloud:gcp or cloud:azure"),
}


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


def parse_credential_ref(text: str) -> CredentialRef:
    """Read a reference to a credential; raise `ConfigError`."""
    kind, _, value = text.partition(":")
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
