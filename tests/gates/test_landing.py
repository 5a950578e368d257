"""Landing gates answer open, or a hold with code, reason and the moment at which it opens."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from updater.gates.answers import Gate, GateHold, Open, length, moment
from updater.gates.landing import Circumstances, UpdateFacts, answers, gate
from updater.model.decision import Hold, ImageRejection, Pin
from updater.model.gates import ChangeRate, GateRules, UpdateWindow, WindowKind
from updater.model.view import PastCommit

NOW = 1_764_252_000.0  # 2025-11-27T14:00:00Z, a Thursday
CLOSED = UpdateWindow(kind=WindowKind.DENY, schedule="0 12 * * *", duration=4 * 3600)
RATE = ChangeRate(count=2, seconds=3600.0)


def asked(rules: GateRules, now: float = NOW, **around: object) -> GateHold | None:
    return gate(UpdateFacts(key="app", rules=rules), Circumstances(now=now, **around))  # type: ignore[arg-type]


def test_without_rules_every_gate_is_open():
    assert asked(GateRules()) is None


def test_a_window_holds_with_the_moment_at_which_it_opens():
    hold = asked(GateRules(windows=(CLOSED,)))
    assert hold is not None
    assert (hold.gate, hold.code, hold.opens_at) == (Gate.WINDOW, "window", NOW + 2 * 3600)
    assert "until 2025-11-27T16:00:00Z" in hold.reason
    assert asked(GateRules(windows=(CLOSED,)), now=NOW + 2 * 3600) is None


def test_changes_are_counted_in_a_sliding_hour():
    moments = (NOW - 60, NOW - 1800, NOW - 3000)
    made = made_at(*moments)
    hold = asked(GateRules(max_changes=RATE), recent=made)
    assert hold is not None
    assert (hold.code, hold.opens_at) == ("max-changes", NOW + 1800)
    assert asked(GateRules(max_changes=RATE), now=NOW + 1800, recent=made) is None
    assert asked(GateRules(max_changes=RATE), recent=made_at(*moments, key="other")) is None


def test_changes_from_the_future_count_as_made_now():
    hold = asked(GateRules(max_changes=RATE), recent=made_at(NOW + 9e6, NOW + 8e6))
    assert hold is not None
    assert hold.opens_at == NOW + 3600


def test_an_update_waits_until_the_oldest_one_has_waited_long_enough():
    rules = GateRules(coalesce=300.0)
    hold = asked(rules, waiting_since=NOW - 100)
    assert hold is not None
    assert (hold.code, hold.opens_at) == ("coalesce", NOW + 200)
    assert asked(rules, waiting_since=NOW - 300) is None
    assert asked(rules, waiting_since=None) is None


def test_all_gates_answer_where_somebody_asks_why():
    rules = GateRules(windows=(CLOSED,), max_changes=RATE, coalesce=60.0)
    found = answers(UpdateFacts(key="app", rules=rules), Circumstances(now=NOW))
    assert [(type(item), item.gate) for item in found] == [
        (GateHold, Gate.WINDOW),
        (Open, Gate.MAX_CHANGES),
        (Open, Gate.COALESCE),
    ]


def past(key: str, old: str, new: str, hours: float, *others: str, place: str = "f") -> PastCommit:
    return PastCommit(
        revision=f"{int(hours * 10):040d}",
        when=datetime.fromtimestamp(NOW - hours * 3600, UTC),
        subject="Update",
        subscriptions=(key,),
        images=(),
        policies=(),
        changes=(f"{key} {old} {new}",),
        places=(f"{key} {place}",),
        followed_by=others,
    )


def made_at(*moments: float, key: str = "app") -> tuple[PastCommit, ...]:
    return tuple(past(key, "1", "2", (NOW - at) / 3600) for at in moments)


def flipped(*changes: PastCommit, now: float = NOW) -> GateHold | None:
    facts = UpdateFacts(key="app", rules=GateRules(), moves=frozenset({("1", "2", "f")}))
    return gate(facts, Circumstances(now=now, recent=changes))


def test_the_same_change_made_three_times_in_a_day_is_stopped_until_a_day_after():
    made = [past("app", "1", "2", hours, "bot@x", f"p{hours}@x") for hours in (1, 2, 9)]
    hold = flipped(*made)
    assert hold is not None
    assert (hold.gate, hold.code, hold.opens_at) == (Gate.FLAPPING, "flapping", NOW + 15 * 3600)
    assert "bot@x" in hold.reason
    assert "app (commit" in hold.reason
    assert hold.opens_at is not None
    assert flipped(*made, now=hold.opens_at) is None
    assert flipped(*made, now=hold.opens_at - 1) is not None


def test_two_of_our_own_subscriptions_are_named_as_such():
    made = [past("app", "1", "2", 1), past("other", "2", "1", 1.5), past("app", "1", "2", 2), past("app", "1", "2", 3)]
    hold = flipped(*made)
    assert hold is not None
    assert "the subscription other" in hold.reason


def test_changes_of_others_of_other_files_and_of_long_ago_are_no_loop():
    once = [past("app", "1", "2", 1), past("app", "1", "2", 2)]
    assert flipped(*once) is None
    assert flipped(*once, past("app", "1", "2", 25)) is None
    assert flipped(*once, past("app", "1", "2", 3, place="g")) is None
    assert flipped(*once, past("web", "1", "2", 3)) is None
    assert flipped(*once, past("app", "0", "2", 3)) is None


def test_a_hold_of_people_comes_first_and_opens_when_it_ends():
    hold = Hold(key="app", author="Jane", reason="audit", until=NOW + 60)
    facts = UpdateFacts(key="app", rules=GateRules(windows=(CLOSED,)), decisions=(hold,))
    found = gate(facts, Circumstances(now=NOW))
    assert found is not None
    assert (found.gate, found.code, found.opens_at) == (Gate.HOLD, "hold", NOW + 60)
    assert "Jane" in found.reason
    assert "audit" in found.reason


def test_what_people_decided_otherwise_is_said_by_an_open_gate():
    facts = UpdateFacts(key="app", rules=GateRules(), decisions=(Pin(key="app", tag="1.0.0"), ImageRejection(key="app", tag="2")))
    (found,) = answers(facts, Circumstances(now=NOW))
    assert isinstance(found, Open)
    assert "1.0.0" in found.reason


@given(
    st.integers(1, 5),
    st.lists(st.floats(NOW - 8000, NOW + 8000), max_size=12),
    st.sampled_from([60.0, 3600.0, 86400.0]),
)
def test_the_rate_opens_when_it_says_and_not_before(count, made, seconds):
    rules = GateRules(max_changes=ChangeRate(count=count, seconds=seconds))
    made = [min(at, NOW) for at in made]
    hold = asked(rules, recent=made_at(*made))
    if hold is None:
        assert sum(at > NOW - seconds for at in made) < count
        return
    assert hold.opens_at is not None
    assert hold.opens_at > NOW
    assert asked(rules, now=hold.opens_at, recent=made_at(*made)) is None
    assert asked(rules, now=NOW + (hold.opens_at - NOW) * 0.999, recent=made_at(*made)) is not None


def test_moments_and_lengths_are_written_as_people_write_them():
    assert moment(NOW) == "2025-11-27T14:00:00Z"
    assert moment(NOW + 0.4) == "2025-11-27T14:00:01Z"
    assert [length(item) for item in (0.2, 45, 90, 5400, 3 * 86400)] == ["0s", "45s", "1m30s", "1h30m", "3d"]
