"""Reviews, policies and merges of Azure DevOps: policies say what a merge needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from updater.forge.api import ApiCall
from updater.forge.azure import AzureProposals
from updater.forge.base import ApprovalState, CheckState, ForgeProposal, ProposalState, Readiness
from updater.forge.reading import listing, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_REVIEWER_CODES: Final = {400: "forge-user", 404: "forge-user"}
_MERGE_CODES: Final = {400: "proposal-unready", 403: "proposal-unready", 409: "proposal-moved"}
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
#: the types of policies that are about people: a number of reviewers, certain reviewers, comments that are resolved
_PEOPLE: Final = frozenset(
    {
        "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd",
        "fd2167ab-b0be-447a-8ec8-39368250530e",
        "c6a1889d-b943-4856-b76f-9e46bb6b0df2",
    }
)
_POLICIES: Final = {
    "approved": CheckState.PASSED,
    "notApplicable": CheckState.NONE,
    "rejected": CheckState.FAILED,
    "broken": CheckState.FAILED,
}
_STATUSES: Final = {
    "succeeded": CheckState.PASSED,
    "notApplicable": CheckState.NONE,
    "failed": CheckState.FAILED,
    "error": CheckState.FAILED,
}
_FINE: Final = ("approved", "notApplicable")
_REJECTED: Final = -5  # "waits for the author"; -10 is a rejection
_PREVIEW: Final = {"api-version": "7.0-preview.1"}


class AzureForge(AzureProposals):
    """The pull requests of one repository on Azure DevOps."""

    async def request_review(self, number: int, reviewers: Iterable[str]) -> None:
        """Ask users and teams (``project/team``) for a review; who voted keeps the vote. Raises ``forge-user``."""
        asked = {mapping(item).get("id") for item in listing((await self._item(number)).get("reviewers"))}
        for name in reviewers:
            identity = await self._identity(name)
            if identity not in asked:
                path = f"pullRequests/{number}/reviewers/{quote(identity, safe='')}"
                await self._api.ask(ApiCall(method="PUT", path=path, data={"vote": 0}, refused=_REVIEWER_CODES))

    async def readiness(self, proposal: ForgeProposal) -> Readiness:
        """Return what stands between the pull request, at its head, and its merge: policies, statuses, votes."""
        item = await self._standing(proposal, is_look=True)
        policies = await self._policies(item, proposal)
        path = f"pullRequests/{proposal.number}/statuses"
        statuses = mapping(await self._api.ask(ApiCall(path=path, is_look=True)))
        return Readiness(
            checks=_checks(policies, _last_statuses(listing(statuses.get("value")))),
            approvals=_approvals(item, policies),
            is_mergeable=_is_mergeable(item, policies),
            head=proposal.head,
        )

    async def enable_auto_merge(self, proposal: ForgeProposal) -> bool:
        """Let it complete by itself once the policies allow it; return False where none is missing: it would merge at once."""
        item = await self._standing(proposal, is_look=True)
        if text(mapping(item, "autoCompleteSetBy").get("id")) not in {"", _NOBODY}:
            return True
        missing = [one for one in await self._policies(item, proposal) if _is_blocking(one) and one.get("status") not in _FINE]
        if not missing or item.get("isDraft") is True:
            return False
        if (mine := await self._authors.mine()) is None:
            return False  # nobody tells for whom it would complete
        data = {"autoCompleteSetBy": {"id": mine.id}, "completionOptions": {"deleteSourceBranch": False}}
        answer = await self._patch(proposal.number, data, _MERGE_CODES)
        return bool(mapping(answer, "autoCompleteSetBy"))

    async def cancel_auto_merge(self, proposal: ForgeProposal) -> None:
        """Take that back; nothing to take back is fine."""
        await self._patch(proposal.number, {"autoCompleteSetBy": {"id": _NOBODY}})

    async def merge(self, proposal: ForgeProposal) -> ForgeProposal:
        """Complete it, only where the head is still that of *proposal*; the policies of the base are kept."""
        head = {"commitId": proposal.head}
        data = {"status": "completed", "lastMergeSourceCommit": head, "completionOptions": {"deleteSourceBranch": False}}
        answer = self._read(await self._patch(proposal.number, data, _MERGE_CODES), proposal.number)
        if answer.state is ProposalState.OPEN:  # it is merged in the background
            answer = self._read(await self._item(proposal.number), proposal.number)
        if answer.state is not ProposalState.MERGED:
            raise self._api.refused("proposal-unready", f"pull request {proposal.number} is not merged yet")
        return replace(proposal, state=ProposalState.MERGED)

    async def _standing(self, proposal: ForgeProposal, *, is_look: bool = False) -> Mapping[str, Any]:
        item = await self._item(proposal.number, is_look=is_look)
        self._check_head(self._read(item, proposal.number), proposal)
        return item

    async def _policies(self, item: Mapping[str, Any], proposal: ForgeProposal) -> list[Mapping[str, Any]]:
        project = text(mapping(item, "repository", "project").get("id"))
        artifact = f"vstfs:///CodeReview/CodeReviewId/{project}/{proposal.number}"
        base = f"{self.repository.api}/{self.repository.path.partition('/')[0]}"
        call = ApiCall(base=base, path="_apis/policy/evaluations", query={"artifactId": artifact, **_PREVIEW}, is_look=True)
        return [mapping(one) for one in listing(mapping(await self._api.ask(call)).get("value"))]


def _is_blocking(policy: Mapping[str, Any]) -> bool:
    configuration = mapping(policy, "configuration")
    return configuration.get("isBlocking") is True and configuration.get("isEnabled") is not False


def _is_of_people(policy: Mapping[str, Any]) -> bool:
    return text(mapping(policy, "configuration", "type").get("id")) in _PEOPLE


def _last_statuses(statuses: list[Any]) -> list[Any]:
    """Return the last status of each context: older ones stay in the list."""
    last: dict[tuple[str, str], Any] = {}
    for status in statuses:
        context = mapping(status, "context")
        last[text(context.get("genre")), text(context.get("name"))] = status
    return list(last.values())


def _checks(policies: list[Mapping[str, Any]], statuses: list[Any]) -> CheckState:
    asked = [policy for policy in policies if _is_blocking(policy) and not _is_of_people(policy)]
    found = {_POLICIES.get(text(policy.get("status")), CheckState.PENDING) for policy in asked}
    found |= {_STATUSES.get(text(mapping(status).get("state")), CheckState.PENDING) for status in statuses}
    for state in (CheckState.FAILED, CheckState.PENDING, CheckState.PASSED):
        if state in found:
            return state
    return CheckState.NONE


def _approvals(item: Mapping[str, Any], policies: list[Mapping[str, Any]]) -> ApprovalState:
    votes = (mapping(reviewer).get("vote") for reviewer in listing(item.get("reviewers")))
    if any(isinstance(vote, int) and vote <= _REJECTED for vote in votes):
        return ApprovalState.REFUSED
    missing = [one for one in policies if _is_blocking(one) and _is_of_people(one)]
    is_enough = all(one.get("status") in _FINE for one in missing)
    return ApprovalState.ENOUGH if is_enough else ApprovalState.MISSING


def _is_mergeable(item: Mapping[str, Any], policies: list[Mapping[str, Any]]) -> bool | None:
    status = item.get("mergeStatus")
    if item.get("status") != "active" or item.get("isDraft") is True or status in {"conflicts", "failure", "rejectedByPolicy"}:
        return False
    if status != "succeeded":
        return None
    return all(one.get("status") in _FINE for one in policies if _is_blocking(one))
