"""THE STORY: how one destination is brought to what its subscriptions want.

Look at what is written, choose for each written value, decide, write in one push. If somebody was
faster, look and decide again: never a merge, never an overwrite. What was chosen is chosen still, so
that between that look and the push nothing waits for a registry. Every verb of the command line
drives `land` with other parts handed to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from updater.engine.decide import TargetDecision, decide, failed, needs_digest, outcomes, rejected_for
from updater.errors import PushRefused, UpdaterError
from updater.model.selection import Code
from updater.model.update import Commit, WriteResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from updater.engine.decide import Choices
    from updater.model.image import Digest, ImageRef
    from updater.model.outcome import Outcome
    from updater.model.selection import Rejection, RevertedImage, Selection
    from updater.model.subscription import Destination, Subscription
    from updater.model.update import Update
    from updater.model.view import View
    from updater.model.written import Written

ATTEMPTS: Final = 30


class Writer(Protocol):
    """Reads and writes one kind of destination."""

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Read the head and what is written at every target; raise `UpdaterError`."""
        ...

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Edit, commit and push once; raise `PushRefused` if the destination moved since *view*."""
        ...


class Chooser(Protocol):
    """Chooses for one written value; see `updater.engine.scanner.Scans.choose`."""

    async def __call__(
        self, subscription: Subscription, written: Written, *, needs_digest: bool, rejected: Mapping[str, RevertedImage]
    ) -> Selection:
        """Return the selection; raise `UpdaterError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingContext:
    """What a landing needs: the writer, the choice for a written value, and what to do before trying again.

    *choose* is told whether the digest is wanted too, and raises `UpdaterError` where the registry did not answer.
    *identify* gives the digest of a tag that is about to be written, for the trailers; None where it is not told.
    *pause* is told the number of the refused attempt, from 1, and waits with jitter.
    """

    writer: Writer
    choose: Chooser
    identify: Callable[[Subscription, str], Awaitable[Digest | None]]
    pause: Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What came of it: the outcomes, and for those who explain, the view, the choices and the decisions."""

    destination: Destination
    outcomes: tuple[Outcome, ...]
    view: View | None = None
    choices: Choices
    decisions: tuple[TargetDecision, ...] = ()
    landed: WriteResult | None = None
    replays: int = 0

    def rejections(self) -> dict[str, dict[str, Rejection]]:
        """Return what was not chosen because people took it back, by subscription and tag."""
        reverted = [past for past in self.view.recent if past.reverted_by] if self.view else []
        if not reverted:
            return {}
        rejected = {item.subscription.key: rejected_for(item.subscription, reverted) for item in self.decisions}
        found: dict[str, dict[str, Rejection]] = {}
        for (key, _), selection in self.choices.items():
            reasons = {} if isinstance(selection, UpdaterError) else selection.rejections
            for tag in rejected.get(key, ()):
                if tag in reasons and reasons[tag].code == Code.REJECTED:
                    found.setdefault(key, {})[tag] = reasons[tag]
        return found


async def land(
    destination: Destination, subscriptions: Sequence[Subscription], parts: LandingContext, *, is_dry: bool = False
) -> Landing:
    """Bring *destination* to what *subscriptions* want; every target ends in one outcome, nothing is raised for it."""
    concerned = tuple(item for item in subscriptions if any(target.destination == destination for target in item.targets))
    choices: Choices = {}
    known = _Known(parts)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            view = await parts.writer.look(destination, concerned)
            choices = await _choose_all(concerned, view, known)
            decisions = decide(view, concerned, choices)
            landed = await _write(view, decisions, concerned, known, is_dry=is_dry)
        except PushRefused as refused:
            # only a branch that moved is worth another look; a rule of the server says no again
            if attempt == ATTEMPTS or refused.code != PushRefused.default_code:
                ends = failed(concerned, destination, refused)
                return Landing(destination=destination, outcomes=ends, choices=choices, replays=attempt - 1)
            await parts.pause(attempt)
        except UpdaterError as error:
            return Landing(destination=destination, outcomes=failed(concerned, destination, error), choices=choices)
        else:
            return Landing(
                destination=destination,
                outcomes=outcomes(decisions, landed),
                view=view,
                choices=choices,
                decisions=decisions,
                landed=landed,
                replays=attempt - 1,
            )
    raise AssertionError("unreachable: the last attempt returns")


@dataclass(slots=True)
class _Known:
    """What one landing has asked already: another attempt on a newer head asks only what is new there."""

    parts: LandingContext
    chosen: dict[tuple[str, Written], tuple[Mapping[str, RevertedImage], bool, Selection | UpdaterError]] = field(
        default_factory=dict
    )
    digests: dict[tuple[str, str], Digest | None] = field(default_factory=dict)

    async def choose(
        self, subscription: Subscription, written: Written, *, needs_digest: bool, rejected: Mapping[str, RevertedImage]
    ) -> Selection | UpdaterError:
        """Choose for one written value, once as long as nobody took anything else back."""
        before = self.chosen.get((subscription.key, written))
        if before is not None and before[0] == rejected and before[1] >= needs_digest:
            return before[2]
        found: Selection | UpdaterError
        try:
            found = await self.parts.choose(subscription, written, needs_digest=needs_digest, rejected=rejected)
        except UpdaterError as error:
            found = error
        self.chosen[subscription.key, written] = (rejected, needs_digest, found)
        return found

    async def identify(self, subscription: Subscription, tag: str) -> Digest | None:
        """Return the digest of a tag, asked once."""
        if (subscription.key, tag) not in self.digests:
            self.digests[subscription.key, tag] = await self.parts.identify(subscription, tag)
        return self.digests[subscription.key, tag]


async def _write(
    view: View, decisions: Sequence[TargetDecision], subscriptions: Sequence[Subscription], known: _Known, *, is_dry: bool
) -> WriteResult | None:
    commits = by_commit_spec(decisions, subscriptions)
    if not commits:
        return None
    if not is_dry:
        commits = await _identified(commits, subscriptions, known)
    return await known.parts.writer.write(view, commits, is_dry=is_dry)


async def _identified(commits: Sequence[Commit], subscriptions: Sequence[Subscription], known: _Known) -> tuple[Commit, ...]:
    """Add to each update the digests of its tags, asked once a tag, for the trailers."""
    by_key = {item.key: item for item in subscriptions}
    updates = [update for commit in commits for update in commit.updates]
    named = [(update.subscription, ref) for update in updates for ref in (update.written_as, update.replaced) if ref is not None]
    unknown = {(key, ref.tag) for key, ref in named if ref.digest is None}
    asked = [(key, tag) for key, tag in unknown if tag]
    digests = dict(zip(asked, await asyncio.gather(*(known.identify(by_key[key], tag) for key, tag in asked)), strict=True))

    def with_digest(key: str, ref: ImageRef) -> ImageRef:
        return replace(ref, digest=ref.digest or digests.get((key, ref.tag or "")))

    def identified(update: Update) -> Update:
        replaced = with_digest(update.subscription, update.replaced) if update.replaced else None
        return replace(update, written_as=with_digest(update.subscription, update.written_as), replaced=replaced)

    return tuple(replace(commit, updates=tuple(map(identified, commit.updates))) for commit in commits)


def by_commit_spec(decisions: Sequence[TargetDecision], subscriptions: Sequence[Subscription]) -> tuple[Commit, ...]:
    """Group the updates by who speaks, one commit each, in the order in which the voices are first heard."""
    voices = {item.key: item.voice for item in subscriptions}
    grouped: dict[object, list[TargetDecision]] = {}
    for decision in decisions:
        if decision.updates:
            grouped.setdefault(voices[decision.subscription.key], []).append(decision)
    return tuple(
        Commit(voice=group[0].subscription.voice, updates=tuple(update for decision in group for update in decision.updates))
        for group in grouped.values()
    )


async def _choose_all(subscriptions: Sequence[Subscription], view: View, known: _Known) -> Choices:
    """Choose once per subscription and distinct written value; a failure is the answer for that value alone."""
    wanted: dict[tuple[str, Written], tuple[Subscription, bool]] = {}
    for subscription in subscriptions:
        for index, target in enumerate(subscription.targets):
            for reading in view.readings.get((subscription.key, index), ()):
                _, is_needed = wanted.get((subscription.key, reading.written), (None, False))
                is_needed = is_needed or needs_digest(target, reading)
                wanted[subscription.key, reading.written] = (subscription, is_needed)

    async def one(subscription: Subscription, written: Written, *, is_needed: bool) -> Selection | UpdaterError:
        taken_back = rejected_for(subscription, view.recent)
        return await known.choose(subscription, written, needs_digest=is_needed, rejected=taken_back)

    asked = (one(item, written, is_needed=is_needed) for (_, written), (item, is_needed) in wanted.items())
    return dict(zip(wanted, await asyncio.gather(*asked), strict=True))
