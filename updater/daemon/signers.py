"""Who signs the commits of a commit spec: the key of the configuration, or one in a Secret that the spec names.

A Secret is read anew once a minute at most; a key in it is unlocked again only when it has changed. While the cluster does not
answer, what was known stays in force.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Final

from updater.credentials.secret_cache import SecretCache
from updater.errors import ConfigError, GitError
from updater.model.signing_key import FIELDS, SigningKey, read_signing_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.git.signing import Signer

MOST_KEYS: Final = 256


class Signers:
    """Returns the signer that a commit spec names; one for a writer, many tasks may ask.

    *configured*, whose key the configuration calls *reference*, signs what names no other key; None: that is not signed.
    *read_secret* gives the data of a Secret by namespace and name.
    """

    def __init__(
        self,
        configured: Signer | None,
        read_secret: Callable[[str, str], Awaitable[Mapping[str, bytes]]],
        *,
        reference: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._configured = configured
        self._reference = reference
        self._read_secret = read_secret
        self._secrets = SecretCache(clock)
        self._unlocked: dict[SigningKey, tuple[bytes, Signer]] = {}

    async def __call__(self, name: str) -> Signer | None:
        """Return the signer *name*, a `CommitSpec.signing`; raise `ConfigError` ``signing-key``, and `KubeError`."""
        key = read_signing_key(name) if name != self._reference else None
        if key is None:
            if name and self._configured is None:  # what is to be signed is never pushed unsigned
                raise ConfigError(f"{name!r} names no key that signs", hint="name it by git.signing", code="signing-key")
            return self._configured
        signer: Signer = await self._secrets.get(key, lambda: self._read(key))
        return signer

    async def _read(self, key: SigningKey) -> Signer:
        data = await self._read_secret(key.namespace, key.name)
        private, passphrase = _fields(key, data)
        digest = hashlib.sha256(b"%d " % len(private) + private + passphrase.encode()).digest()
        before, signer = self._unlocked.pop(key, (b"", None))
        if signer is None or before != digest:
            signer = await asyncio.to_thread(_opened, key, private, passphrase)
        self._unlocked[key] = digest, signer
        if len(self._unlocked) > MOST_KEYS:
            del self._unlocked[next(iter(self._unlocked))]
        return signer


def _fields(key: SigningKey, data: Mapping[str, bytes]) -> tuple[bytes, str]:
    """Return the private key and its passphrase, which may be missing; raise `ConfigError`."""
    name, beside = FIELDS[key.kind]
    if not data.get(name):
        hint = f"its keys are: {', '.join(sorted(data)) or 'none'}"
        raise _flawed(key, f"it has no key {name}, which a signing key of the type {key.kind} needs", hint=hint)
    try:
        return data[name], data.get(beside, b"").decode().strip("\r\n")
    except UnicodeDecodeError:
        raise _flawed(key, f"the key {beside} is not UTF-8 text", hint="write it again, as text") from None


def _opened(key: SigningKey, private: bytes, passphrase: str) -> Signer:
    from updater.git.signing import signer_for  # noqa: PLC0415 - it loads cryptography, which only a key needs

    name, beside = FIELDS[key.kind]
    try:
        return signer_for(key.kind, private, passphrase)
    except GitError as error:
        hint = f"{error.hint}; the passphrase is its key {beside}"
        raise _flawed(key, f"{name}: {error.message}", hint=hint) from error


def _flawed(key: SigningKey, message: str, *, hint: str) -> ConfigError:
    return ConfigError(f"the Secret {key.namespace}/{key.name}: {message}", hint=hint, code="signing-key")
