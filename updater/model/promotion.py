"""Promotion: a subscription that takes what another one ran well, and what that other one offers at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from updater.model.image import ImageRef
    from updater.model.written import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """Only what *subscription*, by its key, has run healthy for *healthy_for* seconds is written."""

    subscription: str
    healthy_for: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyRun:
    """The time for which one commit of ours was seen healthy, in Unix time.

    *since* is when that began, pauses left out; None while it is not healthy. *until* is when another commit of ours took its
    place, or since when it is not healthy for a moment; None while it is. One that *is_bad* is never offered; one that
    *is_standing* is what the subscription has now. *reason* is what the cluster says last.
    """

    revision: str
    image: ImageRef
    began: float
    since: float | None = None
    until: float | None = None
    reason: str = ""
    is_bad: bool = False
    is_standing: bool = True

    def healthy_for(self, now: float) -> float:
        """Return for how many seconds it has been healthy."""
        if self.since is None:
            return 0.0
        return max(0.0, (now if self.until is None else min(self.until, now)) - self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a followed subscription offers: *promoted* ran healthy for the time, the latest first.

    *standing* is what it has now, None where nobody knows. *reason* says in words what is with that one, *opens_at* when its time
    is up, in Unix time, *is_bad* that its release failed.
    """

    follows: Follows
    promoted: tuple[ImageRef, ...] = ()
    standing: ImageRef | None = None
    reason: str = ""
    opens_at: float | None = None
    is_bad: bool = False

    def keeps(self, written: Written) -> bool:
        """Return whether what was proposed before may go on waiting: it is on offer, or still on its way to that."""
        coming = (self.standing,) if self.standing is not None and not self.is_bad else ()
        found = next((item for item in (*self.promoted, *coming) if item.tag == written.tag), None)
        return found is not None and (written.digest is None or found.digest is None or written.digest == str(found.digest))


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedRuns:
    """The runs of the subscription *key* as another process saw them last, at *seen* in Unix time, the latest first.

    *place* says where they ran, "" where that was not noted.
    """

    key: str
    seen: float
    runs: tuple[HealthyRun, ...]
    place: str = ""
