"""Merge requests of GitLab, gitlab.com and self-managed, by docs.gitlab.com/api/merge_requests and /merge_request_approvals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ForgeError
from updater.forge.api import MOST_OPEN_PAGES, MOST_PAGES, PAGE, ApiCall, ForgeDialect, Paging, RawProposal
from updater.forge.authors import told_at
from updater.forge.base import (
    NO_WISHES,
    ApprovalState,
    CheckState,
    ForgeAbilities,
    ForgeProposal,
    ProposalState,
    ProposalText,
    ProposalWishes,
    Readiness,
)
from updater.forge.gitlab_people import GitlabPeople
from updater.forge.reading import listing, mapping, names, number, read_user, text
from updater.forge.showing import bearer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DRAFT: Final = "Draft: "
_DRAFTS: Final = ("draft:", "[draft]", "(draft)")
_SECOND_CODES: Final = {409: "proposal-exists"}
#: GitLab has three statuses for what cannot be merged now; which one it is depends on its version
_MERGE_CODES: Final = {405: "proposal-unready", 406: "proposal-unready", 422: "proposal-unready", 409: "proposal-moved"}
_STATES: Final = {
    "opened": ProposalState.OPEN,
    "locked": ProposalState.OPEN,  # it is being merged at this moment
    "closed": ProposalState.CLOSED,
    "merged": ProposalState.MERGED,
}
_PIPELINES: Final = {
    "success": CheckState.PASSED,
    "skipped": CheckState.NONE,
    "failed": CheckState.FAILED,
    "canceled": CheckState.FAILED,
    "canceling": CheckState.FAILED,
}
_RUNNING: Final = frozenset({"ci_must_pass", "ci_still_running"})
_UNKNOWN: Final = frozenset({"unchecked", "checking", "preparing", "approvals_syncing", "cannot_be_merged_recheck"})


class GitlabProposals(GitlabPeople):
    """Merge requests as texts."""

    dialect = ForgeDialect(authorization=bearer)
    account = told_at("user", "id", "username")
    abilities = ForgeAbilities(at_opening=frozenset({"labels", "reviewers", "assignees"}), longest_body=1_000_000)

    async def list_open(self, *, is_look: bool = True) -> tuple[ForgeProposal, ...]:
        """Return what is open from branches of the repository itself, what changed last first: at most 1,000."""
        order = {"state": "opened", "order_by": "updated_at", "sort": "desc"}
        return tuple(await self._pages(ApiCall(path="merge_requests", query=order, is_look=is_look), most=MOST_OPEN_PAGES))

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the merge requests from *branch* to *base* of this repository, open and closed, newest first."""
        query = {"state": "all", "source_branch": branch, "target_branch": base, "order_by": "created_at", "sort": "desc"}
        listed = await self._pages(ApiCall(path="merge_requests", query=query))
        return tuple(item for item in listed if (item.branch, item.base) == (branch, base))

    async def get(self, number: int) -> ForgeProposal:
        """Return one merge request; one that did not change costs no answer."""
        item = await self._item(number)
        found = self._read(item, number)
        self._check_home(number, is_foreign=_is_foreign(item))
        return found

    async def open(self, text: ProposalText, *, branch: str, base: str, wishes: ProposalWishes = NO_WISHES) -> ForgeProposal:
        """Open a merge request; raise `ForgeError` ``proposal-exists`` where one from that branch is open."""
        data = {**self._written(text, is_draft=wishes.is_draft), "source_branch": branch, "target_branch": base}
        data |= await self._wished(wishes)
        answer = await self._api.ask(ApiCall(method="POST", path="merge_requests", data=data, refused=_SECOND_CODES))
        return replace(self._read(answer), left_out=self._said(answer, wishes))

    async def update(self, number: int, text: ProposalText, *, is_draft: bool | None = None) -> ForgeProposal:
        """Set title and body; a draft stays one, which GitLab knows by its title."""
        if is_draft is None:
            is_draft = self._read(await self._item(number), number).is_draft
        return self._read(await self._put(number, self._written(text, is_draft=is_draft)), number)

    async def close(self, number: int, text: ProposalText) -> ForgeProposal:
        """Close a merge request without merging it, with its last title and body."""
        return self._read(await self._put(number, {**self._written(text), "state_event": "close"}), number)

    async def _pages(self, call: ApiCall, *, most: int = MOST_PAGES) -> list[ForgeProposal]:
        paging = Paging(query=lambda page: {"per_page": str(PAGE), "page": str(page + 1)}, most=most)
        return [self._read(item) for item in await self._api.pages(call, paging) if not _is_foreign(item)]

    async def _item(self, number: int, *, is_look: bool = False) -> Mapping[str, Any]:
        return mapping(await self._api.ask(ApiCall(path=f"merge_requests/{number}", is_look=is_look)))

    async def _put(self, number: int, data: Mapping[str, Any]) -> Mapping[str, Any]:
        return mapping(await self._api.ask(ApiCall(method="PUT", path=f"merge_requests/{number}", data=data)))

    def _written(self, text: ProposalText, *, is_draft: bool = False) -> dict[str, Any]:
        is_new = is_draft and not text.title.lower().startswith(_DRAFTS)
        fitted = self._fitted(replace(text, title=f"{_DRAFT}{text.title}") if is_new else text)
        return {"title": fitted.title, "description": fitted.body}

    def _root(self) -> str:
        return f"{self.repository.api}/projects/{self.repository.path}"

    def _read(self, item: Any, asked: int | None = None) -> ForgeProposal:
        found = mapping(item)
        title = text(found.get("title"))
        raw = RawProposal(
            number=found.get("iid"),
            state=_STATES.get(text(found.get("state"))),
            link=found.get("web_url"),
            branch=found.get("source_branch"),
            base=found.get("target_branch"),
            head=found.get("sha"),
            title=title.removeprefix(_DRAFT),
            body=found.get("description"),
            is_draft=found.get("draft") is True or found.get("work_in_progress") is True,
            labels=names(found.get("labels")),
            author=read_user(found.get("author"), "id", "username"),
        )
        return self._api.proposal(raw, asked)


class GitlabForge(GitlabProposals):
    """The merge requests of one project on GitLab."""

    async def revise(self, number: int, text: ProposalText) -> ForgeProposal:
        """Set title and body where it is open; return it as it is where it was merged or closed."""
        found = await self.get(number)
        if found.state is not ProposalState.OPEN:
            return found
        return self._read(await self._put(number, self._written(text, is_draft=found.is_draft)), number)

    async def comment(self, number: int, words: str) -> None:
        """Add a comment."""
        await self._api.ask(ApiCall(method="POST", path=f"merge_requests/{number}/notes", data={"body": words}))

    async def add_labels(self, number: int, labels: Iterable[str]) -> None:
        """Add labels to those that are there; GitLab creates the ones that the project lacks."""
        await self._put(number, {"add_labels": ",".join(labels)})

    async def request_review(self, number: int, reviewers: Iterable[str]) -> None:
        """Ask users for a review besides those who are asked; raise ``forge-user`` for one whom GitLab does not take."""
        await self._add_users(number, "reviewers", "reviewer_ids", list(reviewers))

    async def assign(self, number: int, assignees: Iterable[str]) -> None:
        """Assign users besides those who are; raise ``forge-user`` for one whom GitLab does not take."""
        await self._add_users(number, "assignees", "assignee_ids", list(assignees))

    async def readiness(self, proposal: ForgeProposal) -> Readiness:
        """Return what stands between the merge request, at its head, and its merge: pipeline, approvals, rules."""
        item = await self._standing(proposal, is_look=True)
        try:
            call = ApiCall(path=f"merge_requests/{proposal.number}/approvals", is_look=True)
            approvals = mapping(await self._api.ask(call))
        except ForgeError as error:
            if error.code not in {"forge-not-found", "forge-denied"}:
                raise
            approvals = {}  # approvals are not part of every edition
        return Readiness(
            checks=_checks(item),
            approvals=_approvals(item, approvals),
            is_mergeable=_is_mergeable(item),
            head=proposal.head,
        )

    async def enable_auto_merge(self, proposal: ForgeProposal) -> bool:
        """Ask GitLab to merge when the pipeline succeeds; return False where none runs: GitLab would merge at once."""
        item = await self._standing(proposal, is_look=True)
        if item.get("merge_when_pipeline_succeeds") is True:
            return True
        if _checks(item) is not CheckState.PENDING or item.get("draft") is True:
            return False
        # older versions know the first name alone
        merged = await self._merge(proposal, {"merge_when_pipeline_succeeds": True, "auto_merge": True})
        return merged.get("merge_when_pipeline_succeeds") is True or merged.get("state") == "merged"

    async def cancel_auto_merge(self, proposal: ForgeProposal) -> None:
        """Take that back; nothing to take back is fine."""
        item = await self._item(proposal.number)
        if item.get("merge_when_pipeline_succeeds") is True:
            path = f"merge_requests/{proposal.number}/cancel_merge_when_pipeline_succeeds"
            await self._api.ask(ApiCall(method="POST", path=path, refused=_MERGE_CODES))

    async def merge(self, proposal: ForgeProposal) -> ForgeProposal:
        """Merge, only where the head is still that of *proposal*, by the method of the project."""
        merged = self._read(await self._merge(proposal, {}), proposal.number)
        if merged.state is not ProposalState.MERGED:
            raise self._api.refused("proposal-unready", f"merge request {proposal.number} is {merged.state} still")
        return merged

    async def _merge(self, proposal: ForgeProposal, more: Mapping[str, Any]) -> Mapping[str, Any]:
        path = f"merge_requests/{proposal.number}/merge"
        data = {"sha": proposal.head, **more}
        call = ApiCall(method="PUT", path=path, data=data, refused=_MERGE_CODES, is_repeatable=False)
        return mapping(await self._api.ask(call))

    async def _standing(self, proposal: ForgeProposal, *, is_look: bool = False) -> Mapping[str, Any]:
        item = await self._item(proposal.number, is_look=is_look)
        self._check_head(self._read(item, proposal.number), proposal)
        return item

    async def _add_users(self, asked: int, field: str, key: str, wanted: list[str]) -> None:
        before = [number(mapping(item).get("id")) for item in listing((await self._item(asked)).get(field))]
        ids = [*before, *[await self._user(name) for name in wanted]]
        answer = await self._put(asked, {key: list(dict.fromkeys(user for user in ids if user is not None))})
        if error := self._unknown(wanted, names(answer.get(field), of="username")):
            raise error  # the free edition keeps one of them


def _is_foreign(item: Any) -> bool:
    """Return whether a merge request is not from a branch of the project itself; of a deleted fork no project is named."""
    source, target = (mapping(item).get(f"{side}_project_id") for side in ("source", "target"))
    return source is None or source != target


def _checks(item: Mapping[str, Any]) -> CheckState:
    """Return what the pipeline of the head says; one of the merged result has a commit of its own."""
    pipeline = mapping(item, "head_pipeline")
    if not pipeline:
        return CheckState.PENDING if item.get("detailed_merge_status") in _RUNNING else CheckState.NONE
    is_ours = pipeline.get("sha") == item.get("sha") or text(pipeline.get("ref")).startswith("refs/merge-requests/")
    return _PIPELINES.get(text(pipeline.get("status")), CheckState.PENDING) if is_ours else CheckState.PENDING


def _approvals(item: Mapping[str, Any], approvals: Mapping[str, Any]) -> ApprovalState:
    if item.get("detailed_merge_status") == "requested_changes":
        return ApprovalState.REFUSED
    left = approvals.get("approvals_left")
    is_missing = bool(number(left)) or item.get("detailed_merge_status") == "not_approved"
    return ApprovalState.MISSING if is_missing else ApprovalState.ENOUGH


def _is_mergeable(item: Mapping[str, Any]) -> bool | None:
    if item.get("state") != "opened" or item.get("has_conflicts") is True or item.get("draft") is True:
        return False
    status = text(item.get("detailed_merge_status"))  # since 15.6; before that the other one
    if status:
        return None if status in _UNKNOWN else status == "mergeable"
    old = text(item.get("merge_status"))
    return None if old in _UNKNOWN or not old else old == "can_be_merged"
