"""Which forge is asked for the pull requests of a repository, and what it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError
from updater.forge.address import ForgeKind, locate_repository
from updater.forge.base import ForgeAccess
from updater.forge.gitea import GiteaForge
from updater.forge.github import GithubForge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.daemon.process import Process
    from updater.forge.base import Forge
    from updater.git.access import GitAccess
    from updater.model.subscription import CredentialRef, GitBranch
    from updater.settings import Settings

FORGES: Final[dict[ForgeKind, type[GiteaForge | GithubForge]]] = {
    ForgeKind.GITHUB: GithubForge,
    ForgeKind.GITEA: GiteaForge,
}


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
        self._made: dict[tuple[str, CredentialRef | None], Forge] = {}

    def of(self, branch: GitBranch) -> Forge:
        """Return who is asked for the pull requests of *branch*; raise `ForgeError` where nobody says which forge it is."""
        key = branch.url, branch.credential
        if key not in self._made:
            entry = self._settings.repository_for(branch.url)
            kind, api = (entry.forge.kind, entry.forge.api) if entry else (None, None)
            repository = locate_repository(branch.url, kind=kind, api=api or "")
            self._made[key] = FORGES[repository.kind](repository, self._process.http, lambda: self._reach(branch))
        return self._made[key]

    async def _reach(self, branch: GitBranch) -> ForgeAccess:
        access = await self._access(branch.url, branch.credential)
        entry = self._settings.repository_for(branch.url)
        if entry is not None and entry.forge.token is not None:
            token = (await self._process.keychain.text(entry.forge.token)).strip()
        else:
            token = _token_of(branch.url, access)
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            hint = "write token: under git.repositories[].forge, or give the repository a token under credentials"
            raise ForgeError(f"there is no token for the forge of {branch}", hint=hint, code="forge-token")
        return ForgeAccess(token=token, connection=access.connection())


def _token_of(url: str, access: GitAccess) -> str:
    """Return what Git itself is shown, where that is a token; a key or a password of SSH is none."""
    known = access.credential if url.lower().startswith(("http://", "https://")) else None
    return (known.registry_token or known.password) if known else ""
