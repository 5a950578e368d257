"""How registries are reached by what Flux's ImageRepositories and ServiceAccounts name: credentials, certificates, proxies.

Everything is read from the namespace of the object, one Secret at a time, remembered for a minute, and read anew after a refusal.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from updater.credentials.secret_cache import SecretCache
from updater.errors import ConfigError
from updater.flux.connection_secrets import NO_CERTIFICATES
from updater.flux.registry_secrets import laid_over, read_certificates, read_proxy, read_pull_secret
from updater.flux.secret_reader import SecretReader, SecretUse
from updater.model.credential import IMAGE_REPOSITORY, SERVICE_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from updater.credentials.docker_config import DockerConfig
    from updater.flux.connection_secrets import ServerCertificates
    from updater.kube.client import KubeClient
    from updater.model.credential import Credential
    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef
    from updater.registry.endpoints import RegistryEntry

_PULL: Final = "pull"
_CERTIFICATES: Final = "certificates"
_PROXY: Final = "proxy"
_ACCOUNT: Final = "account"
_USES: Final = {"secretRef": _PULL, "certSecretRef": _CERTIFICATES, "proxySecretRef": _PROXY}


class FluxRegistries:
    """Resolves ``serviceaccount:`` and ``imagerepository:`` references; a `ConnectionResolver`. One serves many tasks.

    *spec_of* returns the spec of an ImageRepository by namespace and name, None where there is none: what is watched is not read.
    """

    def __init__(
        self,
        client: KubeClient,
        spec_of: Callable[[str, str], Mapping[str, Any] | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec_of = spec_of
        self._reader = SecretReader(client)
        self._memory = SecretCache(clock)

    def resolves(self, ref: CredentialRef) -> bool:
        """Return whether *ref* is a ServiceAccount or an ImageRepository."""
        return ref.kind in {SERVICE_ACCOUNT, IMAGE_REPOSITORY}

    async def credentials(self, ref: CredentialRef, names: Sequence[ImageName]) -> tuple[Credential, ...]:
        """Return the credentials to try in turn for the first of *names* that has any; see `ConnectionResolver`.

        A Secret that an ImageRepository names must have an entry for the registry; those of a ServiceAccount need none.
        """
        namespace, _, name = ref.value.partition("/")
        if ref.kind == SERVICE_ACCOUNT:
            return await self._of_account(namespace, name, names)
        spec = self._spec(namespace, name)
        secret, account = _name_in(spec, "secretRef"), _text(spec.get("serviceAccountName"))
        own = await self._of_secret(namespace, secret, names) if secret else ()
        return (*own, *(await self._of_account(namespace, account, names) if account else ()))

    async def entry(self, ref: CredentialRef, entry: RegistryEntry) -> RegistryEntry:
        """Return *entry* with the certificates, the proxy and plain HTTP of an ImageRepository; see `ConnectionResolver`."""
        if ref.kind == SERVICE_ACCOUNT:
            return entry
        namespace, _, name = ref.value.partition("/")
        spec = self._spec(namespace, name)
        certificates, proxy = NO_CERTIFICATES, ""
        if secret := _name_in(spec, "certSecretRef"):
            key = SecretUse(namespace, secret, _CERTIFICATES)
            certificates = await self._memory.get(key, lambda: self._read_certificates(key))
        if secret := _name_in(spec, "proxySecretRef"):
            key = SecretUse(namespace, secret, _PROXY)
            proxy = await self._memory.get(key, lambda: self._read_proxy(key))
        return laid_over(entry, certificates=certificates, proxy=proxy, is_insecure=spec.get("insecure") is True)

    def renew(self, ref: CredentialRef) -> bool:
        """Read what stands behind *ref* anew after a refusal; return whether that could give something else."""
        namespace, _, name = ref.value.partition("/")
        if ref.kind == SERVICE_ACCOUNT:
            return self._memory.expire((SecretUse(namespace, name, _ACCOUNT),))
        spec = self._spec_of(namespace, name) or {}
        used = {use: _name_in(spec, field) for field, use in _USES.items()} | {_ACCOUNT: _text(spec.get("serviceAccountName"))}
        return self._memory.expire(SecretUse(namespace, other, use) for use, other in used.items() if other)

    def _spec(self, namespace: str, name: str) -> Mapping[str, Any]:
        spec = self._spec_of(namespace, name)
        if spec is None:
            message = f"the ImageRepository {namespace}/{name} does not exist"
            raise ConfigError(message, hint="it was deleted, or is not watched by this instance", code="credential-object")
        provider = _text(spec.get("provider")) or "generic"
        if provider != "generic":
            raise ConfigError(
                f"the ImageRepository {namespace}/{name}: the provider {provider} is not supported yet",
                hint="use the provider generic with a pull secret that is kept fresh",
                code="credential-unsupported",
            )
        return spec

    async def _of_secret(self, namespace: str, name: str, names: Sequence[ImageName]) -> tuple[Credential, ...]:
        key = SecretUse(namespace, name, _PULL)
        config: DockerConfig = await self._memory.get(key, lambda: self._read_pull_secret(key))
        found = _matching((config,), names)
        if not found:
            self._memory.expire((key,))  # who adds the entry need not wait for a minute
            raise ConfigError(
                f"the Secret {namespace}/{name} has no entry for {names[0].registry}",
                hint=f"it has entries for: {', '.join(config.hosts) or 'no registry'}",
                code="credential-entry",
            )
        return tuple(replace(item, origin=f"Secret {namespace}/{name}") for item in found)

    async def _of_account(self, namespace: str, name: str, names: Sequence[ImageName]) -> tuple[Credential, ...]:
        """Return what the pull secrets of a ServiceAccount have for an image; nothing at all is anonymous access."""
        key = SecretUse(namespace, name, _ACCOUNT)
        configs: tuple[DockerConfig, ...] = await self._memory.get(key, lambda: self._read_account(key))
        origin = f"the pull secrets of ServiceAccount {namespace}/{name}"
        return tuple(replace(item, origin=origin) for item in _matching(configs, names))

    async def _read_pull_secret(self, key: SecretUse) -> DockerConfig:
        return read_pull_secret(await self._reader.secret(key.namespace, key.name))

    async def _read_account(self, key: SecretUse) -> tuple[DockerConfig, ...]:
        secrets = await self._reader.pull_secrets(key.namespace, key.name)
        return tuple([read_pull_secret(await self._reader.secret(key.namespace, secret)) for secret in secrets])

    async def _read_certificates(self, key: SecretUse) -> ServerCertificates:
        # OpenSSL reads every authority of the system first
        return await asyncio.to_thread(read_certificates, await self._reader.secret(key.namespace, key.name))

    async def _read_proxy(self, key: SecretUse) -> str:
        return read_proxy(await self._reader.secret(key.namespace, key.name))


def _matching(configs: Iterable[DockerConfig], names: Sequence[ImageName]) -> tuple[Credential, ...]:
    """Return what *configs* have for the first of *names* that one of them knows, each credential once."""
    for name in names:
        if found := dict.fromkeys(credential for config in configs for credential in config.matches(name)):
            return tuple(found)
    return ()


def _name_in(spec: Mapping[str, Any], field: str) -> str:
    reference = spec.get(field)
    return _text(reference.get("name")) if isinstance(reference, dict) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
