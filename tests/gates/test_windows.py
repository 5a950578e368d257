"""Windows are spans of the wall clock: a deny window wins, and the moment that is named really opens."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from updater.gates.windows import _searched, is_open, state_at
from updater.model.gates import UpdateWindow, WindowKind

BERLIN = "Europe/Berlin"


def window(kind: str, schedule: str, hours: float, zone: str = BERLIN) -> UpdateWindow:
    return UpdateWindow(kind=WindowKind(kind), schedule=schedule, duration=hours * 3600, time_zone=zone)


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


WORK = window("allow", "0 9 * * 1-5", 8)
FRIDAY = window("deny", "0 12 * * 5", 12)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-27 08:59", False),
        ("2026-11-27 09:00", True),
        ("2026-11-27 11:59", True),
        ("2026-11-27 12:00", False),  # the deny window wins over the allow window
        ("2026-11-28 10:00", False),  # Saturday
        ("2026-11-30 16:59", True),
        ("2026-11-30 17:00", False),
    ],
)
def test_an_update_needs_an_allow_window_and_no_deny_window(moment, expected):
    assert is_open((WORK, FRIDAY), at(moment)) is expected


def test_without_an_allow_window_only_deny_windows_count():
    assert is_open((FRIDAY,), at("2026-11-28 10:00"))
    assert is_open((), at("2026-11-28 10:00"))
    assert not is_open((FRIDAY,), at("2026-11-27 13:00"))


def test_a_hold_names_the_moment_at_which_it_opens():
    assert state_at((WORK, FRIDAY), at("2026-11-27 13:00")).changes_at == at("2026-11-30 09:00")
    assert state_at((FRIDAY,), at("2026-11-27 13:00")).changes_at == at("2026-11-28 00:00")


def test_a_window_over_the_night_in_which_clocks_go_forward_ends_by_the_wall_clock():
    night = window("deny", "0 22 * * *", 8)
    state = state_at((night,), at("2026-03-28 23:00"))
    assert (state.is_open, state.changes_at) == (False, at("2026-03-29 06:00"))
    assert state.changes_at - at("2026-03-28 22:00") == 7 * 3600


def test_a_window_over_the_night_in_which_clocks_go_back_ends_by_the_wall_clock():
    night = window("deny", "0 22 * * *", 8)
    state = state_at((night,), at("2026-10-24 23:00"))
    assert (state.is_open, state.changes_at) == (False, at("2026-10-25 06:00"))
    assert state.changes_at - at("2026-10-24 22:00") == 9 * 3600


def test_a_window_that_begins_in_the_skipped_hour_has_begun_when_that_hour_is_over():
    early = window("deny", "30 2 * * *", 1)  # on 29 March 02:00 is followed by 03:00
    assert is_open((early,), at("2026-03-29 01:59"))
    assert state_at((early,), at("2026-03-29 01:00")).changes_at == at("2026-03-29 03:00")
    assert not is_open((early,), at("2026-03-29 03:00"))
    assert is_open((early,), at("2026-03-29 03:30"))


def test_a_window_in_the_hour_that_comes_twice_is_in_force_twice():
    early = window("allow", "0 2 * * *", 1)  # on 25 October 02:00 to 03:00 comes twice
    assert is_open((early,), at("2026-10-25 02:30", fold=0))
    assert is_open((early,), at("2026-10-25 02:30", fold=1))
    assert not is_open((early,), at("2026-10-25 03:00"))
    half = window("allow", "0 2 * * *", 0.5)
    assert not is_open((half,), at("2026-10-25 02:45", fold=0))
    assert state_at((half,), at("2026-10-25 02:45", fold=0)).changes_at == at("2026-10-25 02:00", fold=1)


def test_windows_that_never_open_are_held_without_a_moment_and_without_a_long_search():
    always = window("deny", "* * * * *", 1)
    assert (state_at((always,), 1.8e9).is_open, state_at((always,), 1.8e9).changes_at) == (False, None)


def test_a_clock_that_was_set_back_is_answered_anew():
    assert not is_open((FRIDAY,), at("2026-11-27 13:00"))
    assert state_at((FRIDAY,), at("2026-11-28 13:00")).is_open
    assert not state_at((FRIDAY,), at("2026-11-27 13:00")).is_open


WINDOWS = st.builds(
    window,
    st.sampled_from(["allow", "deny"]),
    st.sampled_from(["0 9 * * 1-5", "30 2 * * *", "0 */6 * * *", "15 1 1 * *", "0 0 * * 0", "45 23 * * 6", "*/30 1,2,3 * * *"]),
    st.sampled_from([0.25, 0.5, 1, 3, 8, 24, 60]),
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]),
)
MOMENTS = st.one_of(
    st.integers(int(at("2026-01-01 00:00")), int(at("2027-12-31 00:00"))),
    *(st.integers(int(at(day) - 90000), int(at(day) + 90000)) for day in ("2026-03-29 02:00", "2026-10-25 02:00")),
).map(float)


@settings(max_examples=300, deadline=None)
@given(st.lists(WINDOWS, max_size=4).map(tuple), MOMENTS)
def test_opens_at_really_opens_and_nothing_opens_before(windows, moment):
    state = _searched(windows, moment)
    assert state.is_open == is_open(windows, moment)
    until = state.changes_at if state.changes_at is not None else state.searched_to
    if state.changes_at is not None:
        assert is_open(windows, until) != state.is_open
    step = max((until - moment) / 40, 60.0)
    sample = moment
    while sample < until:
        assert is_open(windows, sample) == state.is_open
        sample += step
    assert is_open(windows, max(until - 1.0, moment)) == state.is_open


@settings(max_examples=200, deadline=None)
@given(st.lists(WINDOWS, max_size=3).map(tuple), WINDOWS, MOMENTS)
def test_a_deny_window_in_force_always_wins(windows, other, moment):
    deny = UpdateWindow(kind=WindowKind.DENY, schedule=other.schedule, duration=other.duration, time_zone=other.time_zone)
    if not is_open((deny,), moment):
        assert not is_open((*windows, deny), moment)
    else:
        assert is_open((*windows, deny), moment) == is_open(windows, moment)
