"""One subscription in full: its ladder of tags, its places, its gates, the release under way, and what we changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from updater.errors import UpdaterError
from updater.model.candidate import Candidate
from updater.model.decision import ends_at
from updater.model.release import ReleaseVerdict
from updater.model.selection import HELD_CODES, Code
from updater.model.subscription import GitBranch
from updater.model.view import commits_for
from updater.web.fleet import FleetRow, row_of
from updater.web.links import ForgeLinks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from updater.engine.landing import Landing
    from updater.gates.answers import GateAnswer
    from updater.model.decision import Decision
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.progress import Progress
    from updater.model.release import PastVerdict
    from updater.model.report import ReleaseJudged
    from updater.model.selection import Selection
    from updater.model.subscription import Subscription
    from updater.model.view import PastCommit
    from updater.model.written import Written
    from updater.reporting.last_outcomes import SubscriptionStatus

MOST_STEPS: Final = 200
MOST_CHANGES: Final = 100
_ALLOWED_CODES: Final = frozenset({Code.OUTRANKED, Code.DUPLICATE, Code.SUPERSEDED, Code.GROUP})


class Standing(StrEnum):
    """How a tag stands: it is chosen, a guard or gate holds it, a better one won, or the policy rules it out."""

    CHOSEN = "chosen"
    HELD = "held"
    ALLOWED = "allowed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderStep:
    """One tag: how it stands, and why. *at* is when it was pushed, built or first seen, *is_written* where some place has it."""

    tag: str
    standing: Standing
    code: str | None = None
    reason: str = ""
    hint: str = ""
    at: datetime | None = None
    opens_at: datetime | None = None
    digest: str | None = None
    is_written: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """One place where the image is written. *link* leads to the line on the forge, None where that is not known."""

    target: str
    destination: str
    path: str
    line: int
    where: str
    written: str
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """What one gate answers at this moment; *opens_at* is when a closed one opens by itself, None where nobody knows."""

    gate: str
    destination: str
    is_open: bool
    reason: str
    code: str | None = None
    opens_at: datetime | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    """What was reported last of a release; *is_under_way* until its verdict, *progress* how far its canary has come."""

    image: str
    revision: str
    workload: str
    verdict: str
    reason: str
    began: datetime
    at: datetime
    is_under_way: bool
    is_revert: bool = False
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastChange:
    """One of our commits that changed the subscription; *verdict* is what the cluster made of it."""

    revision: str
    when: datetime
    subject: str
    destination: str
    old: str | None = None
    new: str | None = None
    link: str | None = None
    reverted_by: str | None = None
    verdict: str | None = None
    verdict_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """What a person decided and what is in force: a hold, a pin or a rejection."""

    kind: str
    told: str
    author: str
    reason: str
    where: str
    tag: str | None = None
    digest: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """How one target ended the last dry look: what would happen to it now."""

    target: str
    status: str
    detail: str
    code: str | None = None
    hint: str = ""
    opens_at: datetime | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionDetail:
    """One subscription in full. *tags* counts all tags of the image; the ladder has at most `MOST_STEPS`, the newest first.

    *is_complete* is false where this replica does not lead: then there is only what the sources say. *problems* are what could
    not be read.
    """

    row: FleetRow
    is_complete: bool = True
    tags: int = 0
    ladder: tuple[LadderStep, ...] = ()
    places: tuple[PlaceView, ...] = ()
    targets: tuple[TargetView, ...] = ()
    gates: tuple[GateView, ...] = ()
    decisions: tuple[DecisionView, ...] = ()
    release: ReleaseView | None = None
    history: tuple[PastChange, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailFacts:
    """What a detail is made of: the subscription, its status, dry landings of its destinations, and what is known beside them.

    *candidates* are the tags of the image, *gates* what each gate answers, by destination, *verdicts* how releases ended.
    """

    subscription: Subscription
    status: SubscriptionStatus
    landings: Sequence[Landing] = ()
    candidates: Mapping[str, Candidate]
    gates: Sequence[tuple[str, GateAnswer]] = ()
    verdicts: Sequence[PastVerdict] = ()
    problems: Sequence[Problem] = ()
    is_complete: bool = True


def detail_of(facts: DetailFacts, links: ForgeLinks | None = None) -> SubscriptionDetail:
    """Put the detail of one subscription together."""
    links = links or ForgeLinks()
    item = facts.subscription
    places = tuple(place for landing in facts.landings for place in _places(item, landing, links))
    outcomes = [end for landing in facts.landings for end in landing.outcomes if end.key == item.key]
    return SubscriptionDetail(
        row=row_of(facts.status),
        is_complete=facts.is_complete,
        tags=len(facts.candidates),
        ladder=_ladder(facts),
        places=places,
        targets=tuple(map(target_view, outcomes)),
        gates=tuple(_gate(destination, answer) for destination, answer in facts.gates),
        decisions=tuple(_decision(decision) for decision in item.decisions if decision.code),
        release=_release(facts.status.release, facts.status.progress),
        history=_history(facts, links),
        problems=tuple(facts.problems),
    )


def _choices(facts: DetailFacts) -> Iterator[tuple[Written, Selection]]:
    for landing in facts.landings:
        for (key, written), choice in landing.choices.items():
            if key == facts.subscription.key and not isinstance(choice, UpdaterError):
                yield written, choice


def _ladder(facts: DetailFacts) -> tuple[LadderStep, ...]:
    """Return the newest tags with what became of each, and every one that is written, chosen or held, however old."""
    chosen: dict[str, LadderStep] = {}
    written: set[str] = set()
    for text, selection in _choices(facts):
        written.update({text.tag} if text.tag else ())
        for step in _steps(selection):
            known = chosen.get(step.tag)
            if known is None or _RANKS[step.standing] < _RANKS[known.standing]:
                chosen[step.tag] = step
    steps = [_dated(step, facts.candidates.get(tag), is_written=tag in written) for tag, step in chosen.items()]
    steps.sort(
        key=lambda step: (step.standing in {Standing.CHOSEN, Standing.HELD} or step.is_written, step.at or _NEVER, step.tag),
        reverse=True,
    )
    kept = steps[:MOST_STEPS]
    kept.sort(key=lambda step: (step.at or _NEVER, -_RANKS[step.standing], step.tag), reverse=True)
    return tuple(kept)


_RANKS: Final = {Standing.CHOSEN: 0, Standing.HELD: 1, Standing.ALLOWED: 2, Standing.REJECTED: 3}
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def _steps(selection: Selection) -> Iterator[LadderStep]:
    if selection.chosen is not None:
        yield LadderStep(tag=selection.chosen.tag, standing=Standing.CHOSEN, reason=selection.detail)
    if selection.held is not None:
        yield LadderStep(
            tag=selection.held.tag,
            standing=Standing.HELD,
            code=selection.code,
            reason=selection.detail,
            hint=selection.hint,
            opens_at=selection.opens_at,
        )
    for lost in selection.rejections.values():
        standing = (
            Standing.ALLOWED if lost.code in _ALLOWED_CODES else Standing.HELD if lost.code in HELD_CODES else Standing.REJECTED
        )
        yield LadderStep(
            tag=lost.tag, standing=standing, code=lost.code, reason=lost.sentence, hint=lost.hint, opens_at=lost.opens_at
        )


def _dated(step: LadderStep, candidate: Candidate | None, *, is_written: bool) -> LadderStep:
    known = candidate or Candidate(tag=step.tag)
    return LadderStep(
        tag=step.tag,
        standing=step.standing,
        code=step.code,
        reason=step.reason,
        hint=step.hint,
        opens_at=step.opens_at,
        at=known.pushed or known.created or known.seen or known.first_seen,
        digest=str(known.digest) if known.digest else None,
        is_written=is_written,
    )


def _places(item: Subscription, landing: Landing, links: ForgeLinks) -> Iterator[PlaceView]:
    readings = landing.view.readings if landing.view else {}
    for index, target in enumerate(item.targets):
        for reading in readings.get((item.key, index), ()) if target.destination == landing.destination else ():
            branch = landing.destination
            yield PlaceView(
                target=str(target),
                destination=str(branch),
                path=reading.path,
                line=reading.line,
                where=reading.where,
                written=str(reading.written).removeprefix("@"),
                link=links.file(branch, reading.path, reading.line) if isinstance(branch, GitBranch) else None,
            )


def target_view(outcome: Outcome) -> TargetView:
    """Return how one target ended."""
    return TargetView(
        target=outcome.target,
        status=outcome.status.value,
        detail=outcome.told,
        code=outcome.code,
        hint=outcome.hint,
        opens_at=outcome.opens_at,
        link=outcome.link,
    )


def _gate(destination: str, answer: GateAnswer) -> GateView:
    opens_at = datetime.fromtimestamp(answer.opens_at, UTC) if answer.opens_at is not None else None
    return GateView(
        gate=answer.gate.value,
        destination=destination,
        is_open=answer.code is None,
        reason=answer.reason,
        code=answer.code,
        opens_at=opens_at,
        hint=getattr(answer, "hint", ""),
    )


def _decision(decision: Decision) -> DecisionView:
    return DecisionView(
        kind=decision.code,
        told=decision.sentence,
        author=decision.author,
        reason=decision.reason,
        where=decision.where,
        tag=getattr(decision, "tag", "") or None,
        digest=getattr(decision, "digest", "") or None,
        until=ends_at(decision),
    )


def _release(report: ReleaseJudged | None, progress: Progress | None) -> ReleaseView | None:
    if report is None:
        return None
    return ReleaseView(
        image=str(report.release.image),
        revision=report.release.revision,
        workload=str(report.workload or "no known workload"),
        verdict=report.verdict.value,
        reason=report.reason,
        began=report.release.began,
        at=report.at,
        is_under_way=report.verdict is ReleaseVerdict.PROGRESSING,
        is_revert=report.release.is_revert,
        progress=progress,
    )


def _history(facts: DetailFacts, links: ForgeLinks) -> tuple[PastChange, ...]:
    """Return our commits that changed the subscription, newest first, as Git tells them."""
    key = facts.subscription.key
    verdicts = {(item.revision, item.key): item for item in facts.verdicts}
    changes = [
        _change(past, key, landing, links, verdicts.get((past.revision, key)))
        for landing in facts.landings
        for past in commits_for(key, landing.view.recent if landing.view else ())
    ]
    return tuple(sorted(changes, key=lambda item: item.when, reverse=True)[:MOST_CHANGES])


def _change(past: PastCommit, key: str, landing: Landing, links: ForgeLinks, verdict: PastVerdict | None) -> PastChange:
    move, branch = next(iter(past.moves_of(key)), None), landing.destination
    return PastChange(
        revision=past.revision,
        when=past.when,
        subject=past.subject,
        destination=str(branch),
        old=move.replaced if move else None,
        new=move.new if move else None,
        link=links.commit(branch, past.revision) if isinstance(branch, GitBranch) else None,
        reverted_by=past.reverted_by,
        verdict=verdict.verdict.value if verdict else None,
        verdict_reason=verdict.reason if verdict else None,
    )
