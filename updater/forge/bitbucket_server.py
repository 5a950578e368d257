"""Pull requests of Bitbucket Data Center, by developer.atlassian.com/server/bitbucket/rest: no labels, no assignees.

Each change names the version of the pull request that it was decided on; who comes second reads and decides again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from updater.errors import ForgeError
from updater.forge.api import MOST_OPEN_PAGES, MOST_PAGES, PAGE, ApiCall, ForgeDialect, Paging, RawProposal
from updater.forge.base import (
    NO_WISHES,
    ApprovalState,
    CheckState,
    ForgeAbilities,
    ForgeProposal,
    ForgeUser,
    ProposalState,
    ProposalText,
    ProposalWishes,
    Readiness,
)
from updater.forge.foundation import ForgeFoundation
from updater.forge.reading import listing, mapping, number, read_user, text
from updater.forge.showing import user_or_bearer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.forge.api import ForgeApi

_PAGING: Final = Paging(query=lambda page: {"limit": str(PAGE), "start": str(page * PAGE)}, key="values")
_STATES: Final = {"OPEN": ProposalState.OPEN, "MERGED": ProposalState.MERGED, "DECLINED": ProposalState.CLOSED}
_SECOND_CODES: Final = {409: "proposal-exists"}
_MERGE_CODES: Final = {409: "proposal-unready"}
_REVIEWER_CODES: Final = {400: "forge-user", 404: "forge-user", 409: "forge-user"}
_CHANGE_CODES: Final = {409: "proposal-moved"}
_ATTEMPTS: Final = 2
_MOVED: Final = ("out of date", "out-of-date", "has been updated", "outofdate")


async def _account(api: ForgeApi) -> ForgeUser | None:
    """Return who is named in a header of each answer to somebody who is known; no request tells it."""
    name = await api.header(ApiCall(base=api.repository.api, path="application-properties"), "X-AUSERNAME")
    return ForgeUser("", unquote(name)) if name else None


class BitbucketServerProposals(ForgeFoundation):
    """Pull requests as texts, and who reviews them."""

    # without the second header a change by a form of a page is suspected
    dialect = ForgeDialect(authorization=user_or_bearer, headers={"Accept": "application/json", "X-Atlassian-Token": "no-check"})
    account = _account
    abilities = ForgeAbilities(labels=False, assignees=False, at_opening=frozenset({"reviewers"}), longest_body=32_768)

    async def list_open(self, *, is_look: bool = True) -> tuple[ForgeProposal, ...]:
        """Return what is open from branches of the repository itself, newest first: at most 1,000."""
        call = ApiCall(path="pull-requests", query={"state": "OPEN", "order": "NEWEST"}, is_look=is_look)
        return tuple(await self._pages(call, most=MOST_OPEN_PAGES))

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first."""
        query = {"state": "ALL", "order": "NEWEST", "direction": "OUTGOING", "at": f"refs/heads/{branch}"}
        listed = await self._pages(ApiCall(path="pull-requests", query=query))
        ours = [item for item in listed if (item.branch, item.base) == (branch, base)]
        return tuple(sorted(ours, key=lambda item: item.number, reverse=True))

    async def get(self, number: int) -> ForgeProposal:
        """Return one pull request."""
        item = await self._item(number)
        found = self._read(item, number)
        self._check_home(number, is_foreign=_is_foreign(item))
        return found

    async def open(self, text: ProposalText, *, branch: str, base: str, wishes: ProposalWishes = NO_WISHES) -> ForgeProposal:
        """Open a pull request; raise `ForgeError` ``proposal-exists`` where one from that branch is open."""
        fitted = self._fitted(text)
        data = {
            "title": fitted.title,
            "description": fitted.body,
            "fromRef": {"id": f"refs/heads/{branch}"},
            "toRef": {"id": f"refs/heads/{base}"},
            **({"draft": True} if wishes.is_draft else {}),  # versions before 8.18 do not know the word
            **({"reviewers": [{"user": {"name": name}} for name in wishes.reviewers]} if wishes.reviewers else {}),
        }
        call = ApiCall(method="POST", path="pull-requests", data=data, refused=_SECOND_CODES)
        return self._read(await self._api.ask(call))

    async def update(self, number: int, text: ProposalText, *, is_draft: bool | None = None) -> ForgeProposal:  # noqa: ARG002 - as the protocol has it
        """Set title and body; reviewers stay, and a draft stays one."""
        return self._read(await self._put(number, text), number)

    async def comment(self, number: int, words: str) -> None:
        """Add a comment."""
        await self._api.ask(ApiCall(method="POST", path=f"pull-requests/{number}/comments", data={"text": words}))

    async def close(self, number: int, text: ProposalText) -> ForgeProposal:
        """Decline a pull request, with its last title and body; they do not matter where its branch is gone already."""
        item = await self._put(number, text, is_open=True)
        before = self._read(item, number)
        if before.state is not ProposalState.OPEN:
            return before
        path, query = f"pull-requests/{number}/decline", {"version": str(item.get("version"))}
        return self._read(await self._api.ask(ApiCall(method="POST", path=path, query=query, data={})), number)

    async def _put(self, number: int, text: ProposalText, *, is_open: bool = False) -> Mapping[str, Any]:
        """Change title and body on the version that is there; what is left out would be lost. Who comes second tries again."""
        for attempt in range(_ATTEMPTS):
            try:
                return await self._put_once(number, self._fitted(text), is_open=is_open)
            except ForgeError as error:
                if error.code != "proposal-moved" or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("at least one attempt")  # pragma: no cover - there are two

    async def _put_once(self, number: int, fitted: ProposalText, *, is_open: bool) -> Mapping[str, Any]:
        """Change it on the version that is there now; where *is_open*, only one of this repository that is open."""
        before = await self._item(number)
        old = self._read(before, number)
        if is_open:
            self._check_home(number, is_foreign=_is_foreign(before))
            if old.state is not ProposalState.OPEN:
                return before
        names = [mapping(item, "user").get("name") for item in listing(before.get("reviewers"))]
        data = {
            "version": before.get("version"),
            "title": fitted.title,
            "description": fitted.body,
            "reviewers": [{"user": {"name": name}} for name in names],
            **({"draft": True} if old.is_draft else {}),
        }
        call = ApiCall(method="PUT", path=f"pull-requests/{number}", data=data, refused=_CHANGE_CODES)
        return mapping(await self._api.ask(call))

    async def _item(self, number: int, *, is_look: bool = False) -> Mapping[str, Any]:
        return mapping(await self._api.ask(ApiCall(path=f"pull-requests/{number}", is_look=is_look)))

    async def _pages(self, call: ApiCall, *, most: int = MOST_PAGES) -> list[ForgeProposal]:
        listed = await self._api.pages(call, replace(_PAGING, most=most))
        return [self._read(item) for item in listed if not _is_foreign(item)]

    def _read(self, item: Any, asked: int | None = None) -> ForgeProposal:
        found = mapping(item)
        source, target = mapping(found, "fromRef"), mapping(found, "toRef")
        pages = listing(mapping(found, "links").get("self"))
        raw = RawProposal(
            number=found.get("id"),
            state=_STATES.get(text(found.get("state"))),
            link=mapping(pages[0]).get("href") if pages else None,
            branch=text(source.get("id")).removeprefix("refs/heads/"),
            base=text(target.get("id")).removeprefix("refs/heads/"),
            head=source.get("latestCommit"),
            title=found.get("title"),
            body=found.get("description"),
            is_draft=found.get("draft"),
            author=read_user(mapping(found, "author").get("user"), "", "name"),
        )
        return self._api.proposal(raw, asked)


class BitbucketServerForge(BitbucketServerProposals):
    """The pull requests of one repository on Bitbucket Data Center."""

    async def revise(self, number: int, text: ProposalText) -> ForgeProposal:
        """Set title and body where it is open; return it as it is where it was merged or closed."""
        return self._read(await self._put(number, text, is_open=True), number)

    async def request_review(self, number: int, reviewers: Iterable[str]) -> None:
        """Ask users for a review besides those who are asked; raise ``forge-user`` for one whom it does not take."""
        for name in reviewers:
            data = {"user": {"name": name}, "role": "REVIEWER"}
            path = f"pull-requests/{number}/participants"
            await self._api.ask(ApiCall(method="POST", path=path, data=data, refused=_REVIEWER_CODES, is_repeatable=True))

    async def readiness(self, proposal: ForgeProposal) -> Readiness:
        """Return what stands between the pull request, at its head, and its merge: builds, opinions, merge checks."""
        item = await self._standing(proposal, is_look=True)
        merge = mapping(await self._api.ask(ApiCall(path=f"pull-requests/{proposal.number}/merge", is_look=True)))
        builds = f"{self.repository.api.removesuffix('/rest/api/1.0')}/rest/build-status/1.0"
        path = f"commits/stats/{quote(proposal.head, safe='')}"
        stats = mapping(await self._api.ask(ApiCall(base=builds, path=path, is_look=True)))
        return Readiness(
            checks=_checks(stats),
            approvals=_approvals(item, merge),
            is_mergeable=_is_mergeable(item, merge),
            head=proposal.head,
        )

    async def enable_auto_merge(self, proposal: ForgeProposal) -> bool:
        """Ask it to merge by itself, from 8.15; return False where that is not allowed, or nothing is missing."""
        item = await self._standing(proposal, is_look=True)
        merge = mapping(await self._api.ask(ApiCall(path=f"pull-requests/{proposal.number}/merge")))
        if merge.get("canMerge") is True or item.get("draft") is True:
            return False
        try:
            answer = await self._merge(proposal, item, {"autoMerge": True})
        except ForgeError as error:
            if error.code != "proposal-unready":
                raise
            return False  # an older version merges, and finds what is missing
        return answer.get("state") in {"OPEN", "MERGED"}

    async def cancel_auto_merge(self, proposal: ForgeProposal) -> None:
        """Take that back; nothing to take back is fine."""
        try:
            await self._api.ask(ApiCall(method="DELETE", path=f"pull-requests/{proposal.number}/auto-merge"))
        except ForgeError as error:
            if error.code != "forge-not-found":
                raise

    async def merge(self, proposal: ForgeProposal) -> ForgeProposal:
        """Merge by the strategy of the repository, on the version whose head is that of *proposal*."""
        answer = await self._merge(proposal, await self._standing(proposal), {})
        if answer.get("state") != "MERGED":
            raise self._api.refused("proposal-unready", f"pull request {proposal.number} is not merged yet")
        return replace(proposal, state=ProposalState.MERGED)

    async def _merge(self, proposal: ForgeProposal, item: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
        version = item.get("version")
        path = f"pull-requests/{proposal.number}/merge"
        data = {"version": version, **more}
        call = ApiCall(method="POST", path=path, query={"version": str(version)}, data=data, refused=_MERGE_CODES)
        try:
            return mapping(await self._api.ask(call))
        except ForgeError as error:
            if error.code == "proposal-unready" and any(words in error.message.lower() for words in _MOVED):
                raise self._api.refused("proposal-moved", f"pull request {proposal.number} was changed meanwhile") from error
            raise

    def _root(self) -> str:
        return f"{self.repository.api}/{self.repository.path}"

    async def _standing(self, proposal: ForgeProposal, *, is_look: bool = False) -> Mapping[str, Any]:
        item = await self._item(proposal.number, is_look=is_look)
        self._check_head(self._read(item, proposal.number), proposal)
        return item


def _is_foreign(item: Any) -> bool:
    """Return whether a pull request is not from a branch of the repository itself; a fork that is gone has no number."""
    source, target = (mapping(item, side, "repository").get("id") for side in ("fromRef", "toRef"))
    return source is None or source != target


def _checks(stats: Mapping[str, Any]) -> CheckState:
    if number(stats.get("failed")) or number(stats.get("cancelled")):
        return CheckState.FAILED
    if number(stats.get("inProgress")) or number(stats.get("unknown")):
        return CheckState.PENDING
    return CheckState.PASSED if number(stats.get("successful")) else CheckState.NONE


def _approvals(item: Mapping[str, Any], merge: Mapping[str, Any]) -> ApprovalState:
    """Return what reviewers say; whether more are needed is told by a veto, in the words of the merge check."""
    if any(mapping(one).get("status") == "NEEDS_WORK" for one in listing(item.get("reviewers"))):
        return ApprovalState.REFUSED
    vetoes = (mapping(veto) for veto in listing(merge.get("vetoes")))
    words = " ".join(f"{text(veto.get('summaryMessage'))} {text(veto.get('detailedMessage'))}" for veto in vetoes).lower()
    return ApprovalState.MISSING if "approv" in words or "reviewer" in words else ApprovalState.ENOUGH


def _is_mergeable(item: Mapping[str, Any], merge: Mapping[str, Any]) -> bool | None:
    if item.get("state") != "OPEN" or item.get("draft") is True or merge.get("conflicted") is True:
        return False
    return merge.get("canMerge") if isinstance(merge.get("canMerge"), bool) else None
