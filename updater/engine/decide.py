"""Decides what to write: from what is written and what was selected, to updates and reasons. Pure.

Each place is judged alone: by the selection made for the very value that is written there. A place that
would go down stays, others move.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.engine.claims import Claims
from updater.engine.place_image import differs, is_same_name, wanted_image, written_ref
from updater.engine.replaced import superseded_for
from updater.errors import ImageSyntaxError, UpdaterError
from updater.gates.landing import hint_of_hold
from updater.model.decision import HELD, PINNED, UNREADABLE, ends_at, hold_of, pin_of, readmitted_by
from updater.model.image import ImageName, ImageRef, parse_digest, parse_ref
from updater.model.outcome import Status
from updater.model.selection import Code, RevertedImage, TakenBack
from updater.model.subscription import Form
from updater.model.update import Update
from updater.model.view import PartKind, PastCommit, Reading, View, commits_for
from updater.policies.choose import refused_by_people
from updater.policies.guards import INCOMPLETE_LIST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from updater.model.candidate import Candidate
    from updater.model.problem import Problem
    from updater.model.selection import Selection
    from updater.model.subscription import Subscription, Target
    from updater.model.written import Written

    Choice = Selection | UpdaterError
    Choices = Mapping[tuple[str, Written], Choice]

_NAMES_PARTS: Final = frozenset({"marker", "helm"})  # editors whose targets say which part stands where
#: while a hold with one of these lasts, what a rebuilt branch has proposed before stays there
_KEEPS_PENDING: Final = frozenset({INCOMPLETE_LIST, Code.MIN_AGE, Code.GROUP, HELD, UNREADABLE})
_UNREAD_SHOWN: Final = 3
_BY_TIME: Final = "latest"
_BY_DIGEST: Final = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDecision:
    """What was decided for one place: an update, or the status it keeps, with the reason.

    *is_unsure* where that stands only because something of the registry could not be read, *is_anothers* where another
    subscription keeps the place.
    """

    status: Status
    detail: str
    code: str | None = None
    hint: str = ""
    update: Update | None = None
    public: str = ""
    opens_at: datetime | None = None
    is_unsure: bool = False
    is_anothers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDecision:
    """Everything decided for one target of one subscription, by the *index* of that target."""

    subscription: Subscription
    target: Target
    places: tuple[PlaceDecision, ...]
    index: int = 0

    @property
    def updates(self) -> tuple[Update, ...]:
        """The updates of this target."""
        return tuple(place.update for place in self.places if place.update)


def decide(
    view: View, subscriptions: Sequence[Subscription], choices: Choices, judge: PlaceJudge | None = None
) -> tuple[TargetDecision, ...]:
    """Judge every place of *view*.

    *choices* holds, by subscription key and written value, the `Selection`, or the `UpdaterError` that stands
    in its way (a registry that did not answer). *judge* is the one of this view, where there is one already.
    """
    decisions: list[TargetDecision] = []
    judge = judge or PlaceJudge(view, subscriptions)
    for subscription in subscriptions:
        for index, target in enumerate(subscription.targets):
            if target.destination != view.destination:
                continue
            read = places_of(view, subscription, index)
            places = [judge.judge(place, choices[subscription.key, place.reading.written]) for place in read]
            places += [_problem(problem) for problem in view.problems.get((subscription.key, index), ())]
            if not places:
                places = [_absent(target) if target.may_be_absent else _nowhere(target)]
            decisions.append(TargetDecision(subscription=subscription, target=target, places=tuple(places), index=index))
    return tuple(decisions)


@dataclass(frozen=True, slots=True)
class Place:
    """One reading, by its number, of the target at *index* of a subscription."""

    subscription: Subscription
    index: int
    number: int
    reading: Reading

    @property
    def target(self) -> Target:
        """The target that it was read for."""
        return self.subscription.targets[self.index]


def places_of(view: View, subscription: Subscription, index: int) -> Iterator[Place]:
    """Yield every place that was read for one target."""
    for number, reading in enumerate(view.readings.get((subscription.key, index), ())):
        yield Place(subscription, index, number, reading)


class PlaceJudge:
    """Judges the places of one view, each by the choice for what is written there, and once for each choice."""

    def __init__(self, view: View, subscriptions: Sequence[Subscription]) -> None:
        self._claims = Claims(view, subscriptions)
        self._judged: dict[tuple[str, int, int], tuple[Choice, PlaceDecision]] = {}
        self._pending = {key: {(item.path, item.where): item for item in readings} for key, readings in view.pending.items()}

    def judge(self, place: Place, choice: Choice) -> PlaceDecision:
        """Return what becomes of one place."""
        key = (place.subscription.key, place.index, place.number)
        before = self._judged.get(key)
        if before is None or before[0] is not choice:
            before = self._judged[key] = (choice, self._judge(place, choice))
        return before[1]

    def _judge(self, place: Place, choice: Choice) -> PlaceDecision:
        subscription, target, reading = place.subscription, place.target, place.reading
        conflict = self._claims.conflict(subscription, target, reading)
        if conflict is not None:
            hint = "leave the place to one of them"
            return PlaceDecision(
                status=Status.FAILED, detail=conflict.detail, code="conflict", hint=hint, is_anothers=conflict.is_settled
            )
        pending = self._pending.get((subscription.key, place.index), {})
        return _judge(place, pending.get((reading.path, reading.where)), choice)

    def unidentified(self, places: Iterable[Place], choice: Choice) -> frozenset[str]:
        """Return the tags that a commit would name for *places* after this choice, as far as their digests are not known."""
        updates = (self.judge(place, choice).update for place in places)
        named = (ref for update in updates if update for ref in (update.written_as, update.replaced) if ref)
        return frozenset(ref.tag for ref in named if ref.tag and ref.digest is None)


def needs_digest(target: Target, reading: Reading) -> bool:
    """Return whether the value at this place holds a digest."""
    is_named = target.editor in _NAMES_PARTS and any(part.kind is PartKind.DIGEST for part in reading.parts)
    return target.form is not Form.TAG or is_named


def rejected_for(subscription: Subscription, recent: Sequence[PastCommit]) -> dict[str, RevertedImage]:
    """Return what people decided against for one subscription, by tag: our commits that were reverted, as their trailers say."""
    taken_back: dict[str, RevertedImage] = {}
    key, released = subscription.key, readmitted_by(subscription.decisions)
    newest = next(commits_for(key, recent), None)
    for past in commits_for(key, recent):
        if past.revision in released:
            continue
        if past.rejected:  # a revert of ours; whoever takes that back rejects nothing
            taken_back = (_rejected_by(past, key, is_newest=past is newest) if past.reverted_by is None else {}) | taken_back
            continue
        if past.reverted_by is None:
            continue
        for text in past.images:
            try:
                ref = parse_ref(text)
            except ImageSyntaxError:
                continue
            if ref.tag and ref.name == subscription.image:
                taken_back.setdefault(ref.tag, RevertedImage(tag=ref.tag, digest=ref.digest, by=past.reverted_by))
    return superseded_for(subscription, recent) | taken_back if subscription.policy.kind == _BY_TIME else taken_back


def _rejected_by(past: PastCommit, key: str, *, is_newest: bool) -> dict[str, RevertedImage]:
    """Return what a revert of ours took back for one subscription: the tags that it replaced, with the digest that it names.

    Where nothing was written since, it is known too what it wrote instead: what ranks between the two waits as well.
    """
    named = past.rejected_of(key)
    if not named:
        return {}
    try:
        digest = parse_digest(named[0])
    except ImageSyntaxError:
        digest = None
    moves = ((move.old.partition("@")[0], move.new.partition("@")[0]) for move in past.moves_of(key))
    tags = {old: new for old, new in moves if ":" not in old}
    if not is_newest:
        return {tag: RevertedImage(tag=tag, digest=digest, by=past.revision) for tag in tags}
    return {tag: TakenBack(tag=tag, digest=digest, by=past.revision, good=good) for tag, good in tags.items()}


def _judge(place: Place, pending: Reading | None, choice: Choice) -> PlaceDecision:
    """Judge one place: what stands at the base, and *pending*, what a rebuilt branch holds there.

    Where we do not know what should stand, an unmerged change is not dropped.
    """
    if isinstance(choice, UpdaterError):
        decision = PlaceDecision(
            status=Status.FAILED, detail=choice.message, code=choice.code, hint=choice.hint, public=other_words(choice)
        )
    else:
        decision = _held(place.subscription, _judge_selection(place, choice))
    is_unknown = decision.status is Status.FAILED or decision.is_unsure or decision.code in _KEEPS_PENDING
    offer = place.subscription.offer
    if decision.code == Code.FOLLOWS and pending is not None and offer is not None:
        is_unknown = offer.keeps(pending.written)
    if pending is None or isinstance(choice, UpdaterError) or is_unknown or decision.update is None:
        return replace(decision, update=_kept(place, pending, choice)) if pending is not None and is_unknown else decision
    if any(item.tag == pending.written.tag for item in choice.unread) and (kept := _kept(place, pending, choice)):
        return replace(decision, update=kept, detail=with_unread(choice, _move(place.reading.written, kept.image)))
    return decision


def _kept(place: Place, pending: Reading, choice: Choice) -> Update | None:
    """Keep what the rebuilt branch holds for a subscription whose registry did not answer: an unmerged change is not dropped."""
    subscription = place.subscription
    image = written_ref(pending.written, subscription.image)
    if image is None or pending.written == place.reading.written:
        return None
    pin = pin_of(subscription.decisions)
    return Update(
        subscription=subscription.key,
        target=place.target,
        reading=place.reading,
        image=image,
        written_as=image if isinstance(choice, UpdaterError) else _identified(image, choice),
        policy=str(subscription.policy) if pin is None or pin.tag != image.tag else f"{PINNED} {pin.tag}",
        origin=subscription.origin.in_commits,
    )


def _held(subscription: Subscription, decision: PlaceDecision) -> PlaceDecision:
    """Let nothing be written while people hold the subscription, and say what would be."""
    hold = hold_of(subscription.decisions)
    if hold is None or decision.status is Status.FAILED:
        return decision
    would = f"; {decision.detail}" if decision.update else ""
    return PlaceDecision(
        status=Status.HELD,
        detail=f"{hold.sentence}{would}",
        code=UNREADABLE if hold.is_unread else HELD,
        hint=hint_of_hold(subscription.key, is_unread=hold.is_unread),
        opens_at=ends_at(hold),
    )


def _turned_down(selection: Selection, otherwise: PlaceDecision) -> PlaceDecision:
    """Return that people decided against what would be written, where nothing else is."""
    refused = refused_by_people(selection)
    if not refused:
        return otherwise
    first = refused[0]
    more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
    return PlaceDecision(
        status=Status.HELD,
        detail=with_unread(selection, f"{first.sentence}{more}"),
        code=Code.REJECTED.value,
        hint=first.hint,
        opens_at=first.opens_at,
    )


def _judge_selection(place: Place, selection: Selection) -> PlaceDecision:
    subscription, target, reading = place.subscription, place.target, place.reading
    if selection.chosen is None:
        detail = with_unread(selection, selection.detail)
        left = PlaceDecision(
            status=Status(selection.status),
            detail=detail,
            code=selection.code,
            hint=selection.hint,
            opens_at=selection.opens_at,
            is_unsure=bool(selection.unread),
        )
        return _turned_down(selection, left) if selection.status == Status.NO_MATCH else left
    if needs_digest(target, reading) and selection.chosen.digest is None:
        return _digestless(subscription.image, selection.chosen)
    image = wanted_image(subscription, target, reading, selection.chosen)
    if not differs(reading, image, follows_digest=subscription.policy.kind == _BY_DIGEST):
        if selection.code == PINNED:
            ends = ends_at(pin_of(subscription.decisions))
            hint = hint_of_hold(subscription.key)
            return PlaceDecision(status=Status.HELD, detail=selection.detail, code=PINNED, hint=hint, opens_at=ends)
        detail = with_unread(selection, f"{image.tag or image.digest} is already the newest allowed version")
        unchanged = PlaceDecision(
            status=Status.UNCHANGED, detail=detail, opens_at=selection.opens_at, is_unsure=bool(selection.unread)
        )
        return _turned_down(selection, unchanged)
    update = Update(
        subscription=subscription.key,
        target=target,
        reading=reading,
        image=image,
        written_as=_identified(
            ImageRef(name=subscription.image, tag=selection.chosen.tag, digest=selection.chosen.digest), selection
        ),
        policy=f"{PINNED} {selection.chosen.tag}" if selection.code == PINNED else str(subscription.policy),
        origin=subscription.origin.in_commits,
        replaced=_replaced(subscription, reading.written, selection),
    )
    why = f"; {selection.detail}" if selection.code == PINNED else ""
    detail = with_unread(selection, _move(reading.written, image)) + why
    return PlaceDecision(status=Status.UPDATED, detail=detail, update=update, opens_at=selection.opens_at)


def _digestless(image: ImageName, chosen: Candidate) -> PlaceDecision:
    """Fail a place that wants the digest of what was chosen, with the registry's own error where there is one."""
    if chosen.failure is not None:
        failure = chosen.failure
        return PlaceDecision(status=Status.FAILED, detail=failure.message, code=failure.code, hint=failure.hint)
    return PlaceDecision(status=Status.FAILED, detail=f"the digest of {image}:{chosen.tag} is not known", code="no-digest")


def _replaced(subscription: Subscription, written: Written, selection: Selection) -> ImageRef | None:
    """Return the image that gives way, if its policy goes by times that only the cache knows."""
    ref = written_ref(written, subscription.image) if subscription.policy.kind == _BY_TIME else None
    return _identified(replace(ref, name=subscription.image), selection) if ref is not None and ref.tag else None


def _identified(ref: ImageRef, selection: Selection) -> ImageRef:
    """Add the digest that the choice found for a tag; what has one keeps it."""
    return replace(ref, digest=ref.digest or selection.digests.get(ref.tag or ""))


def with_unread(selection: Selection, sentence: str) -> str:
    """Return *sentence* with what could not be read behind it: the first few tags, each with its code and reason."""
    if not selection.unread:
        return sentence
    shown = "; ".join(f"{item.tag} [{item.code}]: {item.sentence}" for item in selection.unread[:_UNREAD_SHOWN])
    more = f"; and {len(selection.unread) - _UNREAD_SHOWN} more" if len(selection.unread) > _UNREAD_SHOWN else ""
    noun = "1 tag" if len(selection.unread) == 1 else f"{len(selection.unread)} tags"
    return f"{sentence}; {noun} could not be read: {shown}{more}"


def _move(written: Written, image: ImageRef) -> str:
    """Return old → new, with the name only where it changes or nothing else stands there."""
    if written.name and not is_same_name(written.name, image.name):
        return f"{written} → {image}"
    old = str(replace(written, name=None)) if written.tag or written.digest else str(written)
    return f"{old} → {str(image).removeprefix(image.name.spelled).removeprefix(':')}"


def _problem(problem: Problem) -> PlaceDecision:
    return PlaceDecision(status=Status.FAILED, detail=str(problem), code=problem.code, hint=problem.hint)


def _sought(target: Target) -> str:
    """Return what was looked for, and where."""
    where = target.locator.path
    below = "" if where in {"", "."} else f" in {where}"
    if target.editor == "marker":
        return f"marker {target.locator.name}{below}"
    return f"place for {target.locator}"


def _absent(target: Target) -> PlaceDecision:
    return PlaceDecision(status=Status.UNCHANGED, detail=f"no {_sought(target)} at {target.destination}")


def _nowhere(target: Target) -> PlaceDecision:
    return PlaceDecision(
        status=Status.FAILED,
        detail=f"no {_sought(target)} was found at {target.destination}",
        code="no-place",
        hint="check the name, and the path of the target; problems of files on the way are listed above",
    )


def other_words(error: UpdaterError) -> str:
    """Return the message without words of a server, "" where it has none."""
    return "" if error.public == error.message else error.public
