"""How a Git repository is reached by what a GitRepository object of Flux and its Secrets say.

Secrets are read one by one from the namespace of the GitRepository, remembered for a minute, and read anew after a refusal by
the Git server.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.credentials.secret_cache import SecretCache
from updater.errors import ConfigError
from updater.flux.git_secrets import GITHUB, read_login
from updater.flux.request.destinations import without_login
from updater.flux.secret_reader import SecretReader, SecretUse
from updater.git.access import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.credentials.github_app import InstallationTokens
    from updater.flux.request.requests import GitRepositoryRequest
    from updater.flux.secret_reader import SecretContent
    from updater.git.access import GitAccess
    from updater.kube.client import KubeClient

_USE: Final = "git"


class FluxRepositories:
    """Returns the way to the repository of a GitRepository. One for a process, many tasks may ask.

    *request_of* returns what is known of a GitRepository by namespace and name, None where there is none: what is watched is
    not read. *tokens* gives the tokens of GitHub Apps.
    """

    def __init__(
        self,
        client: KubeClient,
        request_of: Callable[[str, str], GitRepositoryRequest | None],
        *,
        tokens: InstallationTokens,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._request_of = request_of
        self._tokens = tokens
        self._reader = SecretReader(client)
        self._memory = SecretCache(clock)

    async def of_git_repository(self, namespace: str, name: str, url: str) -> GitAccess:
        """Return what *url* is reached with: by the Secrets of the GitRepository *name*, and within its timeout.

        Raises `ConfigError`: ``credential-object`` where it is not there or names another URL by now, ``credential-secret`` where
        a Secret cannot be used, ``credential-unsupported`` for the providers of clouds; `KubeError` where a Secret cannot be
        read, `GitError` for no URL, and what the token of a GitHub App raises.
        """
        request = self._request_of(namespace, name)
        if request is None:
            message = f"the GitRepository {namespace}/{name} does not exist"
            raise ConfigError(message, hint="it was deleted, or is not watched by this instance", code="credential-object")
        address = parse_address(request.url)
        if address.scheme == "file":
            message = f"the GitRepository {namespace}/{name} names no server"
            raise ConfigError(message, hint="write an http, https or ssh URL", code="git-url")
        if parse_address(without_login(request.url)) != parse_address(url):
            message = f"the GitRepository {namespace}/{name} names another URL now"
            hint = "nothing is lost: what is written there follows in a moment"
            raise ConfigError(message, hint=hint, code="credential-object")
        secret = await self._secret(namespace, request.secret)
        proxy = await self._secret(namespace, request.proxy_secret)
        login = read_login(request.url, secret, proxy=proxy, provider=request.provider)
        return replace(await login.completed(self._tokens), deadline=request.timeout)

    def expire(self, namespace: str, name: str) -> None:
        """Read the Secrets of one GitRepository anew when it is next asked for: its server refused what was given.

        What was read in the last five seconds stands that long, so that many refusals at one time are one reading.
        """
        request = self._request_of(namespace, name)
        if request is None:
            return
        secrets = (request.secret, request.proxy_secret)
        self._memory.expire(SecretUse(namespace, secret, _USE) for secret in secrets if secret)
        if request.provider == GITHUB:
            self._tokens.expire()

    async def _secret(self, namespace: str, name: str) -> SecretContent | None:
        if not name:
            return None
        key = SecretUse(namespace, name, _USE)
        secret: SecretContent = await self._memory.get(key, lambda: self._reader.secret(namespace, name))
        return secret
