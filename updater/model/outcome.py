"""How one target ended: one status word, and the reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from updater.model.text import is_plain, shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from updater.model.subscription import Origin, Target
    from updater.model.update import Change
    from updater.model.written import Written


DRY_RUN: Final = "dry-run"


class Status(StrEnum):
    """The one word with which a target ends."""

    UPDATED = "updated"
    PROPOSED = "proposed"
    UNCHANGED = "unchanged"
    NO_MATCH = "no-match"
    HELD = "held"
    REVERTED = "reverted"
    FAILED = "failed"


_FOLD: Final = (
    Status.FAILED,
    Status.HELD,
    Status.PROPOSED,
    Status.UPDATED,
    Status.REVERTED,
    Status.NO_MATCH,
    Status.UNCHANGED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What one written image gave way to: what stood at the place, or ran where nothing stood, and what stands there now."""

    old: Written
    new: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one target of one subscription ended.

    *code* says why it was held or failed, else None; *hint* what to do about it, "" where nothing helps. *revision* is
    the commit that carries the changes, or the version of the live Application that does. *public* is the detail without
    words of a server, "" where *detail* has none. All of it can be shown; the bytes of a file's name are in the edits.

    *opens_at* is when a hold ends, None where that is not known; where nothing is held, when something better may be written.

    *origin* and *target_spec* are the values behind the texts, None where the outcome was read back from a text. *moves* are
    the images that gave way, as values, one for each pair that differs.
    """

    key: str
    target: str
    status: Status
    detail: str
    changes: tuple[Change, ...] = ()
    revision: str | None = None
    link: str | None = None
    code: str | None = None
    hint: str = ""
    public: str = ""
    origin: Origin | None = None
    target_spec: Target | None = None
    moves: tuple[Move, ...] = ()
    opens_at: datetime | None = None

    @property
    def told(self) -> str:
        """What objects in a cluster are told: their owners may have chosen the server, and must not read its words."""
        return self.public or self.detail

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", shown(self.detail))
        object.__setattr__(self, "changes", tuple(map(_shown, self.changes)))


def fold(statuses: Iterable[Status]) -> Status:
    """Return the one word for a subscription from those of its targets; no targets are unchanged."""
    present = set(statuses)
    return next((status for status in _FOLD if status in present), Status.UNCHANGED)


def _shown(change: Change) -> Change:
    return change if is_plain(change.path) else replace(change, path=shown(change.path))
