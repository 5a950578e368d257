"""Read Retry-After and the rate limit headers, and compute the pause between attempts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.http.exchange import Response

LONGEST_PAUSE: Final = 15 * 60.0
RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
UNTOUCHED: Final = frozenset({429, 503})  # said before anything is done (RFC 9110 §15.6.4, RFC 6585 §4)
_EPOCH: Final = 1e9  # nothing waits for thirty years
_NUMBER: Final = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)")
_WINDOW: Final = re.compile(r";\s*w=([0-9]{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The retry policy: *attempts* in total; pauses double from *first* to *longest*, in seconds.

    A wait that the server asks for is kept if it is at most *bearable*; a longer one ends the request.
    After *broken_in_a_row* connections failed, a host is left alone for a while.
    """

    attempts: int = 3
    first: float = 0.5
    longest: float = 8.0
    bearable: float = 20.0
    broken_in_a_row: int = 12
    connect_timeout: float = 10.0
    total_timeout: float = 60.0

    def delay(self, attempt: int, random: Callable[[], float]) -> float:
        """Return the wait after the *attempt*-th try (from 0): between half and the whole of the doubled one."""
        whole = min(self.longest, self.first * 2.0**attempt)
        return whole * (0.5 + 0.5 * random())


def retry_after(answer: Response, wall: float) -> float | None:
    """Return the seconds that Retry-After asks for, as a number or an HTTP date (RFC 9110 §10.2.3), capped.

    *wall* is the time now, in seconds since 1970. None where the header is absent or says nothing.
    """
    text = answer.header("Retry-After")
    if text is None:
        return None
    number = _NUMBER.fullmatch(text.strip())
    if number:
        return min(float(number.group(1)), LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(moment - wall, 0.0), LONGEST_PAUSE)


def left_of_limit(answer: Response) -> tuple[int, int | None] | None:
    """Return how many requests *answer* says are left, and of how many; None where it does not say so."""
    remaining = _NUMBER.match(answer.header("ratelimit-remaining") or "")
    allowed = _NUMBER.match(answer.header("ratelimit-limit") or "")
    return (int(float(remaining[1])), int(float(allowed[1])) if allowed else None) if remaining else None


def pause_asked(answer: Response, wall: float) -> float:
    """Return the seconds for which the whole host is to be left alone after *answer*; 0 is not at all.

    Docker Hub writes ``ratelimit-remaining: 0;w=21600``: its window slides, so one request is free again
    after the window divided by the limit. ``ratelimit-reset`` is in seconds from now, but GitLab's is since 1970.
    """
    if answer.status in {429, 503}:
        return retry_after(answer, wall) or 0.0
    remaining = _NUMBER.match(answer.header("ratelimit-remaining") or "")
    if not remaining or float(remaining.group(1)) > 0:
        return 0.0
    reset = _NUMBER.match(answer.header("ratelimit-reset") or "")
    if reset:
        moment = float(reset.group(1))
        return min(max(moment - wall, 0.0) if moment >= _EPOCH else moment, LONGEST_PAUSE)
    limit = answer.header("ratelimit-limit") or ""
    allowed, window = _NUMBER.match(limit), _WINDOW.search(limit)
    if not allowed or not window or float(allowed.group(1)) == 0:
        return 0.0
    return min(float(window.group(1)) / float(allowed.group(1)), LONGEST_PAUSE)
