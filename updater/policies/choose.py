"""How a selection comes about: policies rank, eligibility walks the ranks, guards have the last word; pure.

One entry, `choose`, serves the engine and `updater check`. It is a generator: it yields `FactRequest` where it needs a
fact, is sent the candidate with the fact filled (or None, where it could not be had), and returns the `Selection`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from updater.model.candidate import Candidate, Fact, FactRequest, Rank
from updater.model.decision import PINNED, pin_of
from updater.model.outcome import Status
from updater.model.selection import Code, Rejection, RevertedImage, Selection, Superseded
from updater.model.subscription import Downgrade, Variant
from updater.policies.base import NotRanked
from updater.policies.eligibility import eligible, not_replaced, not_taken_back, old_enough
from updater.policies.guards import WrittenTag, downgrade, incomparable, leap, unreadable
from updater.policies.people import PeoplesWill
from updater.policies.promotion import exact, is_offered, is_there, unmoved
from updater.policies.ranking import RankingMemory, judge_for
from updater.policies.rejections import Rejections, count_codes, refused_by_people
from updater.policies.select import foreseen, select
from updater.policies.shape import is_leap

_DIGEST = frozenset({Fact.DIGEST})
_KEY: Final = "KEY"  # as a hint of a command names a subscription
#: who loses for one of these may win later, as it is
_WAITS = frozenset({Code.MIN_AGE, Code.FOLLOWS})
_JUDGED = frozenset(Code)  # every other code is that of an error

__all__ = [
    "RankingMemory",
    "Rejections",
    "SelectionRequest",
    "choose",
    "count_codes",
    "drive",
    "foreseen_asks",
    "identified",
    "nothing_named",
    "refused_by_people",
    "version_of",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from updater.model.decision import Decision, Pin
    from updater.model.image import Digest, Platform
    from updater.model.promotion import Offer
    from updater.policies.base import Policy
    from updater.policies.filters import NameFilter
    from updater.policies.ranking import Judge
    from updater.policies.select import Ranking

    NamedTags = Callable[[Selection], AbstractSet[str]]


def version_of(name_filter: NameFilter, tag: str) -> str:
    """Return the version that a tag names, as members of a group compare it: what the filter extracts, without a leading v."""
    text = name_filter.text_of_written(tag)
    return text[1:] if text[:1] in {"v", "V"} and text[1:2].isdigit() else text


def nothing_named(_selection: Selection) -> AbstractSet[str]:
    """Return no tag: there will be no commit."""
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRequest:
    """What is to be chosen from, and by which rules.

    *candidates* are by tag, and nobody changes the map afterwards. *current* is the tag that is written, *current_digest*
    the digest beside it. *facts* are those that the chosen one must have, such as the digest for a form that writes it.
    *rejected* has, by tag, what people took back, *decisions* what else they decided that is in force.
    *named* says which tags a commit will name after a selection, so that their
    digests are asked for with it: nothing is asked between the decision and the write. A candidate that is written anew must have
    been seen *min_age* seconds before *now*, and be one of *versions*, unless that is None. It must be on *offer* at the
    subscription that is followed, unless that is None. *key* is that of the subscription, as hints name it.
    """

    candidates: Mapping[str, Candidate]
    policy: Policy
    name_filter: NameFilter
    platforms: tuple[Platform, ...] = ()
    current: str | None = None
    current_digest: Digest | None = None
    downgrade: Downgrade = Downgrade.NEVER
    is_shape_locked: bool = True
    variant: Variant = Variant.LOCK
    facts: frozenset[Fact] = frozenset()
    rejected: Mapping[str, RevertedImage] = field(default_factory=dict)
    min_age: float | None = None
    now: datetime | None = None
    versions: frozenset[str] | None = None
    decisions: tuple[Decision, ...] = ()
    offer: Offer | None = None
    named: NamedTags = nothing_named
    key: str = _KEY

    @property
    def judge(self) -> Judge:
        """Return the way of one tag under these rules."""
        return judge_for(
            self.policy,
            self.name_filter,
            self.current,
            is_locked=self.variant is Variant.LOCK,
            is_shape_locked=self.is_shape_locked,
        )

    @property
    def is_by_digest(self) -> bool:
        """Return whether the digest is written."""
        return self.policy.follows_digest or Fact.DIGEST in self.facts

    @property
    def remembers_times(self) -> bool:
        """Return whether what Git says of replaced tags counts: not where people excluded the written tag, or let it go down."""
        if self.current is None or not self.policy.is_by_time or self.downgrade is Downgrade.ALWAYS:
            return False
        return not isinstance(self.name_filter.judge(self.current), NotRanked)


def foreseen_asks(request: SelectionRequest) -> list[FactRequest]:
    """Return every fact that `choose` is sure to ask for, so that they may be fetched at once; platforms are not among them."""
    return foreseen(request.judge, request.candidates, request.current)


def choose(request: SelectionRequest, memory: RankingMemory | None = None) -> Generator[FactRequest, Candidate | None, Selection]:
    """Choose for one written value. *memory* makes the next call with a similar listing cheap, never different."""
    pin = pin_of(request.decisions)
    if pin is not None:
        return (yield from _pinned(pin, request))
    ranking = yield from select(request.judge, request.candidates, request.current, memory)
    unfit: dict[str, Rejection] = {}
    will = PeoplesWill.of(request.decisions, request.rejected, (request.current, request.current_digest), ranking)
    for ranked in ranking.best_first(request.current):
        candidate = exact(ranked, request.offer) if request.offer is not None and request.is_by_digest else ranked
        fit, refusal = yield from will.admitted(candidate)
        if refusal is None:
            fit, refusal = yield from _admitted(fit, request, ranking)
        if refusal is None:
            chosen = yield from _completed(fit, request)
            selection = _guarded(request, ranking, chosen, unfit)
            selection = _awaited(selection, ranking, request.current, unfit)
            return (yield from identified(selection, request.named, ranking.candidates))
        unfit[candidate.tag] = _addressed(refusal, request.key)
        if candidate.tag == request.current and refusal.code in _WAITS:
            break  # another build of what is written: what ranks lower is no way round it
    young = _waiting(unfit)
    if young is not None:
        return _held(ranking, request.current, ranking.candidates[young.tag], unfit)
    rejections = Rejections(ranking, request.current, unfit, None)
    detail = f"no tag matches: {count_codes(rejections)}" if rejections else "there is no tag"
    unread = _unread(ranking, unfit)
    return Selection(status=Status.NO_MATCH, chosen=None, detail=detail, rejections=rejections, unread=unread)


def _pinned(pin: Pin, request: SelectionRequest) -> Generator[FactRequest, Candidate | None, Selection]:
    """Choose the tag to which people pinned it, whatever ranks higher; one that the registry does not list is held."""
    candidate = request.candidates.get(pin.tag)
    if candidate is None and not request.policy.follows_digest:
        hint = "correct the tag, or release the subscription"
        detail = f"{pin.sentence}, but the registry does not list that tag"
        return Selection(status=Status.HELD, chosen=None, code=PINNED, detail=detail, hint=hint, rejections={})
    chosen = yield from _completed(candidate or Candidate(tag=pin.tag), request)
    differs = chosen.tag != request.current or _differs(chosen.digest, request.current_digest)
    status = Status.UPDATED if differs else Status.UNCHANGED
    selection = Selection(status=status, chosen=chosen, code=PINNED, detail=pin.sentence, rejections={})
    return (yield from identified(selection, request.named, request.candidates))


def _admitted(
    candidate: Candidate, request: SelectionRequest, ranking: Ranking
) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Ask whether the candidate may be chosen; a tag that is written again was put there by people since."""
    is_free = request.versions is None or candidate.tag == request.current
    if not is_free and version_of(request.name_filter, candidate.tag) not in (request.versions or ()):
        sentence = f"{candidate.tag} is not offered by every member of the group"
        return candidate, Rejection(tag=candidate.tag, code=Code.GROUP, sentence=sentence)
    if candidate.tag != request.current or request.current_digest is not None:
        candidate, refusal = yield from not_taken_back(candidate, request.rejected)
        if refusal is not None:
            return candidate, refusal
    if candidate.tag != request.current and request.remembers_times:
        candidate, refusal = yield from not_replaced(candidate, request.rejected)
        if refusal is not None:
            return candidate, refusal
    is_written = candidate.tag == request.current and not request.is_by_digest
    if request.offer is not None and not is_written:
        candidate, refusal = yield from _on_offer(candidate, request.offer, request, ranking)
        if refusal is not None or candidate.digest == request.current_digest is not None:
            return candidate, refusal
    candidate, refusal = yield from eligible(candidate, request.platforms)
    if refusal is None and not is_written and request.min_age is not None and request.now is not None:
        aged = old_enough(candidate, request.min_age, now=request.now, written=request.current_digest)
        candidate, refusal = yield from aged
    if refusal is None and request.offer is not None and not is_written:
        return (yield from unmoved(candidate, request.offer))
    return candidate, refusal


def _on_offer(
    candidate: Candidate, offer: Offer, request: SelectionRequest, ranking: Ranking
) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Ask whether the tag is on offer, and the build is to be had; the very build that is written stays, whoever offers what."""
    standing = ranking.judge.written(offer.standing.tag, ranking.candidates) if offer.standing and offer.standing.tag else None
    refusal = is_offered(candidate, offer, judge=ranking.judge.judge, standing=standing)
    if refusal is None and candidate.is_exact and candidate.digest != request.current_digest:
        return (yield from is_there(candidate, offer))
    if refusal is None or candidate.tag != request.current or request.current_digest is None:
        return candidate, refusal
    if candidate.digest is None or candidate.is_exact:  # one that is exact is what was offered, and not what stands
        candidate = replace(candidate, digest=None, is_exact=False)
        candidate = (yield FactRequest(candidate=candidate, facts=_DIGEST)) or candidate
    return candidate, None if candidate.digest == request.current_digest else refusal


def _addressed(refusal: Rejection, key: str) -> Rejection:
    """Return *refusal* with a hint that can be typed as it stands."""
    return replace(refusal, hint=refusal.hint.replace(_KEY, key)) if _KEY in refusal.hint and key != _KEY else refusal


def _waiting(unfit: Mapping[str, Rejection]) -> Rejection | None:
    """Return the best-ranked candidate that only waits, which others may join before; first one whose moment is known."""
    waits = [item for item in unfit.values() if item.code in _WAITS]
    return next((item for item in waits if item.opens_at is not None), waits[0] if waits else None)


def _awaited(selection: Selection, ranking: Ranking, current: str | None, unfit: Mapping[str, Rejection]) -> Selection:
    """Note when a better candidate is old enough; where nothing else is to be written, that one is what is held."""
    young = _waiting(unfit)
    if young is None:
        return selection
    if selection.status in {Status.UNCHANGED, Status.HELD}:
        return _held(ranking, current, ranking.candidates[young.tag], unfit)
    return replace(selection, opens_at=_opens_at(unfit))


def _opens_at(unfit: Mapping[str, Rejection]) -> datetime | None:
    return min((item.opens_at for item in unfit.values() if item.opens_at is not None), default=None)


def _completed(candidate: Candidate, request: SelectionRequest) -> Generator[FactRequest, Candidate | None, Candidate]:
    """Ask for what must be known of the chosen one only."""
    wanted = request.facts | request.policy.chosen_facts
    lacking = frozenset(fact for fact in wanted if getattr(candidate, fact.value) is None)
    if not lacking:
        return candidate
    return (yield FactRequest(candidate=candidate, facts=lacking)) or candidate


def identified(
    selection: Selection, named: NamedTags, candidates: Mapping[str, Candidate]
) -> Generator[FactRequest, Candidate | None, Selection]:
    """Ask for the digests of the tags that a commit will name; one that cannot be had stops nothing."""
    digests: dict[str, Digest | None] = {}
    for tag in sorted(named(selection)):
        candidate = candidates.get(tag) or Candidate(tag=tag)
        answer = yield FactRequest(candidate=candidate, facts=_DIGEST, is_needed=False)
        digests[tag] = answer.digest if answer else None
    return replace(selection, digests=digests) if digests else selection


def _guarded(request: SelectionRequest, ranking: Ranking, chosen: Candidate, unfit: Mapping[str, Rejection]) -> Selection:
    current = request.current
    stopped = _stopped(request, ranking, chosen) or _incomparable(request, chosen, unfit)
    if stopped is not None:
        return _held(ranking, current, chosen, {**unfit, chosen.tag: _addressed(stopped, request.key)})
    is_followed = request.policy.follows_digest and chosen.digest is not None and chosen.digest == request.current_digest
    is_written = is_followed or (chosen.tag == current and not _differs(chosen.digest, request.current_digest))
    status = Status.UNCHANGED if is_written else Status.UPDATED
    return Selection(
        status=status,
        chosen=chosen,
        detail=_reason(request, chosen, is_written=is_written),
        rejections=Rejections(ranking, current, unfit, chosen),
        unread=_unread(ranking, unfit),
    )


def _stopped(request: SelectionRequest, ranking: Ranking, chosen: Candidate) -> Rejection | None:
    """Ask every guard; the first that refuses has its say."""
    judge, current = ranking.judge, request.current
    rank = judge.judge(chosen)
    if current is None or not isinstance(rank, Rank):
        return None
    written = WrittenTag(
        tag=current,
        rank=judge.written(current, ranking.candidates),
        is_admitted=isinstance(judge.judge(ranking.candidates.get(current) or Candidate(tag=current)), Rank),
        is_filtered=isinstance(judge.name_filter.judge(current), NotRanked),
    )
    stopped = downgrade(tag=chosen.tag, rank=rank, written=written, rule=request.downgrade)
    if stopped is None and judge.policy.is_by_name and not judge.policy.orders_every_text:
        stopped = unreadable(tag=chosen.tag, written=written, rule=request.downgrade)
    return stopped or _leap(judge, chosen.tag, current)


def _incomparable(request: SelectionRequest, chosen: Candidate, unfit: Mapping[str, Rejection]) -> Rejection | None:
    if request.current is None or not request.remembers_times:
        return None
    passed = next((item for item in unfit.values() if item.code == Code.SUPERSEDED), None)
    replaced = (item for item in request.rejected.values() if isinstance(item, Superseded))
    gone = [item for item in replaced if item.tag not in request.candidates]
    newest = max(gone, key=lambda item: item.when, default=None)
    return incomparable(chosen=chosen, written=request.current, passed=passed, gone=newest)


def _leap(judge: Judge, tag: str, written: str) -> Rejection | None:
    if not judge.policy.has_shapes or judge.policy.names_years:
        return None
    before, after = map(judge.name_filter.text_of_written, (written, tag))
    return leap(tag=tag, written=written) if is_leap(before, after) else None


def _unread(ranking: Ranking, unfit: Mapping[str, Rejection]) -> tuple[Rejection, ...]:
    """Return who lost only because the registry did not give what was asked of it, the better-ranked ones first."""
    by_error = [item for item in unfit.values() if item.code not in _JUDGED]
    if ranking.judge.policy.is_by_name:
        return tuple(by_error)
    for candidate in ranking.candidates.values():
        if candidate.failure is not None and candidate.tag not in unfit:
            lost = ranking.judge.judge(candidate)
            if isinstance(lost, NotRanked) and lost.code == candidate.failure.code:
                by_error.append(Rejection(tag=candidate.tag, code=lost.code, sentence=lost.sentence))
    return tuple(by_error)


def _held(ranking: Ranking, current: str | None, held: Candidate, refused: Mapping[str, Rejection]) -> Selection:
    refusal = refused[held.tag]
    return Selection(
        status=Status.HELD,
        chosen=None,
        held=held,
        code=refusal.code,
        detail=refusal.sentence,
        hint=refusal.hint,
        rejections=Rejections(ranking, current, refused, None),
        opens_at=_opens_at(refused),
    )


def _differs(digest: Digest | None, written: Digest | None) -> bool:
    return digest is not None and written is not None and digest != written


def _reason(request: SelectionRequest, chosen: Candidate, *, is_written: bool) -> str:
    said = f"{chosen.tag} is {request.policy.reason}"
    if is_written:
        return f"{said}, and is what is written"
    if request.current is None:
        return said
    if chosen.tag == request.current:
        return f"{said}, and points to {chosen.digest} instead of {request.current_digest}"
    return f"{said}; {request.current} is written"


def drive(
    selection: Generator[FactRequest, Candidate | None, Selection], answer: Callable[[FactRequest], Candidate | None]
) -> Selection:
    """Run `choose` to its end, with the facts that *answer* knows; it gives None for what it does not know."""
    reply: Candidate | None = None
    while True:
        try:
            ask = selection.send(reply)
        except StopIteration as done:
            result: Selection = done.value
            return result
        reply = answer(ask)
