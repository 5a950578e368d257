"""Knows what a list in a file of overrides hides: Argo CD takes the file as a patch, and a list of it for the Application's own.

Source: RFC 7386, by which Argo CD lays ``.argocd-source-<app>.yaml`` over a source. Whoever makes a list there must bring along
what the Application says, or what it says is not deployed any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from updater.editors import references
from updater.sources.argocd.applications import AppType
from updater.sources.argocd.targets import SOURCE_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.subscription import Locator, Subscription
    from updater.sources.argocd.applications import Application
    from updater.sources.argocd.subscriptions import Answer


def with_beside(application: Application, answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Tell each target in a file of overrides what stands in the Application's own list.

    An image that somebody pinned there comes along, as with the peer. So does a parameter of any of *answers*; another one is
    nobody's here to write, since its value may be a secret.
    """
    if not any(source.overrides for source in application.sources):
        return tuple(answers)
    locators = [locator for answer in answers if (locator := _in_a_file(answer.subscription)) is not None]
    managed = {name for locator in locators for name in (locator.name, locator.tag, locator.spec) if name}
    return tuple(_told(answer, _beside(application, answer.subscription, managed)) for answer in answers)


def _in_a_file(subscription: Subscription | None) -> Locator | None:
    target = subscription.targets[0] if subscription else None
    return target.locator if target is not None and target.editor == SOURCE_FILE else None


def _beside(application: Application, subscription: Subscription | None, managed: set[str]) -> tuple[tuple[str, str | None], ...]:
    locator = _in_a_file(subscription)
    kind = next((kind for kind in AppType if locator is not None and kind.section == locator.section), None)
    source = application.source(kind) if kind else None
    found: dict[str, str | None] = {}
    for section, name, text in source.overrides if source and locator else ():
        if locator is not None and section == locator.section:
            is_ours = section == AppType.KUSTOMIZE.section or name in managed
            found[name or _replaced(text)] = text if is_ours else None
    return tuple(found.items())


def _replaced(image: str) -> str:
    """Give the name that an image of kustomize replaces."""
    left, equals, _ = image.partition("=")
    return left if equals else references.split(image).name or image


def _told(answer: Answer, beside: tuple[tuple[str, str | None], ...]) -> Answer:
    if answer.subscription is None or not beside:
        return answer
    (target,) = answer.subscription.targets
    target = replace(target, locator=replace(target.locator, beside=beside))
    return replace(answer, subscription=replace(answer.subscription, targets=(target,)))
