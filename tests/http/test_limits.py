"""Promises about what servers say of waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from updater.http.exchange import Response
from updater.http.limits import LONGEST_PAUSE, Patience, pause_asked, retry_after

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


def answer(status: int = 200, **headers: str) -> Response:
    fields = CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))
    return Response(status=status, url="https://r.example.com/", body=b"", fields=fields)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (" 1.5 ", 1.5),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Friday, 15-Jan-27 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("86400", LONGEST_PAUSE),
        ("Fri, 15 Jan 2028 08:00:00 GMT", LONGEST_PAUSE),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date_and_capped(text, seconds):
    assert retry_after(answer(429, Retry_After=text), NOW) == seconds


def test_without_the_header_nothing_is_asked():
    assert retry_after(answer(429), NOW) is None
    assert pause_asked(answer(429), NOW) == 0.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit_limit": "100;w=21600", "ratelimit_remaining": "0;w=21600"}, 216.0),
        ({"ratelimit_limit": "100;w=21600", "ratelimit_remaining": "76;w=21600"}, 0.0),
        ({"ratelimit_limit": "10, 100;w=50", "ratelimit_remaining": "0", "ratelimit_reset": "9"}, 9.0),
        ({"ratelimit_limit": "1;w=999999", "ratelimit_remaining": "0"}, LONGEST_PAUSE),
        ({"ratelimit_limit": "0;w=60", "ratelimit_remaining": "0"}, 0.0),
        ({"ratelimit_remaining": "0", "ratelimit_reset": f"{NOW + 30:.0f}"}, 30.0),  # as GitLab says it
        ({"ratelimit_remaining": "0", "ratelimit_reset": f"{NOW - 30:.0f}"}, 0.0),
        ({"ratelimit_remaining": "0"}, 0.0),
        ({"ratelimit_remaining": "none"}, 0.0),
    ],
)
def test_a_used_up_limit_pauses_until_one_request_is_free_again(headers, seconds):
    assert pause_asked(answer(**headers), NOW) == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_that_names_a_time_pauses_the_host(status):
    assert pause_asked(answer(status, Retry_After="12"), NOW) == 12.0


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_text_breaks_the_reader(one, other):
    found = answer(429, Retry_After=one, ratelimit_remaining="0", ratelimit_limit=other)
    assert 0.0 <= (retry_after(found, NOW) or 0.0) <= LONGEST_PAUSE
    assert 0.0 <= pause_asked(found, NOW) <= LONGEST_PAUSE


@given(st.integers(0, 40), st.floats(0, 1))
def test_a_delay_grows_to_its_bound_and_is_never_without_chance(attempt, chance):
    patience = Patience(first=0.5, longest=8.0)
    whole = min(8.0, 0.5 * 2.0**attempt)
    assert whole / 2 <= patience.delay(attempt, lambda: chance) <= whole
