"""Makes the one outcome of every target: from what was decided for its places, and from what landed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.engine.decide import other_words
from updater.model.outcome import DRY_RUN, Move, Outcome, Status, fold
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from updater.engine.decide import PlaceDecision, TargetDecision
    from updater.errors import UpdaterError
    from updater.model.subscription import Subscription
    from updater.model.update import Change, Update, WriteResult

_WRITES: Final = frozenset({Status.UPDATED, Status.REVERTED})
_MOST: Final = 4096  # of a detail: many places, or one long text of a repository


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
            public=other_words(error),
            origin=item.origin,
            target_spec=target,
        )
        for item in subscriptions
        for target in item.targets
        if target.destination == destination
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
        link=next((end.link for end in ends if end.link), None),
        code=leading.code,
        hint=leading.hint,
        origin=decision.subscription.origin,
        target_spec=decision.target,
        moves=tuple(dict.fromkeys(end.move for end in ends if end.move)),
        opens_at=min((end.opens_at for end in ends if end.opens_at), default=None),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    status: Status
    detail: str
    code: str | None = None
    hint: str = ""
    changes: tuple[Change, ...] = ()
    revision: str | None = None
    link: str = ""
    public: str = ""
    move: Move | None = None
    opens_at: datetime | None = None


def _end(place: PlaceDecision, landed: WriteResult | None) -> _End:
    return replace(_landed_end(place, landed), opens_at=place.opens_at)


def _landed_end(place: PlaceDecision, landed: WriteResult | None) -> _End:
    if place.update is None or landed is None or place.status not in _WRITES:
        return _End(status=place.status, detail=place.detail, code=place.code, hint=place.hint, public=place.public)
    stopped = landed.held.get(place.update)
    if stopped:
        return _End(status=Status.HELD, detail=str(stopped), code=stopped.code, hint=stopped.hint)
    problem = landed.refused.get(place.update)
    if problem:
        return _End(status=Status.FAILED, detail=str(problem), code=problem.code, hint=problem.hint)
    changes = landed.changes.get(place.update, ())
    if not changes:
        return _End(status=Status.UNCHANGED, detail=f"{place.update.image} is already written")
    move = move_of(place.update)
    if landed.is_dry:
        detail = f"would move {place.detail}{f', {landed.remark}' if landed.remark else ''}"
        return _End(status=Status.HELD, detail=detail, code=DRY_RUN, changes=changes, link=landed.link, move=move)
    revision = landed.revisions.get(place.update)
    if landed.link:
        status, words = (Status.UPDATED, "merged by") if landed.is_merged else (Status.PROPOSED, "proposed in")
        detail = f"{place.detail}, {words} {landed.link}{f'; {landed.remark}' if landed.remark else ''}"
        return _End(status=status, detail=detail, changes=changes, revision=revision, link=landed.link, move=move)
    if revision is None:
        return _End(status=Status.UNCHANGED, detail=landed.note or f"{place.update.image} is already written")
    return _End(status=place.status, detail=place.detail, changes=changes, revision=revision, move=move)


def move_of(update: Update) -> Move:
    """Return which written image an update makes give way, and to what."""
    image = update.image
    digest = str(image.digest) if image.digest else None
    return Move(old=update.reading.written, new=Written(name=image.name.spelled, tag=image.tag, digest=digest))


def _public(end: _End) -> _End:
    return replace(end, detail=end.public or end.detail)


def _sentence(ends: Sequence[_End], status: Status) -> str:
    """Return each distinct reason of the leading status once, in order, as long as a person reads on."""
    reasons = list(dict.fromkeys(end.detail for end in ends if end.status is status and end.detail))
    # a hold is told with the move that it stops at one place, and alone at another
    told = {reason.rpartition("; ")[0] for reason in reasons}
    text = "; ".join(reason for reason in reasons if reason not in told)
    return text if len(text) <= _MOST else f"{text[:_MOST]}… ({len(reasons)} reasons in all)"
