"""Cron fields mean what they mean in the sync windows of Argo CD."""

from __future__ import annotations

from datetime import datetime

import pytest

from updater.errors import PolicyError
from updater.gates.cron import parse_schedule


def after(schedule: str, moment: str) -> str:
    found = parse_schedule(schedule).after(datetime.fromisoformat(moment))
    assert found is not None
    return found.isoformat(sep=" ", timespec="minutes")


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("0 9 * * 1-5", "2026-11-27 09:00", "2026-11-30 09:00"),  # a Friday: the next is Monday, strictly after
        ("0 9 * * MON-FRI", "2026-11-27 08:59", "2026-11-27 09:00"),
        ("*/15 * * * *", "2026-11-27 08:46", "2026-11-27 09:00"),
        ("5/20 * * * *", "2026-11-27 08:26", "2026-11-27 08:45"),
        ("0 0 1 jan *", "2026-11-27 00:00", "2027-01-01 00:00"),
        ("0 0 29 2 *", "2026-11-27 00:00", "2028-02-29 00:00"),
        ("0 12 13 * 5", "2026-11-27 13:00", "2026-12-04 12:00"),  # both day fields: either of them
        ("0 12 */2 * 5", "2026-11-27 11:00", "2026-11-27 12:00"),
        ("0 12 ? * 0", "2026-11-27 11:00", "2026-11-29 12:00"),  # Sunday is 0
        ("30 22 * * 0,6", "2026-11-28 22:30", "2026-11-29 22:30"),
    ],
)
def test_the_next_match_is_that_of_robfig_cron(schedule, moment, expected):
    assert after(schedule, moment) == expected


@pytest.mark.parametrize(
    ("schedule", "word"),
    [
        ("0 9 * *", "five"),
        ("@daily", "five"),
        ("60 9 * * *", "minute"),
        ("0 9 0 * *", "day of the month"),
        ("0 9 * 13 *", "month"),
        ("0 9 * * 7", "day of the week"),
        ("0 9 * * 5-1", "day of the week"),
        ("*/0 * * * *", "minute"),
        ("0 9 * foo *", "month"),
        ("0 9 31 2 *", "never"),
        ("1-2-3 * * * *", "minute"),
        ("0 9 * * 1 " + "x" * 9999, "five"),
    ],
)
def test_a_bad_schedule_is_refused_with_the_field_and_a_hint(schedule, word):
    with pytest.raises(PolicyError) as refused:
        parse_schedule(schedule)
    assert refused.value.code == "schedule"
    assert word in refused.value.message
    assert refused.value.hint
