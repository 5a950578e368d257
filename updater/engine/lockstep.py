"""How the members of a group agree: on the newest version that all of them offer, or on none.

Two versions are the same where the texts that the policies compare are, apart from a leading ``v``. What one member may not take
by its own rules is taken from all; while one has nothing to offer, none moves.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.engine.decide import places_of
from updater.errors import UpdaterError
from updater.model.outcome import Status
from updater.model.problem import Problem
from updater.model.selection import Code
from updater.model.update import WriteResult
from updater.policies.choose import version_of
from updater.policies.filters import build_filter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from updater.engine.decide import Choice, Choices, TargetDecision
    from updater.model.candidate import Candidate
    from updater.model.selection import Selection
    from updater.model.subscription import Subscription
    from updater.model.update import Commit, Update
    from updater.model.view import View
    from updater.model.written import Written
    from updater.writeback.base import Writer

    #: a subscription by its key, and a value that is written for it
    Seat = tuple[str, Written]
    Rechoose = Callable[[str, Written, frozenset[str]], Awaitable[Choice]]

ROUNDS: Final = 16
_OFFERED: Final = frozenset({Code.OUTRANKED, Code.DUPLICATE})
_STOPPED: Final = frozenset({Status.HELD, Status.FAILED})
_NOTHING_COMMON: Final = "its members offer no common version that is newer"
_HINT: Final = "the members of a group move together; it goes on when all of them offer one version"


async def in_lockstep(subscriptions: Sequence[Subscription], choices: Choices, rechoose: Rechoose) -> Choices:
    """Return *choices* with those of every group agreed; *rechoose* chooses for a seat among some versions only."""
    grouped = {item.key: item for item in subscriptions if item.gates.group is not None}
    if not grouped:
        return choices
    groups: defaultdict[str, dict[Seat, Choice]] = defaultdict(dict)
    for seat, choice in choices.items():
        if seat[0] in grouped:
            groups[grouped[seat[0]].gates.group or ""][seat] = choice
    agreed: dict[Seat, Choice] = {}
    for name, members in groups.items():
        agreed |= await _Group(name, grouped, members).agree(rechoose)
    return {**choices, **agreed}


@dataclass(frozen=True, slots=True)
class _Group:
    """The seats of one group with what each would take alone."""

    name: str
    subscriptions: Mapping[str, Subscription]
    wanted: Mapping[Seat, Choice]

    async def agree(self, rechoose: Rechoose) -> dict[Seat, Choice]:
        """Return one choice for each seat: the newest version that all offer, else a hold for who would have moved."""
        found, common = dict(self.wanted), frozenset[str]()
        for number in range(ROUNDS):
            stuck = self._stuck(found)
            if stuck is not None:
                return self._held(stuck[0], f"{stuck[0][0]} {_trouble(stuck[1])}", stuck[1])
            versions = {seat: self._version(seat, choice.chosen) for seat, choice in _chosen(found).items()}
            if len(set(versions.values())) == 1:
                return self._moved(found, next(iter(versions.values())))
            offers = {seat: self._offers(seat, choice) for seat, choice in _chosen(found).items()}
            shared = frozenset.intersection(*offers.values())
            if number and shared >= common:
                break
            common = shared if not number else common & shared
            found = {seat: await rechoose(*seat, common) for seat in self.wanted}
        return self._held(None, _NOTHING_COMMON, None)

    def _stuck(self, found: Mapping[Seat, Choice]) -> tuple[Seat, Choice] | None:
        """Return a seat that can take nothing now, an error or a hold."""
        return next(((seat, item) for seat, item in found.items() if isinstance(item, UpdaterError) or item.chosen is None), None)

    def _version(self, seat: Seat, candidate: Candidate | None) -> str:
        assert candidate is not None  # noqa: S101 - asked only of seats that are not stuck
        return version_of(build_filter(self.subscriptions[seat[0]].filter), candidate.tag)

    def _offers(self, seat: Seat, selection: Selection) -> frozenset[str]:
        """Return the versions that a seat may take by its own rules."""
        name_filter = build_filter(self.subscriptions[seat[0]].filter)
        tags = [tag for tag, lost in selection.rejections.items() if lost.code in _OFFERED]
        return frozenset(version_of(name_filter, tag) for tag in (*tags, *([selection.chosen.tag] if selection.chosen else [])))

    def _moved(self, found: Mapping[Seat, Choice], version: str) -> dict[Seat, Choice]:
        """Return what was agreed; who would have gone further and stays where it is says what it waits for."""
        result = dict(found)
        for seat, choice in _chosen(self.wanted).items():
            now = found[seat]
            stays = isinstance(now, UpdaterError) or now.status != Status.UPDATED
            if choice.status == Status.UPDATED and stays:
                others = sorted({key for key, _ in found} - {seat[0]})
                result[seat] = self._hold(choice, f"{', '.join(others)} offers {version} at most", None)
        return result

    def _held(self, culprit: Seat | None, reason: str, trouble: Choice | None) -> dict[Seat, Choice]:
        """Hold everybody who would move, the *culprit* too: alone it would move, and has nothing only among what all offer."""
        moving = {seat: item for seat, item in _chosen(self.wanted).items() if item.status == Status.UPDATED}
        whys = {seat: _NOTHING_COMMON if seat == culprit else reason for seat in moving}
        return {**self.wanted, **{seat: self._hold(choice, whys[seat], trouble) for seat, choice in moving.items()}}

    def _hold(self, choice: Selection, reason: str, trouble: Choice | None) -> Selection:
        assert choice.chosen is not None  # noqa: S101 - only who would move is held
        opens_at = None if trouble is None or isinstance(trouble, UpdaterError) else trouble.opens_at
        detail = f"{choice.chosen.tag} waits for the group {self.name}: {reason}"
        return replace(
            choice,
            status=Status.HELD,
            chosen=None,
            held=choice.chosen,
            code=Code.GROUP,
            detail=detail,
            hint=_HINT,
            opens_at=opens_at,
        )


def _chosen(found: Mapping[Seat, Choice]) -> dict[Seat, Selection]:
    return {seat: item for seat, item in found.items() if not isinstance(item, UpdaterError) and item.chosen is not None}


def _trouble(choice: Choice) -> str:
    if isinstance(choice, UpdaterError):
        return f"failed ({choice.code})"
    return f"is held ({choice.code}: {choice.detail})" if choice.code else f"has {choice.detail}"


def without_torn_groups(view: View, decisions: tuple[TargetDecision, ...]) -> tuple[TargetDecision, ...]:
    """Return *decisions* so that a rebuilt branch keeps nothing of a group of which it loses a part: people rejected that one."""
    torn = {item.subscription.gates.group for item in decisions if _loses(view, item)} - {None}
    return tuple(_without_kept(item) if item.subscription.gates.group in torn else item for item in decisions)


def _loses(view: View, decision: TargetDecision) -> bool:
    """Return whether a rebuilt branch holds something for a target that is not written there again."""
    pending = view.pending.get((decision.subscription.key, decision.index), ())
    held = {(item.path, item.where): item.written for item in pending}
    read = [item.reading for item in places_of(view, decision.subscription, decision.index)]
    return any(
        place.update is None and held.get((reading.path, reading.where), reading.written) != reading.written
        for reading, place in zip(read, decision.places, strict=False)  # problems come behind what was read
    )


def _without_kept(decision: TargetDecision) -> TargetDecision:
    places = (replace(place, update=None) if place.status in _STOPPED else place for place in decision.places)
    return replace(decision, places=tuple(places))


async def write_groups_whole(
    writer: Writer, view: View, commits: Sequence[Commit], decisions: Sequence[TargetDecision], *, is_dry: bool
) -> WriteResult:
    """Write *commits* so that each group is written as a whole or not at all: an edit that is refused stops the others of it."""
    keys = {item.subscription.key: group for item in decisions if (group := item.subscription.gates.group) is not None}
    if not any(update.subscription in keys for commit in commits for update in commit.updates):
        return await writer.write(view, commits, is_dry=is_dry)
    tried = commits if is_dry else [replace(commit, is_trial=True) for commit in commits]
    trial = await writer.write(view, tried, is_dry=True)
    lost = {keys[update.subscription]: update for update in (*trial.refused, *trial.held) if update.subscription in keys}
    if not lost:
        return trial if is_dry else await writer.write(view, commits, is_dry=False)
    dropped = [update for commit in commits for update in commit.updates if keys.get(update.subscription) in lost]
    gone = set(dropped)
    kept = [replace(commit, updates=tuple(item for item in commit.updates if item not in gone)) for commit in commits]
    kept = [commit for commit in kept if commit.updates]
    empty = WriteResult(changes={}, refused={}, revisions={}, is_dry=is_dry)
    landed = await writer.write(view, kept, is_dry=is_dry) if kept else empty
    refused = {update: trial.refused[update] for update in dropped if update in trial.refused}
    held = {update: trial.held.get(update) or _unwritten(keys, update, lost) for update in dropped if update not in refused}
    return replace(landed, refused={**landed.refused, **refused}, held={**landed.held, **held})


def _unwritten(keys: Mapping[str, str], update: Update, lost: Mapping[str, Update]) -> Problem:
    group = keys[update.subscription]
    first = lost[group].subscription
    message = f"{update.image} waits for the group {group}: {first} cannot be written, and its message says why"
    return Problem(path="", code=Code.GROUP.value, message=message, hint=_HINT)
