"""What writes pull requests in a generation, and what lets go of those that nobody asks for any more."""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.daemon.components import require_leading
from updater.daemon.own_files import made_once
from updater.daemon.proposal_sources import ProposalSources
from updater.errors import ForgeError, UpdaterError
from updater.model.publishing import Proposal
from updater.writeback.proposal_history import carriers
from updater.writeback.proposal_rivals import RivalAwareWriter, RivalProposals, proposed_branch
from updater.writeback.proposal_sweeping import ProposalOwner
from updater.writeback.proposals import ProposalSurroundings, ProposalWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from updater.daemon.forges import Forges
    from updater.daemon.process import Process
    from updater.engine.scanner import Scanner
    from updater.forge.base import Forge
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.model.view import PastCommit
    from updater.writeback.branch_writer import GitWriter

_LENGTH: Final = 16
_NAME: Final = re.compile(r"[0-9a-f]{16}")
_CUT: Final = re.compile(rb"[0-9a-f]{0,15}[\0\s]*")  # a crash may leave zeros


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the configuration asks for.

    *by_destination* returns the subscriptions of each destination, *is_whole* whether every source said what it asks for. *owner*
    is what the settings call this installation, *files* are those of the configuration.
    """

    by_destination: Callable[[], Mapping[Destination, tuple[Subscription, ...]]]
    is_whole: Callable[[], bool]
    owner: str | None = None
    files: tuple[str, ...] = ()


class Proposals:
    """Stands before *git*."""

    def __init__(
        self,
        git: GitWriter,
        forges: Forges,
        process: Process,
        scans: Scanner,
        asked: Asked,
    ) -> None:
        self._git = git
        self._forges = forges
        self._process = process
        self._asked = asked

        def base(branch: GitBranch) -> str:
            return branch.branch or process.default_branches.name_of(branch)

        self._base = base
        self._rivals = RivalProposals(asked.by_destination, git.targets, process.mirror, base)
        sources = ProposalSources(scans.registry, asked.by_destination)
        around = ProposalSurroundings(
            forge=forges.of,
            mirror=process.mirror,
            asked=asked.by_destination,
            base=base,
            links=sources.links,
            is_released=sources.is_released,
            count=partial(process.metrics.count, "updater_proposals_total"),
            require_leading=partial(require_leading, process.may_write),
            owner=ProposalOwner(name=cache(lambda: owner_name(asked.owner, process.state, asked.files)), branches=self._branches),
        )
        self.writer = ProposalWriter(RivalAwareWriter(git, self._rivals), around)

    def keep(self, branches: Collection[GitBranch]) -> None:
        """Forget what is known of every branch but *branches*, and who may meet on them; what is being written is kept."""
        self._git.keep(branches)
        self._forges.keep(branches)
        self.writer.keep(branches)
        self._rivals.forget()

    async def sweep(self) -> bool:
        """Close what this installation proposed and its configuration does not name any more; return whether that succeeded.

        Only repositories that something is proposed to are asked, and only while this replica leads.
        """
        branches: dict[Forge, GitBranch] = {}
        for branch in self._proposed():
            with suppress(ForgeError):  # its landing says it
                branches.setdefault(self._forges.of(branch), branch)
        has_failed = False
        for branch in branches.values():
            try:
                require_leading(self._process.may_write)
                has_failed |= not await self.writer.sweeper.sweep_afresh(branch)
            except UpdaterError:
                has_failed = True
        return not has_failed

    async def carriers(self, branch: GitBranch, commits: Sequence[PastCommit]) -> Mapping[str, str]:
        """Return the links of the pull requests that *commits* came by, by revision; raise `ForgeError`.

        Nothing is asked for a branch that is not proposed to.
        """
        asked = proposed_branch(branch, self._base)
        if asked is None or not commits:
            return {}
        return carriers(commits, await self._forges.of(asked).find(asked.push, asked.branch), asked.push)

    def _proposed(self) -> list[GitBranch]:
        asked = self._asked.by_destination()
        return [item for item in asked if item.method == "git" and isinstance(item.publishing, Proposal)]

    def _branches(self) -> frozenset[str] | None:
        if not self._asked.is_whole():
            return None
        return frozenset(item.push for item in (*self._proposed(), *self._process.left_proposals.branches))


def owner_name(given: str | None, state: Path, files: Iterable[str] = ()) -> str:
    """Return what marks the pull requests of this installation: a sum of its name, or of a random one in *state* and of *files*.

    Two configurations may share one *state*. Returns "" where nothing can be had: then nothing is closed by it.
    """
    if given:
        return _sum(given)
    place = state / "owner"
    with suppress(OSError):
        made = made_once(place, _new_name, is_cut=lambda read: _CUT.fullmatch(read) is not None, mode=0o644)
        found = (made or b"").decode("ascii", "replace").strip()
        if _NAME.fullmatch(found):
            return _sum("\0".join([found, *sorted(str(Path(name).absolute()) for name in files)]))
    return ""


def _new_name() -> bytes:
    return secrets.token_hex(_LENGTH // 2).encode()


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:_LENGTH]
