"""Pull requests of Gitea and Forgejo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.forge.rest import PAGE, ForgeDialect, RestForge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.forge.base import ForgeProposal


class GiteaForge(RestForge):
    """The pull requests of one repository on Gitea or Forgejo."""

    dialect = ForgeDialect(scheme="token", headers={"Accept": "application/json"}, exists=409)

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first.

        Gitea does not list by branch: among those that changed last are ours, since each change of ours is one.
        """
        listed = await self._pages({"state": "all", "sort": "recentupdate", "limit": str(PAGE)})
        ours = [item for item in listed if (item.branch, item.base) == (branch, base)]
        return tuple(sorted(ours, key=lambda item: item.number, reverse=True))

    def _branch_of(self, head: Mapping[str, Any]) -> str:
        """Return the name of the branch, also where it was deleted: ``ref`` then is another one."""
        return str(head.get("label") or head.get("ref") or "")
