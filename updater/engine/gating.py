"""What the gates make of decisions: an update that may not be written now is held, with the reason and the moment it opens.

The gates themselves are pure; here is what they look at: the clock, our own changes as Git tells them, and who waits for whom.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.engine.bad_releases import bad_hold, told
from updater.engine.held_answers import HeldAnswers, lasts_until
from updater.engine.place_image import differs, written_ref
from updater.errors import UpdaterError
from updater.gates.answers import Gate, GateHold, Open, length
from updater.gates.landing import Circumstances, UpdateFacts, answers, gate
from updater.gates.promotion import followed, unwatched
from updater.model.decision import in_force
from updater.model.outcome import Status
from updater.model.publishing import AutoMerge, Proposal
from updater.model.release import OnBad
from updater.model.selection import Code
from updater.model.update import Purpose
from updater.model.view import NOTHING, place_sum
from updater.writeback.message_data import new_tag, old_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from updater.engine.decide import Choices, PlaceDecision, TargetDecision
    from updater.gates.answers import GateAnswer
    from updater.model.outcome import Outcome
    from updater.model.promotion import Follows, Offer
    from updater.model.release import BadRelease
    from updater.model.subscription import Destination, Subscription
    from updater.model.update import Update
    from updater.model.view import Reading, View

_WRITES: Final = frozenset({Status.UPDATED, Status.REVERTED})
_YOUNG_SHOWN: Final = 3
_UNWATCHED: Final = "only updater run knows whether a rollout or canary is in progress"
_YEAR_2100: Final = 4_102_444_800.0  # what opens after it wakes nobody


class WaitingMemory:
    """Since when the oldest of the updates waits that wait for others, by destination. Lost with the process: they wait again.

    Those that were let through wait no more until they are written: a push that is refused is tried again at once.
    """

    def __init__(self) -> None:
        self._since: dict[Destination, float] = {}
        self._released: set[Destination] = set()

    def since(self, destination: Destination) -> float | None:
        """Return since when something waits there."""
        return self._since.get(destination)

    def begin(self, destination: Destination, now: float) -> float:
        """Return since when something waits there; it does from *now* on if nothing did, or if the clock was set back."""
        since = min(self._since.get(destination, now), now)
        self._since[destination] = since
        return since

    def release(self, destination: Destination) -> None:
        """Note that what waits there is let through."""
        self._released.add(destination)

    def written(self, destination: Destination) -> None:
        """Note that something was written there: what was let through waits no more, what was not goes on waiting."""
        if destination in self._released:
            self.end(destination)

    def copy(self) -> WaitingMemory:
        """Return a memory of its own, for who only wants to see what would happen."""
        made = WaitingMemory()
        made._since, made._released = dict(self._since), set(self._released)
        return made

    def end(self, destination: Destination) -> None:
        """Note that nothing waits there any more."""
        if self._since or self._released:  # seldom: the hash of a destination costs more than the rest of a quiet gate
            self._since.pop(destination, None)
            self._released.discard(destination)


def _nothing_bad(_key: str) -> None:
    """Return that no commit is bad, where nobody watches."""


def _never_busy(_key: str) -> str:
    """Return that nothing is in progress, where nobody watches."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatekeeper:
    """Asks the landing gates for whole destinations.

    *clock* gives seconds since 1970; unless *waits*, no update waits for others. *busy* says of a subscription, by key, which
    rollout or canary is in progress, "" where none is. *offers* says what a subscription offers to one that follows it, *bad*
    which commit for a subscription turned out bad last.
    """

    clock: Callable[[], float] = time.time
    memory: WaitingMemory = field(default_factory=WaitingMemory)
    waits: bool = True
    busy: Callable[[str], str] = _never_busy
    offers: Callable[[Follows], Offer] = unwatched
    bad: Callable[[str], BadRelease | None] = _nothing_bad
    held: HeldAnswers = field(default_factory=HeldAnswers)

    def gated(self, view: View, decisions: tuple[TargetDecision, ...]) -> tuple[TargetDecision, ...]:
        """Return *decisions* with every update held that no gate lets through at this moment."""
        before = self.held.get(view, decisions, self.clock()) if self.held else None
        if before is not None:
            self.memory.end(view.destination)
            return before
        return self._gated_anew(view, decisions)

    def _gated_anew(self, view: View, asked: tuple[TargetDecision, ...]) -> tuple[TargetDecision, ...]:
        now = self.clock()
        decisions = tuple(self._without_bad(view, item) for item in asked)
        if not any(decision.updates for decision in decisions):
            self.memory.end(view.destination)
            return decisions
        fresh = [fresh_updates(view, decision) for decision in decisions]
        asking: dict[str, tuple[Subscription, frozenset[Update]]] = {}
        for item, updates in zip(decisions, fresh, strict=True):
            if updates:
                before = asking[item.subscription.key][1] if item.subscription.key in asking else frozenset()
                asking[item.subscription.key] = (item.subscription, before | updates)
        holds = self._holds(view, asking)
        ends = None if any(_may_turn_bad(item.subscription) for item in asked) else lasts_until(map(holds.get, asking))
        holds |= _with_group(decisions, holds)
        answered = tuple(
            _held(view, decision, holds[decision.subscription.key], updates)
            if updates and decision.subscription.key in holds
            else decision
            for decision, updates in zip(decisions, fresh, strict=True)
        )
        if ends is not None and now < ends and not any(decision.updates for decision in answered):
            self.held.note(view, asked, answered, (now, ends))
        return answered

    def unripe(self, view: View, decisions: Sequence[TargetDecision]) -> str:
        """Return why what *decisions* propose may not be merged without people at this moment, "" where it may.

        What a branch holds already is kept there while it is held, and asks no gate to stay: to be merged it has to.
        """
        moving = [item for item in decisions if item.updates] if _merges_itself(view.destination) else []
        for item in moving:
            for place in item.places:
                if place.update and place.status not in _WRITES:
                    return f"{item.subscription.key}: {place.detail}"
        around = self._now(view, [item.subscription for item in moving])
        for item in moving:
            if (bad := bad_hold(view, item.subscription, self.bad, around.now)) is not None:
                return f"{item.subscription.key}: {bad.reason}"
            updates = [update for update in item.updates if update.purpose is Purpose.MOVE]
            if updates and (hold := gate(_facts(item.subscription, updates), around)) is not None:
                return f"{item.subscription.key}: {hold.reason}"
        return ""

    def explained(self, view: View, subscription: Subscription, choices: Choices) -> tuple[GateAnswer, ...]:
        """Return what every gate of a subscription would answer at this moment."""
        decided = replace(subscription, decisions=in_force(subscription.decisions, self.clock()))
        landing = answers(_facts(decided), self._circumstances(view, [decided]))
        if self.busy is _never_busy:
            landing = tuple(replace(item, reason=_UNWATCHED) if item.gate is Gate.BUSY else item for item in landing)
        follows = subscription.gates.follows
        promotion = (followed(self.offers(follows)),) if follows is not None else ()
        bad = bad_hold(view, decided, self.bad, self.clock())
        return (*((bad,) if bad else ()), *promotion, *_ages(subscription, choices), *landing, *_groups(subscription, choices))

    def _without_bad(self, view: View, decision: TargetDecision) -> TargetDecision:
        """Hold everything of a subscription whose bad release a person is to decide about; what a branch proposes stays there."""
        hold = bad_hold(view, decision.subscription, self.bad, self.clock())
        return decision if hold is None else told(_held(view, decision, hold, frozenset(decision.updates)), hold)

    def _holds(self, view: View, asking: Mapping[str, tuple[Subscription, frozenset[Update]]]) -> dict[str, GateHold]:
        """Return which hold keeps the updates of each subscription back, by key."""
        around = self._now(view, [item for item, _ in asking.values()])
        holds: dict[str, GateHold] = {}
        waiting = []
        for key, (item, updates) in asking.items():
            hold = bad_hold(view, item, self.bad, around.now) or gate(_facts(item), around) or gate(_facts(item, updates), around)
            if hold is not None:
                holds[key] = hold
            elif item.gates.coalesce is not None:
                waiting.append(item)
        if not waiting or not self.waits:
            self.memory.end(view.destination)
            return holds
        around = replace(around, waiting_since=self.memory.begin(view.destination, around.now))
        delays = {item.key: hold for item in waiting if (hold := gate(_facts(item), around)) is not None}
        if len(delays) < len(waiting):  # one has waited long enough: all that wait go together
            self.memory.release(view.destination)
            return holds
        return holds | delays

    def _circumstances(self, view: View, subscriptions: Iterable[Subscription]) -> Circumstances:
        since = self.memory.since(view.destination) if self.waits else None
        return replace(self._now(view, subscriptions), waiting_since=since)

    def _now(self, view: View, subscriptions: Iterable[Subscription]) -> Circumstances:
        asked = (item for item in subscriptions if item.gates.wait_while_busy)
        busy = {item.key: found for item in asked if (found := self.busy(item.key))}
        return Circumstances(now=self.clock(), recent=view.recent, busy=busy)


def _may_turn_bad(subscription: Subscription) -> bool:
    """Return whether a person may have to decide about what was written: nothing of the question tells that."""
    return subscription.delivery is not None and subscription.delivery.on_bad is OnBad.HOLD


def _merges_itself(destination: Destination) -> bool:
    """Return whether what is proposed there may be merged without people."""
    if destination.method != "git" or not isinstance(destination.publishing, Proposal):
        return False
    return destination.publishing.options.auto_merge is not AutoMerge.NEVER


def _with_group(decisions: Sequence[TargetDecision], holds: Mapping[str, GateHold]) -> dict[str, GateHold]:
    """Return a hold for every member of a group of which another member is held, or failed: all of them move or none."""
    stopped: dict[str, tuple[str, str, float | None]] = {}
    grouped = [item for item in decisions if item.subscription.gates.group is not None]
    for item in grouped:
        group, key = item.subscription.gates.group or "", item.subscription.key
        bad = next((place for place in item.places if place.status in {Status.FAILED, Status.HELD}), None)
        if key in holds:
            stopped.setdefault(group, (key, holds[key].reason, holds[key].opens_at))
        elif bad is not None and bad.code != Code.GROUP:
            opens_at = bad.opens_at.timestamp() if bad.opens_at else None
            stopped.setdefault(group, (key, f"{bad.status.value} ({bad.code})", opens_at))
    found: dict[str, GateHold] = {}
    for item in grouped:
        group, key = item.subscription.gates.group or "", item.subscription.key
        if key not in holds and group in stopped:
            other, why, opens_at = stopped[group]
            reason = f"held with its group {group}: {other}: {why}"
            found[key] = GateHold(gate=Gate.GROUP, code="group", reason=reason, opens_at=opens_at)
    return found


def _ages(subscription: Subscription, choices: Choices) -> Iterator[GateAnswer]:
    """Yield what the minimum age makes of the candidates, which it judges one by one."""
    min_age = subscription.gates.min_age
    if min_age is None:
        return
    for (key, _), choice in choices.items():
        if key != subscription.key or isinstance(choice, UpdaterError):
            continue
        young = [item for item in choice.rejections.values() if item.code == Code.MIN_AGE]
        if choice.code == Code.MIN_AGE:
            opens_at = choice.opens_at.timestamp() if choice.opens_at else None
            yield GateHold(gate=Gate.MIN_AGE, code=Code.MIN_AGE, reason=choice.detail, opens_at=opens_at, hint=choice.hint)
        else:
            waiting = f"; too young: {', '.join(item.tag for item in young[:_YOUNG_SHOWN])}" if young else ""
            yield Open(gate=Gate.MIN_AGE, reason=f"no version that is {length(min_age)} old waits{waiting}")


def _groups(subscription: Subscription, choices: Choices) -> Iterator[GateAnswer]:
    """Yield what the group of a subscription makes of its choices."""
    group = subscription.gates.group
    if group is None:
        return
    found = [item for (key, _), item in choices.items() if key == subscription.key and not isinstance(item, UpdaterError)]
    held = [item for item in found if item.code == Code.GROUP]
    for item in held:
        opens_at = item.opens_at.timestamp() if item.opens_at else None
        yield GateHold(gate=Gate.GROUP, code=Code.GROUP, reason=item.detail, opens_at=opens_at, hint=item.hint)
    if found and not held:
        yield Open(gate=Gate.GROUP, reason=f"every member of the group {group} offers it")


def opening(outcomes: Iterable[Outcome]) -> datetime | None:
    """Return the earliest moment at which a hold ends."""
    moments = (outcome.opens_at for outcome in outcomes if outcome.opens_at is not None)
    return min((at for at in moments if at.timestamp() < _YEAR_2100), default=None)


def _facts(subscription: Subscription, updates: Iterable[Update] = ()) -> UpdateFacts:
    moves = frozenset((old_tag(item) or NOTHING, new_tag(item), place_sum(item.reading.path)) for item in updates)
    return UpdateFacts(key=subscription.key, rules=subscription.gates, decisions=subscription.decisions, moves=moves)


def fresh_updates(view: View, decision: TargetDecision) -> frozenset[Update]:
    """Return the updates that write something new: what a rebuilt branch holds already is only kept there."""
    pending = _pending(view, decision)
    return frozenset(update for update in decision.updates if _is_fresh(update, pending, decision.subscription))


def _is_fresh(update: Update, pending: dict[tuple[str, str], Reading], subscription: Subscription) -> bool:
    held = pending.get((update.reading.path, update.reading.where))
    if held is None or held.written == update.reading.written:
        return True
    return differs(held, update.image, follows_digest=subscription.policy.kind == "digest")


def _pending(view: View, decision: TargetDecision) -> dict[tuple[str, str], Reading]:
    return {(item.path, item.where): item for item in view.pending.get((decision.subscription.key, decision.index), ())}


def _held(view: View, decision: TargetDecision, hold: GateHold, updates: frozenset[Update]) -> TargetDecision:
    pending = _pending(view, decision)
    places = tuple(_held_place(place, pending, hold) if place.update in updates else place for place in decision.places)
    return replace(decision, places=places)


def _held_place(place: PlaceDecision, pending: dict[tuple[str, str], Reading], hold: GateHold) -> PlaceDecision:
    assert place.update is not None  # noqa: S101 - only updates are held
    return replace(
        place,
        status=Status.HELD,
        detail=f"{place.detail}: {hold.reason}",
        code=hold.code,
        hint=hold.hint,
        opens_at=datetime.fromtimestamp(hold.opens_at, UTC) if hold.opens_at is not None else None,
        update=_kept(place.update, pending.get((place.update.reading.path, place.update.reading.where))),
    )


def _kept(update: Update, pending: Reading | None) -> Update | None:
    """Return what keeps on a rebuilt branch what was proposed there before."""
    image = written_ref(pending.written, update.written_as.name) if pending is not None else None
    if pending is None or image is None or pending.written == update.reading.written:
        return None
    return replace(update, image=image, written_as=image, replaced=None)
