"""Pull requests of GitHub, github.com and Enterprise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from updater.forge.rest import PAGE, ForgeDialect, RestForge

if TYPE_CHECKING:
    from updater.forge.base import ForgeProposal

_VERSION: Final = "2022-11-28"


class GithubForge(RestForge):
    """The pull requests of one repository on GitHub."""

    dialect = ForgeDialect(
        scheme="Bearer",
        headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _VERSION},
        exists=422,
    )

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first."""
        owner = unquote(self.repository.path.partition("/")[0])
        order = {"sort": "created", "direction": "desc", "per_page": str(PAGE)}
        listed = await self._pages({"state": "all", "head": f"{owner}:{branch}", "base": base, **order})
        return tuple(item for item in listed if (item.branch, item.base) == (branch, base))
