"""The policy `name`: the last tag, or the first, in plain text order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from updater.model.candidate import Rank
from updater.policies.base import Policy, check_options, order_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.model.candidate import Candidate
    from updater.policies.base import NotRanked

OPTIONS: Final = {"order": "asc or desc"}
_FLOATING: Final = "latest"


@dataclass(frozen=True)
class NamePolicy(Policy):
    """Choose the last text by code point, with *descending* the first; ``1.9`` ranks above ``1.10``."""

    is_by_name: ClassVar[bool] = True
    orders_every_text: ClassVar[bool] = True

    descending: bool = False

    @property
    def reason(self) -> str:
        """The last or first in text order."""
        return f"the {'first' if self.descending else 'last'} in text order"

    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:  # noqa: ARG002 - the name says all
        """Place any text."""
        return Rank(_mirrored(text) if self.descending else text)

    def orders(self, texts: Sequence[str], tags: Sequence[str], candidates: Mapping[str, Candidate]) -> list[Any | None]:  # noqa: ARG002 - the signature of every policy
        """Place many texts."""
        return [_mirrored(text) for text in texts] if self.descending else list(texts)

    def written(self, text: str, candidate: Candidate) -> Rank | None:
        """Place the written value; ``latest`` names no version, so nothing is below it."""
        return None if text == _FLOATING else super().written(text, candidate)


def _mirrored(text: str) -> tuple[int, ...]:
    # the end of a text stands above every further letter, as it stands below in the usual order
    return (*(-ord(letter) for letter in text), 1)


def build(options: Mapping[str, object]) -> Policy:
    """Build from ``order``; raise `PolicyError`."""
    check_options("name", options, OPTIONS)
    return NamePolicy(descending=order_option("name", options))
