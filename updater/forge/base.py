"""What every forge does for us: find pull requests, open, change and close them, say whether they may be merged, merge them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.http.exchange import Connection


class ProposalState(StrEnum):
    """Where a pull request stands."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class ForgeUser:
    """An account of a forge: its *id* there, as text, and its *name*; either may be "" where it is not told."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeProposal:
    """A pull request as its forge tells it; *head* is the commit that it asks to merge, *link* its page.

    *branch* is a branch of the repository itself: pull requests from forks are never among ours. *author* is who opened it, None
    where the forge does not say so. *left_out* says which of its wishes a forge left out for good, in words; *undone* names
    fields of `ProposalWishes` that have to be asked for by themselves.
    """

    number: int
    state: ProposalState
    link: str
    branch: str
    base: str
    head: str
    body: str
    title: str = ""
    is_draft: bool = False
    labels: frozenset[str] = frozenset()
    author: ForgeUser | None = None
    left_out: str = ""
    undone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalWishes:
    """What a pull request is opened with besides its text: a draft, labels, reviewers and assignees."""

    is_draft: bool = False
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()


NO_WISHES: Final = ProposalWishes()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalText:
    """What a pull request says: its title, and its body in Markdown."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeAccess:
    """What the API of a forge is shown, and how it is reached.

    *username* is "" where only a token is known; *is_bearer* says that the token is sent as ``Bearer`` whatever its kind.
    *accounts* are names of others whose pull requests are ours too, in lower case.
    """

    token: str = field(repr=False)
    connection: Connection
    username: str = ""
    is_bearer: bool = False
    accounts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeAbilities:
    """What a forge can do by itself. A call for what is missing raises ``forge-lacks``.

    *at_opening* names the fields of `ProposalWishes` that the request which opens a pull request may hold, *with_text* those that
    the next change of its text may hold. Longer titles and texts are cut, in characters. For *deletion_heard_after* seconds the
    forge may not have heard yet that a branch was deleted: it would close with it what is opened from a new one of that name.
    """

    drafts: bool = True
    labels: bool = True
    reviewers: bool = True
    assignees: bool = True
    auto_merge: bool = True
    reopening: bool = True
    at_opening: frozenset[str] = frozenset()
    with_text: frozenset[str] = frozenset()
    longest_title: int = 255
    longest_body: int = 65_536
    deletion_heard_after: float = 0.0


class CheckState(StrEnum):
    """Where the checks of a commit stand, all of them together."""

    NONE = "none"
    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class ApprovalState(StrEnum):
    """Where the approvals of a pull request stand; what needs none has enough."""

    ENOUGH = "enough"
    MISSING = "missing"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What stands between a pull request and its merge. *is_mergeable* is None where the forge does not know it yet.

    *head* is the commit that this was said of, "" where the forge says it of the pull request as a whole.
    """

    checks: CheckState
    approvals: ApprovalState
    is_mergeable: bool | None
    head: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether nothing stands in the way. No checks at all count as passed: a rule of the forge may ask for some."""
        is_green = self.checks in {CheckState.NONE, CheckState.PASSED}
        return is_green and self.approvals is ApprovalState.ENOUGH and self.is_mergeable is True


class ProposalTexts(Protocol):
    """Pull requests as texts: found, opened, changed, closed. Every call raises `ForgeError` where the forge cannot do it."""

    async def list_open(self, *, is_look: bool = True) -> tuple[ForgeProposal, ...]:
        """Return what is open from branches of the repository itself, what changed last first: one listing, of bounded length.

        What *is_look* raises ``forge-reserve`` while few requests remain and are kept for what is new: there is no news then.
        What lies beyond the bound is found by `find` and `get`. A forge may cut the bodies in a listing.
        """
        ...

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first."""
        ...

    async def get(self, number: int) -> ForgeProposal:
        """Return one pull request; where the forge has ETags, one that did not change costs no answer."""
        ...

    async def open(self, text: ProposalText, *, branch: str, base: str, wishes: ProposalWishes = NO_WISHES) -> ForgeProposal:
        """Open a pull request; raise `ForgeError` ``proposal-exists`` where one from that branch is open.

        Of *wishes*, only what this forge takes at the opening is set; where it refuses some of it, nothing is opened.
        """
        ...

    async def expect(self, head: str) -> None:
        """Take the whole name of a commit that was pushed just now, so that a forge that cuts names need not be asked for it."""
        ...

    async def complete(self, opened: ForgeProposal, text: ProposalText, wishes: ProposalWishes) -> ForgeProposal:
        """Set title and body of one that was opened just now, and of *wishes* what this forge sets with a text."""
        ...

    async def is_own(self, proposal: ForgeProposal) -> bool:
        """Return whether the account of the token opened it, or one that counts as it; True where nobody can tell."""
        ...

    async def update(self, number: int, text: ProposalText, *, is_draft: bool | None = None) -> ForgeProposal:
        """Set title and body; a draft stays one. *is_draft* says whether it is one, where that is known: it is not asked then."""
        ...

    async def revise(self, number: int, text: ProposalText) -> ForgeProposal:
        """Set title and body where it is open; return it as it is where it was merged or closed. One look, one change."""
        ...

    async def comment(self, number: int, words: str) -> None:
        """Add a comment."""
        ...

    async def close(self, number: int, text: ProposalText) -> ForgeProposal:
        """Close a pull request without merging it, with its last title and body."""
        ...


class ProposalMerges(Protocol):
    """Pull requests on their way to the base. Every call raises `ForgeError` where the forge cannot do it."""

    async def readiness(self, proposal: ForgeProposal) -> Readiness:
        """Return what stands between the pull request, at its head, and its merge.

        Raises ``forge-reserve`` while few requests remain.
        """
        ...

    async def enable_auto_merge(self, proposal: ForgeProposal) -> bool:
        """Ask the forge to merge by itself once it may; return False where it, or this repository, does not do that.

        Raises ``proposal-moved`` where the head is another one, and ``forge-reserve`` as `readiness`. What is enabled already is
        True.
        """
        ...

    async def cancel_auto_merge(self, proposal: ForgeProposal) -> None:
        """Take that back; nothing to take back is fine."""
        ...

    async def merge(self, proposal: ForgeProposal) -> ForgeProposal:
        """Merge, only where the head is still that of *proposal*.

        Raises ``proposal-moved`` where it is not, and ``proposal-unready`` where the forge does not let it be merged now.
        """
        ...


class Forge(ProposalTexts, ProposalMerges, Protocol):
    """The pull requests of one repository. Every call raises `ForgeError` where the forge cannot do it."""

    @property
    def abilities(self) -> ForgeAbilities:
        """What this forge can do."""
        ...

    async def add_labels(self, number: int, labels: Iterable[str]) -> None:
        """Add labels to those that are there, and create the ones that the repository lacks."""
        ...

    async def request_review(self, number: int, reviewers: Iterable[str]) -> None:
        """Ask users, and teams as ``org/team``, for a review, besides those who are asked; raise ``forge-user``."""
        ...

    async def assign(self, number: int, assignees: Iterable[str]) -> None:
        """Assign users besides those who are; raise ``forge-user`` for one whom the forge does not take."""
        ...
