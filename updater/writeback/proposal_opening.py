"""How a pull request is opened: once, with its labels, reviewers and assignees, which are people's from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError
from updater.forge.base import NO_WISHES, ProposalText, ProposalWishes
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


#: the fields of `ProposalWishes` that have names
ALL: Final = frozenset({"labels", "reviewers", "assignees"})


class ProposalOpener:
    """Brings what a destination proposes to its forge."""

    def __init__(self, finder: ProposalFinder) -> None:
        self._finder = finder

    async def publish(
        self, branch: GitBranch, known: KnownProposals, text: ProposalText, *, head: str | None = None
    ) -> ForgeProposal:
        """Bring the open pull request to *text*, or open one; ask nothing where it says so already. *head* was pushed for it.

        Raises `ForgeError`, and `PushRefused` ``push-refused`` where it was merged or closed meanwhile: what people closed is
        never given other values.
        """
        forge, last = self._finder.forge(branch), known.open
        if head is not None:
            await forge.expect(head)
        if last is None:
            return await self._open(branch, known, text)
        is_due = known.due == DRESS
        if known.undone or (is_due and known.dressed != last.number):
            await self._dress(branch, known, last.number, _wished(forge, options_of(branch), ALL - (known.undone or ALL)))
        if known.is_said(text):
            return await self._settled(branch, known, last.number) if is_due else last
        updated = still_open(self._finder.take(branch, known, await forge.revise(last.number, text)))
        self._finder.count("updated")
        return updated

    async def _open(
        self, branch: GitBranch, known: KnownProposals, text: ProposalText, *, is_bare: bool = False
    ) -> ForgeProposal:
        """Open it with all that the forge takes at once; *is_bare* where it refused that, so that each is asked for by itself."""
        forge, options = self._finder.forge(branch), options_of(branch)
        fields = frozenset() if is_bare else forge.abilities.at_opening
        wishes = _wished(forge, options, fields)
        is_due = wishes != _wished(forge, options, ALL)
        first = with_due(text, DRESS) if is_due else text  # who dies before they are set leaves word of it
        try:
            opened = await forge.open(first, branch=branch.push, base=branch.branch, wishes=wishes)
        except ForgeError as error:
            if error.code in NOT_TAKEN and (wishes.labels or wishes.reviewers or wishes.assignees):
                return await self._open(branch, known, text, is_bare=True)
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
        known.undone = frozenset() if is_due else opened.undone
        done = _wished(forge, options, fields - opened.undone)
        if is_due:
            return await self._complete(branch, known, opened, text, done)
        await self._dress(branch, known, opened.number, done)
        known.refused = "; ".join(filter(None, (opened.left_out, known.refused)))
        return opened

    async def _complete(
        self, branch: GitBranch, known: KnownProposals, opened: ForgeProposal, text: ProposalText, done: ProposalWishes
    ) -> ForgeProposal:
        """Set what is not *done*, and the text that no longer says so."""
        forge, options = self._finder.forge(branch), options_of(branch)
        last = _wished(forge, options, forge.abilities.with_text)
        refused = await _dressed(forge, opened.number, options, _joined(done, last))
        try:
            completed = await forge.complete(opened, text, last)
        except ForgeError as error:
            if error.code not in NOT_TAKEN or last == NO_WISHES:
                raise
            refused = await _dressed(forge, opened.number, options, done)
            completed = await forge.update(opened.number, text)
        known.refused = "; ".join(filter(None, (opened.left_out, completed.left_out, refused)))
        known.dressed = opened.number
        return self._finder.take(branch, known, completed)

    async def _dress(self, branch: GitBranch, known: KnownProposals, number: int, done: ProposalWishes = NO_WISHES) -> None:
        """Set what is set once and is not *done*; where the forge does not answer, the next landing sets it."""
        known.refused = await _dressed(self._finder.forge(branch), number, options_of(branch), done)
        known.dressed, known.undone = number, frozenset()

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


def _wished(forge: Forge, options: ProposalOptions, fields: frozenset[str]) -> ProposalWishes:
    """Return what is asked for of those *fields* that the forge has, and whether it is a draft."""
    kept = {field: names for field, is_able, names, _ in _wishes(forge, options) if is_able and field in fields}
    return ProposalWishes(is_draft=options.is_draft and forge.abilities.drafts, **kept)


def _joined(first: ProposalWishes, second: ProposalWishes) -> ProposalWishes:
    return ProposalWishes(**{field: getattr(first, field) or getattr(second, field) for field in ALL})


async def _dressed(forge: Forge, number: int, options: ProposalOptions, done: ProposalWishes) -> str:
    """Set what is set once and is not *done*; return what the forge did not take, in words, "" where it took all."""
    refused = []
    for words, is_able, names, ask in _wishes(forge, options):
        if not names or getattr(done, words):
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
