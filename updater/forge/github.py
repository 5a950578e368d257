"""Pull requests of GitHub, github.com and Enterprise. Readiness and automatic merges are asked by GraphQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from updater.forge.api import MOST_OPEN_PAGES, MOST_PAGES, ApiCall, ForgeDialect
from updater.forge.base import ApprovalState, CheckState, ForgeProposal, ProposalState, Readiness
from updater.forge.github_commits import GithubCommits
from updater.forge.github_opening import GithubOpening
from updater.forge.graphql import failure_of, query_call
from updater.forge.reading import listing, mapping, names, read_user, text
from updater.forge.rest import MERGE_CODES
from updater.forge.showing import bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.forge.api import ForgeApi
    from updater.forge.base import ForgeUser

_VERSION: Final = "2022-11-28"
_SECOND_CODES: Final = {422: "proposal-exists"}
_CHECKS: Final = {
    "SUCCESS": CheckState.PASSED,
    "PENDING": CheckState.PENDING,
    "EXPECTED": CheckState.PENDING,
    "FAILURE": CheckState.FAILED,
    "ERROR": CheckState.FAILED,
}
#: of what GitHub says of a merge, what is a no for now: rules that are not met, conflicts, a base that is ahead
_STOPPED: Final = frozenset({"BLOCKED", "DIRTY", "BEHIND", "DRAFT"})
_FACTS: Final = """query updaterFacts($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    autoMergeAllowed viewerDefaultMergeMethod mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed
    pullRequest(number: $number) {
      id number state headRefOid isDraft mergeable mergeStateStatus reviewDecision
      autoMergeRequest { enabledAt }
      latestOpinionatedReviews(first: 100) { nodes { state } }
      commits(last: 1) { nodes { commit { oid statusCheckRollup { state } } } }
    }
  }
}"""
_ACCOUNT: Final = "query updaterAccount { viewer { login databaseId } }"
_ENABLE: Final = """mutation updaterEnable($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { pullRequest { number } }
}"""
_DISABLE: Final = """mutation updaterDisable($input: DisablePullRequestAutoMergeInput!) {
  disablePullRequestAutoMerge(input: $input) { pullRequest { number } }
}"""
_ALLOWED: Final = {"merge": "mergeCommitAllowed", "squash": "squashMergeAllowed", "rebase": "rebaseMergeAllowed"}
#: how GitHub refuses to merge by itself what may be merged at once, or where no rule or setting asks for it
_NO_AUTO: Final = ("clean status", "unstable status", "not allowed", "protected branch rules", "not enabled")


async def _account(api: ForgeApi) -> ForgeUser | None:
    """Ask by GraphQL: the REST API does not tell an installation of an App whose token it has."""
    answer = mapping(await api.ask(query_call(api.repository, _ACCOUNT, {}, is_repeatable=True)))
    if failure := failure_of(answer):
        raise api.refused(*failure)
    return read_user(mapping(answer, "data", "viewer"), "databaseId", "login")


class GithubForge(GithubOpening):
    """The pull requests of one repository on GitHub."""

    dialect = ForgeDialect(
        authorization=bearer, headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _VERSION}
    )
    account = _account
    second = _SECOND_CODES
    size = "per_page"

    async def list_open(self, *, is_look: bool = True) -> tuple[ForgeProposal, ...]:
        """Return what is open from branches of the repository itself, what changed last first: at most 1,000."""
        order = {"state": "open", "sort": "updated", "direction": "desc"}
        return tuple(await self._pages(order, most=MOST_OPEN_PAGES, is_look=is_look))

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first."""
        order = {"state": "all", "sort": "created", "direction": "desc"}
        listed = await self._pages({**order, "head": f"{self._owner}:{branch}", "base": base}, most=MOST_PAGES)
        return tuple(item for item in listed if (item.branch, item.base) == (branch, base))

    async def add_labels(self, number: int, labels: Iterable[str]) -> None:
        """Add labels to those that are there; GitHub creates the ones that the repository lacks."""
        data = {"labels": list(labels)}
        await self._api.ask(ApiCall(method="POST", path=f"issues/{number}/labels", data=data, is_repeatable=True))

    async def assign(self, number: int, assignees: Iterable[str]) -> None:
        """Assign users besides those who are; raise ``forge-user`` for one whom GitHub leaves out."""
        wanted = list(assignees)
        call = ApiCall(method="POST", path=f"issues/{number}/assignees", data={"assignees": wanted}, is_repeatable=True)
        answer = await self._api.ask(call)
        if error := self._unknown(wanted, names(mapping(answer).get("assignees"), of="login")):
            raise error

    async def readiness(self, proposal: ForgeProposal) -> Readiness:
        """Return what stands between the pull request, at its head, and its merge: check runs, statuses, reviews and rules."""
        facts = await self._facts(proposal, is_look=True)
        return _readiness(mapping(facts, "pullRequest"), proposal)

    async def enable_auto_merge(self, proposal: ForgeProposal) -> bool:
        """Ask GitHub to merge by itself once it may; return False where this repository, or no rule of its base, allows it."""
        facts = await self._facts(proposal, is_look=True)
        pull = mapping(facts, "pullRequest")
        if facts.get("autoMergeAllowed") is not True or pull.get("isDraft") is True:
            return False
        if mapping(pull, "autoMergeRequest"):
            return True
        wanted = {"pullRequestId": pull.get("id"), "mergeMethod": _method(facts).upper(), "expectedHeadOid": proposal.head}
        failure = failure_of(mapping(await self._query(_ENABLE, {"input": wanted})))
        if failure is None:
            return True
        words = failure[1]
        if any(known in words.lower() for known in _NO_AUTO):
            return False
        is_moved = "head" in words.lower() and "match" in words.lower()
        raise self._api.refused("proposal-moved" if is_moved else "forge-protocol", words)

    async def cancel_auto_merge(self, proposal: ForgeProposal) -> None:
        """Take that back; nothing to take back is fine."""
        pull = mapping(await self._facts(proposal, is_any_head=True), "pullRequest")
        if not mapping(pull, "autoMergeRequest"):
            return
        if failure := failure_of(mapping(await self._query(_DISABLE, {"input": {"pullRequestId": pull.get("id")}}))):
            raise self._api.refused("forge-protocol", failure[1])

    async def merge(self, proposal: ForgeProposal) -> ForgeProposal:
        """Merge, only where the head is still that of *proposal*, by the method that the repository prefers."""
        method = _method(await self._facts(proposal))
        data = {"sha": proposal.head, "merge_method": method}
        path = f"pulls/{proposal.number}/merge"
        call = ApiCall(method="PUT", path=path, data=data, refused=MERGE_CODES, is_repeatable=False)
        if mapping(await self._api.ask(call)).get("merged") is not True:
            raise self._api.refused("proposal-unready", f"pull request {proposal.number} was not merged")
        return replace(proposal, state=ProposalState.MERGED)

    async def _facts(self, proposal: ForgeProposal, *, is_any_head: bool = False, is_look: bool = False) -> Mapping[str, Any]:
        """Return what GraphQL says of the repository and its pull request; raise ``proposal-moved`` where its head is another."""
        variables = {"owner": self._owner, "name": self._name, "number": proposal.number}
        answer = mapping(await self._query(_FACTS, variables, is_look=is_look))
        facts = mapping(answer, "data", "repository")
        pull = mapping(facts, "pullRequest")
        if failure := failure_of(answer):
            raise self._api.refused(*failure)
        if pull.get("number") != proposal.number or not text(pull.get("id")):
            raise self._api.odd(f"the answer is not about pull request {proposal.number}")
        if not is_any_head and pull.get("headRefOid") != proposal.head:
            raise self._api.refused("proposal-moved", f"the head of pull request {proposal.number} is another one now")
        return facts

    async def _query(self, query: str, variables: Mapping[str, Any], *, is_look: bool = False) -> Any:
        call = query_call(self.repository, query, variables, is_repeatable=query is _FACTS)
        return await self._api.ask(replace(call, is_look=is_look))

    def commits(self, learn: Callable[[str], None]) -> GithubCommits:
        """Return who makes commits here by the API; *learn* is told under which address GitHub names us."""
        return GithubCommits(self._api, learn)

    @property
    def _owner(self) -> str:
        return unquote(self.repository.path.partition("/")[0])

    @property
    def _name(self) -> str:
        return unquote(self.repository.path.partition("/")[2])


def _readiness(pull: Mapping[str, Any], proposal: ForgeProposal) -> Readiness:
    commits = listing(mapping(pull, "commits").get("nodes"))
    commit = mapping(commits[-1], "commit") if commits else {}
    rollup = mapping(commit, "statusCheckRollup").get("state")
    checks = CheckState.NONE if not mapping(commit, "statusCheckRollup") else _CHECKS.get(text(rollup), CheckState.PENDING)
    return Readiness(
        checks=checks if commit.get("oid") == proposal.head else CheckState.PENDING,
        approvals=_approvals(pull),
        is_mergeable=_is_mergeable(pull),
        head=proposal.head,
    )


def _approvals(pull: Mapping[str, Any]) -> ApprovalState:
    reviews = {mapping(item).get("state") for item in listing(mapping(pull, "latestOpinionatedReviews").get("nodes"))}
    decision = pull.get("reviewDecision")
    if decision == "CHANGES_REQUESTED" or "CHANGES_REQUESTED" in reviews:
        return ApprovalState.REFUSED
    return ApprovalState.ENOUGH if decision in (None, "APPROVED") else ApprovalState.MISSING


def _is_mergeable(pull: Mapping[str, Any]) -> bool | None:
    if pull.get("mergeable") == "CONFLICTING" or pull.get("mergeStateStatus") in _STOPPED or pull.get("isDraft") is True:
        return False
    return True if pull.get("mergeable") == "MERGEABLE" else None


def _method(facts: Mapping[str, Any]) -> str:
    """Return the method by which the repository merges: the one that its page offers first, where it is allowed."""
    allowed = [name for name in ("merge", "squash", "rebase") if facts.get(_ALLOWED[name]) is True]
    preferred = text(facts.get("viewerDefaultMergeMethod")).lower()
    return preferred if preferred in allowed else (allowed or ["merge"])[0]
