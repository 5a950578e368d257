"""How the settings of Git repositories become what a server is shown: tokens, keys, certificates, host keys."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from updater.credentials.github_app import API, USER, App
from updater.credentials.keychain import place_of
from updater.credentials.netrc import netrc_login
from updater.errors import ConfigError, ForgeError, GitDenied, GitError
from updater.git.access import GitAccess, parse_address
from updater.model.credential import GIT_REPOSITORY, Credential

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from updater.credentials.github_app import InstallationTokens
    from updater.credentials.keychain import Keychain
    from updater.git.signing import Signer
    from updater.model.subscription import CredentialRef, Destination, Subscription
    from updater.model.update import Commit, WriteResult
    from updater.model.view import View
    from updater.settings.github_apps import GithubAppSettings
    from updater.settings.repositories import RepositorySettings
    from updater.settings.tree import Settings
    from updater.writeback.base import Writer


#: refusals besides those of Git by their class: many servers hide what one may not see
_HIDDEN: Final = frozenset({"git-not-found", "forge-denied", "forge-not-found"})


class RepositoryAccess(Protocol):
    """What another place than our settings knows of Git repositories: the Secrets of a cluster."""

    async def access(self, url: str) -> GitAccess | None:
        """Return what *url* is reached with; None where nothing is known of it."""

    async def of_secret(self, namespace: str, name: str, url: str) -> GitAccess:
        """Return what the Secret *name* holds for *url*; raise `ConfigError` and `KubeError`."""

    def expire(self) -> None:
        """Read everything anew when it is next asked for: a Git server refused what was given."""


class GitRepositoryAccess(Protocol):
    """What the GitRepository objects of a cluster say of the repositories that they stand for."""

    async def of_git_repository(self, namespace: str, name: str, url: str) -> GitAccess:
        """Return what *url* of the GitRepository *name* is reached with; raise `ConfigError`, `KubeError` and `GitError`."""

    def expire(self, namespace: str, name: str) -> None:
        """Read the Secrets of one GitRepository anew when it is next asked for: its server refused what was given."""


async def access_for(
    url: str,
    settings: Settings,
    keychain: Keychain,
    *,
    credential: CredentialRef | None = None,
    repositories: RepositoryAccess | None = None,
    objects: GitRepositoryAccess | None = None,
) -> GitAccess:
    """Return what *url* is reached with; read anew each time, so that a rotated token is taken up.

    *credential* is what a destination names, ``secret:namespace/name`` or ``gitrepository:namespace/name``: it wins. Else an
    entry of git.repositories with credentials counts, then what *repositories* know, then what the git program of this user
    would show: its netrc file over HTTPS, its agent and keys over SSH. Raise `ConfigError` where a credential leads nowhere.
    """
    entry = settings.repository_for(url)
    if credential and credential.kind == GIT_REPOSITORY:
        return reached_as(entry, await _of_object(credential, url, objects))
    if credential:
        return reached_as(entry, await _named(credential, url, repositories))
    if entry is not None and (entry.credentials or entry.github_app):
        return await _of_entry(entry, keychain)
    known = await repositories.access(url) if repositories else None
    return reached_as(entry, known or _of_user(url, keychain.environment))


def _of_user(url: str, environment: Mapping[str, str]) -> GitAccess:
    if parse_address(url).scheme == "ssh":
        return GitAccess(use_agent=True)
    login = netrc_login(url, environment)
    return GitAccess(credential=login[0], origin=login[1]) if login else GitAccess()


async def with_app(access: GitAccess, wanted: GithubAppSettings, keychain: Keychain, tokens: InstallationTokens) -> GitAccess:
    """Return *access* with the token of an installation of a GitHub App; raise `ConfigError` and what the token raises."""
    app = await read_app(wanted, keychain, access)
    shown = Credential(username=USER, password=await tokens.token(app))
    return replace(access, credential=shown, origin=f"the GitHub App {wanted.id}")


async def read_app(wanted: GithubAppSettings, keychain: Keychain, access: GitAccess, *, api: str = API) -> App:
    """Return the App of the settings, asked at *api* unless they name another one; raise `ConfigError` where its key is none."""
    return App(
        identity=str(wanted.id),
        installation=str(wanted.installation or ""),
        owner=wanted.owner or "",
        private_key=await keychain.text(wanted.key),
        base_url=wanted.api or api,
        connection=access.connection(),
    )


async def _named(credential: CredentialRef, url: str, repositories: RepositoryAccess | None) -> GitAccess:
    namespace, _, name = credential.value.partition("/")
    if credential.kind != "secret" or not namespace or not name:
        raise ConfigError(f"{str(credential)!r} names no Secret", hint="write secret:namespace/name", code="credential-ref")
    if repositories is None:
        raise ConfigError(
            f"{credential} needs a Kubernetes cluster, and none is configured",
            hint="give this repository credentials under git.repositories",
            code="credential-secret",
        )
    return replace(await repositories.of_secret(namespace, name, url), origin=f"Secret {namespace}/{name}")


async def _of_object(credential: CredentialRef, url: str, objects: GitRepositoryAccess | None) -> GitAccess:
    if objects is None:
        message = f"{credential} needs the source of Flux's objects, which is off"
        raise ConfigError(message, hint="give the configuration a source flux", code="credential-object")
    namespace, _, name = credential.value.partition("/")
    return await objects.of_git_repository(namespace, name, url)


def reached_as(entry: RepositorySettings | None, access: GitAccess) -> GitAccess:
    """Return *access* by the way to the server that *entry* says, where it says one."""
    if entry is None:
        return access
    return replace(
        access,
        ca=_path(entry.ca) or access.ca,
        client_certificate=_path(entry.client_certificate) or access.client_certificate,
        known_hosts=_path(entry.known_hosts) or access.known_hosts,
        proxy=entry.proxy or access.proxy,
        insecure_skip_verify=entry.insecure_skip_verify or access.insecure_skip_verify,
        push_options=entry.push_options,
    )


async def _of_entry(entry: RepositorySettings, keychain: Keychain) -> GitAccess:
    text = await keychain.text(entry.credentials) if entry.credentials else ""
    is_key = "PRIVATE KEY-----" in text
    passphrase = await keychain.text(entry.passphrase) if entry.passphrase and is_key else ""
    return GitAccess(
        origin=place_of(entry.credentials) if entry.credentials else "",
        credential=_credential(text) if text and not is_key else None,
        private_key=text.encode() + b"\n" if is_key else None,
        passphrase=passphrase,
        ca=_path(entry.ca),
        client_certificate=_path(entry.client_certificate),
        known_hosts=_path(entry.known_hosts),
        proxy=entry.proxy,
        insecure_skip_verify=entry.insecure_skip_verify,
        push_options=entry.push_options,
    )


class RenewingWriter:
    """Stands before a writer to Git. Where a server or its forge refuses what it was shown, a rotated secret counts next.

    *repositories* and *objects* read anew: the former everything that they know, the latter the GitRepository of the destination,
    so that a password that is wrong costs others nothing. *tokens* are those of GitHub Apps of the settings.
    """

    def __init__(
        self,
        writer: Writer,
        repositories: RepositoryAccess | None = None,
        objects: GitRepositoryAccess | None = None,
        tokens: InstallationTokens | None = None,
    ) -> None:
        self._tokens = tokens
        self._writer = writer
        self._repositories = repositories
        self._objects = objects

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Look as the writer does; raise what it raises."""
        with self._noticed(destination):
            return await self._writer.look(destination, subscriptions)

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Write as the writer does; raise what it raises."""
        with self._noticed(view.destination):
            return await self._writer.write(view, commits, is_dry=is_dry)

    @contextmanager
    def _noticed(self, destination: Destination) -> Iterator[None]:
        try:
            yield
        except (GitError, ForgeError) as error:
            if isinstance(error, GitDenied) or error.code in _HIDDEN:
                if isinstance(error, ForgeError) and self._tokens is not None:
                    self._tokens.expire()
                self._renew(destination)
            raise

    def _renew(self, destination: Destination) -> None:
        credential = destination.credential if destination.method == "git" else None
        if credential is not None and credential.kind == GIT_REPOSITORY:
            namespace, _, name = credential.value.partition("/")
            if self._objects is not None:
                self._objects.expire(namespace, name)
            return
        if self._tokens is not None:
            self._tokens.expire()
        if self._repositories is not None:
            self._repositories.expire()


async def signer_for(settings: Settings, keychain: Keychain) -> Signer | None:
    """Load the key of the settings that signs commits, None where none is set; raise `ConfigError`."""
    signing = settings.git.signing
    if signing is None:
        return None
    from updater.git import signing as keys  # noqa: PLC0415 - it loads cryptography, which only a key needs

    text = await keychain.text(signing.key)
    passphrase = await keychain.text(signing.passphrase) if signing.passphrase else ""
    try:
        return await asyncio.to_thread(keys.signer_for, signing.method, text.encode() + b"\n", passphrase)
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
