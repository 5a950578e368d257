"""How Gitea and Forgejo, which do not list by branch, find the pull requests of one; and how they write a pull request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from updater.errors import ForgeError
from updater.forge.api import MOST_OPEN_PAGES, ApiCall, ForgeDialect, Paging
from updater.forge.base import ForgeProposal, ProposalState
from updater.forge.gitea_index import ProposalIndex
from updater.forge.rest import RestForge, is_foreign
from updater.forge.showing import gitea_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from updater.forge.base import ProposalText

#: the words that make a draft of a title; the first is written, an administrator may have others
_DRAFT: Final = "WIP: "
_DRAFTS: Final = ("wip:", "[wip]")
#: a pull request that lies beyond would be a no that is lost: an error rather
_MOST_CHANGED_PAGES: Final = 4000
_SECOND_CODES: Final = {409: "proposal-exists"}


class GiteaFinding(RestForge):
    """Finds pull requests, and reads and writes what Gitea says of them."""

    dialect = ForgeDialect(authorization=gitea_token)
    second = _SECOND_CODES
    size = "limit"

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._index = ProposalIndex(lambda item: None if is_foreign(item) else self._read(item))

    async def list_open(self, *, is_look: bool = True) -> tuple[ForgeProposal, ...]:
        """Return what is open from branches of the repository itself, what changed last first: at most 1,000."""
        return tuple(await self._pages({"state": "open", "sort": "recentupdate"}, most=MOST_OPEN_PAGES, is_look=is_look))

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first.

        Gitea does not list by branch. It says by one request that there is none; else all are read once, and later what changed.
        What stands before it may read ``%2F`` as a slash, or refuse it: a base that needs it is not asked for so.
        """
        if "/" not in base and not await self._has_any(branch, base):
            return ()
        seen = await self._index.refresh(self._changed)
        found = [item if item.number in seen else await self._as_it_is(item) for item in self._index.of(branch, base)]
        return tuple(item for item in found if item is not None and (item.branch, item.base) == (branch, base))

    async def _has_any(self, branch: str, base: str) -> bool:
        """Return whether there is one; Gitea returns any of them, in whatever state."""
        path = f"pulls/{quote(base, safe='')}/{quote(branch)}"
        try:
            await self._api.ask(ApiCall(path=path))
        except ForgeError as error:
            if error.code != "forge-not-found":
                raise
            return False
        return True

    async def _as_it_is(self, item: ForgeProposal) -> ForgeProposal | None:
        """Return an open one that did not change as it is now, None where it was deleted; of closed ones that does not matter."""
        if item.state is not ProposalState.OPEN:
            return item
        try:
            return await self.get(item.number)
        except ForgeError as error:
            if error.code != "forge-not-found":
                raise
            self._index.drop(item.number)
            return None

    def _changed(self) -> AsyncIterator[list[Any]]:
        paging = Paging(query=self._page, most=_MOST_CHANGED_PAGES, is_whole=True)
        return self._api.each_page(ApiCall(path="pulls", query={"state": "all", "sort": "recentupdate"}), paging)

    def _written(self, text: ProposalText, *, is_draft: bool) -> dict[str, Any]:
        fitted = self._fitted(replace(text, title=_titled(text.title, is_draft=is_draft)))
        return {"title": fitted.title, "body": fitted.body}

    def _branch_of(self, head: Mapping[str, Any]) -> object:
        """Return the name of the branch, also where it was deleted: ``ref`` then is another one."""
        return head.get("label") or head.get("ref")

    def _read(self, item: Any, asked: int | None = None) -> ForgeProposal:
        found = super()._read(item, asked)
        title = found.title.removeprefix(_DRAFT)
        return replace(found, title=title, is_draft=found.is_draft or found.title.lower().startswith(_DRAFTS))


def _titled(title: str, *, is_draft: bool) -> str:
    return f"{_DRAFT}{title}" if is_draft and not title.lower().startswith(_DRAFTS) else title
