"""The REST dialect that GitHub and Gitea share: pull requests as texts, labels, reviewers and assignees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from updater.errors import ForgeError
from updater.forge.api import PAGE, ApiCall, Paging, RawProposal
from updater.forge.base import NO_WISHES, ForgeProposal, ProposalState, ProposalWishes
from updater.forge.foundation import ForgeFoundation
from updater.forge.reading import mapping, names, read_user

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.forge.base import ProposalText

USER_CODES: Final = {404: "forge-user", 422: "forge-user"}
MERGE_CODES: Final = {405: "proposal-unready", 409: "proposal-moved"}
NO_DRAFTS: Final = "take draft out of the settings of this repository's pull requests"
_STATES: Final = {"open": ProposalState.OPEN, "closed": ProposalState.CLOSED}


class RestForge(ForgeFoundation):
    """The pull requests of one repository, by the REST API that GitHub and Gitea share."""

    #: how a second open pull request of one branch is refused, and the name of the size of a page
    second: ClassVar[Mapping[int, str]]
    size: ClassVar[str]

    async def get(self, number: int) -> ForgeProposal:
        """Return one pull request; one that did not change costs no answer where the forge has ETags."""
        item = await self._api.ask(ApiCall(path=f"pulls/{number}"))
        found = self._read(item, number)
        self._check_home(number, is_foreign=is_foreign(item))
        return found

    async def open(self, text: ProposalText, *, branch: str, base: str, wishes: ProposalWishes = NO_WISHES) -> ForgeProposal:
        """Open a pull request; raise `ForgeError` ``proposal-exists`` where one from that branch is open."""
        is_draft = wishes.is_draft
        data = {**self._written(self._fitted(text), is_draft=is_draft), "head": branch, "base": base}
        data |= await self._wished(wishes)
        call = ApiCall(method="POST", path="pulls", data=data, refused=self.second)
        try:
            answer = await self._api.ask(call)
            return replace(self._read(answer), undone=self._undone(answer, wishes))
        except ForgeError as error:
            if not is_draft or error.code != "forge-protocol" or "draft" not in error.message.lower():
                raise
            # private repositories of a free account have none
            raise ForgeError(error.message, hint=NO_DRAFTS, code="forge-lacks") from error

    async def update(self, number: int, text: ProposalText, *, is_draft: bool | None = None) -> ForgeProposal:  # noqa: ARG002 - as the protocol has it
        """Set title and body; a draft stays one."""
        fitted = self._fitted(text)
        return await self._patch(number, {"title": fitted.title, "body": fitted.body})

    async def comment(self, number: int, words: str) -> None:
        """Add a comment."""
        await self._api.ask(ApiCall(method="POST", path=f"issues/{number}/comments", data={"body": words}))

    async def close(self, number: int, text: ProposalText) -> ForgeProposal:
        """Close a pull request without merging it, with its last title and body."""
        fitted = self._fitted(text)
        return await self._patch(number, {"state": "closed", "title": fitted.title, "body": fitted.body})

    async def request_review(self, number: int, reviewers: Iterable[str]) -> None:
        """Ask users, and teams as ``org/team``, for a review, besides those who are asked; raise ``forge-user``."""
        users, teams = split_teams(reviewers)
        data = {"reviewers": users, "team_reviewers": teams}
        path = f"pulls/{number}/requested_reviewers"
        await self._api.ask(ApiCall(method="POST", path=path, data=data, refused=USER_CODES, is_repeatable=True))

    async def _patch(self, number: int, data: Mapping[str, Any]) -> ForgeProposal:
        return self._read(await self._api.ask(ApiCall(method="PATCH", path=f"pulls/{number}", data=data)), number)

    def _written(self, text: ProposalText, *, is_draft: bool) -> dict[str, Any]:
        return {"title": text.title, "body": text.body, "draft": is_draft}

    def _branch_of(self, head: Mapping[str, Any]) -> object:
        return head.get("ref")

    def _page(self, page: int) -> Mapping[str, str]:
        return {self.size: str(PAGE), "page": str(page + 1)}

    async def _pages(self, query: Mapping[str, str], *, most: int, is_look: bool = False) -> list[ForgeProposal]:
        """Return what a listing has from branches of the repository itself; raise `ForgeError`."""
        paging = Paging(query=self._page, most=most)
        listed = await self._api.pages(ApiCall(path="pulls", query=query, is_look=is_look), paging)
        return [self._read(item) for item in listed if not is_foreign(item)]

    def _read(self, item: Any, asked: int | None = None) -> ForgeProposal:
        found = mapping(item)
        head, state = mapping(found, "head"), found.get("state")
        is_merged = bool(found.get("merged") or found.get("merged_at"))
        known = _STATES.get(state) if isinstance(state, str) else None
        raw = RawProposal(
            number=found.get("number"),
            state=ProposalState.MERGED if is_merged and known else known,
            link=found.get("html_url"),
            branch=self._branch_of(head),
            base=mapping(found, "base").get("ref"),
            head=head.get("sha"),
            title=found.get("title"),
            body=found.get("body"),
            is_draft=found.get("draft"),
            labels=names(found.get("labels")),
            author=read_user(found.get("user"), "id", "login"),
        )
        return self._api.proposal(raw, asked)


def split_teams(reviewers: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the users among *reviewers*, and the teams without their organisation."""
    wanted = list(reviewers)
    return [name for name in wanted if "/" not in name], [name.partition("/")[2] for name in wanted if "/" in name]


def is_foreign(item: Any) -> bool:
    """Return whether a pull request is not from a branch of the repository itself: that of a deleted fork is none either."""
    sides = (mapping(item, name) for name in ("head", "base"))
    head, base = (mapping(side, "repo").get("id") or side.get("repo_id") for side in sides)
    return head is None or head != base
