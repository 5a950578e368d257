"""How the requests of `set` become a pull request: made by what the daemon makes its own with, while the checkout stays as it is.

The branch of a pull request belongs to what was wished: the same names are one pull request, whatever their values.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.checkout.config import ci_branch, find_access, find_identities, find_upstream
from updater.checkout.forge_access import ForgeConfiguration, RemoteForge
from updater.checkout.request_writer import RequestCommit, RequestedPlace, RequestWriter
from updater.checkout.worktree import ATTEMPTS, Checkout
from updater.errors import ConfigError, GitError, PushRefused
from updater.forge.base import ProposalState
from updater.forge.kinds import DIALECTS, KindFinder
from updater.git.mirror import Mirror, Shared
from updater.http.client import HttpClient
from updater.model.publishing import Proposal, proposal_branch
from updater.model.subscription import CommitSpec, GitBranch
from updater.model.update import Commit
from updater.writeback.proposals import ProposalSurroundings, ProposalWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.checkout.config import Upstream
    from updater.checkout.edit import FolderFiles, SetRequest, SetResult
    from updater.forge.base import Forge, ForgeAccess, ForgeProposal
    from updater.git.object_builder import Identity
    from updater.model.problem import Problem
    from updater.model.update import Update, WriteResult

_BASE_HINT: Final = "name the branch to merge into by --base"


class ProposalEnd(StrEnum):
    """What became of a pull request: NONE is needed where every place holds its value on the base."""

    OPENED = "opened"
    UPDATED = "updated"
    MERGED = "merged"
    UNCHANGED = "unchanged"
    CLOSED = "closed"
    HELD = "held"
    NONE = "none"

    @property
    def is_written(self) -> bool:
        """Whether a change was proposed or merged just now."""
        return self in {ProposalEnd.OPENED, ProposalEnd.UPDATED, ProposalEnd.MERGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRequest:
    """What is to be proposed: to *base* (None: the upstream, or what the CI job builds) from *branch* (None: by what is asked).

    *committer* is who the program commits as: by this address its commits are known again. *title* is "" for one that says what
    changes. *shape* makes of the names of the requests and the base how they are proposed, *forge* is what the settings say of
    the forge of a URL.
    """

    committer: Identity
    message: str | None = None
    title: str = ""
    base: str | None = None
    branch: str | None = None
    shape: Callable[[str, str], Proposal] = lambda part, base: Proposal(proposal_branch(base, part))
    forge: Callable[[str], ForgeConfiguration] = lambda _url: ForgeConfiguration()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalReport:
    """What came of the requests: the *end* of the pull request, its *link*, and what is *held* and why.

    *written* are the changes on the branch that is read, *revision* the commit that was pushed just now, *remark* what else is to
    be said.
    """

    end: ProposalEnd
    written: SetResult
    base: str
    branch: str
    link: str = ""
    revision: str | None = None
    held: tuple[Problem, ...] = ()
    remark: str = ""


class CheckoutProposer:
    """The checkout that a folder lies in, of which the remote gets a pull request.

    Made before anything is asked: raises `GitError` ``checkout`` and ``no-branch``, `ForgeError` where the remote is on no
    forge or there is no token for it.
    """

    def __init__(self, folder: FolderFiles, requests: SetRequest, asked: ProposalRequest) -> None:
        checkout = Checkout(folder.root, os.environ)
        try:
            prefix = folder.root.resolve().relative_to(checkout.root.resolve()).as_posix()
            self._place = RequestedPlace(prefix="" if prefix == "." else f"{prefix}/", only=folder.only)
            upstream = _upstream(checkout, asked.base)
            self._author, _ = find_identities(checkout.config, os.environ, asked.committer)
            access = find_access(checkout.config, upstream.url, os.environ)
        finally:
            checkout.close()
        self._remote = remote = RemoteForge(upstream.url, os.environ, asked.forge(upstream.url))
        self._access = remote.pushing(access)
        if remote.kind is not None or not remote.can_tell:
            remote.shown(remote.repository(remote.kind).kind, self._access)
        self._requests, self._asked = requests, asked
        self._branch = _branch(upstream, asked, self._place, requests)

    async def propose(self) -> ProposalReport:
        """Bring branch and pull request to the requests; what is over is put away. Raises what `ProposalWriter` raises.

        Where somebody was faster it is done again on the new heads, up to ten times.
        """
        shared = Shared(ours={self._asked.committer.address})
        with tempfile.TemporaryDirectory(prefix="updater-") as folder:
            mirror = Mirror(self._branch.url, Path(folder) / "mirror", self._access, shared)
            try:
                async with HttpClient() as http:
                    return await self._with(mirror, await self._forge(http))
            finally:
                await mirror.close()

    async def _forge(self, http: HttpClient) -> Forge:
        kind = await self._remote.find_kind(KindFinder(http), self._access)
        shown = self._remote.shown(kind, self._access)

        async def reach() -> ForgeAccess:
            return shown

        return DIALECTS[kind](self._remote.repository(kind), http, reach)

    async def _with(self, mirror: Mirror, forge: Forge) -> ProposalReport:
        for attempt in range(1, ATTEMPTS + 1):
            pen = RequestCommit(
                message=self._asked.message,
                author=self._author,
                committer=self._asked.committer,
                now=lambda: datetime.now(UTC),
            )
            requests = RequestWriter(mirror, self._branch, self._requests, self._place, pen)
            writer = ProposalWriter(requests, ProposalSurroundings(forge=lambda _: forge, mirror=lambda _: mirror))
            try:
                return await self._once(requests, writer)
            except PushRefused as error:
                if error.code != PushRefused.default_code or attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(min(0.1 * 2**attempt, 5.0) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
        raise AssertionError

    def _known(self, writer: ProposalWriter) -> ForgeProposal | None:
        """Return the pull request as it was last seen: the open one, else the newest."""
        known = writer.finder.known(self._branch)
        return known.last if known else None

    async def _once(self, requests: RequestWriter, writer: ProposalWriter) -> ProposalReport:
        view = await writer.look(self._branch, ())
        updates = await requests.wanted(view)
        found, before = requests.written, self._known(writer)
        report = ProposalReport(end=ProposalEnd.NONE, written=found, base=self._branch.branch, branch=self._branch.push)
        if not updates and (not found.is_whole or not view.is_proposed):
            return report
        landed = await writer.write(view, _commits(updates), is_dry=False)
        after = self._known(writer)
        report = replace(
            report,
            end=_end(landed, before, after),
            link=landed.link or (after.link if after else ""),
            revision=next(iter(landed.revisions.values()), None),
            held=tuple(dict.fromkeys(landed.held.values())),
            remark=landed.remark,
        )
        if report.end is ProposalEnd.HELD:
            return replace(report, written=replace(found, edits=()))
        # what is held was not proposed; without requests left, nothing was edited again
        return replace(report, written=replace(requests.written, refused=found.refused, unmatched=found.unmatched))


def _commits(updates: tuple[Update, ...]) -> tuple[Commit, ...]:
    return (Commit(commit_spec=CommitSpec(), updates=updates),) if updates else ()


def _end(landed: WriteResult, before: ForgeProposal | None, after: ForgeProposal | None) -> ProposalEnd:
    if landed.is_merged:
        return ProposalEnd.MERGED
    was_open = before is not None and before.state is ProposalState.OPEN
    if not landed.link:
        if landed.held:
            return ProposalEnd.HELD
        is_closed = was_open and after is not None and after.state is ProposalState.CLOSED
        return ProposalEnd.CLOSED if is_closed else ProposalEnd.NONE
    if not was_open or before is None or after is None or before.number != after.number:
        return ProposalEnd.OPENED
    return ProposalEnd.UPDATED if landed.revisions or before.title != after.title else ProposalEnd.UNCHANGED


def _upstream(checkout: Checkout, base: str | None) -> Upstream:
    """Return the remote and the branch to merge into; raise `GitError` ``no-branch`` with a hint that names --base."""
    named = base or (ci_branch(os.environ) if checkout.branch is None else None)
    try:
        return find_upstream(checkout.config, checkout.branch, named)
    except GitError as error:
        if error.code == "no-branch" and "--branch" in (error.hint or ""):
            raise GitError(error.message, hint=_BASE_HINT, code=error.code) from error
        raise


def _branch(upstream: Upstream, asked: ProposalRequest, place: RequestedPlace, requests: SetRequest) -> GitBranch:
    """Return the branch that is read, and from which other one its changes are proposed."""
    names = [*(item.name for item in (*requests.markers, *requests.entries)), *(f"{key.file}:{key.key}" for key in requests.keys)]
    part = "-".join(filter(None, [place.prefix.strip("/"), place.only, *sorted(names)]))
    shaped = asked.shape(part, upstream.branch)
    name = asked.branch or shaped.name
    if name == upstream.branch:
        hint = "name a branch of its own by --branch, or leave it out"
        raise ConfigError(f"{name} is the branch to merge into: nothing can be proposed from it", hint=hint, code="usage")
    options = replace(shaped.options, title=_literal(asked.title)) if asked.title else shaped.options
    return GitBranch(url=upstream.url, branch=upstream.branch, publishing=Proposal(name, options))


def _literal(title: str) -> str:
    """Return a template that makes *title*: it is the text of a person, in which nothing is filled in."""
    return title.replace("{{", '{{ "{{" }}')
