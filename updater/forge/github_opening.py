"""What GitHub sets together with a text: labels and assignees, since a pull request is an issue too. Reviewers it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from updater.forge.api import ApiCall
from updater.forge.base import ForgeAbilities, ForgeProposal
from updater.forge.reading import mapping, names, number, text
from updater.forge.rest import RestForge

if TYPE_CHECKING:
    from updater.forge.base import ProposalText, ProposalWishes


class GithubOpening(RestForge):
    """Completes what was opened."""

    abilities = ForgeAbilities(teams=True, with_text=frozenset({"labels", "assignees"}))

    async def complete(self, opened: ForgeProposal, text: ProposalText, wishes: ProposalWishes) -> ForgeProposal:
        """Set title and body, labels and assignees of one that was opened just now; what GitHub leaves out is said in words."""
        if not wishes.labels and not wishes.assignees:
            return await self.update(opened.number, text)
        fitted = self._fitted(text)
        labels = list(dict.fromkeys((*opened.labels, *wishes.labels)))
        data = {"title": fitted.title, "body": fitted.body, "labels": labels, "assignees": list(wishes.assignees)}
        answer = mapping(await self._api.ask(ApiCall(method="PATCH", path=f"issues/{opened.number}", data=data)))
        if number(answer.get("number")) != opened.number:
            raise self._api.odd(f"pull request {opened.number} was changed, and the answer is about another one")
        if answer.get("state") != "open":
            return await self.get(opened.number)
        return _completed(opened, answer, self._words(answer, wishes))

    def _words(self, answer: Any, wishes: ProposalWishes) -> str:
        taken = {"labels": names(answer.get("labels")), "assignees": names(answer.get("assignees"), of="login")}
        said = (self._left_out(what, getattr(wishes, what), found) for what, found in taken.items())
        return "; ".join(filter(None, said))


def _completed(opened: ForgeProposal, answer: Any, left_out: str) -> ForgeProposal:
    return replace(
        opened,
        title=text(answer.get("title")),
        body=text(answer.get("body")).replace("\r\n", "\n"),
        labels=frozenset(names(answer.get("labels"))),
        left_out=left_out,
    )
