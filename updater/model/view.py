"""What is written at a destination: places, their values, and our own recent commits there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from updater.model.problem import Problem
    from updater.model.subscription import Destination, Subscription, Target
    from updater.model.written import Written

#: what a trailer says in place of a value that was not there
NOTHING: Final = "-"


class PartKind(StrEnum):
    """What of an image one scalar holds."""

    REFERENCE = "reference"
    NAME = "name"
    TAG = "tag"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One scalar of a place: its kind, 1-based line, the key path for people, and its text.

    *scalar* names the scalar itself: the same for every key path and alias that leads to it; "" where *where* does.
    """

    kind: PartKind
    line: int
    where: str
    text: str
    scalar: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One place found in one file, and what it says.

    *setter* is the name by which it was found (``ns:policy`` of a marker, the entry's name, the key);
    *where* identifies the place within the file and stays the same while the file's shape does;
    *is_missing* marks a place that an edit would add. *object_id* is (apiVersion, kind, namespace, name)
    of the Kubernetes object around it, each "" where there is none. *beside* is what the file beneath this one sets in the list
    of the place, in the form of `Locator.beside`; None where there is no such list.
    """

    path: str
    where: str
    line: int
    setter: str
    parts: tuple[Part, ...]
    written: Written
    is_missing: bool = False
    object_id: tuple[str, str, str, str] = ("", "", "", "")
    beside: tuple[tuple[str, str | None], ...] | None = None

    @property
    def scalars(self) -> tuple[str, ...]:
        """What an edit of this place would change: its scalars, or the entry that it would add."""
        if self.is_missing:
            return (f"+ {self.where} {self.setter}",)
        return tuple(part.scalar or part.where for part in self.parts)


@dataclass(frozen=True, slots=True)
class RivalPlace:
    """What a subscription would write by another pull request to the same base: one place of one target."""

    subscription: Subscription
    target: Target
    reading: Reading


class PastMove(NamedTuple):
    """What one of our commits wrote: the key of the subscription as trailers have it, and the values before and after."""

    key: str
    old: str
    new: str

    @property
    def replaced(self) -> str | None:
        """What stood there before, None where nothing did."""
        return None if self.old == NOTHING else self.old


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCommit:
    """One of our own commits, read back from its trailers; *reverted_by* is the commit that took it back, if one did.

    *branches* name the branch that it was pushed to, *changes* what was written before and after (key, old value or ``-``, new
    value), *places* in which files that was: the key, and short sums of their paths. Empty in commits of versions before those
    trailers. *followed_by* are the addresses of others who committed between it and our next commit, the last one first.
    """

    revision: str
    when: datetime
    subject: str
    subscriptions: tuple[str, ...]
    images: tuple[str, ...]
    policies: tuple[str, ...]
    rejected: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    reverted_by: str | None = None
    followed_by: tuple[str, ...] = ()

    def moves(self) -> Iterator[PastMove]:
        """Yield what it wrote over what, for every subscription."""
        for line in self.changes:
            row = line.rsplit(" ", 2)
            if len(row) == 3:
                yield PastMove(*row)

    def moves_of(self, key: str) -> tuple[PastMove, ...]:
        """Return what it wrote over what for the subscription *key*."""
        name = trailer_key(key)
        return tuple(move for move in self.moves() if move.key == name)

    def rejected_of(self, key: str) -> tuple[str, ...]:
        """Return what it took back for the subscription *key*: digests, and tags where there was none."""
        return _of(key, self.rejected)

    def replaced_of(self, key: str) -> tuple[str, ...]:
        """Return the images that it replaced for the subscription *key*."""
        return _of(key, self.replaced)

    def file_sums(self) -> Mapping[str, frozenset[str]]:
        """Return the sums of the files that it wrote, by the key of the subscription as trailers have it."""
        found: dict[str, frozenset[str]] = {}
        for line in self.places:
            owner, _, sums = line.rpartition(" ")
            found[owner] = found.get(owner, frozenset()).union(sums.split(","))
        return found


def trailer_key(key: str) -> str:
    """Return the key of a subscription as trailers have it: on one line, with single spaces."""
    return " ".join(key.split())


def commits_for(key: str, recent: Iterable[PastCommit]) -> Iterator[PastCommit]:
    """Yield those of *recent* that wrote for the subscription *key*."""
    name = trailer_key(key)
    return (past for past in recent if name in past.subscriptions)


def _of(key: str, lines: Iterable[str]) -> tuple[str, ...]:
    """Return what those of *lines* say that begin with *key*: of each the last word."""
    name = trailer_key(key)
    return tuple(text for owner, _, text in (line.rpartition(" ") for line in lines) if owner == name)


def place_sum(path: str) -> str:
    """Return the short sum by which a trailer names the file at *path*."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A destination as it was looked at: its head, and what stands at each target.

    *readings* and *problems* are by subscription key and index of the target in its subscription.
    *pending* are the readings on the push branch where that is another one, by the same keys;
    *push_head* is its head, None where it does not exist. *recent* are our own commits, newest first. *notes* are
    problems of files that belong to no single target: a misspelt marker, one that nobody subscribed to. *is_proposed* where a
    pull request, or the branch of one, is left to put away once nothing is to be written. *rivals* are places that others would
    write by pull requests of their own.
    """

    destination: Destination
    head: str | None
    readings: Mapping[tuple[str, int], tuple[Reading, ...]]
    problems: Mapping[tuple[str, int], tuple[Problem, ...]]
    push_head: str | None = None
    pending: Mapping[tuple[str, int], tuple[Reading, ...]]
    recent: tuple[PastCommit, ...] = ()
    notes: tuple[Problem, ...] = ()
    is_proposed: bool = False
    rivals: tuple[RivalPlace, ...] = ()
