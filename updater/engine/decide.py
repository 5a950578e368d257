"""Decides what to write: from what is written and what was selected, to updates and reasons. Pure.

Each place is judged alone: by the selection made for the very value that is written there. A place that
would go down stays, others move.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.engine.replaced import superseded_for
from updater.errors import ImageSyntaxError, UpdaterError
from updater.gates.guards import INCOMPLETE_LIST
from updater.model.image import ImageName, ImageRef, is_tag, parse_digest, parse_name, parse_ref
from updater.model.outcome import DRY_RUN, Outcome, Status, fold
from updater.model.selection import RevertedImage
from updater.model.subscription import Form
from updater.model.update import Change, Update, WriteResult
from updater.model.view import PartKind, PastCommit, Reading, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from updater.model.candidate import Candidate
    from updater.model.problem import Problem
    from updater.model.selection import Selection
    from updater.model.subscription import Subscription, Target
    from updater.model.written import Written

    Claims = Mapping[tuple[str, str], set[tuple[str, str, str]]]
    Choices = Mapping[tuple[str, Written], Selection | UpdaterError]

_NAMES_PARTS: Final = frozenset({"marker", "helm"})  # editors whose targets say which part stands where
_BY_TIME: Final = "latest"
_BY_DIGEST: Final = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDecision:
    """What was decided for one place: an update, or the status it keeps, with the reason."""

    status: Status
    detail: str
    code: str | None = None
    hint: str = ""
    update: Update | None = None
    public: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDecision:
    """Everything decided for one target of one subscription."""

    subscription: Subscription
    target: Target
    places: tuple[PlaceDecision, ...]

    @property
    def updates(self) -> tuple[Update, ...]:
        """The updates of this target."""
        return tuple(place.update for place in self.places if place.update)


def decide(view: View, subscriptions: Sequence[Subscription], choices: Choices) -> tuple[TargetDecision, ...]:
    """Judge every place of *view*.

    *choices* holds, by subscription key and written value, the `Selection`, or the `UpdaterError` that stands
    in its way (a registry that did not answer).
    """
    decisions: list[TargetDecision] = []
    claims = _claims(view, subscriptions)
    keeper = _Keeper(subscriptions, view.recent)
    for subscription in subscriptions:
        for index, target in enumerate(subscription.targets):
            if target.destination != view.destination:
                continue
            place = (subscription.key, index)
            pending = {(item.path, item.where): item for item in view.pending.get(place, ())}
            places = [
                _conflict(reading, claims, (subscription.key, target.editor, target.form.value), keeper)
                or _judge(subscription, target, reading, pending.get((reading.path, reading.where)), choices)
                for reading in view.readings.get(place, ())
            ]
            places += [_problem(problem) for problem in view.problems.get(place, ())]
            if not places:
                places = [_nowhere(target)]
            decisions.append(TargetDecision(subscription=subscription, target=target, places=tuple(places)))
    return tuple(decisions)


def needs_digest(target: Target, reading: Reading) -> bool:
    """Return whether the value at this place holds a digest."""
    is_named = target.editor in _NAMES_PARTS and any(part.kind is PartKind.DIGEST for part in reading.parts)
    return target.form is not Form.TAG or is_named


def wanted_image(subscription: Subscription, target: Target, reading: Reading, candidate: Candidate) -> ImageRef:
    """Return the image to write at this place, reduced to what its form holds.

    Markers that name one part (``:tag``, ``:digest``), and the keys of a values file of which one is that of a digest,
    always get that part: there the form rules only full references.
    """
    name = _spelling(subscription.image, reading.written)
    kinds = {part.kind for part in reading.parts}
    is_by_parts = target.editor == "marker" or (target.editor == "helm" and PartKind.DIGEST in kinds)
    if is_by_parts and PartKind.REFERENCE not in kinds:
        return ImageRef(name=name, tag=candidate.tag, digest=candidate.digest if PartKind.DIGEST in kinds else None)
    return ImageRef(
        name=name,
        tag=None if target.form is Form.DIGEST else candidate.tag,
        digest=None if target.form is Form.TAG else candidate.digest,
    )


def rejected_for(subscription: Subscription, recent: Sequence[PastCommit]) -> dict[str, RevertedImage]:
    """Return what people decided against for one subscription, by tag: our commits that were reverted, as their trailers say."""
    taken_back: dict[str, RevertedImage] = {}
    key = " ".join(subscription.key.split())  # as trailers have it
    for past in recent:
        if past.reverted_by is None or key not in past.subscriptions:
            continue
        for text in past.images:
            try:
                ref = parse_ref(text)
            except ImageSyntaxError:
                continue
            if ref.tag and ref.name == subscription.image:
                taken_back.setdefault(ref.tag, RevertedImage(tag=ref.tag, digest=ref.digest, by=past.reverted_by))
    return superseded_for(subscription, recent) | taken_back if subscription.policy.kind == _BY_TIME else taken_back


def outcomes(decisions: Iterable[TargetDecision], landed: WriteResult | None) -> tuple[Outcome, ...]:
    """Return every target its one outcome; *landed* is None where there was nothing to write."""
    return tuple(_outcome(decision, landed) for decision in decisions)


def failed(subscriptions: Iterable[Subscription], destination: object, error: UpdaterError) -> tuple[Outcome, ...]:
    """End every target on *destination* as failed with the error's code."""
    return tuple(
        Outcome(
            key=item.key,
            target=str(target),
            status=Status.FAILED,
            detail=error.message,
            code=error.code,
            hint=error.hint,
            public=_otherwise(error),
        )
        for item in subscriptions
        for target in item.targets
        if target.destination == destination
    )


def _claims(view: View, subscriptions: Sequence[Subscription]) -> Claims:
    """Return who claims each scalar: by subscription, editor and form, because two forms of one subscription differ too."""
    targets = {
        (item.key, index): (item.key, target.editor, target.form.value)
        for item in subscriptions
        for index, target in enumerate(item.targets)
    }
    claims: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    for place, readings in view.readings.items():
        for reading in readings:
            for scalar in _scalars(reading):
                claims.setdefault((reading.path, scalar), set()).add(targets[place])
    return claims


def _scalars(reading: Reading) -> tuple[str, ...]:
    """Name what an edit of this place would change: its scalars, or the entry that it would add."""
    if reading.is_missing:
        return (f"+ {reading.where} {reading.setter}",)
    return tuple(part.scalar or part.where for part in reading.parts)


class _Keeper:
    """Who keeps a place that several subscriptions claim: the file, else who wrote before, else the older object."""

    def __init__(self, subscriptions: Sequence[Subscription], recent: Sequence[PastCommit]) -> None:
        self._items = {item.key: item for item in subscriptions}
        self._recent = recent

    def of(self, keys: set[str]) -> str | None:
        """Return the key of the one that keeps the place; None where nothing tells one from the other."""
        items = [self._items[key] for key in keys]
        filed = [item for item in items if item.origin.kind == "file"]
        if filed or len({item.origin for item in items}) < len(items):
            return filed[0].key if len(filed) == 1 else None
        written = {key for past in self._recent for key in past.subscriptions}
        before = [item for item in items if item.key in written] or items
        first = min(before, key=lambda item: (item.origin.since or "~", item.key))
        return first.key if first.origin.since or len(before) == 1 else None


def _conflict(reading: Reading, claims: Claims, own: tuple[str, str, str], keeper: _Keeper) -> PlaceDecision | None:
    """Refuse a place that two would write in turn, for ever, to all but the one that keeps it."""
    others = sorted({claim for scalar in _scalars(reading) for claim in claims[reading.path, scalar]} - {own})
    if not others:
        return None
    first = keeper.of({own[0], *(key for key, _, _ in others)}) if all(key != own[0] for key, _, _ in others) else None
    if first == own[0]:
        return None
    named = ", ".join(dict.fromkeys(key if key != own[0] else f"its target for {editor}" for key, editor, _ in others))
    detail = f"{reading.path}:{reading.line} is also written by {named}"
    if first is not None:
        detail += f"; {first} keeps it"
    return PlaceDecision(status=Status.FAILED, detail=detail, code="conflict", hint="leave the place to one of them")


def _judge(
    subscription: Subscription, target: Target, reading: Reading, pending: Reading | None, choices: Choices
) -> PlaceDecision:
    """Judge one place: what stands at the base, and *pending*, what a rebuilt branch holds there.

    Where we do not know what should stand, an unmerged change is not dropped.
    """
    choice = choices[subscription.key, reading.written]
    if isinstance(choice, UpdaterError):
        decision = PlaceDecision(
            status=Status.FAILED, detail=choice.message, code=choice.code, hint=choice.hint, public=_otherwise(choice)
        )
    else:
        decision = _judge_selection(subscription, target, reading, choice)
    if pending is not None and (decision.status is Status.FAILED or decision.code == INCOMPLETE_LIST):
        return replace(decision, update=_kept(subscription, target, reading, pending))
    return decision


def _kept(subscription: Subscription, target: Target, reading: Reading, pending: Reading) -> Update | None:
    """Keep what the rebuilt branch holds for a subscription whose registry did not answer: an unmerged change is not dropped."""
    image = written_ref(pending.written, subscription.image)
    if image is None or pending.written == reading.written:
        return None
    return Update(
        subscription=subscription.key,
        target=target,
        reading=reading,
        image=image,
        written_as=image,
        policy=str(subscription.policy),
        origin=str(subscription.origin),
    )


def _judge_selection(subscription: Subscription, target: Target, reading: Reading, selection: Selection) -> PlaceDecision:
    if selection.chosen is None:
        detail = selection.with_unread(selection.detail)
        return PlaceDecision(status=Status(selection.status), detail=detail, code=selection.code, hint=selection.hint)
    if needs_digest(target, reading) and selection.chosen.digest is None:
        return _digestless(subscription.image, selection.chosen)
    image = wanted_image(subscription, target, reading, selection.chosen)
    if not _differs(reading, image, follows_digest=subscription.policy.kind == _BY_DIGEST):
        detail = selection.with_unread(f"{image.tag or image.digest} is already the newest allowed version")
        return PlaceDecision(status=Status.UNCHANGED, detail=detail)
    update = Update(
        subscription=subscription.key,
        target=target,
        reading=reading,
        image=image,
        written_as=ImageRef(name=subscription.image, tag=selection.chosen.tag, digest=selection.chosen.digest),
        policy=str(subscription.policy),
        origin=str(subscription.origin),
        replaced=_replaced(subscription, reading.written),
    )
    return PlaceDecision(status=Status.UPDATED, detail=selection.with_unread(_move(reading.written, image)), update=update)


def _digestless(image: ImageName, chosen: Candidate) -> PlaceDecision:
    """Fail a place that wants the digest of what was chosen, with the registry's own error where there is one."""
    if chosen.failure is not None:
        failure = chosen.failure
        return PlaceDecision(status=Status.FAILED, detail=failure.message, code=failure.code, hint=failure.hint)
    return PlaceDecision(status=Status.FAILED, detail=f"the digest of {image}:{chosen.tag} is not known", code="no-digest")


def _replaced(subscription: Subscription, written: Written) -> ImageRef | None:
    """Return the image that gives way, if its policy goes by times that only the cache knows."""
    ref = written_ref(written, subscription.image) if subscription.policy.kind == _BY_TIME else None
    return replace(ref, name=subscription.image) if ref is not None and ref.tag else None


def _move(written: Written, image: ImageRef) -> str:
    """Return old → new, with the name only where it changes or nothing else stands there."""
    if written.name and not _is_same_name(written.name, image.name):
        return f"{written} → {image}"
    old = str(replace(written, name=None)) if written.tag or written.digest else str(written)
    return f"{old.removeprefix(':')} → {str(image).removeprefix(image.name.spelled).removeprefix(':')}"


def _differs(reading: Reading, image: ImageRef, *, follows_digest: bool = False) -> bool:
    """Return whether an edit could change anything; the editor has the last word, and an edit without change is none.

    With *follows_digest* a current digest is enough, whatever tag stands beside it: pods would roll for identical content.
    """
    kinds = {part.kind for part in reading.parts}
    digest = str(image.digest) if image.digest else None
    is_named = reading.written.name is not None and not _is_same_name(reading.written.name, image.name)
    if follows_digest and digest is not None and reading.written.digest == digest:
        return is_named
    if reading.is_missing:  # what runs already needs no new entry
        runs = reading.written
        is_running = not reading.parts and image.tag in {None, runs.tag} and digest in {None, runs.digest}
        return not is_running or is_named
    if kinds == {PartKind.NAME}:
        return is_named
    if kinds <= {PartKind.DIGEST, PartKind.NAME}:
        return is_named or (reading.written.digest != digest)
    return is_named or reading.written.tag != image.tag or reading.written.digest != digest


def _is_same_name(text: str, name: ImageName) -> bool:
    try:
        return parse_name(text) == name
    except ImageSyntaxError:
        return False


def _spelling(image: ImageName, written: Written) -> ImageName:
    """Keep the spelling that stands there where it names the same image: the least change."""
    if written.name and _is_same_name(written.name, image):
        return replace(image, spelled=written.name)
    return image


def _problem(problem: Problem) -> PlaceDecision:
    return PlaceDecision(status=Status.FAILED, detail=str(problem), code=problem.code, hint=problem.hint)


def _nowhere(target: Target) -> PlaceDecision:
    return PlaceDecision(
        status=Status.FAILED,
        detail=f"no place for {target.locator} was found at {target.destination}",
        code="no-place",
        hint="check the name, and the path of the target; problems of files on the way are listed above",
    )


def _outcome(decision: TargetDecision, landed: WriteResult | None) -> Outcome:
    ends = [_end(place, landed) for place in decision.places]
    status = fold(end.status for end in ends)
    leading = next(end for end in ends if end.status is status)
    changes = tuple(change for end in ends for change in end.changes)
    revision = next((end.revision for end in ends if end.revision), None)
    detail, public = (_sentence(those, leading.status) for those in (ends, [_public(end) for end in ends]))
    return Outcome(
        key=decision.subscription.key,
        target=str(decision.target),
        status=status,
        detail=detail,
        public="" if public == detail else public,
        changes=changes,
        revision=revision,
        code=leading.code,
        hint=leading.hint,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    status: Status
    detail: str
    code: str | None = None
    hint: str = ""
    changes: tuple[Change, ...] = ()
    revision: str | None = None
    public: str = ""


def _end(place: PlaceDecision, landed: WriteResult | None) -> _End:
    if place.update is None or landed is None or place.status is not Status.UPDATED:
        return _End(status=place.status, detail=place.detail, code=place.code, hint=place.hint, public=place.public)
    problem = landed.refused.get(place.update)
    if problem:
        return _End(status=Status.FAILED, detail=str(problem), code=problem.code, hint=problem.hint)
    changes = landed.changes.get(place.update, ())
    if not changes:
        return _End(status=Status.UNCHANGED, detail=f"{place.update.image} is already written")
    if landed.is_dry:
        return _End(status=Status.HELD, detail=f"would move {place.detail}", code=DRY_RUN, changes=changes)
    revision = landed.revisions.get(place.update)
    if revision is None:
        return _End(status=Status.UNCHANGED, detail=landed.note or f"{place.update.image} is already written")
    return _End(status=Status.UPDATED, detail=place.detail, changes=changes, revision=revision)


def _public(end: _End) -> _End:
    return replace(end, detail=end.public or end.detail)


def _otherwise(error: UpdaterError) -> str:
    """Return the message without words of a server, "" where it has none."""
    return "" if error.public == error.message else error.public


def _sentence(ends: Sequence[_End], status: Status) -> str:
    """Return each distinct reason of the leading status once, in order."""
    return "; ".join(dict.fromkeys(end.detail for end in ends if end.status is status and end.detail))


def written_ref(written: Written, name: ImageName) -> ImageRef | None:
    """Read what is written as a reference to *name*; None where it holds neither a tag nor a digest."""
    tag = written.tag if written.tag and is_tag(written.tag) else None
    try:
        digest = parse_digest(written.digest) if written.digest else None
    except ImageSyntaxError:
        digest = None
    return ImageRef(name=_spelling(name, written), tag=tag, digest=digest) if tag or digest else None
