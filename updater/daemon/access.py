"""Knows how the settings of Git repositories become what a server is shown: tokens, keys, certificates, host keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from updater.errors import ConfigError, GitError
from updater.git.access import Access
from updater.git.signing import SshSigner
from updater.model.credential import Credential

if TYPE_CHECKING:
    from updater.credentials.keychain import Keychain
    from updater.settings.tree import Settings


async def access_for(url: str, settings: Settings, keychain: Keychain) -> Access:
    """Give what *url* is reached with; read anew each time, so that a rotated token is taken up.

    Raises `ConfigError` where a credential leads nowhere.
    """
    entry = settings.repository_for(url)
    if entry is None:
        return Access()
    text = await keychain.text(entry.credentials) if entry.credentials else ""
    is_key = "PRIVATE KEY-----" in text
    return Access(
        credential=_credential(text) if text and not is_key else None,
        private_key=text.encode() + b"\n" if is_key else None,
        ca=_path(entry.ca),
        client_certificate=_path(entry.client_certificate),
        known_hosts=_path(entry.known_hosts),
        proxy=entry.proxy,
        insecure_skip_verify=entry.insecure_skip_verify,
    )


async def signer_for(settings: Settings, keychain: Keychain) -> SshSigner | None:
    """Load the key that signs commits, None where none is set; raises `ConfigError`."""
    signing = settings.git.signing
    if signing is None:
        return None
    text = await keychain.text(signing.key)
    try:
        return SshSigner(text.encode() + b"\n")
    except GitError as error:
        raise ConfigError(f"{signing.key}: {error.message}", hint=error.hint, code=error.code, path="git.signing.key") from error


def _credential(text: str) -> Credential:
    """Read ``Bearer TOKEN`` or ``user:password``; another text is a token, sent as the password as the hosts expect."""
    scheme, _, token = text.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return Credential(registry_token=token.strip())
    user, colon, password = text.partition(":")
    return Credential(username=user, password=password) if colon else Credential(password=text)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
