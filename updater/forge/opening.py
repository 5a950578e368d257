"""What a forge sets together with the text of a pull request: what is said here fits one that sets nothing with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.forge.base import ProposalState

if TYPE_CHECKING:
    from updater.forge.base import ForgeProposal, ProposalText, ProposalTexts, ProposalWishes


class ForgeOpening:
    """Opens and changes pull requests in as few requests as any forge does; one that takes more at once says so."""

    async def expect(self, head: str) -> None:
        """Do nothing: this forge tells whole names of commits."""

    async def revise(self: ProposalTexts, number: int, text: ProposalText) -> ForgeProposal:
        """Set title and body where it is open; return it as it is where it was merged or closed."""
        found = await self.get(number)
        return await self.update(number, text) if found.state is ProposalState.OPEN else found

    async def complete(self: ProposalTexts, opened: ForgeProposal, text: ProposalText, wishes: ProposalWishes) -> ForgeProposal:  # noqa: ARG002 - as the protocol names it
        """Set title and body: this forge sets nothing else with them."""
        return await self.update(opened.number, text)

    async def _wished(self, _wishes: ProposalWishes) -> dict[str, Any]:
        """Return what the request that opens holds of the wishes."""
        return {}

    def _undone(self, _answer: Any, _wishes: ProposalWishes) -> frozenset[str]:
        """Return the names of those of which its answer lacks some."""
        return frozenset()
