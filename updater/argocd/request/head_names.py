"""How HEAD becomes the name that a server tells: two Applications may name one branch in two ways, and share a commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.inventory.default_branches import DefaultBranches
    from updater.model.subscription import Subscription, Target


class HeadNames:
    """Puts names where objects say HEAD, and gives the same subscription for the same."""

    def __init__(self, branches: DefaultBranches) -> None:
        self._branches = branches
        self._named: dict[int, tuple[Subscription, Subscription]] = {}

    def __call__(self, answers: Iterable[ImageTranslation]) -> list[ImageTranslation]:
        """Return *answers* with every branch that is known by its name."""
        before, self._named = self._named, {}
        return [self._answer(answer, before) for answer in answers]

    def _answer(self, answer: ImageTranslation, before: dict[int, tuple[Subscription, Subscription]]) -> ImageTranslation:
        item = answer.subscription
        if item is None or not self._branches.version or all(target.destination.is_named for target in item.targets):
            return answer
        targets = tuple(self._target(target) for target in item.targets)
        known = before.get(id(item))  # what is kept is alive, so its id is nobody else's
        made = known[1] if known and known[1].targets == targets else replace(item, targets=targets)
        self._named[id(item)] = (item, made)
        return replace(answer, subscription=made)

    def _target(self, target: Target) -> Target:
        found = target.destination
        if found.method != "git" or found.is_named or not (name := self._branches.name_of(found)):
            return target
        return replace(target, destination=replace(found, branch=name))
