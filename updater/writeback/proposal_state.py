"""What is known of the pull requests of one destination, and what of the wanted values people decided against."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError
from updater.forge.base import ForgeProposal, ProposalState
from updater.git.faults import fault
from updater.model.problem import Problem
from updater.writeback.proposal_text import fingerprint, read_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from updater.forge.base import ProposalText
    from updater.model.update import Commit, Update
    from updater.writeback.proposal_text import ProposalMarker

CLOSED: Final = "proposal-closed"
_CLOSED_HINT: Final = "reopen the pull request, or run updater release, to take that back; newer versions are still proposed"
_DECLINED_HINT: Final = "run updater release to take that back: this forge reopens none; newer versions are still proposed"


@dataclass(slots=True)
class KnownProposals:
    """Our pull requests of one destination, by number, and an open one from the same branch that lacks our marker.

    *is_whole* says that the closed ones were asked for too. *kept* is the head of the branch that the server did not let us
    delete. *is_automatic* says whether the forge was asked to merge by itself, None where nobody here knows. *refused* is what
    the forge did not take of labels, reviewers and assignees, *dressed* the number of the one whose were set by this process.
    *conflict* is what was said of commits of people, by heads.
    """

    ours: dict[int, tuple[ForgeProposal, ProposalMarker | None]] = field(default_factory=dict)
    stranger: ForgeProposal | None = None
    is_whole: bool = False
    kept: str = ""
    is_automatic: bool | None = None
    refused: str = ""
    dressed: int = 0
    conflict: tuple[str, str | None, str] = ("", None, "")

    @property
    def last(self) -> ForgeProposal | None:
        """The open one, else the newest."""
        found = [proposal for proposal, _ in self.ours.values()]
        is_open = [proposal for proposal in found if proposal.state is ProposalState.OPEN]
        return max(is_open or found, key=lambda item: item.number, default=None)

    @property
    def open(self) -> ForgeProposal | None:
        """The one that is open, None where none is."""
        last = self.last
        return last if last is not None and last.state is ProposalState.OPEN else None

    @property
    def state(self) -> ProposalState | None:
        """Where the last one stands."""
        return self.last.state if self.last else None

    @property
    def due(self) -> str:
        """What is left to do once for the open one, as its marker says: `DRESS` or `TELL`, "" for nothing."""
        marker = self.ours[self.open.number][1] if self.open else None
        return marker.due if marker else ""

    def take(self, proposal: ForgeProposal) -> None:
        """Take what the forge said of one of ours; who removed the marker meanwhile did not make it another's."""
        marker = read_marker(proposal.body) or self.ours.get(proposal.number, (None, None))[1]
        self.ours[proposal.number] = (replace(proposal, body=""), marker)

    def settle(self) -> None:
        """Take it that nothing is left to do for the open one: who took the marker out of the text took that word with it."""
        if self.open is not None:
            proposal, marker = self.ours[self.open.number]
            self.ours[proposal.number] = (proposal, replace(marker, due="") if marker else None)

    def sort_in(self, proposal: ForgeProposal) -> None:
        """Take what the forge listed: one of ours, or an open one of somebody else."""
        if proposal.number in self.ours or read_marker(proposal.body) is not None:
            self.take(proposal)
        elif proposal.state is ProposalState.OPEN:
            self.stranger = proposal

    def is_said(self, text: ProposalText) -> bool:
        """Return whether the open pull request says *text*, or what people made of it."""
        mine, theirs = read_marker(text.body), self.ours[self.open.number][1] if self.open else None
        return mine is not None and theirs is not None and mine.text == theirs.text

    def proposed(self) -> frozenset[str]:
        """Return the fingerprints of what is proposed by the open one."""
        marker = self.ours[self.open.number][1] if self.open else None
        return marker.values if marker else frozenset()

    def remembered(self) -> frozenset[str] | None:
        """Return fingerprints of all that is known to be rejected, None where nobody knows: an open one remembers them."""
        marker = self.ours[self.open.number][1] if self.open else None
        before = marker.rejected if marker else None
        if not self.is_whole and before is None:
            return None
        return frozenset(self.rejected()) | (before or frozenset()) - self.proposed()

    def merged(self, values: Collection[str]) -> list[ForgeProposal]:
        """Return what was merged with one of *values*, by their fingerprints."""
        found = ((item, marker) for item, marker in self.ours.values() if item.state is ProposalState.MERGED and marker)
        return [item for item, marker in found if not marker.values.isdisjoint(values)]

    def rejected(self) -> dict[str, ForgeProposal]:
        """Return what was closed without merging, and is not proposed again: by the fingerprint of each value."""
        known = sorted(self.ours.values(), key=lambda pair: pair[0].number)
        closed = [(item, marker) for item, marker in known if item.state is ProposalState.CLOSED and marker]
        proposed = self.proposed()
        return {value: item for item, marker in closed for value in marker.values if value not in proposed}


def without_rejected(
    commits: Sequence[Commit], known: KnownProposals, is_released: Callable[[Update, ForgeProposal], bool]
) -> tuple[dict[Update, ForgeProposal], list[Commit]]:
    """Return the updates that people decided against, each with the pull request that they closed, and the commits without them.

    What *is_released* says of one that was closed, people took back; of the same commit that is closed again, they did not.
    """
    rejected = known.rejected()
    if not rejected:
        return {}, list(commits)
    heads = [item.head for item, _ in known.ours.values() if item.state is ProposalState.CLOSED]
    asked = ((update, rejected.get(fingerprint(update))) for commit in commits for update in commit.updates)
    held = {
        update: found for update, found in asked if found and not (heads.count(found.head) == 1 and is_released(update, found))
    }
    left = (replace(item, updates=tuple(update for update in item.updates if update not in held)) for item in commits)
    return held, [commit for commit in left if commit.updates]


def still_open(proposal: ForgeProposal) -> ForgeProposal:
    """Return what was read or updated; raise `PushRefused` ``push-refused`` where it was merged or closed meanwhile."""
    if proposal.state is not ProposalState.OPEN:
        raise fault("push-refused", f"{proposal.link} was {proposal.state} meanwhile")
    return proposal


def not_ours(proposal: ForgeProposal) -> ForgeError:
    """Return the error for an open pull request of somebody else from the same branch."""
    hint = "close it; or, where updater opened it: write its hidden marker back into the text, or its author under forge.accounts"
    by = f": {proposal.author.name} opened it" if proposal.author and proposal.author.name else ""
    message = f"{proposal.link} asks to merge the same branch, and is not from updater{by}"
    return ForgeError(message, hint=hint, code="proposal-not-ours")


def closed_problem(update: Update, proposal: ForgeProposal, *, can_reopen: bool = True) -> Problem:
    """Return why a value that people decided against is held; *can_reopen* says whether the forge opens a closed one again."""
    value = update.image.tag or update.image.digest
    message = f"{value} was rejected: {proposal.link} was closed without merging"
    return Problem(path="", code=CLOSED, message=message, hint=_CLOSED_HINT if can_reopen else _DECLINED_HINT)
