"""What writes pull requests in a generation, and what lets go of those that nobody asks for any more."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from updater.daemon.proposal_sources import ProposalSources
from updater.writeback.proposal_rivals import RivalAwareWriter, RivalProposals
from updater.writeback.proposals import ProposalSurroundings, ProposalWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from updater.daemon.forges import Forges
    from updater.daemon.process import Process
    from updater.engine.scanner import Scanner
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.writeback.branch_writer import GitWriter


class Proposals:
    """Stands before *git*; *asked* returns the subscriptions of each destination."""

    def __init__(
        self,
        git: GitWriter,
        forges: Forges,
        process: Process,
        scans: Scanner,
        asked: Callable[[], Mapping[Destination, tuple[Subscription, ...]]],
    ) -> None:
        self._git = git
        self._forges = forges

        def base(branch: GitBranch) -> str:
            return branch.branch or process.default_branches.name_of(branch)

        self._rivals = RivalProposals(asked, git.targets, process.mirror, base)
        sources = ProposalSources(scans.registry, asked)
        around = ProposalSurroundings(
            forge=forges.of,
            mirror=process.mirror,
            asked=asked,
            base=base,
            links=sources.links,
            is_released=sources.is_released,
            count=partial(process.metrics.count, "updater_proposals_total"),
        )
        self.writer = ProposalWriter(RivalAwareWriter(git, self._rivals), around)

    def keep(self, branches: Collection[GitBranch]) -> None:
        """Forget what is known of every branch but *branches*, and who may meet on them; what is being written is kept."""
        self._git.keep(branches)
        self._forges.keep(branches)
        self.writer.keep(branches)
        self._rivals.forget()
