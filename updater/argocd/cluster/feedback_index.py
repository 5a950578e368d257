"""Which answers belong to whom: found by subscription, by ImageUpdater, and by the subscription that writes for others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from updater.argocd.request.application import UNUSED
from updater.argocd.request.applications import KIND as APPLICATION
from updater.argocd.request.imageupdaters import KIND as IMAGE_UPDATER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.argocd.request.layers import FieldProblem
    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.argocd.request.translation import Translation


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackIndex:
    """A translation by those who ask. ImageUpdaters and Applications are named as ``namespace/name``.

    *by_key* has answers with a subscription, *shared* those that the subscription of a key writes for, *by_updater* those of
    each ImageUpdater, *updaters* the ImageUpdaters of each Application, *flaws* what is wrong with each ImageUpdater itself.
    """

    by_key: Mapping[str, ImageTranslation] = field(default_factory=dict)
    shared: Mapping[str, tuple[ImageTranslation, ...]] = field(default_factory=dict)
    by_updater: Mapping[str, tuple[ImageTranslation, ...]] = field(default_factory=dict)
    updaters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flaws: Mapping[str, tuple[FieldProblem, ...]] = field(default_factory=dict)

    def owners(self, answer: ImageTranslation) -> tuple[str, ...]:
        """Name the ImageUpdaters whose image this is."""
        return tuple(name for name in self.updaters.get(answer.application, ()) if _is_asked_by(answer, name))


def index(translation: Translation) -> FeedbackIndex:
    """Index a translation."""
    answers: defaultdict[str, list[ImageTranslation]] = defaultdict(list)
    shared: defaultdict[str, tuple[ImageTranslation, ...]] = defaultdict(tuple)
    for answer in translation.answers:
        answers[answer.application].append(answer)
        if answer.writer:
            shared[answer.writer] += (answer,)
    updaters: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    by_updater: dict[str, tuple[ImageTranslation, ...]] = {}
    for name, applications in translation.selected.items():
        for application in applications:
            updaters[application] += (name,)
        asked = (answer for application in applications for answer in answers.get(application, ()))
        by_updater[name] = tuple(answer for answer in asked if _is_asked_by(answer, name))
    flaws: defaultdict[str, tuple[FieldProblem, ...]] = defaultdict(tuple)
    for finding in translation.findings:
        kind, _, name = finding.origin.partition(" ")
        if kind == IMAGE_UPDATER:
            flaws[name] += (finding.flaw,)
    by_key = {answer.subscription.key: answer for answer in translation.answers if answer.subscription}
    return FeedbackIndex(by_key=by_key, shared=dict(shared), by_updater=by_updater, updaters=dict(updaters), flaws=dict(flaws))


def _is_asked_by(answer: ImageTranslation, updater: str) -> bool:
    """Return whether an image is one of an ImageUpdater that selects its Application: listed there, or in the annotations."""
    asked_by = {f"{IMAGE_UPDATER} {updater}", f"{APPLICATION} {answer.application}"}
    return answer.code != UNUSED and answer.asked_by in asked_by
