"""What the webhooks of Flagger are answered: whether a canary may begin, be promoted, or is to be rolled back. Pure.

https://docs.flagger.app/usage/webhooks
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from updater.delivery.state import is_asked_for, read_reference
from updater.model.candidate import Candidate
from updater.model.decision import hold_of, pin_of, rejections_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.model.decision import Decision
    from updater.model.image import ImageName, ImageRef
    from updater.model.release import Release, RevertOrder
    from updater.model.selection import Rejection


class CanaryHook(StrEnum):
    """What a webhook of Flagger asks or tells, in Flagger's own words."""

    CONFIRM_ROLLOUT = "confirm-rollout"
    CONFIRM_PROMOTION = "confirm-promotion"
    ROLLBACK = "rollback"
    EVENT = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    """Yes or no, and why: Flagger shows the reason of a no in its Events."""

    is_yes: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryFacts:
    """What is known of one subscription that a Canary delivers.

    *images* are the references that the Canary's target asks for, *release* is the one of ours that is on its way, *decisions*
    what people decided and is in force, *rejected* what was taken back, by tag, *order* what is about to be taken back.
    """

    key: str
    image: ImageName
    images: tuple[str, ...] = ()
    release: Release | None = None
    decisions: tuple[Decision, ...] = ()
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    order: RevertOrder | None = None

    @property
    def asked(self) -> ImageRef | None:
        """The image of this subscription that the target asks for."""
        refs = (read_reference(text) for text in self.images)
        return next((ref for ref in refs if ref is not None and ref.name == self.image), None)


def answer_of(hook: CanaryHook, canary: Iterable[CanaryFacts]) -> HookAnswer:
    """Return the answer of all subscriptions that a Canary delivers: one no is a no, one reason to roll back is enough."""
    facts = tuple(canary)
    bad = next(filter(None, map(_unwanted, facts)), "")
    if hook is CanaryHook.ROLLBACK:
        return HookAnswer(is_yes=bool(bad), reason=bad or "no objection to this version")
    stopped = bad or next(filter(None, map(_stopped, facts)), "")
    return HookAnswer(is_yes=not stopped, reason=stopped or "no objection to this version")


def _unwanted(facts: CanaryFacts) -> str:
    """Return why the image that the target asks for is not wanted, "" where it is."""
    asked = facts.asked
    if asked is None:
        return ""
    if facts.order is not None and is_asked_for(asked, facts.order.bad):
        return f"{facts.key}: {asked.tag or asked.digest} is taken back: {facts.order.reason}"
    candidate = _candidate(asked, facts)
    tag = candidate.tag
    for item in rejections_of(facts.decisions):
        if item.matches(candidate):
            return f"{facts.key}: {item.sentence}"
    past = facts.rejected.get(tag)
    if past is not None:
        return f"{facts.key}: {past.sentence}"
    pin = pin_of(facts.decisions)
    return f"{facts.key}: {pin.sentence}" if pin is not None and tag not in {"", pin.tag} else ""


def _candidate(asked: ImageRef, facts: CanaryFacts) -> Candidate:
    """Return what the target asks for; the tag or digest that is not written there is that of our release, if it is that."""
    ours = facts.release.image if facts.release is not None and is_asked_for(asked, facts.release.image) else asked
    return Candidate(tag=asked.tag or ours.tag or "", digest=asked.digest or ours.digest)


def _stopped(facts: CanaryFacts) -> str:
    """Return who holds our release on its way; what a person wrote while holding us goes on."""
    hold, asked, release = hold_of(facts.decisions), facts.asked, facts.release
    if hold is None or asked is None or release is None or not is_asked_for(asked, release.image):
        return ""
    return f"{facts.key}: {hold.sentence}"
