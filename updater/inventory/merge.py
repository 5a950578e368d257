"""How what several sources ask for becomes one: keys are unique, a repository has one spelling, no branch is undone.

The file comes first: what stands there was refused at load where it contradicts itself, and is never refused for another
source's sake. Of others that cross each other, one keeps the branch by the rule of `updater.inventory.precedence`.
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from updater.inventory.precedence import RULE, Claim, Precedence
from updater.model.outcome import Outcome, Status
from updater.model.problem import Problem
from updater.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from updater.model.subscription import CredentialRef, GitBranch, Subscription

    _Way = tuple[str, CredentialRef | None]

_Made = TypeVar("_Made")
FILE: Final = "file"
DUPLICATE: Final = "duplicate"
PUSH_BRANCH: Final = "push-branch"
BRANCHES: Final = "branches"
_HINT: Final = "give each base a push branch of its own"
_SCP_LIKE: Final = re.compile(r"(?:(?P<user>[^/:@\s]+)@)?(?P<host>[^/:@\s]+):(?P<path>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedSnapshot:
    """What all sources ask for together, and an outcome for every target that was refused because of another source's."""

    snapshot: Snapshot
    refused: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A subscription, whether it stands in the file, and which branches it writes."""

    item: Subscription
    is_filed: bool
    branches: tuple[GitBranch, ...]


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
        self._asked = {id(one.item): one for one in asked}
        asked = self._spelled(asked)
        verdict = self._wrong(asked)
        crossings = _crossings(asked, verdict.refused)
        lost = {one.item.key for one, _ in crossings}
        wrong += [(one.item, crossed(one.item, message)) for one, message in crossings]
        told = [crossed(one.item, message) for one, message in _crossings(asked, verdict.kept) if one.item.key not in lost]
        kept = tuple(one.item for one in asked if one.item.key not in lost)
        whole = _snapshot(kept, [*(problem for _, problem in wrong), *told], [snapshot for _, snapshot in snapshots])
        return MergedSnapshot(
            snapshot=whole, refused=tuple(outcome for item, problem in wrong for outcome in _refusals(item, problem))
        )

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


@lru_cache(maxsize=16384)
def repository(url: str) -> tuple[str, str]:
    """Fold the spellings of one repository: a slash or .git at the end, the case of the host. Return that and the user apart."""
    scheme, separator, rest = url.partition("://")
    if separator:
        place, slash, path = rest.partition("/")
        user, _, host = place.rpartition("@")
        start = f"{scheme.lower()}://{host.lower()}{slash}"
    elif found := _SCP_LIKE.fullmatch(url):
        user, path, start = found["user"] or "", found["path"], f"{found['host'].lower()}:"
    else:
        user, path, start = "", url, ""
    return f"{start}{path.rstrip('/').removesuffix('.git')}", user


def _asked(item: Subscription, *, is_filed: bool) -> _Asked:
    return _Asked(item, is_filed, tuple(found for target in item.targets if (found := target.destination).method == "git"))


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


def _crossings(asked: Sequence[_Asked], wrong: Mapping[GitBranch, str]) -> list[tuple[_Asked, str]]:
    """Return who is refused for which branch that is *wrong*."""
    if not wrong:
        return []
    reasons = ((one, next((wrong[found] for found in one.branches if found in wrong), "")) for one in asked if not one.is_filed)
    return [(one, f"{one.item.key} {reason}") for one, reason in reasons if reason]


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
            keys.setdefault(found, one.item.key)
    if not any(found.is_rebuilt for found in keys):
        return _Verdict()
    filed = {found: keys[found] for one in asked if one.is_filed for found in one.branches}
    others = {found: key for found, key in keys.items() if found not in filed}
    wrong = _Branches(filed).clashes(others, is_first=True)
    rest = {found: key for found, key in others.items() if found not in wrong}
    crossed_by = _Branches(rest).clashes(rest, is_first=False)
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
        clash = _Branches(kept).clashes([found], is_first=True)
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
        claims[found] = Claim(key=first.key, keys=keys, destination=found, origin=first.origin, since=first.origin.since)
    return claims


class _Remembered(Generic[_Made]):
    """Makes something of keys and branches and of who stands in the file; for the same ones it is made once."""

    def __init__(self, make: Callable[[Sequence[_Asked]], _Made], version: Callable[[], int] = lambda: 0) -> None:
        self._make = make
        self._version = version
        self._last: tuple[list[tuple[str, bool, str, tuple[GitBranch, ...]]], int, _Made] | None = None

    def __call__(self, asked: Sequence[_Asked]) -> _Made:
        # compared by identity first: what stayed is cheap
        shape = [(one.item.key, one.is_filed, one.item.origin.since, one.branches) for one in asked]
        if self._last is None or self._last[0] != shape or self._last[1] != self._version():
            self._last = (shape, self._version(), self._make(asked))
        return self._last[2]


class _Branches:
    """Who writes a branch straight, who makes one anew, and who does so over which base: by repository and branch."""

    def __init__(self, keys: Mapping[GitBranch, str]) -> None:
        self._keys = keys
        self._straight: defaultdict[tuple[str, str], list[GitBranch]] = defaultdict(list)
        self._anew: defaultdict[tuple[str, str], list[GitBranch]] = defaultdict(list)
        self._over: defaultdict[tuple[str, str], list[GitBranch]] = defaultdict(list)
        for found in keys:
            place, _ = repository(found.url)
            if found.is_rebuilt:
                self._anew[place, found.push].append(found)
                self._over[place, found.branch].append(found)
            else:
                self._straight[place, found.branch].append(found)

    def clashes(self, those: Iterable[GitBranch], *, is_first: bool) -> dict[GitBranch, str]:
        """Return which of *those* would undo what one of these writes, or be undone, and how.

        Who writes a branch straight undoes nobody, and has to go only where these come first (*is_first*): else one wrong
        push branch would stop all who work on that branch.
        """
        asked = ((found, self._clash(found)) for found in those if is_first or found.is_rebuilt)
        return {found: reason for found, reason in asked if reason}

    def _clash(self, found: GitBranch) -> str:
        place, _ = repository(found.url)
        # an empty base is the default branch, whose name is not known here
        if found.branch and (other := self._other(found, self._anew.get((place, found.branch)))):
            verb = "reads" if found.is_rebuilt else "writes"
            return f"{verb} {found.branch}, which is rebuilt as the push branch of {other}"
        if not found.is_rebuilt:
            return ""
        base = f"{found.push} over {found.ref or found.branch or 'the default branch'}"
        if other := self._other(found, self._anew.get((place, found.push))):
            ways = "from another base, in another way or through another URL or credential"
            return f"rebuilds {base}, and {other} rebuilds it as well, {ways}"
        if other := self._other(found, self._over.get((place, found.push))):
            return f"makes {base}, and {other} has it as the base of another branch"
        if other := self._other(found, self._straight.get((place, found.push))):
            return f"makes {base}, and {other} writes to it straight"
        return ""

    def _other(self, found: GitBranch, those: Iterable[GitBranch] | None) -> str:
        """Name another one of *those*; each stands there once, so this ends with the second."""
        for other in those or ():
            if other != found:
                return self._keys[other]
        return ""


def _refusals(item: Subscription, problem: Problem) -> Iterator[Outcome]:
    for target in item.targets:
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
