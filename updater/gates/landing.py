"""The landing gates: may this update be written now. Pure over frozen `Circumstances`; none of them looks at the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from updater.gates.answers import Gate, GateAnswer, GateHold, Open, length, moment
from updater.gates.windows import state_at
from updater.model.decision import HELD, UNREADABLE, hold_of, pin_of, rejections_of
from updater.model.gates import GateRules, WindowKind
from updater.model.view import commits_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.model.decision import Decision
    from updater.model.gates import ChangeRate
    from updater.model.view import PastCommit

#: the value before and after, and the sum of the path of the file
Move: TypeAlias = tuple[str, str, str]

#: a change that was made so often within so many seconds, and is to be made again, is one of two writers
FLAPPING_AT: Final = 3
FLAPPING_WITHIN: Final = 86400.0
_UNREAD_HINT: Final = "correct what the message names: until then it may be a hold"
_WINDOW_HINT: Final = "nothing has to be done: it is written when the window allows it"


def hint_of_hold(key: str, *, is_unread: bool = False) -> str:
    """Return what lets updates of a subscription go on that people hold; what cannot be read is corrected where it is."""
    return _UNREAD_HINT if is_unread else f"updater release {key} lets updates go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """All that landing gates may look at, for one destination at one moment.

    *now* is in Unix time, *recent* are our own commits there, newest first. *waiting_since* is when the oldest update that waits
    for others there was first decided, None where none waits. *busy* says, by subscription key, which rollout or canary is in
    progress.
    """

    now: float
    recent: tuple[PastCommit, ...] = ()
    waiting_since: float | None = None
    busy: Mapping[str, str] = field(default_factory=dict)

    def of(self, key: str, seconds: float) -> list[PastCommit]:
        """Return our commits for a subscription in the last *seconds*, newest first; what lies in the future is among them."""
        since = datetime.fromtimestamp(self.now - seconds, UTC)
        return [past for past in commits_for(key, self.recent) if past.when > since]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateFacts:
    """The update that asks: of which subscription, by which rules, and what people decided about it that is in force.

    *moves* are what it would write: the value before and after, and the sum of the file's path.
    """

    key: str
    rules: GateRules
    decisions: tuple[Decision, ...] = ()
    moves: frozenset[Move] = frozenset()


def answers(facts: UpdateFacts, circumstances: Circumstances) -> tuple[GateAnswer, ...]:
    """Return what every gate that the rules ask for answers, in their order."""
    return tuple(_asked(facts, circumstances))


def gate(facts: UpdateFacts, circumstances: Circumstances) -> GateHold | None:
    """Return the first hold; None where every gate is open."""
    return next((answer for answer in _asked(facts, circumstances) if isinstance(answer, GateHold)), None)


def _asked(facts: UpdateFacts, circumstances: Circumstances) -> Iterator[GateAnswer]:
    rules = facts.rules
    if facts.decisions:
        yield held(facts.decisions, facts.key)
    if rules.windows:
        yield window(rules, circumstances.now)
    if rules.max_changes is not None:
        made = circumstances.of(facts.key, rules.max_changes.seconds)
        yield changes(rules.max_changes, tuple(past.when.timestamp() for past in made), circumstances.now)
    if facts.moves:
        yield flapping(facts, circumstances)
    if rules.wait_while_busy:
        yield idle(circumstances.busy.get(facts.key, ""))
    if rules.coalesce is not None:
        yield coalesced(rules.coalesce, circumstances)


def held(decisions: tuple[Decision, ...], key: str) -> GateAnswer:
    """Ask people: a hold keeps everything back; a pin is said, and moves as any update does."""
    hold, pin = hold_of(decisions), pin_of(decisions)
    if hold is not None:
        code = UNREADABLE if hold.is_unread else HELD
        hint = hint_of_hold(key, is_unread=hold.is_unread)
        return GateHold(gate=Gate.HOLD, code=code, reason=hold.sentence, opens_at=hold.until, hint=hint)
    rejections = ", ".join(item.sentence for item in rejections_of(decisions))
    return Open(gate=Gate.HOLD, reason=pin.sentence if pin is not None else rejections or "nobody holds it")


def window(rules: GateRules, now: float) -> GateAnswer:
    """Ask the update windows: a deny window in force always wins; else an allow window has to be in force, if there is any."""
    state = state_at(rules.windows, now)
    if state.is_open:
        reason = f"in the {state.window}" if state.window else "no deny window is in force"
        until = f", until {moment(state.changes_at)}" if state.changes_at is not None else ""
        return Open(gate=Gate.WINDOW, reason=reason + until)
    is_denied = state.window is not None and state.window.kind is WindowKind.DENY
    reason = f"held by the {state.window}" if is_denied else f"outside the {state.window}"
    until = f" until {moment(state.changes_at)}" if state.changes_at is not None else ""
    return GateHold(gate=Gate.WINDOW, code="window", reason=reason + until, opens_at=state.changes_at, hint=_WINDOW_HINT)


def changes(rate: ChangeRate, made: tuple[float, ...], now: float) -> GateAnswer:
    """Ask whether another change fits into the rate; a change from the future, left by a clock that was ahead, counts as now."""
    recent = sorted((min(at, now) for at in made if at > now - rate.seconds), reverse=True)
    if len(recent) < rate.count:
        return Open(gate=Gate.MAX_CHANGES, reason=f"{len(recent)} of {rate} changes are used")
    opens_at = recent[rate.count - 1] + rate.seconds
    reason = f"{len(recent)} changes were written within the limit of {rate}; held until {moment(opens_at)}"
    hint = "raise max_changes to let more through"
    return GateHold(gate=Gate.MAX_CHANGES, code="max-changes", reason=reason, opens_at=opens_at, hint=hint)


def flapping(facts: UpdateFacts, circumstances: Circumstances) -> GateAnswer:
    """Ask whether this very change was made, and undone by another writer, too often: then both are named and it is stopped."""
    commits = circumstances.of(facts.key, FLAPPING_WITHIN)
    for move in sorted(facts.moves) if len(commits) >= FLAPPING_AT else ():
        made = [past for past in commits if move in _moves(past, facts.key)]
        if len(made) >= FLAPPING_AT:
            opens_at = min(made[FLAPPING_AT - 1].when.timestamp(), circumstances.now) + FLAPPING_WITHIN
            (old, new, _), rival = move, _rival(circumstances.recent, made, move)
            reason = (
                f"{old} → {new} was written {len(made)} times in {length(FLAPPING_WITHIN)} and undone each time: this updater"
                f" writes it for {facts.key} (commit {made[0].revision[:9]}), {rival} writes {old};"
                f" stopped until {moment(opens_at)}"
            )
            return GateHold(
                gate=Gate.FLAPPING, code="flapping", reason=reason, opens_at=opens_at, hint="let only one of them write the value"
            )
    return Open(gate=Gate.FLAPPING, reason="nobody else writes this value again and again")


def _moves(past: PastCommit, key: str | None) -> dict[Move, str]:
    """Return what a commit changed for *key*, or for all, as its trailers say: values and file of each, with the key."""
    sums, moves = past.file_sums(), past.moves() if key is None else past.moves_of(key)
    return {(old, new, place): owner for owner, old, new in moves for place in sums.get(owner, ())}


def _rival(recent: tuple[PastCommit, ...], made: list[PastCommit], move: Move) -> str:
    """Name who undid the changes: our own subscription that wrote the value before, else who committed after each of them."""
    old, new, place = move
    counter = next(((past, owner) for past in recent if (owner := _moves(past, None).get((new, old, place)))), None)
    if counter is not None:
        return f"the subscription {counter[1]} (commit {counter[0].revision[:9]})"
    common = [who for who in made[0].followed_by if all(who in past.followed_by for past in made)]
    return common[0] if common else ", ".join(made[0].followed_by[:3]) or "another writer"


def idle(busy: str) -> GateAnswer:
    """Ask whether a rollout or canary is in progress, as *busy* says: a write would replace it in the middle."""
    if not busy:
        return Open(gate=Gate.BUSY, reason="no rollout or canary is in progress")
    hint = "it is written when that ends; wait_while_busy: false lets it replace what is in progress"
    return GateHold(gate=Gate.BUSY, code="busy", reason=f"waits while {busy}", hint=hint)


def coalesced(delay: float, circumstances: Circumstances) -> GateAnswer:
    """Ask whether the oldest update that waits at the destination has waited as long as *delay*: all that wait go together."""
    since = circumstances.waiting_since
    if since is None:
        return Open(gate=Gate.COALESCE, reason=f"nothing waits; an update waits {length(delay)} for others")
    since = min(since, circumstances.now)
    opens_at = since + delay
    if opens_at <= circumstances.now:
        return Open(gate=Gate.COALESCE, reason=f"waited {length(delay)} for others")
    reason = f"waits {length(delay)} for other updates of the destination, until {moment(opens_at)}"
    return GateHold(gate=Gate.COALESCE, code="coalesce", reason=reason, opens_at=opens_at)
