"""How a pull request is opened: once, with its labels, reviewers and assignees, which are people's from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError
from updater.forge.base import ProposalText
from updater.model.publishing import Proposal
from updater.writeback.proposal_state import not_ours, still_open
from updater.writeback.proposal_text import DRESS, with_due, without_due

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from updater.forge.base import Forge, ForgeProposal
    from updater.model.publishing import ProposalOptions
    from updater.model.subscription import GitBranch
    from updater.writeback.proposal_finding import ProposalFinder
    from updater.writeback.proposal_state import KnownProposals

#: what a forge does not take is told, and stops nothing
NOT_TAKEN: Final = frozenset({"forge-user", "forge-lacks", "forge-denied", "forge-not-found", "forge-protocol"})


class ProposalOpener:
    """Brings what a destination proposes to its forge."""

    def __init__(self, finder: ProposalFinder) -> None:
        self._finder = finder

    async def publish(self, branch: GitBranch, known: KnownProposals, text: ProposalText) -> ForgeProposal:
        """Bring the open pull request to *text*, or open one; ask nothing where it says so already.

        Raises `ForgeError`, and `PushRefused` ``push-refused`` where it was merged or closed meanwhile: what people closed is
        never given other values.
        """
        forge, last = self._finder.forge(branch), known.open
        if last is None:
            return await self._open(branch, known, text)
        is_due = known.due == DRESS
        if is_due and known.dressed != last.number:
            await self._dress(branch, known, last.number)
        if known.is_said(text):
            return await self._settled(branch, known, last.number) if is_due else last
        still_open(self._finder.take(branch, known, await forge.get(last.number)))
        updated = still_open(self._finder.take(branch, known, await forge.update(last.number, text)))
        self._finder.count("updated")
        return updated

    async def _open(self, branch: GitBranch, known: KnownProposals, text: ProposalText) -> ForgeProposal:
        forge, options = self._finder.forge(branch), options_of(branch)
        is_draft = options.is_draft and forge.abilities.drafts
        has_wishes = any(is_able and names for _, is_able, names, _ in _wishes(forge, options))
        first = with_due(text, DRESS) if has_wishes else text  # who dies before they are set leaves word of it
        try:
            opened = await forge.open(first, branch=branch.push, base=branch.branch, is_draft=is_draft)
        except ForgeError as error:
            if error.code != "proposal-exists":
                raise
            found = await self._finder.find(branch)  # an answer was lost, or somebody reopened it
            if found.stranger is not None:
                raise not_ours(found.stranger) from error
            if found.open is None:
                raise
            return await self.publish(branch, found, text)
        self._finder.take(branch, known, opened)
        self._finder.count("opened")
        known.is_automatic = False
        await self._dress(branch, known, opened.number)
        return self._finder.take(branch, known, await forge.update(opened.number, text)) if has_wishes else opened

    async def _dress(self, branch: GitBranch, known: KnownProposals, number: int) -> None:
        """Set what is set once; where the forge does not answer, the next landing sets it."""
        known.refused = await _dressed(self._finder.forge(branch), number, options_of(branch))
        known.dressed = number

    async def _settled(self, branch: GitBranch, known: KnownProposals, number: int) -> ForgeProposal:
        """Take the word that something is left to do out of a text, which may be people's by now."""
        forge = self._finder.forge(branch)
        found = still_open(self._finder.take(branch, known, await forge.get(number)))
        text = without_due(ProposalText(title=found.title, body=found.body))
        updated = still_open(self._finder.take(branch, known, await forge.update(number, text)))
        known.settle()
        return updated


def options_of(branch: GitBranch) -> ProposalOptions:
    """Return how the pull request of *branch* is opened and merged."""
    assert isinstance(branch.publishing, Proposal)  # noqa: S101 - only what is proposed comes here
    return branch.publishing.options


async def _dressed(forge: Forge, number: int, options: ProposalOptions) -> str:
    """Set what is set once; return what the forge did not take, in words, "" where it took all."""
    refused = []
    for words, is_able, names, ask in _wishes(forge, options):
        if not names:
            continue
        if not is_able:
            refused.append(f"this forge has no {words}")
            continue
        try:
            await ask(number, names)
        except ForgeError as error:
            if error.code not in NOT_TAKEN:
                raise
            refused.append(f"{words} not set: {error.message}")
    if options.is_draft and not forge.abilities.drafts:
        refused.append("this forge has no drafts")
    return "; ".join(refused)


def _wishes(
    forge: Forge, options: ProposalOptions
) -> Iterator[tuple[str, bool, tuple[str, ...], Callable[[int, tuple[str, ...]], Awaitable[None]]]]:
    able = forge.abilities
    yield "labels", able.labels, options.labels, forge.add_labels
    yield "reviewers", able.reviewers, options.reviewers, forge.request_review
    yield "assignees", able.assignees, options.assignees, forge.assign
