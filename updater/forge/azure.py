"""Pull requests of Azure DevOps, Services and Server, by learn.microsoft.com/rest/api/azure/devops/git: no assignees.

What was abandoned is closed. A text has at most 4,000 characters, and a listing cuts it, so that it is read one by one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from updater.forge.api import MOST_OPEN_PAGES, PAGE, ApiCall, ForgeDialect, Paging, RawProposal
from updater.forge.authors import told_at
from updater.forge.azure_people import AzurePeople
from updater.forge.base import NO_WISHES, ForgeAbilities, ForgeProposal, ProposalState, ProposalText, ProposalWishes
from updater.forge.reading import listing, mapping, names, page_link, read_user, text
from updater.forge.showing import personal_or_bearer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PAGING: Final = Paging(query=lambda page: {"$top": str(PAGE), "$skip": str(page * PAGE)}, key="value")
_STATES: Final = {
    "active": ProposalState.OPEN,
    "completed": ProposalState.MERGED,
    "abandoned": ProposalState.CLOSED,
}
_SECOND_CODES: Final = {409: "proposal-exists"}
_MOST_READ: Final = 20


class AzureProposals(AzurePeople):
    """Pull requests as texts, and who reviews them."""

    # a page to sign in is served with 203, or by a redirect unless that is declined
    dialect = ForgeDialect(
        authorization=personal_or_bearer,
        headers={"Accept": "application/json", "X-TFS-FedAuthRedirect": "Suppress"},
        query={"api-version": "7.0"},
        denied=frozenset({203}),
    )
    account = told_at(
        "_apis/connectionData", "id", "providerDisplayName", "authenticatedUser", query={"api-version": "7.0-preview.1"}
    )
    abilities = ForgeAbilities(
        assignees=False, at_opening=frozenset({"labels", "reviewers"}), longest_title=400, longest_body=4000
    )

    async def list_open(self, *, is_look: bool = True) -> tuple[ForgeProposal, ...]:
        """Return what is open from branches of the repository itself, newest first, with the beginnings of their texts."""
        call = ApiCall(path="pullrequests", query={"searchCriteria.status": "active"}, is_look=is_look)
        return tuple(
            self._read(item)
            for item in await self._api.pages(call, replace(_PAGING, most=MOST_OPEN_PAGES))
            if not _is_foreign(item)
        )

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first: at most 20."""
        query = {
            "searchCriteria.status": "all",
            "searchCriteria.sourceRefName": f"refs/heads/{branch}",
            "searchCriteria.targetRefName": f"refs/heads/{base}",
        }
        listed = await self._api.pages(ApiCall(path="pullrequests", query=query), _PAGING)
        found = [self._read(item) for item in listed if not _is_foreign(item)]
        ours = [item for item in found if (item.branch, item.base) == (branch, base)]
        newest = sorted(ours, key=lambda item: item.number, reverse=True)[:_MOST_READ]
        return tuple([self._read(await self._item(item.number), item.number) for item in newest])

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
            "sourceRefName": f"refs/heads/{branch}",
            "targetRefName": f"refs/heads/{base}",
            "isDraft": wishes.is_draft,
            **await self._wished(wishes),
        }
        answer = await self._api.ask(ApiCall(method="POST", path="pullrequests", data=data, refused=_SECOND_CODES))
        return replace(self._read(answer), undone=self._undone(answer, wishes))

    async def update(self, number: int, text: ProposalText, *, is_draft: bool | None = None) -> ForgeProposal:  # noqa: ARG002 - as the protocol has it
        """Set title and body; a draft stays one."""
        fitted = self._fitted(text)
        return self._read(await self._patch(number, {"title": fitted.title, "description": fitted.body}), number)

    async def comment(self, number: int, words: str) -> None:
        """Add a comment that asks for no answer: an active one may keep people from merging."""
        data = {"comments": [{"parentCommentId": 0, "content": words, "commentType": "text"}], "status": "closed"}
        await self._api.ask(ApiCall(method="POST", path=f"pullRequests/{number}/threads", data=data))

    async def close(self, number: int, text: ProposalText) -> ForgeProposal:
        """Abandon a pull request, with its last title and body, which cannot be changed with its state."""
        before = await self.update(number, text)
        if before.state is not ProposalState.OPEN:
            return before
        return self._read(await self._patch(number, {"status": "abandoned"}), number)

    async def add_labels(self, number: int, labels: Iterable[str]) -> None:
        """Add labels to those that are there; Azure DevOps creates the ones that the project lacks."""
        for label in labels:
            call = ApiCall(method="POST", path=f"pullRequests/{number}/labels", data={"name": label}, is_repeatable=True)
            await self._api.ask(call)

    async def _item(self, number: int, *, is_look: bool = False) -> Mapping[str, Any]:
        return mapping(await self._api.ask(ApiCall(path=f"pullrequests/{number}", is_look=is_look)))

    async def _patch(self, number: int, data: Mapping[str, Any], refused: Mapping[int, str] | None = None) -> Mapping[str, Any]:
        call = ApiCall(method="PATCH", path=f"pullrequests/{number}", data=data, refused=refused or {})
        return mapping(await self._api.ask(call))

    def _root(self) -> str:
        project, _, name = self.repository.path.partition("/")
        return f"{self.repository.api}/{project}/_apis/git/repositories/{name}"

    def _read(self, item: Any, asked: int | None = None) -> ForgeProposal:
        found = mapping(item)
        project, _, name = self.repository.path.partition("/")
        page = page_link(mapping(found, "repository").get("webUrl")) or f"{self.repository.api}/{project}/_git/{name}"
        raw = RawProposal(
            number=found.get("pullRequestId"),
            state=_STATES.get(text(found.get("status"))),
            link=f"{page}/pullrequest/{found.get('pullRequestId')}",
            branch=text(found.get("sourceRefName")).removeprefix("refs/heads/"),
            base=text(found.get("targetRefName")).removeprefix("refs/heads/"),
            head=mapping(found, "lastMergeSourceCommit").get("commitId"),
            title=found.get("title"),
            body=found.get("description"),
            is_draft=found.get("isDraft"),
            labels=names([label for label in listing(found.get("labels")) if mapping(label).get("active") is not False]),
            author=read_user(found.get("createdBy"), "id", "uniqueName"),
        )
        return self._api.proposal(raw, asked)


def _is_foreign(item: Any) -> bool:
    """Return whether a pull request is from a fork: only such a one names its source, or that it is gone."""
    return "forkSource" in mapping(item) or not mapping(item)
