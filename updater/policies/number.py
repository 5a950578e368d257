"""The policy `number`: the greatest number, or the least, however many digits it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from updater.model.candidate import Rank
from updater.model.selection import Code
from updater.policies.base import NotRanked, Policy, check_options, order_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.candidate import Candidate

OPTIONS: Final = {"order": "asc or desc"}
# As Go's strconv.ParseFloat reads a number of base ten: one underscore may stand between two digits, as in 20240101_120000.
_DIGITS: Final = r"[0-9](?:_?[0-9])*+"
# An exponent is bounded, or a commit hash such as 7e99999999 would be a number that beats all.
_EXPONENT: Final = r"[eE][+-]?+[0-9](?:_?[0-9]){0,2}+"
_NUMBER: Final = re.compile(rf"[+-]?+(?:{_DIGITS}(?:\.(?:{_DIGITS})?+)?+|\.{_DIGITS})(?:{_EXPONENT})?+")


@dataclass(frozen=True)
class NumberPolicy(Policy):
    """Choose the greatest decimal number, with *descending* the least; exact, never rounded."""

    is_by_name: ClassVar[bool] = True

    descending: bool = False

    @property
    def reason(self) -> str:
        """The greatest or least number."""
        return f"the {'least' if self.descending else 'greatest'} number"

    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:  # noqa: ARG002 - the name says all
        """Place a text that is a number."""
        if not _NUMBER.fullmatch(text):
            return NotRanked(Code.NOT_A_NUMBER, f"{text or 'an empty text'} is not a number")
        number = Decimal(text.replace("_", ""))
        # a plain minus would round to the precision of the context
        return Rank(number.copy_negate() if self.descending else number)


def build(options: Mapping[str, object]) -> Policy:
    """Build from ``order``; raise `PolicyError`."""
    check_options("number", options, OPTIONS)
    return NumberPolicy(descending=order_option("number", options))
