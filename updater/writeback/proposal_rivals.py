"""What several pull requests to one base would write at the same place: found once for each head of the base.

Only targets that may meet are read besides those of the destination itself: of the same file, or markers of the same name.
Most configurations have none, and then nothing is read.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from updater.inventory.branch_writers import repository
from updater.model.publishing import Proposal
from updater.model.view import RivalPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from updater.git.mirror import Mirror
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.model.update import Commit, WriteResult
    from updater.model.view import View
    from updater.writeback.base import Writer
    from updater.writeback.target_reader import TargetReader

    _Base = tuple[str, str]
    _Request = tuple[GitBranch, Subscription]


def proposed_branch(destination: Destination, base: Callable[[GitBranch], str]) -> GitBranch | None:
    """Return *destination* with the name of its base where it is proposed to, None for every other one."""
    if destination.method != "git" or not isinstance(destination.publishing, Proposal):
        return None
    return destination if destination.branch else replace(destination, branch=base(destination))


@dataclass(slots=True)
class _Contest:
    """The subscriptions of one base that may meet, by destination as it is asked for, and what they write at one *head*."""

    asked: dict[GitBranch, list[Subscription]]
    head: str | None = None
    places: dict[tuple[str, str], list[RivalPlace]] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class RivalProposals:
    """Finds who would write what a destination writes, by a pull request of its own to the same base.

    *asked* returns the subscriptions of every destination, *mirror* the mirror of a repository, *base* the name of the branch
    that is read, "" before the server told it.
    """

    def __init__(
        self,
        asked: Callable[[], Mapping[Destination, Sequence[Subscription]]],
        targets: TargetReader,
        mirror: Callable[[GitBranch], Mirror],
        base: Callable[[GitBranch], str] = lambda branch: branch.branch,
    ) -> None:
        self._asked = asked
        self._targets = targets
        self._mirror = mirror
        self._base = base
        self._proposed: dict[str, list[_Request]] | None = None
        self._contests: dict[str, dict[_Base, _Contest]] = {}

    def forget(self) -> None:
        """Find again who may meet: what is asked for changed."""
        self._proposed = None
        self._contests = {}

    async def of(self, view: View) -> tuple[RivalPlace, ...]:
        """Return the places of others that the destination of *view* would write too, where it is proposed to."""
        branch = proposed_branch(view.destination, self._base)
        if branch is None:
            return ()
        contest = self._contests_of(repository(branch.url)[0]).get(_base_of(branch))
        if contest is None or view.destination not in contest.asked:
            return ()
        async with contest.turn:
            if contest.head != view.head:
                contest.places, contest.head = await self._read(view, contest), view.head
            places = contest.places
        mine = {
            (reading.path, scalar) for readings in view.readings.values() for reading in readings for scalar in reading.scalars
        }
        own = {key for key, _ in view.readings}
        found = (rival for place in sorted(mine & places.keys()) for rival in places[place])
        return tuple({id(rival): rival for rival in found if rival.subscription.key not in own}.values())

    async def _read(self, view: View, contest: _Contest) -> dict[tuple[str, str], list[RivalPlace]]:
        """Return every place that several would write, at the head of *view*, which was fetched."""
        assert view.destination.method == "git"  # noqa: S101 - only branches are proposed to
        assert view.head is not None  # noqa: S101 - a look without a head raises
        mirror, way = self._mirror(view.destination), view.destination
        places: defaultdict[tuple[str, str], list[RivalPlace]] = defaultdict(list)
        for branch, subscriptions in contest.asked.items():
            targets = {item.key: item for item in subscriptions}
            read = await self._targets.read(mirror, view.head, subscriptions, branch, way=way)
            for (key, index), readings in read.readings.items():
                for reading in readings:
                    rival = RivalPlace(targets[key], targets[key].targets[index], reading)
                    for scalar in reading.scalars:
                        places[reading.path, scalar].append(rival)
        # of most places one alone is left, and nobody asks for those
        return {place: rivals for place, rivals in places.items() if len(rivals) > 1}

    def _contests_of(self, place: str) -> dict[_Base, _Contest]:
        """Return who may meet in one repository, by base."""
        if place in self._contests:
            return self._contests[place]
        bases: defaultdict[_Base, list[_Request]] = defaultdict(list)
        for destination, item in self._requests().get(place, ()):
            bases[_base_of(proposed_branch(destination, self._base) or destination)].append((destination, item))
        found = {base: self._meeting(asked) for base, asked in bases.items()}
        if all(base[0] or base[1] for base in bases):
            self._contests[place] = found
        return found

    def _requests(self) -> dict[str, list[_Request]]:
        """Return what is proposed, by repository."""
        if self._proposed is None:
            self._proposed = {}
            for destination, subscriptions in self._asked().items():
                if destination.method == "git" and isinstance(destination.publishing, Proposal):
                    here = self._proposed.setdefault(repository(destination.url)[0], [])
                    here += [(destination, item) for item in subscriptions]
        return self._proposed

    def _meeting(self, asked: Sequence[_Request]) -> _Contest:
        meetings: defaultdict[object, set[int]] = defaultdict(set)
        named: list[tuple[str, int]] = []
        searched: defaultdict[str, list[int]] = defaultdict(list)
        for number, (destination, item) in enumerate(asked):
            for target in item.targets:
                if target.destination != destination:
                    continue
                files = self._targets.files(target)
                named += [(path, number) for path in files or ()]
                for path in files or ():
                    meetings[path].add(number)
                if files is None:
                    meetings[target.editor, target.locator.name].add(number)
                    searched[target.locator.path].append(number)
        met = {one for those in meetings.values() if len({asked[one][0] for one in those}) > 1 for one in those}
        met.update(_below(sorted(named), searched))
        contest = _Contest({})
        for number in sorted(met):
            destination, item = asked[number]
            contest.asked.setdefault(destination, []).append(item)
        return contest


class RivalAwareWriter:
    """Stands before the writer to Git: its views say what *rivals* would write too."""

    def __init__(self, writer: Writer, rivals: RivalProposals) -> None:
        self._writer = writer
        self._rivals = rivals

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Look as the writer does; raise what it raises."""
        view = await self._writer.look(destination, subscriptions)
        rivals = await self._rivals.of(view) if subscriptions else ()
        return replace(view, rivals=rivals) if rivals else view

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Write as the writer does; raise what it raises."""
        return await self._writer.write(view, commits, is_dry=is_dry)


def _below(named: Sequence[tuple[str, int]], searched: Mapping[str, Sequence[int]]) -> Iterator[int]:
    """Yield those whose named file is searched for markers by others, and who searches there."""
    for path, numbers in searched.items():
        is_root = path in {"", "."}
        found = list(_starting(named, "" if is_root else f"{path}/"))
        found += [] if is_root else list(_starting(named, path, is_whole=True))
        if found:
            yield from (*found, *numbers)


def _starting(named: Sequence[tuple[str, int]], start: str, *, is_whole: bool = False) -> Iterator[int]:
    for at in range(bisect_left(named, (start, -1)), len(named)):
        path, number = named[at]
        if path != start if is_whole else not path.startswith(start):
            return
        yield number


def _base_of(branch: GitBranch) -> _Base:
    """Name what is read, however it is reached."""
    return branch.branch, str(branch.ref or "")
