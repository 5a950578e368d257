"""What people asked for by ``reconcile.fluxcd.io/requestedAt``, since when it is known here, and whether it was done.

Only work that began after the request was seen answers it: a scan that was on its way may not have seen the tag that was pushed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.flux.cluster.status_fields import LAST_HANDLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from updater.controller.objects import KeptObject
    from updater.kube.kinds import Ref


class RequestedWork:
    """The last request of each object, and when it was seen first."""

    def __init__(self) -> None:
        self._seen: dict[Ref, tuple[str, datetime]] = {}

    def note(self, asked: Iterable[tuple[Ref, str, KeptObject]], now: datetime) -> list[Ref]:
        """Take over all that is requested *now*, and what was done of it; return the objects whose request is new."""
        before, self._seen = self._seen, {}
        new: list[Ref] = []
        for ref, requested_at, kept in asked:
            if not requested_at or kept.status.get(LAST_HANDLED) == requested_at:
                continue
            known = before.get(ref)
            if known is not None and known[0] == requested_at:
                self._seen[ref] = known
            else:
                self._seen[ref] = (requested_at, now)
                new.append(ref)
        return new

    def is_open(self, ref: Ref) -> bool:
        """Return whether a person waits for an answer in the status of an object."""
        return ref in self._seen

    def is_done(self, ref: Ref, answers: Callable[[datetime], bool]) -> bool:
        """Return whether the request of an object was done; *answers* says that of one that was seen at a time."""
        seen = self._seen.get(ref)
        return seen is None or answers(seen[1])
