"""The life of a pull request: opened, kept up to date, noticed as merged or closed, put away. One for each destination.

The branch is written as every push branch is. What a person closed is rejected: those values are held until others are chosen.
Nothing of this needs to be kept: branch and hidden marker find our pull requests again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.errors import PushRefused
from updater.forge.base import ProposalState
from updater.model.problem import Problem
from updater.model.update import Commit, WriteResult
from updater.writeback.proposal_branch import FOREIGN, ProposalBranches
from updater.writeback.proposal_closing import ProposalCloser
from updater.writeback.proposal_finding import ProposalFinder
from updater.writeback.proposal_merging import ProposalMerger, ProposedHead
from updater.writeback.proposal_opening import ProposalOpener, options_of
from updater.writeback.proposal_rivals import proposed_branch
from updater.writeback.proposal_state import KnownProposals, closed_problem, not_ours, without_rejected
from updater.writeback.proposal_sweeping import NOBODY, ProposalOwner, ProposalSweeper
from updater.writeback.proposal_text import (
    LONGEST_BODY,
    LONGEST_TITLE,
    ProposalExtras,
    fingerprint,
    proposal_text,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from updater.forge.base import Forge, ForgeProposal, ProposalText
    from updater.git.mirror import Mirror
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.model.update import Update
    from updater.model.view import View
    from updater.writeback.base import Writer
    from updater.writeback.proposal_links import SourceLinks

AT_LIMIT: Final = "proposal-limit"
_FOREIGN_HINT: Final = "merge or close the pull request and delete its branch; updater then continues"
_LIMIT_HINT: Final = "merge or close one of them; the next landing opens what waits"
_NOTHING: Final = WriteResult(changes={}, refused={}, revisions={})


async def _no_links(_: Sequence[Update]) -> Mapping[Update, SourceLinks]:
    return {}


def _never(_update: Update, _closed: ForgeProposal) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalSurroundings:
    """What pull requests need around them.

    *forge* returns who is asked for those of a branch, *mirror* the mirror of its repository. *asked* returns the
    subscriptions of every destination: what nobody asks for any more is closed. *base* returns the name of the branch that
    is read, once it was looked at. *links* returns the sources of what is proposed, and raises nothing. *is_released* says
    whether people took back that they closed one with this update, *count* is told of each change of ours. *owner*
    says whose they are. *require_leading* raises `UpdaterError` where another replica may write by now.
    """

    forge: Callable[[GitBranch], Forge]
    mirror: Callable[[GitBranch], Mirror]
    asked: Callable[[], Mapping[Destination, Sequence[Subscription]]] = dict
    base: Callable[[GitBranch], str] = lambda branch: branch.branch
    links: Callable[[Sequence[Update]], Awaitable[Mapping[Update, SourceLinks]]] = _no_links
    is_released: Callable[[Update, ForgeProposal], bool] = _never
    count: Callable[[str], None] = lambda _event: None
    owner: ProposalOwner = NOBODY
    require_leading: Callable[[], None] = lambda: None


class ProposalWriter:
    """Stands before the writer to Git: what is published by proposal has a pull request around its branch."""

    def __init__(self, writer: Writer, around: ProposalSurroundings) -> None:
        self._writer = writer
        self._around = around
        self._finder = ProposalFinder(around.forge, around.count)
        self._branches = ProposalBranches(around.mirror)
        self._opener = ProposalOpener(self._finder)
        self._merger = ProposalMerger(self._finder, self._branches)
        self._closer = ProposalCloser(self._finder, self._branches, around.asked)
        self._sweeper = ProposalSweeper(self._finder, around.asked, self._supersede, around.owner)
        self._turns: dict[tuple[Forge, str], asyncio.Lock] = {}
        self._writing: Counter[GitBranch] = Counter()

    def keep(self, branches: Collection[GitBranch]) -> None:
        """Let go of what is known of the pull requests of every branch but *branches*, and those that are being written."""
        asked = (proposed_branch(branch, self._around.base) for branch in branches)
        forges = self._finder.keep({*filter(None, asked), *self._writing})
        self._turns = {place: turn for place, turn in self._turns.items() if place[0] in forges or turn.locked()}

    @property
    def sweeper(self) -> ProposalSweeper:
        """What closes pull requests from branches that the configuration does not name."""
        return self._sweeper

    @property
    def finder(self) -> ProposalFinder:
        """What is known of the pull requests."""
        return self._finder

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Look as the writer does, and at the pull request where there may be one; raise what either raises.

        The forge is asked only where the branch exists, or the pull request was open at the last look.
        """
        view = await self._writer.look(destination, subscriptions)
        branch = proposed_branch(destination, self._around.base)
        if branch is None:
            return view
        before = self._finder.known(branch)
        was = before.state if before else None
        if view.push_head is None and was is not ProposalState.OPEN:
            return view
        known = await self._finder.refreshed(branch)
        if known.state is ProposalState.MERGED and was is not ProposalState.MERGED:
            view = await self._writer.look(destination, subscriptions)  # the base may have got it just now
        is_left = known.state is ProposalState.MERGED and view.push_head == (known.last and known.last.head) != known.kept
        if known.open is None and not is_left:
            view = replace(
                view, pending={}
            )  # what its branch holds was pushed, and never proposed or rejected: it waits as new does
        return replace(view, is_proposed=known.open is not None or is_left)

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Write as the writer does; then open or update the pull request. Without *commits* what is over is put away.

        Raises what the writer raises, `ForgeError`, and `TemplateError` for a title before anything is pushed.
        """
        branch = proposed_branch(view.destination, self._around.base)
        if branch is None:
            return await self._writer.write(view, commits, is_dry=is_dry)
        self._writing[branch] += 1
        try:
            return await self._write(branch, view, commits, is_dry=is_dry)
        finally:
            self._writing -= Counter((branch,))  # what is written by nobody is no entry

    async def _write(self, branch: GitBranch, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        if not is_dry:
            await self._sweeper.sweep(branch)
        if commits and (full := await self._full(branch)):
            return _all_held(commits, full, is_dry=is_dry)
        known = await self._informed(branch, commits)
        closed, wanted = without_rejected(commits, known, self._around.is_released)
        can_reopen = self._finder.forge(branch).abilities.reopening
        held = {update: closed_problem(update, found, can_reopen=can_reopen) for update, found in closed.items()}
        heads = {update: found.head for update, found in closed.items()}
        if not wanted:
            if not is_dry:
                await self._closer.put_away(branch, view)  # what is open proposes what nobody chooses any more
            return replace(_NOTHING, held=held, rejected=heads, is_dry=is_dry)
        landed = await self._within_limit(branch, known, view, wanted, is_dry=is_dry)
        return replace(landed, held={**landed.held, **held}, rejected=heads)

    async def _informed(self, branch: GitBranch, commits: Sequence[Commit]) -> KnownProposals:
        """Return what has to be known before *commits* are written: closed ones count where a value is not proposed yet.

        They are asked for again before one is opened: another replica may have opened one since, and people closed it.
        """
        known = self._finder.known(branch) or KnownProposals()
        wanted = {fingerprint(update) for commit in commits for update in commit.updates}
        is_new = known.open is None and bool(wanted - known.rejected().keys())
        before = known.remembered()
        is_unsure = not known.is_whole and not wanted <= known.proposed() and (before is None or bool(wanted & before))
        if commits and (is_new or known.stranger is not None or is_unsure):
            known = await self._finder.find(branch)
        if commits and known.stranger is not None:
            raise not_ours(known.stranger)
        return known

    async def _within_limit(
        self, branch: GitBranch, known: KnownProposals, view: View, commits: Sequence[Commit], *, is_dry: bool
    ) -> WriteResult:
        """Propose, unless that opens one more pull request than the limit allows: one at a time, each counts the one before."""
        if not options_of(branch).limit or known.open is not None:
            return await self._propose(branch, known, view, commits, is_dry=is_dry)
        async with self._turns.setdefault((self._finder.forge(branch), branch.branch), asyncio.Lock()):
            if full := await self._full(branch):
                return _all_held(commits, full, is_dry=is_dry)
            return await self._propose(branch, known, view, commits, is_dry=is_dry)

    async def _full(self, branch: GitBranch) -> Problem | None:
        """Return why nothing more may be opened now, None where something may, or is open already."""
        limit, known = options_of(branch).limit, self._finder.known(branch)
        if not limit or (known is not None and known.open is not None):
            return None
        count = len((await self._finder.listing(branch)).ours(branch.branch))
        if count < limit:
            return None
        message = f"{count} pull requests of updater to {branch.branch} are open, and the limit is {limit}"
        return Problem(path="", code=AT_LIMIT, message=message, hint=_LIMIT_HINT)

    async def _propose(
        self, branch: GitBranch, known: KnownProposals, view: View, commits: Sequence[Commit], *, is_dry: bool
    ) -> WriteResult:
        asked = options_of(branch)
        if is_dry or asked.title or asked.body:
            dry = await self._writer.write(view, commits, is_dry=True)
            if changed := _changed(commits, dry):
                proposal_text(changed, dry.changes, _room(self._finder.forge(branch)), title=asked.title, body=asked.body)
            if is_dry:
                return _announced(dry, known, changed)
        updates = [update for commit in commits for update in commit.updates]
        unripe = next((commit.unripe for commit in commits if commit.unripe), "")
        await self._merger.calm(branch, known, () if unripe else updates)
        try:
            landed = await self._branches.written(
                branch, known, view, lambda seen: self._writer.write(seen, commits, is_dry=False)
            )
        except PushRefused as refused:
            if refused.code != FOREIGN:
                raise
            return _all_held(commits, await self._left_to_people(branch, known, view, refused))
        updates = _changed(commits, landed)
        if not updates:
            return landed
        text = await self._text(branch, known, commits, landed)
        was_open = known.open is not None
        within = self._finder.forge(branch).abilities.deletion_heard_after
        if not was_open and await self._branches.has_waited(branch, within):
            self._around.require_leading()
        pushed = next(iter(landed.revisions.values()), None) or view.push_head
        proposal = await self._opener.publish(branch, known, text, head=pushed)
        landed = replace(landed, link=proposal.link)
        if unripe:
            return replace(landed, remark="; ".join(filter(None, (f"not merged now: {unripe}", known.refused))))
        return await self._merged(branch, view, updates, landed, is_new=not was_open)

    async def _text(
        self, branch: GitBranch, known: KnownProposals, commits: Sequence[Commit], landed: WriteResult
    ) -> ProposalText:
        """Return the text; what only makes it richer is asked for where it has to be written."""
        updates, asked = _changed(commits, landed), options_of(branch)
        text = proposal_text(updates, landed.changes, _room(self._finder.forge(branch)), title=asked.title, body=asked.body)
        if known.open is not None and known.is_said(text):
            return text
        held = tuple(item for commit in commits for item in commit.held)
        extras = replace(
            _room(self._finder.forge(branch)),
            links=await self._around.links(updates),
            held=held,
            rejected=known.remembered(),
            owner=self._around.owner.name(),
        )
        return proposal_text(updates, landed.changes, extras, title=asked.title, body=asked.body)

    async def _merged(
        self, branch: GitBranch, view: View, updates: Sequence[Update], landed: WriteResult, *, is_new: bool
    ) -> WriteResult:
        """Merge what was published, where its options ask for it; its branch goes with it. What *is_new* has no checks yet."""
        known = self._finder.known(branch)
        assert known is not None  # noqa: S101 - it was published just now
        pushed = next(iter(landed.revisions.values()), None)
        head = ProposedHead(revision=pushed or view.push_head, is_pushed=is_new or pushed is not None, base=view.recent)
        end = await self._merger.merge(branch, known, updates, head)
        if end.merged is None:
            return replace(landed, remark="; ".join(filter(None, (end.remark, known.refused))))
        if view.push_head is not None:
            with suppress(PushRefused):  # the forge deletes it with the merge, where it is told to
                await self._branches.remove(branch, known, view.push_head)
        return replace(landed, is_merged=True, revisions=dict.fromkeys(updates, end.merged.head))

    async def _left_to_people(self, branch: GitBranch, known: KnownProposals, view: View, refused: PushRefused) -> Problem:
        await self._merger.calm(branch, known, ())
        conflict = await self._merger.conflict(branch, known, (view.head or "", view.push_head))
        where = known.open.link if known.open else f"the branch {branch.push}"
        message = f"{where} is left to the people who committed to it: {refused.message}{f'; {conflict}' if conflict else ''}"
        return Problem(path="", code=FOREIGN, message=message, hint=_FOREIGN_HINT)

    async def _supersede(self, branch: GitBranch, by: str) -> None:
        """Put away what a branch proposes that has no subscription any more; *by* proposes the same by now."""
        view = await self._writer.look(branch, ())
        await self._finder.refreshed(branch)
        self._around.require_leading()  # listing and looking may have taken long
        await self._closer.put_away(branch, view, by=by)


def _room(forge: Forge) -> ProposalExtras:
    able = forge.abilities
    return ProposalExtras(
        longest=min(LONGEST_BODY, able.longest_body),
        longest_title=min(LONGEST_TITLE, able.longest_title),
        can_reopen=able.reopening,
    )


def _announced(dry: WriteResult, known: KnownProposals, updates: Sequence[Update]) -> WriteResult:
    """Return what a dry run says: whether this is proposed already, or would be in the open pull request, or in a new one."""
    if known.open is None:
        return replace(dry, remark="by a new pull request")
    is_said = {fingerprint(update) for update in updates} <= known.proposed()
    where = known.open.link
    return replace(dry, link=where, remark=f"proposed already in {where}" if is_said else f"by the pull request {where}")


def _changed(commits: Sequence[Commit], landed: WriteResult) -> list[Update]:
    return [update for commit in commits for update in commit.updates if landed.changes.get(update)]


def _all_held(commits: Sequence[Commit], problem: Problem, *, is_dry: bool = False) -> WriteResult:
    updates = [update for commit in commits for update in commit.updates]
    return replace(_NOTHING, held=dict.fromkeys(updates, problem), is_dry=is_dry)
