"""How Bitbucket Cloud writes a pull request, and the whole name of its head, of which it writes twelve digits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from updater.forge.api import MOST_OPEN_PAGES, MOST_PAGES, PAGE, ApiCall, ForgeDialect, Paging, RawProposal
from updater.forge.authors import told_at
from updater.forge.base import ForgeAbilities, ForgeProposal, ProposalState
from updater.forge.foundation import ForgeFoundation
from updater.forge.reading import mapping, read_user, text
from updater.forge.showing import user_or_bearer

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGING: Final = Paging(query=lambda page: {"pagelen": str(PAGE), "page": str(page + 1)}, key="values")
STATES: Final = {
    "OPEN": ProposalState.OPEN,
    "MERGED": ProposalState.MERGED,
    "DECLINED": ProposalState.CLOSED,
    "SUPERSEDED": ProposalState.CLOSED,
}
_SHORT: Final = 12
_WHOLE: Final = 40
_MOST_HEADS: Final = 4096


class BitbucketItems(ForgeFoundation):
    """Reads pull requests. A head is asked for once: a commit does not change its name."""

    dialect = ForgeDialect(authorization=user_or_bearer)
    account = told_at("user", "uuid", "nickname")
    abilities = ForgeAbilities(
        labels=False,
        assignees=False,
        auto_merge=False,
        reopening=False,
        at_opening=frozenset({"reviewers"}),
        longest_body=32_768,
    )

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._heads: dict[str, str] = {}

    async def expect(self, head: str) -> None:
        """Take the whole name of a commit that was pushed just now: it is not asked for then."""
        self._keep_head(head)

    def _root(self) -> str:
        return f"{self.repository.api}/repositories/{self.repository.path}"

    async def _item(self, number: int, *, is_look: bool = False) -> Mapping[str, Any]:
        return mapping(await self._api.ask(ApiCall(path=f"pullrequests/{number}", is_look=is_look)))

    async def _pages(self, call: ApiCall, *, most: int = MOST_PAGES) -> list[ForgeProposal]:
        """Return what a listing has from branches of the repository itself, each with its whole head."""
        listed = await self._api.pages(call, replace(PAGING, most=most))
        found = [self._read(item) for item in listed if not is_foreign(item)]
        if most == MOST_OPEN_PAGES and any(item.head not in self._heads for item in found):
            await self._learn_heads(is_look=call.is_look)
        return [await self._whole(item) for item in found]

    async def _whole(self, proposal: ForgeProposal) -> ForgeProposal:
        """Return *proposal* with the whole name of its head."""
        short = proposal.head
        if len(short) != _WHOLE and short and short not in self._heads:
            found = text(mapping(await self._api.ask(ApiCall(path=f"commit/{quote(short, safe='')}"))).get("hash"))
            if not found.startswith(short):
                raise self._api.odd(f"commit {short} was asked for, and the answer is about another one")
            self._keep_head(found)
        return replace(proposal, head=self._heads.get(short, short))

    async def _learn_heads(self, *, is_look: bool) -> None:
        """Learn the heads of all branches from one listing: cheaper than a request for each pull request."""
        call = ApiCall(path="refs/branches", query={"sort": "-target.date"}, is_look=is_look)
        for branch in await self._api.pages(call, replace(PAGING, most=MOST_OPEN_PAGES)):
            self._keep_head(text(mapping(branch, "target").get("hash")))

    def _keep_head(self, whole: str) -> None:
        while len(self._heads) >= _MOST_HEADS:
            del self._heads[next(iter(self._heads))]
        if len(whole) == _WHOLE:
            self._heads[whole[:_SHORT]] = whole

    def _read(self, item: Any, asked: int | None = None) -> ForgeProposal:
        found = mapping(item)
        source, destination = mapping(found, "source"), mapping(found, "destination")
        raw = RawProposal(
            number=found.get("id"),
            state=STATES.get(text(found.get("state"))),
            link=mapping(found, "links", "html").get("href"),
            branch=mapping(source, "branch").get("name"),
            base=mapping(destination, "branch").get("name"),
            head=mapping(source, "commit").get("hash"),
            title=found.get("title"),
            body=found.get("description") or mapping(found, "summary").get("raw"),
            is_draft=found.get("draft"),
            author=read_user(found.get("author"), "uuid", "nickname"),
        )
        return self._api.proposal(raw, asked)


def is_foreign(item: Any) -> bool:
    """Return whether a pull request is not from a branch of the repository itself; a deleted fork is written as null."""
    sides = (mapping(item, side, "repository") for side in ("source", "destination"))
    source, destination = (side.get("uuid") or side.get("full_name") for side in sides)
    return source is None or source != destination


def quoted(name: str) -> str:
    """Return *name* as a string of Bitbucket's query language."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
