"""Which commits of a branch are ours, read once each, and who committed between them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.git.trailers import CommitInfo, read_past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.view import PastCommit

MOST_TOLD: Final = 400
MOST_FOLLOWERS: Final = 10


class OwnCommits:
    """Reads commits of ours by their trailers; *ours* holds our committers' addresses in lower case, and may grow.

    Each landing looks at the same two hundred: the last `MOST_TOLD` that were read are remembered. What many of them say alike is
    held once.
    """

    def __init__(self, ours: set[str]) -> None:
        self._ours = ours
        self._told: dict[str, PastCommit] = {}
        self._alike: dict[tuple[str, ...], tuple[str, ...]] = {}

    def read(self, info: CommitInfo) -> PastCommit | None:
        """Return a commit of ours; None for somebody else's."""
        known = self._told.get(info.revision)
        if known is None and (known := read_past(info, self._ours)) is not None:
            if len(self._told) >= MOST_TOLD:
                del self._told[next(iter(self._told))]
            self._told[info.revision] = known = self._shared(known)
        return known

    def _shared(self, past: PastCommit) -> PastCommit:
        if len(self._alike) > MOST_TOLD:
            self._alike.clear()
        return replace(
            past,
            subscriptions=self._alike.setdefault(past.subscriptions, past.subscriptions),
            policies=self._alike.setdefault(past.policies, past.policies),
            branches=self._alike.setdefault(past.branches, past.branches),
            places=self._alike.setdefault(past.places, past.places),
        )

    def with_followers(self, commits: Sequence[CommitInfo]) -> list[PastCommit]:
        """Return those of *commits*, newest first, that are ours, each with who committed between it and the next one of ours."""
        found: list[PastCommit] = []
        others: list[str] = []
        for info in commits:
            past = self.read(info)
            if past is None:
                others.append(info.committer)
                continue
            found.append(replace(past, followed_by=tuple(dict.fromkeys(others))[:MOST_FOLLOWERS]) if others else past)
            others.clear()
        return found
