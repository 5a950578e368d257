"""How what several sources ask for becomes one: keys are unique, a repository has one spelling, no branch is undone.

The file comes first: what stands there was refused at load where it contradicts itself, and is never refused for another
source's sake. Of others that cross each other, one keeps the branch by the rule of `updater.inventory.precedence`.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from updater.inventory.branch_writers import BranchWriters, repository
from updater.inventory.precedence import RULE, Claim, Precedence
from updater.model.outcome import Outcome, Status
from updater.model.problem import Problem
from updater.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from updater.model.subscription import CredentialRef, GitBranch, Subscription, Target

    _Way = tuple[str, CredentialRef | None]
    _Shape = tuple[str, bool, str, tuple[GitBranch, ...]]

_Made = TypeVar("_Made")
FILE: Final = "file"
DUPLICATE: Final = "duplicate"
PUSH_BRANCH: Final = "push-branch"
BRANCHES: Final = "branches"
_HINT: Final = "give each base a push branch of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedSnapshot:
    """What all sources ask for together, and an outcome for every target that was refused because of another source's."""

    snapshot: Snapshot
    refused: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A subscription, whether it stands in the file, and which branches it writes.

    *shape* is all of that on which the verdict over branches hangs: one object for as long as this is one.
    """

    item: Subscription
    is_filed: bool
    branches: tuple[GitBranch, ...]
    shape: _Shape


def merge(snapshots: Mapping[str, Snapshot]) -> MergedSnapshot:
    """Join once; *snapshots* are by the name of their source, in the order in which they count. See `Merger`."""
    return Merger()(snapshots)


class Merger:
    """Joins again and again, and gives the same objects for the same.

    The same snapshots give the same `MergedSnapshot`. A subscription that needs no change is itself; one whose repository gets
    another spelling is one and the same object for as long as it needs that. What follows from keys and branches alone is
    found again only where one of them changed.
    """

    def __init__(self, precedence: Precedence | None = None) -> None:
        self._precedence = known = precedence or Precedence()
        self._spellings = _Remembered(_spellings)
        self._wrong = _Remembered(lambda asked: _wrong(asked, known), lambda: known.version)
        self._asked: dict[int, _Asked] = {}
        self._last: tuple[tuple[tuple[str, Snapshot], ...], int, MergedSnapshot] | None = None
        self._respelled: dict[int, tuple[Subscription, tuple[str, ...], Subscription]] = {}
        self._trimmed: dict[int, tuple[Subscription, Subscription]] = {}

    def __call__(self, snapshots: Mapping[str, Snapshot]) -> MergedSnapshot:
        """Return what *snapshots* ask for together; nothing in them makes it raise."""
        now = tuple(sorted(snapshots.items(), key=lambda item: item[0] != FILE))
        last = self._last
        if last is None or not _are_same(last[0], now) or last[1] != self._precedence.version:
            self._last = last = (now, self._precedence.version, self._join(now))
        return last[2]

    def _join(self, snapshots: Sequence[tuple[str, Snapshot]]) -> MergedSnapshot:
        asked, wrong = _with_unique_keys(
            [one for name, snapshot in snapshots for one in self._known(snapshot, is_filed=name == FILE)]
        )
        asked, wrong = _with_whole_groups(asked, wrong)
        self._asked = {id(one.item): one for one in asked}
        asked = self._spelled(asked)
        verdict = self._wrong(asked)
        crossings = _crossings(asked, verdict.refused)
        lost = {item.key for item, _, _ in crossings}
        problems = [problem for _, problem in wrong] + [problem for _, _, problem in crossings]
        problems += [problem for item, _, problem in _crossings(asked, verdict.kept) if item.key not in lost]
        refused = [outcome for item, problem in wrong for outcome in _refusals(item, item.targets, problem)]
        for item, found, problem in crossings:
            refused += _refusals(item, [target for target in item.targets if target.destination == found], problem)
        kept = self._without(asked, verdict.refused, lost)
        return MergedSnapshot(snapshot=_snapshot(kept, problems, [each for _, each in snapshots]), refused=tuple(refused))

    def _without(
        self, asked: Iterable[_Asked], refused: Mapping[GitBranch, str], lost: Collection[str]
    ) -> tuple[Subscription, ...]:
        """Return what is left where nobody writes a branch that is *refused*; *lost* are the keys of those who would.

        The other targets of a subscription stay: several objects may write what one selects.
        """
        before, self._trimmed = self._trimmed, {}
        kept = []
        for one in asked:
            item = one.item
            if item.key in lost:
                left = tuple(target for target in item.targets if target.destination not in refused)
                if not left and not item.is_reflected:
                    continue
                known = before.get(id(item))  # what is kept is alive, so its id is nobody else's
                is_same = known is not None and known[0] is item and known[1].targets == left
                made = known[1] if known is not None and is_same else replace(item, targets=left)
                self._trimmed[id(item)] = (item, made)
                item = made
            kept.append(item)
        return tuple(kept)

    def _known(self, snapshot: Snapshot, *, is_filed: bool) -> Iterator[_Asked]:
        known = self._asked  # what is known is alive, so its id is nobody else's
        for item in snapshot.subscriptions:
            one = known.get(id(item))
            yield one if one is not None and one.is_filed == is_filed else _asked(item, is_filed=is_filed)

    def _spelled(self, asked: list[_Asked]) -> list[_Asked]:
        """Spell each repository one way, so that all who write one branch of it land together."""
        spelling = self._spellings(asked)
        before, self._respelled = self._respelled, {}
        if not spelling:
            return asked
        shared: dict[GitBranch, GitBranch] = {}
        return [
            one if one.is_filed else _asked(self._respell(one.item, spelling, shared, before), is_filed=False) for one in asked
        ]

    def _respell(
        self,
        item: Subscription,
        spelling: Mapping[_Way, str],
        shared: dict[GitBranch, GitBranch],
        before: Mapping[int, tuple[Subscription, tuple[str, ...], Subscription]],
    ) -> Subscription:
        urls = tuple(
            spelling.get((found.url, found.credential), found.url) if found.method == "git" else ""
            for found in (target.destination for target in item.targets)
        )
        targets = []
        for target, url in zip(item.targets, urls, strict=True):
            found = target.destination
            if found.method == "git" and found.url != url:
                written = replace(found, url=url)
                targets.append(replace(target, destination=shared.setdefault(written, written)))
            else:
                targets.append(target)
        if all(map(operator.is_, targets, item.targets)):
            return item
        known = before.get(id(item))  # what is kept is alive, so its id is nobody else's
        made = known[2] if known and known[1] == urls else replace(item, targets=tuple(targets))
        self._respelled[id(item)] = (item, urls, made)
        return made


def crossed(item: Subscription, message: str, *, hint: str = _HINT) -> Problem:
    """Return that *item* writes a branch, or spells a repository, as it must not."""
    origin = item.origin
    return Problem(path=origin.name, line=origin.line, code=PUSH_BRANCH, message=message, hint=hint, origin=item.key)


def _asked(item: Subscription, *, is_filed: bool) -> _Asked:
    branches = tuple(found for target in item.targets if (found := target.destination).method == "git")
    return _Asked(item, is_filed, branches, (item.key, is_filed, item.origin.since, branches))


def _with_unique_keys(asked: Iterable[_Asked]) -> tuple[list[_Asked], list[tuple[Subscription, Problem]]]:
    """Leave each key to who comes first, and say what is wrong with the others."""
    first: dict[str, _Asked] = {}
    doubles = []
    for one in asked:
        known = first.setdefault(one.item.key, one)
        if known is not one:
            doubles.append((one.item, _doubled(one.item, known.item)))
    return list(first.values()), doubles


def _doubled(item: Subscription, first: Subscription) -> Problem:
    origin = item.origin
    message = f"the key {item.key!r} is taken by the subscription of {first.origin}"
    hint = "give one of the two another key: what has it first counts"
    return Problem(path=origin.name, line=origin.line, code=DUPLICATE, message=message, hint=hint, origin=item.key)


def _with_whole_groups(
    asked: list[_Asked], wrong: list[tuple[Subscription, Problem]]
) -> tuple[list[_Asked], list[tuple[Subscription, Problem]]]:
    """Leave out the members of a group that has lost one: all of them move or none."""
    torn: dict[str | None, str] = {item.gates.group: item.key for item, _ in wrong if item.gates.group is not None}
    if not torn:
        return asked, wrong
    others = [one.item for one in asked if one.item.gates.group in torn]
    lost = [(item, _torn(item, torn[item.gates.group])) for item in others]
    return [one for one in asked if one.item.gates.group not in torn], [*wrong, *lost]


def _torn(item: Subscription, other: str) -> Problem:
    origin, group = item.origin, item.gates.group
    message = f"{item.key} waits for the group {group}: the key {other!r} of another member is taken"
    hint = "the members of a group move together; it goes on when all of them are kept current"
    return Problem(path=origin.name, line=origin.line, code="group", message=message, hint=hint, origin=item.key)


def _spellings(asked: Iterable[_Asked]) -> dict[_Way, str]:
    """Return the one spelling of each URL and credential that is not spelled so: the file's, else the first in the alphabet.

    A user and a credential are how a repository is reached, and nobody is reached by what another one is.
    """
    ranks: dict[_Way, bool] = {}
    for one in asked:
        for found in one.branches:
            way = (found.url, found.credential)
            ranks[way] = ranks.get(way, False) or one.is_filed
    groups: defaultdict[tuple[tuple[str, str], CredentialRef | None], list[tuple[bool, str]]] = defaultdict(list)
    for (url, credential), is_filed in ranks.items():
        groups[repository(url), credential].append((not is_filed, url))
    best = {group: min(found)[1] for group, found in groups.items() if len(found) > 1}
    return {
        (url, credential): best[group]
        for (url, credential) in (ranks if best else ())
        if best.get(group := (repository(url), credential), url) != url
    }


def _crossings(asked: Sequence[_Asked], wrong: Mapping[GitBranch, str]) -> list[tuple[Subscription, GitBranch, Problem]]:
    """Return who writes which branch that is *wrong*, and why that must not be."""
    return [
        (one.item, found, crossed(one.item, f"{_writer_of(one.item, found)} {wrong[found]}"))
        for one in (asked if wrong else ())
        if not one.is_filed
        for found in dict.fromkeys(one.branches)
        if found in wrong
    ]


def _writer_of(item: Subscription, found: GitBranch) -> str:
    """Name who writes a branch: the object whose commits they are, else the subscription."""
    owner = _owner_of(item, found)
    return f"{owner} (for {item.key})" if owner else item.key


def _owner_of(item: Subscription, found: GitBranch) -> str:
    return next((target.commit_spec.owner for target in item.targets if target.destination == found), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """Whose landings on which branch are refused, and who keeps a branch that others claim too; each with the reason."""

    refused: Mapping[GitBranch, str] = field(default_factory=dict)
    kept: Mapping[GitBranch, str] = field(default_factory=dict)


def _wrong(asked: Sequence[_Asked], precedence: Precedence) -> _Verdict:
    """Return where landings would undo each other, and how: first those that cross the file, then those that cross each other."""
    precedence.contest(BRANCHES, ())
    keys: dict[GitBranch, str] = {}
    for one in asked:
        for found in one.branches:
            if found not in keys:
                keys[found] = _writer_of(one.item, found)
    if not any(found.is_rebuilt for found in keys):
        return _Verdict()
    filed = {found: keys[found] for one in asked if one.is_filed for found in one.branches}
    others = {found: key for found, key in keys.items() if found not in filed}
    wrong = BranchWriters(filed).clashes(others, is_first=True)
    rest = {found: key for found, key in others.items() if found not in wrong}
    crossed_by = BranchWriters(rest).clashes(rest, is_first=False)
    if not crossed_by:
        return _Verdict(refused=wrong)
    awarded = _awarded(crossed_by, rest, _claims(asked, rest), precedence)
    return replace(awarded, refused={**wrong, **awarded.refused})


def _awarded(
    crossing: Mapping[GitBranch, str], rest: Mapping[GitBranch, str], claims: Mapping[GitBranch, Claim], precedence: Precedence
) -> _Verdict:
    """Leave each branch of *crossing* to one of those who make it anew.

    Who writes a branch straight comes first where he may push there; of all others the one who comes first by precedence.
    """
    pushed = {(repository(found.url)[0], found.push) for found in crossing}
    straight = [found for found in rest if not found.is_rebuilt and (repository(found.url)[0], found.branch) in pushed]
    precedence.contest(BRANCHES, (*crossing, *straight))
    kept = {found: rest[found] for found in straight if precedence.is_claimed(claims[found])}
    wrong = dict(crossing)
    for claim in precedence.order([claims[found] for found in crossing]):
        found = claim.destination
        assert found.method == "git"  # noqa: S101 - claims of branches alone
        clash = BranchWriters(kept).clashes([found], is_first=True)
        if clash:
            wrong[found] = f"{clash[found]}; {RULE}"
        else:
            kept[found] = rest[found]
            del wrong[found]
    still = {found: f"{reason}; {rest[found]} keeps it: {RULE}" for found, reason in crossing.items() if found in kept}
    return _Verdict(refused=wrong, kept=still)


def _claims(asked: Iterable[_Asked], branches: Mapping[GitBranch, str]) -> dict[GitBranch, Claim]:
    """Return one claim for each of *branches*: of the oldest object that asks for it, with the keys of all."""
    items: defaultdict[GitBranch, list[Subscription]] = defaultdict(list)
    for one in asked:
        for found in one.branches:
            if found in branches:
                items[found].append(one.item)
    claims = {}
    for found, those in items.items():
        first = min(those, key=lambda item: (item.origin.since or "~", item.key))
        keys = frozenset(item.key for item in those)
        claims[found] = Claim(
            key=first.key,
            keys=keys,
            destination=found,
            origin=first.origin,
            since=first.origin.since,
            owner=_owner_of(first, found),
        )
    return claims


class _Remembered(Generic[_Made]):
    """Makes something of keys and branches and of who stands in the file; for the same ones it is made once."""

    def __init__(self, make: Callable[[Sequence[_Asked]], _Made], version: Callable[[], int] = lambda: 0) -> None:
        self._make = make
        self._version = version
        self._last: tuple[list[_Shape], int, _Made] | None = None

    def __call__(self, asked: Sequence[_Asked]) -> _Made:
        # compared by identity first: what stayed is cheap
        shape = [one.shape for one in asked]
        if self._last is None or self._last[0] != shape or self._last[1] != self._version():
            self._last = (shape, self._version(), self._make(asked))
        return self._last[2]


def _refusals(item: Subscription, targets: Iterable[Target], problem: Problem) -> Iterator[Outcome]:
    for target in targets:
        yield Outcome(
            key=item.key,
            target=str(target),
            status=Status.FAILED,
            detail=problem.message,
            code=problem.code,
            hint=problem.hint,
            origin=item.origin,
            target_spec=target,
        )


def _snapshot(kept: tuple[Subscription, ...], problems: Iterable[Problem], snapshots: Sequence[Snapshot]) -> Snapshot:
    whole = Snapshot(
        subscriptions=kept,
        scans=tuple(scan for snapshot in snapshots for scan in snapshot.scans),
        problems=(*(problem for snapshot in snapshots for problem in snapshot.problems), *problems),
        complete=all(snapshot.complete for snapshot in snapshots),
    )
    return snapshots[0] if len(snapshots) == 1 and snapshots[0] == whole else whole


def _are_same(before: tuple[tuple[str, Snapshot], ...], now: tuple[tuple[str, Snapshot], ...]) -> bool:
    names, others = [name for name, _ in before], [name for name, _ in now]
    return names == others and all(map(operator.is_, (item for _, item in before), (item for _, item in now)))
