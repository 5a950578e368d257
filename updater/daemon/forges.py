"""Which forge is asked for the pull requests of a repository, and what it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from updater.errors import ForgeError
from updater.forge.address import ForgeKind, forge_address, kind_of_api, locate_repository
from updater.forge.base import ForgeAccess
from updater.forge.kinds import DIALECTS, KindFinder
from updater.forge.late import LateForge
from updater.model.credential import Credential, read_token
from updater.model.publishing import Proposal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from updater.daemon.process import Process
    from updater.forge.base import Forge
    from updater.git.access import GitAccess
    from updater.model.subscription import CredentialRef, GitBranch
    from updater.settings import Settings


class Forges:
    """The forges of one loaded configuration: one for each repository and credential, made when it is first asked.

    *access* returns what a repository is reached with.
    """

    def __init__(
        self, settings: Settings, process: Process, access: Callable[[str, CredentialRef | None], Awaitable[GitAccess]]
    ) -> None:
        self._settings = settings
        self._process = process
        self._access = access
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
            kind, api = (entry.forge.kind, entry.forge.api or "") if entry else (None, "")
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
        return DIALECTS[repository.kind](repository, self._process.http, lambda: self._reach(branch), budget=budget)

    async def _reach(self, branch: GitBranch) -> ForgeAccess:
        access = await self._access(branch.url, branch.credential)
        entry = self._settings.repository_for(branch.url)
        # whoever brings a credential of his own acts by it alone: the token of the settings may do more than he may
        if entry is not None and entry.forge.token is not None and branch.credential is None:
            shown = read_token((await self._process.keychain.text(entry.forge.token)).strip())
        else:
            shown = _of_git(branch.url, access)
        token = shown.registry_token or shown.password
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            hint = "write token: under git.repositories[].forge, or give the repository a token under credentials"
            raise ForgeError(f"there is no token for the forge of {branch}", hint=hint, code="forge-token")
        return ForgeAccess(
            token=token, connection=access.connection(), username=shown.username, is_bearer=bool(shown.registry_token)
        )


def _key(branch: GitBranch) -> tuple[str, CredentialRef | None, str]:
    named = branch.publishing.options.forge if isinstance(branch.publishing, Proposal) else ""
    return branch.url, branch.credential, named


def _of_git(url: str, access: GitAccess) -> Credential:
    """Return what Git itself is shown, where that is a token; a key or a password of SSH is none."""
    known = access.credential if url.lower().startswith(("http://", "https://")) else None
    return known or Credential()
