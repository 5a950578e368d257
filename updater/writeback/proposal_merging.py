"""How a pull request is merged without people: by its forge once it may, else by us when checks and approvals allow it.

Only what is ours alone and small enough is merged. What we just pushed is not: its checks may not have begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError
from updater.forge.base import ApprovalState, CheckState
from updater.model.publishing import AutoMerge, Proposal
from updater.writeback.proposal_steps import is_within
from updater.writeback.proposal_text import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.forge.base import Forge, ForgeProposal, Readiness
    from updater.model.subscription import GitBranch
    from updater.model.update import Update
    from updater.model.view import PastCommit
    from updater.writeback.proposal_branch import ProposalBranches
    from updater.writeback.proposal_finding import ProposalFinder
    from updater.writeback.proposal_state import KnownProposals

_BY_FORGE: Final = "the forge merges it once it may"
_LATER: Final = "it is merged when its checks and approvals allow it"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeEnd:
    """What came of it: what is to be said, and the pull request where it was merged by us."""

    remark: str = ""
    merged: ForgeProposal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedHead:
    """The head of the branch of a pull request, which *is_pushed* or opened just now; *base* are our commits of its base."""

    revision: str | None
    is_pushed: bool
    base: tuple[PastCommit, ...]


class ProposalMerger:
    """Merges what a destination proposes, where its options ask for it."""

    def __init__(self, finder: ProposalFinder, branches: ProposalBranches) -> None:
        self._finder = finder
        self._branches = branches

    async def calm(self, branch: GitBranch, known: KnownProposals, updates: Sequence[Update]) -> None:
        """Take back that the forge merges by itself, where *updates* are too large for it; nothing larger is pushed before that.

        Without *updates* it is taken back too: people committed to the branch, or something of it is held.
        """
        forge, rule = self._finder.forge(branch), _rule(branch)
        if known.open is None or rule is AutoMerge.NEVER or not forge.abilities.auto_merge or known.is_automatic is False:
            return
        if not updates or not is_within(rule, updates):
            await forge.cancel_auto_merge(known.open)
            known.is_automatic = False

    async def merge(self, branch: GitBranch, known: KnownProposals, updates: Sequence[Update], head: ProposedHead) -> MergeEnd:
        """Merge the open pull request, or have it merged.

        Raises `ForgeError`.
        """
        rule, proposal = _rule(branch), known.open
        if rule is AutoMerge.NEVER or proposal is None:
            return MergeEnd()
        if not is_within(rule, updates):
            return MergeEnd(remark=f"people merge it: the step is larger than auto_merge: {rule}")
        if proposal.is_draft:
            return MergeEnd(remark="a draft is not merged")
        if head.is_pushed or proposal.head != head.revision or not await self._branches.is_ours(branch, head.revision):
            return MergeEnd(remark=_BY_FORGE if known.is_automatic else _LATER)
        try:
            known = known if known.is_whole else await self._finder.find(branch)
            if before := _merged_before(known, updates, head):
                await self.calm(branch, known, ())
                return MergeEnd(remark=f"people merge it: {before.link} was merged with this value, and it was taken back since")
            return await self._merged(branch, known, proposal)
        except ForgeError as error:
            if error.code not in {"proposal-moved", "proposal-unready", "forge-reserve"}:
                raise
            return MergeEnd(remark=f"not merged yet: {error.message}")

    async def _merged(self, branch: GitBranch, known: KnownProposals, proposal: ForgeProposal) -> MergeEnd:
        forge = self._finder.forge(branch)
        if known.is_automatic is not True and await self._is_enabled(forge, proposal):
            known.is_automatic = True
        if known.is_automatic:
            return MergeEnd(remark=_BY_FORGE)
        ready = await forge.readiness(proposal)
        if waits := _waits(ready):
            return MergeEnd(remark=f"not merged yet: {waits}")
        merged = self._finder.take(branch, known, await forge.merge(proposal))
        self._finder.count("merged")
        return MergeEnd(merged=merged)

    async def _is_enabled(self, forge: Forge, proposal: ForgeProposal) -> bool:
        return forge.abilities.auto_merge and await forge.enable_auto_merge(proposal)

    async def conflict(self, branch: GitBranch, known: KnownProposals, heads: tuple[str, str | None]) -> str:
        """Return that the branch, with commits of people, conflicts with its base; asked once for the same *heads*."""
        if known.open is None:
            return ""
        if known.conflict[:2] != heads:
            try:
                ready = await self._finder.forge(branch).readiness(known.open)
            except ForgeError:  # it only makes the words richer
                return ""
            said = f"it conflicts with {branch.branch}, or a rule forbids to merge it now" if ready.is_mergeable is False else ""
            known.conflict = (*heads, said)
        return known.conflict[2]


def _merged_before(known: KnownProposals, updates: Sequence[Update], head: ProposedHead) -> ForgeProposal | None:
    """Return what was merged with one of *updates* before by a commit that is not ours: nothing tells who took it back."""
    wanted, told = {fingerprint(update) for update in updates}, {past.revision for past in head.base}
    return next((item for item in known.merged(wanted) if item.head not in told), None)


def _waits(ready: Readiness) -> str:
    """Return what it waits for, "" where nothing stands in the way."""
    if ready.checks is CheckState.FAILED:
        return "a check failed"
    if ready.approvals is ApprovalState.REFUSED:
        return "a reviewer asks for changes"
    if ready.checks is CheckState.PENDING:
        return "checks are running"
    if ready.approvals is ApprovalState.MISSING:
        return "an approval is missing"
    if ready.is_mergeable is False:
        return "it conflicts with its base, or a rule forbids to merge it now"
    return "" if ready.is_ready else "the forge has not worked out yet whether it can be merged"


def _rule(branch: GitBranch) -> AutoMerge:
    return branch.publishing.options.auto_merge if isinstance(branch.publishing, Proposal) else AutoMerge.NEVER
