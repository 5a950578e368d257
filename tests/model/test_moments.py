"""How moments are written: as Kubernetes and JSON expect them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from updater.model.moments import rfc3339


@pytest.mark.parametrize(
    ("timespec", "text"),
    [
        ("seconds", "2026-01-02T03:04:05Z"),
        ("milliseconds", "2026-01-02T03:04:05.987Z"),
        ("microseconds", "2026-01-02T03:04:05.987654Z"),
    ],
)
def test_a_moment_is_written_in_utc_and_cut_off_not_rounded(timespec, text):
    at = datetime(2026, 1, 2, 3, 4, 5, 987654, tzinfo=UTC)
    assert rfc3339(at, timespec) == text
    assert rfc3339(at.astimezone(timezone(timedelta(hours=2))), timespec) == text


def test_unix_time_is_written_the_same_way():
    assert (rfc3339(0), rfc3339(1.75)) == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z")
