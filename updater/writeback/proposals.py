"""The life of a pull request: opened, kept up to date, noticed as merged or closed, put away. One for each destination.

The branch is written as every push branch is. What a person closed is rejected: those values are held until others are chosen.
Nothing of this needs to be kept: branch and hidden marker find our pull requests again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError, PushRefused
from updater.forge.base import ForgeProposal, ProposalState, ProposalText
from updater.git.faults import fault
from updater.model.problem import Problem
from updater.model.publishing import Proposal
from updater.model.update import Commit, WriteResult
from updater.writeback.proposal_text import closing_text, closing_words, fingerprint, proposal_text, read_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from updater.forge.base import Forge
    from updater.git.mirror import Mirror
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.model.update import Update
    from updater.model.view import View
    from updater.writeback.base import Writer
    from updater.writeback.proposal_text import ProposalMarker

CLOSED: Final = "proposal-closed"
FOREIGN: Final = "foreign-commits"
_CLOSED_HINT: Final = "reopen the pull request to take that back; a newer version is proposed by itself"
_FOREIGN_HINT: Final = "merge or close the pull request and delete its branch; updater then goes on by itself"
_NOTHING: Final = WriteResult(changes={}, refused={}, revisions={})


@dataclass(slots=True)
class _Known:
    """Our pull requests of one destination, by number, and an open one from the same branch that lacks our marker.

    *kept* is the head of its branch that the server did not let us delete.
    """

    ours: dict[int, tuple[ForgeProposal, ProposalMarker | None]] = field(default_factory=dict)
    stranger: ForgeProposal | None = None
    kept: str = ""

    @property
    def last(self) -> ForgeProposal | None:
        """The open one, else the newest."""
        found = [proposal for proposal, _ in self.ours.values()]
        is_open = [proposal for proposal in found if proposal.state is ProposalState.OPEN]
        return max(is_open or found, key=lambda item: item.number, default=None)

    @property
    def state(self) -> ProposalState | None:
        """Where the last one stands."""
        return self.last.state if self.last else None

    def take(self, proposal: ForgeProposal) -> None:
        """Take what the forge said of one of ours; who removed the marker meanwhile did not make it another's."""
        marker = read_marker(proposal.body) or self.ours.get(proposal.number, (None, None))[1]
        self.ours[proposal.number] = (replace(proposal, body=""), marker)

    def is_said(self, number: int, text: ProposalText) -> bool:
        """Return whether a pull request says *text*, or what people made of it."""
        mine, theirs = read_marker(text.body), self.ours[number][1]
        return mine is not None and theirs is not None and mine.text == theirs.text

    def rejected(self) -> dict[str, ForgeProposal]:
        """Return what was closed without merging: by the fingerprint of each value."""
        closed = ((item, marker) for item, marker in self.ours.values() if item.state is ProposalState.CLOSED and marker)
        return {value: item for item, marker in closed for value in marker.values}


class ProposalWriter:
    """Stands before the writer to Git: what is published by proposal has a pull request around its branch.

    *forge* returns who is asked for the pull requests of a branch, *mirror* the mirror of its repository.
    """

    def __init__(self, writer: Writer, *, forge: Callable[[GitBranch], Forge], mirror: Callable[[GitBranch], Mirror]) -> None:
        self._writer = writer
        self._forge = forge
        self._mirror = mirror
        self._known: dict[GitBranch, _Known] = {}

    def known(self, branch: GitBranch) -> ForgeProposal | None:
        """Return the pull request of *branch* as it was last seen: the open one, else the newest; None where none is known."""
        known = self._known.get(branch)
        return known.last if known else None

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Look as the writer does, and at the pull request where there may be one; raise what either raises.

        The forge is asked only where the branch exists, or the pull request was open at the last look.
        """
        view = await self._writer.look(destination, subscriptions)
        branch = _proposed(destination)
        if branch is None:
            return view
        before = self._known.get(branch)
        was = before.state if before else None
        if view.push_head is None and was is not ProposalState.OPEN:
            return view
        known = await self._refreshed(branch)
        if known.state is ProposalState.MERGED and was is not ProposalState.MERGED:
            view = await self._writer.look(destination, subscriptions)  # the base may have got it just now
        is_left = known.state is ProposalState.MERGED and view.push_head == (known.last and known.last.head) != known.kept
        return replace(view, is_proposed=known.state is ProposalState.OPEN or is_left)

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Write as the writer does; then open or update the pull request. Without *commits* what is over is put away.

        Raises what the writer raises, and `ForgeError`.
        """
        branch = _proposed(view.destination)
        if branch is None:
            return await self._writer.write(view, commits, is_dry=is_dry)
        if not commits:
            if not is_dry:
                await self._put_away(branch, view)
            return replace(_NOTHING, is_dry=is_dry)
        known = self._known.get(branch)
        if known is None or known.stranger is not None or _is_new(known, commits):
            known = await self._find(branch)
        if known.stranger is not None:
            raise _not_ours(known.stranger)
        held, wanted = _split(commits, known.rejected())
        if not wanted:
            if not is_dry:
                await self._put_away(branch, view)  # what is open proposes what nobody chooses any more
            return replace(_NOTHING, held=held, is_dry=is_dry)
        if is_dry:
            return replace(await self._writer.write(view, wanted, is_dry=True), held=held)
        landed = await self._propose(branch, known, await self._cleared(branch, known, view), wanted)
        return replace(landed, held={**landed.held, **held})

    async def _propose(self, branch: GitBranch, known: _Known, view: View, commits: Sequence[Commit]) -> WriteResult:
        try:
            landed = await self._writer.write(view, commits, is_dry=False)
        except PushRefused as refused:
            if refused.code != FOREIGN:
                raise
            where = known.last.link if known.state is ProposalState.OPEN and known.last else f"the branch {branch.push}"
            message = f"{where} is left to the people who committed to it: {refused.message}"
            problem = Problem(path="", code=FOREIGN, message=message, hint=_FOREIGN_HINT)
            return replace(_NOTHING, held={update: problem for commit in commits for update in commit.updates})
        updates = [update for commit in commits for update in commit.updates if landed.changes.get(update)]
        if not updates:
            return landed
        proposal = await self._publish(branch, known, proposal_text(updates, landed.changes, title=_title_of(branch)))
        return replace(landed, link=proposal.link)

    async def _publish(self, branch: GitBranch, known: _Known, text: ProposalText) -> ForgeProposal:
        """Bring the open pull request to *text*, or open one; ask nothing where it says so already."""
        forge, last = self._forge(branch), known.last
        if last is None or last.state is not ProposalState.OPEN:
            try:
                opened = await forge.open(text, branch=branch.push, base=branch.branch)
            except ForgeError as error:
                if error.code != "proposal-exists":
                    raise
                known = await self._find(branch)  # an answer was lost, or somebody reopened it
                if known.stranger is not None:
                    raise _not_ours(known.stranger) from error
                if known.last is None or known.state is not ProposalState.OPEN:
                    raise
                return await self._publish(branch, known, text)
            known.take(opened)
            return opened
        if known.is_said(last.number, text):
            return last
        updated = await forge.update(last.number, text)
        known.take(updated)
        return _still_open(updated)

    async def _put_away(self, branch: GitBranch, view: View) -> None:
        """Delete the branch of what was merged; close what has nothing left to change, unless others committed to it."""
        known = self._known.get(branch)
        last = known.last if known else None
        if known is None or last is None:
            return
        if last.state is ProposalState.MERGED:
            await self._cleared(branch, known, view)
        elif last.state is ProposalState.OPEN and await self._is_ours(branch, view):
            forge, text = self._forge(branch), closing_text(branch.branch)
            if view.push_head is not None:
                # a forge closes what asks to merge a branch that is gone: from here on that rejects nothing
                known.take(_still_open(await forge.update(last.number, text)))
                await self._remove(branch, known, view.push_head)
            known.take(await forge.close(last.number, text))
            await forge.comment(last.number, closing_words(branch.branch))

    async def _cleared(self, branch: GitBranch, known: _Known, view: View) -> View:
        """Delete the branch of what was merged, where it stands as it was merged; return the view without it."""
        last = known.last
        if last is None or last.state is not ProposalState.MERGED or view.push_head is None or view.push_head != last.head:
            return view
        return replace(view, push_head=None) if await self._remove(branch, known, view.push_head) else view

    async def _remove(self, branch: GitBranch, known: _Known, head: str) -> bool:
        """Delete the branch where it still stands at *head*; return False where the server keeps it, which is asked once.

        Raises `PushRefused` ``push-refused`` where somebody was faster: look and decide again.
        """
        if known.kept == head:
            return False
        try:
            await self._mirror(branch).remove(branch.push, head)
        except PushRefused as refused:
            if refused.code == PushRefused.default_code:
                raise
            known.kept = head
            return False
        return True

    async def _is_ours(self, branch: GitBranch, view: View) -> bool:
        """Return whether the branch ends in a commit of ours: we build on the base alone, so nothing of others is below that."""
        if view.push_head is None:
            return True
        return any(past.revision == view.push_head for past in await self._mirror(branch).history(view.push_head, 1))

    async def _refreshed(self, branch: GitBranch) -> _Known:
        """Return what the forge says now: of the last pull request, or of all where none is known."""
        known = self._known.get(branch)
        if known is None or known.last is None:
            return await self._find(branch)
        try:
            proposal = await self._forge(branch).get(known.last.number)
        except ForgeError as error:
            if error.code != "forge-not-found":
                raise
            return await self._find(branch)  # a forge may delete one; where the repository is gone, this says so
        if proposal.base != branch.branch:
            return await self._find(branch)  # somebody asks to merge it elsewhere: it is no longer about this branch
        known.take(proposal)
        return known

    async def _find(self, branch: GitBranch) -> _Known:
        found = await self._forge(branch).find(branch.push, branch.branch)
        known = _Known()
        for proposal in found:
            if read_marker(proposal.body) is not None:
                known.take(proposal)
            elif proposal.state is ProposalState.OPEN:
                known.stranger = proposal
        self._known[branch] = known
        return known


def _still_open(proposal: ForgeProposal) -> ForgeProposal:
    """Return what was updated; raise `PushRefused` ``push-refused`` where it was merged or closed meanwhile."""
    if proposal.state is not ProposalState.OPEN:
        raise fault("push-refused", f"{proposal.link} was {proposal.state} meanwhile")
    return proposal


def _is_new(known: _Known, commits: Sequence[Commit]) -> bool:
    """Return whether a pull request would be opened: another replica may have opened one since, and people closed it."""
    return known.state is not ProposalState.OPEN and bool(_split(commits, known.rejected())[1])


def _proposed(destination: Destination) -> GitBranch | None:
    return destination if destination.method == "git" and isinstance(destination.publishing, Proposal) else None


def _title_of(branch: GitBranch) -> str:
    return branch.publishing.options.title if isinstance(branch.publishing, Proposal) else ""


def _split(commits: Sequence[Commit], rejected: dict[str, ForgeProposal]) -> tuple[dict[Update, Problem], list[Commit]]:
    """Return the updates that people decided against, each with the reason, and the commits without them."""
    if not rejected:
        return {}, list(commits)
    closed = {update: found for commit in commits for update in commit.updates if (found := rejected.get(fingerprint(update)))}
    held = {update: _closed(update, proposal) for update, proposal in closed.items()}
    left = (replace(item, updates=tuple(update for update in item.updates if update not in held)) for item in commits)
    return held, [commit for commit in left if commit.updates]


def _closed(update: Update, proposal: ForgeProposal) -> Problem:
    value = update.image.tag or update.image.digest
    message = f"{value} was rejected: {proposal.link} was closed without merging"
    return Problem(path="", code=CLOSED, message=message, hint=_CLOSED_HINT)


def _not_ours(proposal: ForgeProposal) -> ForgeError:
    hint = "close it; or, where updater opened it, write its hidden marker back into the text"
    message = f"{proposal.link} asks to merge the same branch, and is not from updater"
    return ForgeError(message, hint=hint, code="proposal-not-ours")
