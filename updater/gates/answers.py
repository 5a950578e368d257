"""What a gate answers: open, or a hold with its reason and, where known, the moment at which it opens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from updater.model.moments import rfc3339


class Gate(StrEnum):
    """The gates by name, in no order: `gates.landing` asks those of a landing; a version, a group or a release is held before."""

    HOLD = "hold"
    RELEASE = "release"
    WINDOW = "window"
    MAX_CHANGES = "max-changes"
    FLAPPING = "flapping"
    BUSY = "busy"
    COALESCE = "coalesce"
    GROUP = "group"
    MIN_AGE = "min-age"
    FOLLOWS = "follows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """The gate lets updates through; *reason* says why in words for people."""

    gate: Gate
    reason: str
    code: None = None
    opens_at: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateHold:
    """The gate keeps an update back, as *code* and *reason* say; *opens_at* is in Unix time, None where it is not known."""

    gate: Gate
    code: str
    reason: str
    opens_at: float | None = None
    hint: str = ""


GateAnswer: TypeAlias = Open | GateHold

#: the codes of holds that end by time, by Git or by people, and not by a better tag
GATE_CODES: Final = frozenset(
    {
        "min-age",
        "follows",
        "window",
        "max-changes",
        "coalesce",
        "group",
        "flapping",
        "busy",
        "bad-release",
        "hold",
        "pinned",
        "holds-unreadable",
    }
)


@lru_cache(maxsize=1024)
def moment(at: float) -> str:
    """Write a moment as RFC 3339 in UTC, to the second; what begins within a second is written as the next one."""
    return rfc3339(-(-at // 1))


def length(seconds: float) -> str:
    """Write a duration as it is written in settings, with at most two units: ``3d``, ``1h30m``, ``45s``."""
    left, words = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words[:2]) or "0s"
