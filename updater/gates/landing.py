"""The landing gates: may this update be written now. Pure over frozen `Circumstances`; none of them looks at the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from updater.gates.answers import Gate, GateAnswer, GateHold, Open, length, moment
from updater.gates.windows import state_at
from updater.model.decision import HELD, UNREADABLE, hold_of, pin_of, rejections_of
from updater.model.gates import GateRules, WindowKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.model.decision import Decision

_RELEASE_HINT: Final = "updater release KEY lets updates go on"
_WINDOW_HINT: Final = "nothing has to be done: it is written when the window allows it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """All that landing gates may look at, for one destination at one moment.

    *now* is in Unix time. *changes* are the moments of our own changes there, by subscription key, newest first.
    *waiting_since* is when the oldest update that waits for others there was first decided, None where none waits.
    """

    now: float
    changes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    waiting_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateFacts:
    """The update that asks: of which subscription, by which rules, and what people decided about it that is in force."""

    key: str
    rules: GateRules
    decisions: tuple[Decision, ...] = ()


def answers(facts: UpdateFacts, circumstances: Circumstances) -> tuple[GateAnswer, ...]:
    """Return what every gate that the rules ask for answers, in their order."""
    return tuple(_asked(facts, circumstances))


def gate(facts: UpdateFacts, circumstances: Circumstances) -> GateHold | None:
    """Return the first hold; None where every gate is open."""
    return next((answer for answer in _asked(facts, circumstances) if isinstance(answer, GateHold)), None)


def _asked(facts: UpdateFacts, circumstances: Circumstances) -> Iterator[GateAnswer]:
    rules = facts.rules
    if facts.decisions:
        yield held(facts.decisions)
    if rules.windows:
        yield window(rules, circumstances.now)
    if rules.max_changes is not None:
        yield changes(rules, circumstances.changes.get(facts.key, ()), circumstances.now)
    if rules.coalesce is not None:
        yield coalesced(rules.coalesce, circumstances)


def held(decisions: tuple[Decision, ...]) -> GateAnswer:
    """Ask people: a hold keeps everything back; a pin is said, and moves as any update does."""
    hold, pin = hold_of(decisions), pin_of(decisions)
    if hold is not None:
        code = UNREADABLE if hold.is_unread else HELD
        return GateHold(gate=Gate.HOLD, code=code, reason=hold.sentence, opens_at=hold.until, hint=_RELEASE_HINT)
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


def changes(rules: GateRules, made: tuple[float, ...], now: float) -> GateAnswer:
    """Ask whether another change fits into the rate; a change from the future, left by a clock that was ahead, counts as now."""
    rate = rules.max_changes
    assert rate is not None  # noqa: S101 - asked only where there is one
    recent = sorted((min(at, now) for at in made if at > now - rate.seconds), reverse=True)
    if len(recent) < rate.count:
        return Open(gate=Gate.MAX_CHANGES, reason=f"{len(recent)} of {rate} changes are used")
    opens_at = recent[rate.count - 1] + rate.seconds
    reason = f"{len(recent)} changes were written within the limit of {rate}; held until {moment(opens_at)}"
    hint = "raise max_changes to let more through"
    return GateHold(gate=Gate.MAX_CHANGES, code="max-changes", reason=reason, opens_at=opens_at, hint=hint)


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
