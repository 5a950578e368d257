"""What stands behind the credentials that objects of a cluster make: what a registry is shown, and how it is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.credentials.keychain import Keychain
    from updater.model.credential import Credential
    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef
    from updater.registry.endpoints import RegistryEntry


class ConnectionResolver(Protocol):
    """Resolves references to objects. It is asked before each request, so it remembers what it read for a while."""

    def resolves(self, ref: CredentialRef) -> bool:
        """Return whether *ref* is one of its kinds; nothing else is called where it is not."""

    async def credentials(self, ref: CredentialRef, names: Sequence[ImageName]) -> tuple[Credential, ...]:
        """Return the credentials to try in turn for an image by the first of its *names* that has any; none is anonymous.

        Raises `ConfigError` naming object, Secret and key where one of them is not there or cannot be used, and `KubeError`.
        """

    async def entry(self, ref: CredentialRef, entry: RegistryEntry) -> RegistryEntry:
        """Return *entry* with the object's way to the registry laid over it; raise as `credentials` does."""

    def renew(self, ref: CredentialRef) -> bool:
        """Forget what was read for *ref* after a refusal; say whether reading again could give something else."""


class ObjectKeychain:
    """Resolve every reference: those to objects by *objects*, all others by *keychain*."""

    def __init__(self, keychain: Keychain, objects: ConnectionResolver) -> None:
        self._keychain = keychain
        self._objects = objects

    async def resolve(
        self, ref: CredentialRef | None, image: ImageName, *, server: ImageName | None = None, lifetime: float | None = None
    ) -> tuple[Credential, ...]:
        """Return the credentials to try for *image*, in turn; see `Keychain.resolve`."""
        if ref is None or not self._objects.resolves(ref):
            return await self._keychain.resolve(ref, image, server=server, lifetime=lifetime)
        return await self._objects.credentials(ref, (image,) if server is None else (image, server))

    def renew(self, ref: CredentialRef | None) -> bool:
        """Forget what was read for *ref* after a refusal; see `Keychain.renew`."""
        if ref is None or not self._objects.resolves(ref):
            return self._keychain.renew(ref)
        return self._objects.renew(ref)
