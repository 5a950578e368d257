"""Pull requests of Bitbucket Cloud, by developer.atlassian.com/cloud/bitbucket/rest: no labels, no assignees."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from updater.errors import ForgeError
from updater.forge.api import MOST_OPEN_PAGES, ApiCall
from updater.forge.base import (
    NO_WISHES,
    ApprovalState,
    CheckState,
    ForgeProposal,
    ProposalState,
    ProposalText,
    ProposalWishes,
    Readiness,
)
from updater.forge.bitbucket_items import PAGING, STATES, is_foreign, quoted
from updater.forge.bitbucket_people import BitbucketPeople
from updater.forge.reading import listing, mapping, number, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CHECKS: Final = {"SUCCESSFUL": CheckState.PASSED, "FAILED": CheckState.FAILED, "STOPPED": CheckState.FAILED}
#: a conflict, a check that is missing, a merge that is under way
_MERGE_CODES: Final = {400: "proposal-unready", 409: "proposal-unready"}
_REVIEWER_CODES: Final = {400: "forge-user"}


class BitbucketProposals(BitbucketPeople):
    """Pull requests as texts, and who reviews them."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._without_open: set[tuple[str, str]] = set()
        self._restrictions: list[Any] | None = None
        self._turn = asyncio.Lock()

    async def list_open(self, *, is_look: bool = True) -> tuple[ForgeProposal, ...]:
        """Return what is open from branches of the repository itself, what changed last first: at most 1,000."""
        self._defaults = self._restrictions = None
        self._without_open.clear()
        call = ApiCall(path="pullrequests", query={"state": "OPEN", "sort": "-updated_on"}, is_look=is_look)
        return tuple(await self._pages(call, most=MOST_OPEN_PAGES))

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first."""
        listed = await self._pages(_between(branch, base, tuple(STATES)))
        ours = [item for item in listed if (item.branch, item.base) == (branch, base)]
        if all(item.state is not ProposalState.OPEN for item in listed):
            self._without_open.add((branch, base))
        return tuple(sorted(ours, key=lambda item: item.number, reverse=True))

    async def get(self, number: int) -> ForgeProposal:
        """Return one pull request."""
        item = await self._item(number)
        found = self._read(item, number)
        self._check_home(number, is_foreign=is_foreign(item))
        return await self._whole(found)

    async def open(self, text: ProposalText, *, branch: str, base: str, wishes: ProposalWishes = NO_WISHES) -> ForgeProposal:
        """Open a pull request with the default reviewers of the repository, which Bitbucket adds on its page alone.

        Raises `ForgeError` ``proposal-exists`` where one from that branch is open: Bitbucket would change that one.
        """
        await self._check_none(branch, base)
        fitted = self._fitted(text)
        data = {
            "title": fitted.title,
            "description": fitted.body,
            "source": {"branch": {"name": branch}},
            "destination": {"branch": {"name": base}},
            "draft": wishes.is_draft,
            "close_source_branch": False,
        }
        asked = [await self._member(name) for name in wishes.reviewers]
        reviewers = [*await self._default_reviewers()]
        reviewers += [item for item in asked if item not in reviewers]
        call = ApiCall(method="POST", path="pullrequests", data={**data, "reviewers": reviewers}, refused=_REVIEWER_CODES)
        try:
            answer = await self._api.ask(call)
        except ForgeError as error:
            if error.code != "forge-user" or asked:
                raise
            self._defaults = []  # one of them has left, or is the author
            answer = await self._api.ask(replace(call, data=data, refused={}))
        return await self._whole(self._read(answer))

    async def update(self, number: int, text: ProposalText, *, is_draft: bool | None = None) -> ForgeProposal:  # noqa: ARG002 - as the protocol has it
        """Set title and body; a draft stays one."""
        return await self._put(number, text, [])

    async def revise(self, number: int, text: ProposalText) -> ForgeProposal:
        """Set title and body where it is open; return it as it is where it was merged or closed."""
        item = await self._item(number)
        self._check_home(number, is_foreign=is_foreign(item))
        found = self._read(item, number)
        is_open = found.state is ProposalState.OPEN
        return await self._put(number, text, [], before=item) if is_open else await self._whole(found)

    async def comment(self, number: int, words: str) -> None:
        """Add a comment."""
        data = {"content": {"raw": words}}
        await self._api.ask(ApiCall(method="POST", path=f"pullrequests/{number}/comments", data=data))

    async def close(self, number: int, text: ProposalText) -> ForgeProposal:
        """Decline a pull request, with its last title and body; they do not matter where its branch is gone already."""
        item = await self._item(number)
        before = await self._whole(self._read(item, number))
        if before.state is not ProposalState.OPEN:
            return before
        try:
            await self._put(number, text, [], before=item, refused=_MERGE_CODES)
        except ForgeError as error:
            if error.code != "proposal-unready":
                raise
            return await self._whole(self._read(await self._item(number), number))
        answer = await self._api.ask(ApiCall(method="POST", path=f"pullrequests/{number}/decline", data={}))
        return await self._whole(self._read(answer, number))

    async def request_review(self, number: int, reviewers: Iterable[str]) -> None:
        """Ask members of the workspace for a review, by nickname, name, ``{uuid}`` or account; raise ``forge-user``."""
        await self._put(number, None, [await self._member(name) for name in reviewers], refused=_REVIEWER_CODES)

    async def _put(
        self,
        number: int,
        text: ProposalText | None,
        more: list[Mapping[str, Any]],
        *,
        refused: Mapping[int, str] = MappingProxyType({}),
        before: Mapping[str, Any] | None = None,
    ) -> ForgeProposal:
        """Change title, body and reviewers, *more* besides those who are asked: what is left out of a change is lost."""
        before = before or await self._item(number)
        old = self._read(before, number)
        fitted = self._fitted(text or ProposalText(title=old.title, body=old.body))
        kept = [{"uuid": mapping(item).get("uuid")} for item in listing(before.get("reviewers"))]
        reviewers = [*kept, *(item for item in more if item not in kept)]
        data = {"title": fitted.title, "description": fitted.body, "reviewers": reviewers, "draft": old.is_draft}
        call = ApiCall(method="PUT", path=f"pullrequests/{number}", data=data, refused=refused)
        return await self._whole(self._read(await self._api.ask(call), number))

    async def _check_none(self, branch: str, base: str) -> None:
        """Raise ``proposal-exists`` where one is open; who was told in this round that none is need not ask again."""
        is_told = (branch, base) in self._without_open
        self._without_open.discard((branch, base))
        if not is_told and await self._pages(_between(branch, base, ("OPEN",)), most=1):
            raise self._api.refused("proposal-exists", f"a pull request from {branch} to {base} already exists")


class BitbucketForge(BitbucketProposals):
    """The pull requests of one repository on Bitbucket Cloud."""

    async def readiness(self, proposal: ForgeProposal) -> Readiness:
        """Return what stands between the pull request, at its head, and its merge: build statuses, opinions, restrictions.

        Bitbucket tells of other merge checks only when it is asked to merge.
        """
        item = await self._standing(proposal, is_look=True)
        call = ApiCall(path=f"commit/{quote(proposal.head, safe='')}/statuses", is_look=True)
        statuses = await self._api.pages(call, PAGING)
        required = await self._required_approvals(proposal.base)
        is_open = item.get("state") == "OPEN" and item.get("draft") is not True
        return Readiness(
            checks=_checks(statuses),
            approvals=_approvals(item, required),
            is_mergeable=is_open and not await self._has_conflicts(proposal.number),
            head=proposal.head,
        )

    async def merge(self, proposal: ForgeProposal) -> ForgeProposal:
        """Merge by the strategy of the base, after a look that the head is still that of *proposal*: no merge compares it."""
        item = await self._standing(proposal)
        strategy = text(mapping(item, "destination", "branch").get("default_merge_strategy"))
        data = {"type": "pullrequest", "close_source_branch": False} | ({"merge_strategy": strategy} if strategy else {})
        path = f"pullrequests/{proposal.number}/merge"
        call = ApiCall(method="POST", path=path, data=data, refused=_MERGE_CODES)
        answer = mapping(await self._api.ask(call))
        if answer.get("state") != "MERGED":
            raise self._api.refused("proposal-unready", f"pull request {proposal.number} is not merged yet")
        return replace(proposal, state=ProposalState.MERGED)

    async def _standing(self, proposal: ForgeProposal, *, is_look: bool = False) -> Mapping[str, Any]:
        item = await self._item(proposal.number, is_look=is_look)
        self._check_head(await self._whole(self._read(item, proposal.number)), proposal)
        return item

    async def _has_conflicts(self, number: int) -> bool:
        """Return whether a file of the difference is in conflict, which its statistics say alone."""
        files = await self._api.pages(ApiCall(path=f"pullrequests/{number}/diffstat", is_look=True), PAGING)
        return any("conflict" in text(mapping(item).get("status")) for item in files)

    async def _required_approvals(self, base: str) -> int:
        """Return how many approvals a merge into *base* asks for, by rules that are read once after each listing."""
        async with self._turn:
            if self._restrictions is None:
                self._restrictions = await self._read_restrictions()
            rules = [item for item in map(mapping, self._restrictions) if fnmatchcase(base, text(item.get("pattern")))]
        return max((number(item.get("value")) or 0 for item in rules), default=0)

    async def _read_restrictions(self) -> list[Any]:
        """Return the rules of all branches about approvals, none where the token may not read them."""
        call = ApiCall(path="branch-restrictions", query={"kind": "require_approvals_to_merge"}, is_look=True)
        try:
            return await self._api.pages(call, PAGING)
        except ForgeError as error:
            if error.code not in {"forge-denied", "forge-not-found"}:
                raise
            return []


def _between(branch: str, base: str, states: tuple[str, ...]) -> ApiCall:
    wanted = f"source.branch.name={quoted(branch)} AND destination.branch.name={quoted(base)}"
    return ApiCall(path="pullrequests", query={"q": wanted, "state": states, "sort": "-id"})


def _checks(statuses: list[Any]) -> CheckState:
    """Return what all build statuses say together; the newest of a key counts, and Bitbucket keeps no older one."""
    found = {_CHECKS.get(text(mapping(item).get("state")), CheckState.PENDING) for item in statuses}
    for state in (CheckState.FAILED, CheckState.PENDING, CheckState.PASSED):
        if state in found:
            return state
    return CheckState.NONE


def _approvals(item: Mapping[str, Any], required: int) -> ApprovalState:
    people = [mapping(one) for one in listing(item.get("participants"))]
    if any(one.get("state") == "changes_requested" for one in people):
        return ApprovalState.REFUSED
    approved = sum(one.get("approved") is True for one in people)
    return ApprovalState.ENOUGH if approved >= required else ApprovalState.MISSING
