"""Who keeps what two subscriptions claim: what the Git servers said of each way to the branch, and the rule.

Who may not push to a repository claims nothing there. Among the others who wrote there before keeps it, as the trailers of our
commits say; else the older object does. Until the servers have answered nobody keeps it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.model.subscription import GitBranch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from updater.model.subscription import Destination, Origin

RULE: Final = "who wrote there before keeps it, else the older object"
_NEWEST: Final = "~"  # above every time: an object of which nobody knows when it was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a server said of one way to a branch.

    *may_push* is None where the server did not answer. *writers* are the keys of the subscriptions that our commits there name.
    """

    may_push: bool | None
    writers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one subscription asks for; *keys* are of all who ask for the same in the same way, *since* is of the oldest.

    *owner* is the object that writes what the one of *origin* selects, "" where they are one.
    """

    key: str
    keys: frozenset[str]
    destination: Destination
    origin: Origin
    since: str
    owner: str = ""


class Precedence:
    """What was learned of contested branches. *version* counts what was learned; `when_learned` names who is told."""

    def __init__(self) -> None:
        self.version = 0
        self._evidence: dict[GitBranch, Evidence] = {}
        self._contested: dict[str, frozenset[GitBranch]] = {}
        self._heard: Callable[[], None] = _nobody

    @property
    def contested(self) -> frozenset[GitBranch]:
        """The branches, each by its way, of which the servers have to be asked."""
        return frozenset[GitBranch]().union(*self._contested.values())

    @property
    def unknown(self) -> frozenset[GitBranch]:
        """Those of `contested` of which nothing is known yet."""
        return self.contested - self._evidence.keys()

    def contest(self, what: str, destinations: Iterable[Destination]) -> None:
        """Note the whole of what is contested of one kind."""
        self._contested[what] = frozenset(item for item in destinations if item.method == "git")

    def learn(self, evidence: dict[GitBranch, Evidence]) -> bool:
        """Take in what servers said; what is no longer contested is forgotten. Return whether it was news."""
        kept = {branch: known for branch, known in (self._evidence | evidence).items() if branch in self.contested}
        if kept == self._evidence:
            return False
        self._evidence = kept
        self.version += 1
        self._heard()
        return True

    def when_learned(self, heard: Callable[[], None]) -> None:
        """Call *heard* whenever something is learned."""
        self._heard = heard

    def is_claimed(self, claim: Claim) -> bool:
        """Return whether *claim* counts against others: by an answered right, or because it wrote there before."""
        known = self._known(claim.destination)
        return known is None or known.may_push is True or (known.may_push is None and self._has_written(claim, [claim]))

    def order(self, claims: Sequence[Claim]) -> list[Claim]:
        """Return the claims that count, the one that keeps the place first; empty while the servers have to be asked.

        An object that contradicts itself claims nothing.
        """
        doubled = Counter((claim.origin, claim.owner) for claim in claims)
        counted = [claim for claim in claims if doubled[claim.origin, claim.owner] == 1 and self._may_count(claim)]
        before = [claim for claim in counted if self._has_written(claim, claims)]
        proved = [claim for claim in counted if self._is_proved(claim)]
        if before and not self._is_proved(min(before, key=_age)):
            return []  # its server has to say first whether it may still push
        return sorted(proved, key=lambda claim: (claim not in before, _age(claim)))

    def _may_count(self, claim: Claim) -> bool:
        known = self._known(claim.destination)
        return claim.destination.method == "git" and (known is None or known.may_push is not False)

    def _is_proved(self, claim: Claim) -> bool:
        known = self._known(claim.destination)
        return known is not None and known.may_push is True

    def _has_written(self, claim: Claim, claims: Iterable[Claim]) -> bool:
        known = (self._known(other.destination) for other in claims)
        return any(claim.keys & found.writers for found in known if found is not None)

    def _known(self, destination: Destination) -> Evidence | None:
        return self._evidence.get(destination) if destination.method == "git" else None


def _age(claim: Claim) -> tuple[str, str, str]:
    return claim.since or _NEWEST, claim.key, claim.owner


def _nobody() -> None:
    return
