"""The policy `calver`: the newest calendar version, YYYY.MM.micro, not before the year `since`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from updater.errors import PolicyError
from updater.model.candidate import Rank
from updater.policies.base import NotRanked, Policy, check_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.candidate import Candidate

_CALENDAR = re.compile(r"([0-9]{4})\.(0?[1-9]|1[0-2])(?:\.([0-9]{1,9}))?")


@dataclass(frozen=True)
class CalverPolicy(Policy):
    """The newest calendar version since a year."""

    is_by_name: ClassVar[bool] = True

    since: int = 0

    @property
    def reason(self) -> str:
        """The newest calendar version."""
        return "the newest calendar version"

    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:
        """Order by year, month and counter."""
        match = _CALENDAR.fullmatch(text)
        if match is None:
            return NotRanked("not-a-version", f"{text} is not a calendar version")
        year, month, micro = (int(number or 0) for number in match.groups())
        if year < self.since:
            return NotRanked("range", f"{text} is older than {self.since}")
        return Rank((year, month, micro))


def build(options: Mapping[str, object]) -> Policy:
    """Build from `since`, a year."""
    check_options("calver", options, {"since": "a year"})
    since = options.get("since", 0)
    if not isinstance(since, int):
        raise PolicyError("since of the policy calver is not a year", hint="write since: 2024")
    return CalverPolicy(since=since)
