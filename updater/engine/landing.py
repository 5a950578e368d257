"""THE STORY: how one destination is brought to what its subscriptions want.

Look at what is written, choose for each written value, decide, ask the gates, write in one push. If somebody was
faster, look and decide again: never a merge, never an overwrite. What was chosen is chosen still, and
the choice has asked for every digest that the commit names: nothing is asked of a registry between
`decide` and the write. What is asked for is heard once more before the write: who suspends or holds something
finds nothing written afterwards. Every verb of the command line drives `land` with other parts handed to it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from updater.engine.decide import PlaceJudge, decide, needs_digest, places_of, rejected_for
from updater.engine.gating import Gatekeeper
from updater.engine.in_force import decided, offered
from updater.engine.lockstep import in_lockstep, without_torn_groups, write_groups_whole
from updater.engine.outcomes import failed, outcomes
from updater.engine.reverting import REVERT_HELD, with_reverts
from updater.engine.rollbacks import rolled_back
from updater.errors import PushRefused, UpdaterError
from updater.model.outcome import Status
from updater.model.selection import HELD_CODES, Code
from updater.model.update import Commit, Held, WriteResult
from updater.policies.choose import nothing_named, refused_by_people

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from updater.engine.decide import Choice, Choices, Place, PlaceDecision, TargetDecision
    from updater.model.outcome import Outcome
    from updater.model.promotion import Follows, Offer
    from updater.model.release import RevertOrder
    from updater.model.selection import Rejection, RevertedImage, Selection
    from updater.model.subscription import CommitSpec, Destination, Subscription
    from updater.model.update import Update
    from updater.model.view import View
    from updater.model.written import Written
    from updater.policies.choose import NamedTags
    from updater.writeback.base import Writer

ATTEMPTS: Final = 30
#: of one landing: far more than one registry is asked at one time, and far fewer than the images of a large branch
CHOICES_AT_ONCE: Final = 128
#: whether what was proposed before is still wanted is not known while a place is held with one of these
_KNOWN: Final = frozenset({Status.UNCHANGED, Status.NO_MATCH})
_DOUBTED: Final = (HELD_CODES - {Code.MIN_AGE, Code.FOLLOWS}) | {REVERT_HELD}


class Chooser(Protocol):
    """Chooses for one written value; see `updater.engine.scanner.Scanner.choose`."""

    async def __call__(
        self,
        subscription: Subscription,
        written: Written,
        *,
        needs_digest: bool,
        rejected: Mapping[str, RevertedImage],
        named: NamedTags,
    ) -> Selection:
        """Return the selection, with the digests of the tags that a commit will name; raise `UpdaterError`."""
        ...


async def _at_once() -> None:
    """Wait for nothing."""


async def _as_before() -> None:
    """Hear nothing new."""


def _nothing_bad(_key: str) -> None:
    """Order no revert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingContext:
    """What a landing needs: the writer, the choice for a written value, and what to do before trying again.

    *choose* is told whether the digest is wanted too, and raises `UpdaterError` where the registry did not answer.
    *pause* is told the number of the refused attempt, from 1, and waits with jitter. *settle* waits, not long, for scans that
    began while the look was on its way: what they find together is chosen together. *gates* are asked what may be written now.
    *now* gives Unix seconds: decisions of people end by it. *reverts* says what is to be taken back, by subscription key.
    *asked_now* takes up what sources and people said meanwhile, and returns the subscriptions that count now, None where
    these cannot change.
    """

    writer: Writer
    choose: Chooser
    pause: Callable[[int], Awaitable[None]]
    settle: Callable[[], Awaitable[None]] = _at_once
    gates: Gatekeeper = field(default_factory=Gatekeeper)
    now: Callable[[], float] = time.time
    reverts: Callable[[str], RevertOrder | None] = _nothing_bad
    asked_now: Callable[[], Awaitable[Sequence[Subscription] | None]] = _as_before


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
        found: dict[str, dict[str, Rejection]] = {}
        for (key, _), selection in self.choices.items():
            if not isinstance(selection, UpdaterError):
                for refused in refused_by_people(selection):
                    found.setdefault(key, {})[refused.tag] = refused
        return found


class AskedAnew(PushRefused):
    """What is asked for changed before the write: look and decide again, as where a branch moved. *subscriptions* count now."""

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        super().__init__("what is asked for changed at each attempt, before anything was written")
        self.subscriptions = subscriptions


async def land(
    destination: Destination, subscriptions: Sequence[Subscription], parts: LandingContext, *, is_dry: bool = False
) -> Landing:
    """Bring *destination* to what *subscriptions* want; every target ends in one outcome, nothing is raised for it."""
    asked = subscriptions
    concerned = _concerned(destination, asked, parts)
    choices: Choices = {}
    # only a commit says the digests of what it writes
    made = _MadeChoices(parts.choose, is_recorded=not is_dry and destination.method == "git")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            view = await parts.writer.look(destination, concerned)
            if attempt == 1:  # beside other writers nothing is waited for between look and push
                await parts.settle()
            judge = PlaceJudge(view, concerned)
            choices = await _choose_all(concerned, view, made, judge)
            choices = await in_lockstep(concerned, choices, _again(concerned, view, made, judge))
            decisions = parts.gates.gated(view, decide(view, concerned, choices, judge))
            decisions = with_reverts(view, decisions, parts.reverts)
            decisions = without_torn_groups(view, decisions)
            landed = await _write(view, decisions, parts, asked, is_dry=is_dry)
        except PushRefused as refused:
            # only a branch that moved is worth another look; a rule of the server says no again
            if attempt == ATTEMPTS or refused.code != PushRefused.default_code:
                ends = failed(concerned, destination, refused)
                return Landing(destination=destination, outcomes=ends, choices=choices, replays=attempt - 1)
            if isinstance(refused, AskedAnew):
                asked, made = refused.subscriptions, replace(made, made={})
                concerned = _concerned(destination, asked, parts)
            await parts.pause(attempt)
        except UpdaterError as error:
            return Landing(destination=destination, outcomes=failed(concerned, destination, error), choices=choices)
        else:
            if landed is not None and not is_dry:
                parts.gates.memory.written(destination)
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


def _concerned(destination: Destination, asked: Sequence[Subscription], parts: LandingContext) -> tuple[Subscription, ...]:
    """Return the subscriptions that write to a destination, with what people decided and what others have run healthy."""
    now = parts.now()
    return tuple(
        offered(decided(item, now), parts.gates.offers)
        for item in asked
        if any(target.destination == destination for target in item.targets)
    )


@dataclass(slots=True)
class _MadeChoices:
    """What one landing has chosen already: another attempt on a newer head asks only what is new there.

    Unless *is_recorded*, no commit names what is written.
    """

    make: Chooser
    is_recorded: bool
    made: dict[tuple[str, Written, frozenset[str] | None], tuple[Mapping[str, RevertedImage], bool, Choice]] = field(
        default_factory=dict
    )

    async def choose(
        self,
        subscription: Subscription,
        written: Written,
        *,
        needs_digest: bool,
        rejected: Mapping[str, RevertedImage],
        named: NamedTags,
    ) -> Choice:
        """Choose for one written value, once as long as nobody took anything else back and no other digest is needed."""
        named = named if self.is_recorded else nothing_named
        seat = (subscription.key, written, subscription.versions)
        before = self.made.get(seat)
        if before is not None and before[0] == rejected and before[1] >= needs_digest and _names(before[2], named):
            return before[2]
        choice: Choice
        try:
            choice = await self.make(subscription, written, needs_digest=needs_digest, rejected=rejected, named=named)
        except UpdaterError as error:
            choice = error
        self.made[seat] = (rejected, needs_digest, choice)
        return choice


def _names(choice: Choice, named: NamedTags) -> bool:
    """Return whether every digest that a commit will name was asked for."""
    return isinstance(choice, UpdaterError) or named(choice) <= choice.digests.keys()


async def _write(
    view: View,
    decisions: Sequence[TargetDecision],
    parts: LandingContext,
    asked: Sequence[Subscription],
    *,
    is_dry: bool,
) -> WriteResult | None:
    """Write what was decided; raise `AskedAnew` where other subscriptions count now, or something else is on offer to one."""
    commits = by_commit_spec(decisions)
    if not commits and not (view.is_proposed and _is_settled(decisions)):
        return None
    now = None if is_dry else await parts.asked_now()
    is_asked_otherwise = now is not None and tuple(now) != tuple(asked)
    if is_asked_otherwise or (not is_dry and _is_offered_otherwise(decisions, parts.gates.offers)):
        raise AskedAnew(asked if now is None else now)
    if unripe := parts.gates.unripe(view, decisions):
        commits = tuple(replace(commit, unripe=unripe) for commit in commits)
    return await write_groups_whole(parts.writer, view, commits, decisions, is_dry=is_dry)


def _is_offered_otherwise(decisions: Sequence[TargetDecision], offers: Callable[[Follows], Offer]) -> bool:
    """Return whether a followed subscription offers something else by now than when what is to be written was chosen."""
    before = [item.subscription.offer for item in decisions if item.updates and item.subscription.offer is not None]
    after = [offers(offer.follows) for offer in before]
    return [(item.promoted, item.standing) for item in before] != [(item.promoted, item.standing) for item in after]


def _is_settled(decisions: Sequence[TargetDecision]) -> bool:
    """Return whether it is known of every place that nothing is to be proposed for it: only then a proposal is over.

    What is held keeps what was proposed before, unless people decided against it, or a guard has a doubt.
    """
    places = [place for decision in decisions for place in decision.places]
    return not any(place.is_unsure for place in places) and all(
        place.status in _KNOWN or place.is_anothers or (place.status is Status.HELD and place.code not in _DOUBTED)
        for place in places
    )


def by_commit_spec(decisions: Sequence[TargetDecision]) -> tuple[Commit, ...]:
    """Group the updates by commit spec, one commit each, in the order in which the specs are met first."""
    grouped: dict[CommitSpec, list[Update]] = {}
    held: dict[CommitSpec, dict[Held, None]] = {}
    for decision in decisions:
        spec = decision.target.commit_spec
        if decision.updates:
            grouped.setdefault(spec, []).extend(decision.updates)
        stopped = (place for place in decision.places if place.status is Status.HELD)
        held.setdefault(spec, {}).update(dict.fromkeys(_held(decision, place) for place in stopped))
    return tuple(Commit(commit_spec=spec, updates=tuple(updates), held=tuple(held[spec])) for spec, updates in grouped.items())


def _held(decision: TargetDecision, place: PlaceDecision) -> Held:
    return Held(subscription=decision.subscription.key, code=place.code or "", reason=place.detail)


async def _choose_all(subscriptions: Sequence[Subscription], view: View, made: _MadeChoices, judge: PlaceJudge) -> Choices:
    """Choose once per subscription and distinct written value; a failure is the answer for that value alone."""
    places = _alike(subscriptions, view)
    chosen: dict[tuple[str, Written], Choice] = {}
    queue = iter(places.items())

    async def work() -> None:
        for key, alike in queue:
            chosen[key] = await _choose_one(alike, view, made, judge)

    await asyncio.gather(*(work() for _ in range(min(CHOICES_AT_ONCE, len(places)))))
    return {key: chosen[key] for key in places}


def _alike(subscriptions: Sequence[Subscription], view: View) -> dict[tuple[str, Written], list[Place]]:
    """Return the places of each subscription by what is written there."""
    places: dict[tuple[str, Written], list[Place]] = {}
    for subscription in subscriptions:
        for index, _ in enumerate(subscription.targets):
            for place in places_of(view, subscription, index):
                places.setdefault((subscription.key, place.reading.written), []).append(place)
    return places


async def _choose_one(
    alike: Sequence[Place], view: View, made: _MadeChoices, judge: PlaceJudge, versions: frozenset[str] | None = None
) -> Choice:
    """Choose for one written value, among *versions* only where these are given."""
    subscription = alike[0].subscription
    return await made.choose(
        subscription if versions is None else replace(subscription, versions=versions),
        alike[0].reading.written,
        needs_digest=any(needs_digest(place.target, place.reading) for place in alike),
        rejected={**rejected_for(subscription, view.recent), **rolled_back(alike, view.recent)},
        named=lambda selection: judge.unidentified(alike, selection),
    )


def _again(
    subscriptions: Sequence[Subscription], view: View, made: _MadeChoices, judge: PlaceJudge
) -> Callable[[str, Written, frozenset[str]], Awaitable[Choice]]:
    """Return what chooses again for a written value, among some versions."""

    async def choose(key: str, written: Written, versions: frozenset[str]) -> Choice:
        mine = [item for item in subscriptions if item.key == key]
        return await _choose_one(_alike(mine, view)[key, written], view, made, judge, versions)

    return choose
