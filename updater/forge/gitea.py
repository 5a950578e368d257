"""Pull requests of Gitea and Forgejo."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from updater.errors import ForgeError
from updater.forge.api import PAGE, ApiCall, Paging
from updater.forge.base import ApprovalState, CheckState, ForgeAbilities, ForgeProposal, ProposalState, Readiness
from updater.forge.gitea_finding import GiteaFinding
from updater.forge.reading import listing, mapping, names, number, text
from updater.forge.rest import MERGE_CODES, USER_CODES, split_teams

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.forge.base import ProposalText, ProposalWishes

_COLOUR: Final = "#1d76db"
#: a label that lies beyond what is read would be made twice
_MOST_LABEL_PAGES: Final = 40
_CHECKS: Final = {
    "success": CheckState.PASSED,
    "warning": CheckState.PASSED,
    "pending": CheckState.PENDING,
    "failure": CheckState.FAILED,
    "error": CheckState.FAILED,
}


class GiteaProposals(GiteaFinding):
    """Pull requests as texts, and who looks after them."""

    async def update(self, number: int, text: ProposalText, *, is_draft: bool | None = None) -> ForgeProposal:
        """Set title and body; a draft stays one, which Gitea knows by its title alone."""
        if is_draft is None:
            is_draft = self._read(await self._api.ask(ApiCall(path=f"pulls/{number}")), number).is_draft
        return await self._patch(number, self._written(self._fitted(text), is_draft=is_draft))

    async def add_labels(self, number: int, labels: Iterable[str]) -> None:
        """Add labels to those that are there, and create the ones that neither the repository nor its organisation has."""
        known = await self._labels()
        ids = [known[name] if name in known else await self._create_label(name) for name in labels]
        call = ApiCall(method="POST", path=f"issues/{number}/labels", data={"labels": ids}, is_repeatable=True)
        await self._api.ask(call)

    async def assign(self, number: int, assignees: Iterable[str]) -> None:
        """Assign users besides those who are; raise ``forge-user`` for one whom Gitea does not take."""
        wanted = list(assignees)
        before = names(mapping(await self._api.ask(ApiCall(path=f"pulls/{number}"))).get("assignees"), of="login")
        data = {"assignees": [*before, *(name for name in wanted if name not in before)]}
        call = ApiCall(method="PATCH", path=f"pulls/{number}", data=data, refused=USER_CODES)
        answer = await self._api.ask(call)
        if error := self._unknown(wanted, names(mapping(answer).get("assignees"), of="login")):
            raise error

    async def _labels(self) -> dict[str, int]:
        """Return the ids of labels by name; those of the repository win over those of its organisation."""
        paging = Paging(query=lambda page: {"limit": str(PAGE), "page": str(page + 1)}, most=_MOST_LABEL_PAGES, is_whole=True)
        owner = self.repository.path.partition("/")[0]
        try:
            listed = await self._api.pages(ApiCall(base=self.repository.api, path=f"orgs/{owner}/labels"), paging)
        except ForgeError as error:
            if error.code not in {"forge-not-found", "forge-denied"}:
                raise
            listed = []  # the owner is a user, or the token may not read organisations
        listed += await self._api.pages(ApiCall(path="labels"), paging)
        found = ((text(mapping(item).get("name")), number(mapping(item).get("id"))) for item in listed)
        return {name: label for name, label in found if name and label is not None}

    async def _create_label(self, name: str) -> int:
        call = ApiCall(method="POST", path="labels", data={"name": name, "color": _COLOUR})
        label = number(mapping(await self._api.ask(call)).get("id"))
        if label is None:
            raise self._api.odd("a new label has no id")
        return label


class GiteaForge(GiteaProposals):
    """The pull requests of one repository on Gitea or Forgejo. Ids of labels are kept: one that was removed is noticed."""

    abilities = ForgeAbilities(at_opening=frozenset({"labels", "reviewers", "assignees"}), deletion_heard_after=3.0)

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._label_ids: dict[str, int] = {}
        self._turn = asyncio.Lock()

    async def revise(self, number: int, text: ProposalText) -> ForgeProposal:
        """Set title and body where it is open; return it as it is where it was merged or closed."""
        found = await self.get(number)
        if found.state is not ProposalState.OPEN:
            return found
        return await self._patch(number, self._written(self._fitted(text), is_draft=found.is_draft))

    async def _wished(self, wishes: ProposalWishes) -> dict[str, Any]:
        async with self._turn:
            if any(name not in self._label_ids for name in wishes.labels):
                self._label_ids = await self._labels()
            for name in wishes.labels:
                if name not in self._label_ids:
                    self._label_ids[name] = await self._create_label(name)
        labels = [self._label_ids[name] for name in wishes.labels]
        users, teams = split_teams(wishes.reviewers)
        fields = {"labels": labels, "assignees": list(wishes.assignees), "reviewers": users, "team_reviewers": teams}
        return {key: values for key, values in fields.items() if values}

    def _undone(self, answer: Any, wishes: ProposalWishes) -> frozenset[str]:
        """Return what Gitea left out without a word: labels that are gone, reviewers, which older versions do not know."""
        found = mapping(answer)
        users, teams = split_teams(wishes.reviewers)
        lacking = {
            "labels": {*wishes.labels} - {*names(found.get("labels"))},
            "assignees": _lower(wishes.assignees) - _lower(names(found.get("assignees"), of="login")),
            "reviewers": (_lower(users) - _lower(names(found.get("requested_reviewers"), of="login")))
            | (_lower(teams) - _lower(names(found.get("requested_reviewers_teams")))),
        }
        if lacking["labels"]:
            self._label_ids = {}
        return frozenset(key for key, missing in lacking.items() if missing)

    async def readiness(self, proposal: ForgeProposal) -> Readiness:
        """Return what stands between the pull request, at its head, and its merge: statuses, reviews, the rules of the base."""
        pull = await self._standing(proposal, is_look=True)
        status = mapping(await self._api.ask(ApiCall(path=f"commits/{quote(proposal.head, safe='')}/status")))
        rules = mapping(await self._api.ask(ApiCall(path=f"branches/{quote(proposal.base)}")))
        paging = Paging(query=lambda page: {"limit": str(PAGE), "page": str(page + 1)})
        reviews = await self._api.pages(ApiCall(path=f"pulls/{proposal.number}/reviews"), paging)
        is_open = pull.get("state") == "open" and not self._read(pull, proposal.number).is_draft
        return Readiness(
            checks=_checks(status, needs_some=rules.get("enable_status_check") is True),
            approvals=_approvals(reviews, rules.get("required_approvals")),
            is_mergeable=pull.get("mergeable") is True and is_open,
            head=proposal.head,
        )

    async def enable_auto_merge(self, proposal: ForgeProposal) -> bool:
        """Ask Gitea to merge by itself once checks and approvals are there; it merges at once what is ready."""
        if not await self._has_rules(proposal.base):
            return False  # Gitea would merge at once
        pull = await self._standing(proposal)
        if self._read(pull, proposal.number).is_draft:
            return False
        await self._merge(proposal, pull, {"merge_when_checks_succeed": True})
        return True

    async def cancel_auto_merge(self, proposal: ForgeProposal) -> None:
        """Take that back; nothing to take back is fine."""
        try:
            await self._api.ask(ApiCall(method="DELETE", path=f"pulls/{proposal.number}/merge"))
        except ForgeError as error:
            if error.code != "forge-not-found":
                raise

    async def merge(self, proposal: ForgeProposal) -> ForgeProposal:
        """Merge, only where the head is still that of *proposal*, by the method that the repository prefers."""
        await self._merge(proposal, await self._standing(proposal), {})
        return replace(proposal, state=ProposalState.MERGED)

    async def _merge(self, proposal: ForgeProposal, pull: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        """Merge by the method of the repository, which *pull* says; where a version leaves that out, the repository is asked."""
        home = mapping(pull, "base", "repo")
        method = _method(home if "allow_merge_commits" in home else mapping(await self._api.ask(ApiCall(path=""))))
        data = {"Do": method, "head_commit_id": proposal.head, **more}
        call = ApiCall(method="POST", path=f"pulls/{proposal.number}/merge", data=data, refused=MERGE_CODES, is_repeatable=False)
        try:
            await self._api.ask(call)
        except ForgeError as error:
            words = error.message.lower()
            if error.code == "proposal-moved" and "already scheduled" in words:
                return
            if error.code == "proposal-moved" and "out of date" not in words:  # a conflict, or a hook that refuses the push
                raise ForgeError(error.message, hint=error.hint, code="proposal-unready") from error
            raise

    async def _standing(self, proposal: ForgeProposal, *, is_look: bool = False) -> Mapping[str, Any]:
        """Return the pull request as it is; raise ``proposal-moved`` where its head is another one."""
        pull = mapping(await self._api.ask(ApiCall(path=f"pulls/{proposal.number}", is_look=is_look)))
        self._check_head(self._read(pull, proposal.number), proposal)
        return pull

    async def _has_rules(self, base: str) -> bool:
        rules = mapping(await self._api.ask(ApiCall(path=f"branches/{quote(base)}", is_look=True)))
        return rules.get("enable_status_check") is True or bool(number(rules.get("required_approvals")))


def _lower(found: Iterable[str]) -> set[str]:
    return {name.lower() for name in found}


def _checks(status: Mapping[str, Any], *, needs_some: bool) -> CheckState:
    if not listing(status.get("statuses")) and not number(status.get("total_count")):
        return CheckState.PENDING if needs_some else CheckState.NONE
    return _CHECKS.get(text(status.get("state")), CheckState.PENDING)


def _approvals(reviews: list[Any], required: object) -> ApprovalState:
    """Return where the approvals stand: of each user the last review counts that is an opinion and was not dismissed."""
    last: dict[str, str] = {}
    for review in sorted(map(mapping, reviews), key=lambda item: number(item.get("id")) or 0):
        user, state = text(mapping(review, "user").get("login")), text(review.get("state"))
        if state in {"APPROVED", "REQUEST_CHANGES"} and review.get("dismissed") is not True:
            is_counted = state == "REQUEST_CHANGES" or review.get("official") is True or not number(required)
            last[user] = state if is_counted else last.get(user, "")
    if "REQUEST_CHANGES" in last.values():
        return ApprovalState.REFUSED
    approved = sum(state == "APPROVED" for state in last.values())
    return ApprovalState.ENOUGH if approved >= (number(required) or 0) else ApprovalState.MISSING


def _method(repository: Mapping[str, Any]) -> str:
    """Return the method by which the repository merges: its default, or the first one that it allows."""
    allowed = {
        "merge": "allow_merge_commits",
        "squash": "allow_squash_merge",
        "rebase": "allow_rebase",
        "rebase-merge": "allow_rebase_explicit",
        "fast-forward-only": "allow_fast_forward_only_merge",
    }
    usable = [name for name, flag in allowed.items() if repository.get(flag) is True]
    preferred = text(repository.get("default_merge_style"))
    return preferred if preferred in usable else (usable or ["merge"])[0]
