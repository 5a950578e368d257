"""Which forge is asked for the pull requests of a repository, and what it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from updater.credentials.github_app import USER, App, InstallationTokens
from updater.daemon.git_access import read_app
from updater.errors import ForgeError, GitDenied, GitUnavailable
from updater.forge.address import ForgeKind, forge_address, kind_of_api, locate_repository
from updater.forge.base import ForgeAccess
from updater.forge.kinds import DIALECTS, KindFinder
from updater.forge.late import LateForge
from updater.model.credential import FORGE_TOKEN, Credential, read_token
from updater.model.publishing import Proposal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from updater.daemon.process import Process
    from updater.forge.address import ForgeRepository
    from updater.forge.base import Forge
    from updater.git.access import GitAccess
    from updater.model.subscription import CredentialRef, GitBranch
    from updater.settings import Settings


class Forges:
    """The forges of one loaded configuration: one for each repository and credential, made when it is first asked.

    *access* returns what a repository is reached with, *tokens* makes those of GitHub Apps.
    """

    def __init__(
        self,
        settings: Settings,
        process: Process,
        access: Callable[[str, CredentialRef | None], Awaitable[GitAccess]],
        tokens: InstallationTokens | None = None,
    ) -> None:
        self._settings = settings
        self._process = process
        self._access = access
        self._tokens = tokens or InstallationTokens(process.http)
        self._kinds = KindFinder(process.http)
        self._made: dict[tuple[str, CredentialRef | None, str], Forge] = {}

    def of(self, branch: GitBranch) -> Forge:
        """Return who is asked for the pull requests of *branch*; raise `ForgeError` where its URL names no repository of a forge.

        A host that its name does not tell is asked which forge it is, with the first question.
        """
        key = _key(branch)
        if key not in self._made:
            named = key[2]
            entry = self._settings.repository_for(branch.url)
            kind, api = (entry.forge.said_kind, entry.forge.api or "") if entry else (None, "")
            kind = kind or kind_of_api(api) or (ForgeKind(named) if named else None)
            address = forge_address(branch.url)
            if kind or address.kind or not address.host:
                self._made[key] = self._dialect(branch, kind, api)
            else:
                self._made[key] = cast("Forge", LateForge(lambda: self._found(branch, api)))
        return self._made[key]

    def keep(self, branches: Iterable[GitBranch]) -> None:
        """Let go of the forges that none of *branches* needs."""
        needed = {_key(branch) for branch in branches}
        self._made = {key: forge for key, forge in self._made.items() if key in needed}

    async def _found(self, branch: GitBranch, api: str) -> Forge:
        access = await self._access(branch.url, branch.credential)
        kind = await self._kinds.kind(forge_address(branch.url), access.connection())
        return self._dialect(branch, kind, api)

    def _dialect(self, branch: GitBranch, kind: ForgeKind | None, api: str) -> Forge:
        repository = locate_repository(branch.url, kind=kind, api=api)
        budget = self._process.forge_budget
        return DIALECTS[repository.kind](repository, self._process.http, lambda: self._reach(branch, repository), budget=budget)

    async def _reach(self, branch: GitBranch, repository: ForgeRepository) -> ForgeAccess:
        access = await self._access(branch.url, branch.credential)
        shown = await self._shown(branch, access, repository)
        token = shown.registry_token or shown.password
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            hint = "write token: under git.repositories[].forge, or give the repository a token under credentials"
            if branch.credential is not None:
                hint = f"add the key {FORGE_TOKEN} to the Secret that the object names for Git"
            raise ForgeError(f"there is no token for the forge of {branch}", hint=hint, code="forge-token")
        entry = self._settings.repository_for(branch.url)
        return ForgeAccess(
            token=token,
            connection=access.connection(),
            username=shown.username,
            is_bearer=bool(shown.registry_token),
            accounts=frozenset(name.lower() for name in entry.forge.accounts) if entry else frozenset(),
        )

    async def _shown(self, branch: GitBranch, access: GitAccess, repository: ForgeRepository) -> Credential:
        """Return what the forge is shown: by the settings, by the Secret for Git beside what Git is shown, else as Git is."""
        entry = self._settings.repository_for(branch.url)
        found = access.forge
        # whoever brings a credential of his own acts by it alone: what the settings name may do more than he may
        if entry is not None and branch.credential is None:
            if entry.forge.token is not None:
                return read_token((await self._process.keychain.text(entry.forge.token)).strip())
            if entry.forge.github_app is not None:
                found = await read_app(entry.forge.github_app, self._process.keychain, access, api=repository.api)
        if isinstance(found, App):
            return await self._of_app(found, repository)
        return found or _of_git(branch.url, access)

    async def _of_app(self, app: App, repository: ForgeRepository) -> Credential:
        if repository.kind is not ForgeKind.GITHUB:
            hint = "write a token for it: under git.repositories[].forge, or as forgeToken in the Secret"
            raise ForgeError(f"{repository}: a GitHub App cannot be shown to {repository.kind}", hint=hint, code="forge-token")
        try:
            return Credential(username=USER, password=await self._tokens.token(app))
        except GitUnavailable as error:
            raise ForgeError(error.message, hint=error.hint, code="forge-unavailable") from error
        except GitDenied as error:
            raise ForgeError(error.message, hint=error.hint, code="forge-denied") from error


def _key(branch: GitBranch) -> tuple[str, CredentialRef | None, str]:
    named = branch.publishing.options.forge if isinstance(branch.publishing, Proposal) else ""
    return branch.url, branch.credential, named


def _of_git(url: str, access: GitAccess) -> Credential:
    """Return what Git itself is shown, where that is a token; a key or a password of SSH is none."""
    known = access.credential if url.lower().startswith(("http://", "https://")) else None
    return known or Credential()
