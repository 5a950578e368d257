"""What every forge does for us: find our pull requests, open one, change its text, comment, close it, tell its state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from updater.http.exchange import Connection


class ProposalState(StrEnum):
    """Where a pull request stands."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeProposal:
    """A pull request as its forge tells it; *head* is the commit that it asks to merge, *link* its page.

    *branch* is a branch of the repository itself: pull requests from forks are never among ours.
    """

    number: int
    state: ProposalState
    link: str
    branch: str
    base: str
    head: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalText:
    """What a pull request says: its title, and its body in Markdown."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeAccess:
    """What the API of a forge is shown, and how it is reached."""

    token: str
    connection: Connection


class Forge(Protocol):
    """The pull requests of one repository. Every call raises `ForgeError` where the forge cannot do it."""

    async def find(self, branch: str, base: str) -> tuple[ForgeProposal, ...]:
        """Return the pull requests from *branch* to *base* of this repository, open and closed, newest first."""
        ...

    async def get(self, number: int) -> ForgeProposal:
        """Return one pull request; where the forge has ETags, one that did not change costs no answer."""
        ...

    async def open(self, text: ProposalText, *, branch: str, base: str) -> ForgeProposal:
        """Open a pull request; raise `ForgeError` ``proposal-exists`` where one from that branch is open."""
        ...

    async def update(self, number: int, text: ProposalText) -> ForgeProposal:
        """Set title and body."""
        ...

    async def comment(self, number: int, words: str) -> None:
        """Add a comment."""
        ...

    async def close(self, number: int, text: ProposalText) -> ForgeProposal:
        """Close a pull request without merging it, with its last title and body."""
        ...
