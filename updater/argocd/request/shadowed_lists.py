"""What hides what: a list in a file of overrides the Application's own, and the Application's own what files below it say.

Source: RFC 7386, by which Argo CD lays ``.argocd-source-<app>.yaml`` over a source. Whoever makes a list there must bring along
what the Application says, or what it says is not deployed any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.argocd.request.applications import AppType
from updater.argocd.request.layers import FieldProblem
from updater.argocd.request.targets import SOURCE_FILE
from updater.editors import references
from updater.editors.overrides import LISTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from updater.argocd.request.applications import Application, ApplicationSource
    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.model.subscription import Locator, Subscription

_TYPES: Final = {"helm": AppType.HELM, "kustomize": AppType.KUSTOMIZE}


def with_beside(application: Application, answers: Sequence[ImageTranslation]) -> tuple[ImageTranslation, ...]:
    """Return each target in a file of overrides what stands in the Application's own list.

    An image that somebody pinned there comes along, as with the peer. So does a parameter of any of *answers*; another one is
    nobody's here to write, since its value may be a secret.
    """
    if not any(source.overrides for source in application.sources):
        return tuple(answers)
    locators = [locator for answer in answers if (locator := _in_a_file(answer.subscription)) is not None]
    managed = {name for locator in locators for name in (locator.name, locator.tag, locator.spec) if name}
    return tuple(_told(answer, _beside(application, answer.subscription, managed)) for answer in answers)


def hidden(application: Application, answers: Sequence[ImageTranslation]) -> Iterator[FieldProblem]:
    """Return which targets no deployment will show: the Application itself sets the value over the file that is written."""
    for target in (answer.subscription.targets[0] for answer in answers if answer.subscription):
        kind = _TYPES.get(target.editor)
        source = application.source(kind) if kind else None
        if source is None or kind is None:
            continue
        names = {name or _replaced(text): place for place, name, text in _numbered(source, kind.section)}
        locator = target.locator
        yield from (_flaw(locator, source, names[name]) for name in (locator.name, locator.tag, locator.spec) if name in names)


def _numbered(source: ApplicationSource, section: str) -> Iterator[tuple[str, str, str]]:
    mine = [(name, text) for kind, name, text in source.overrides if kind == section]
    for position, (name, text) in enumerate(mine):
        yield f"{section}.{LISTS[section]}[{position}]", name, text


def _flaw(locator: Locator, source: ApplicationSource, place: str) -> FieldProblem:
    message = f"{source.dotted}.{place} of the Application wins over {locator}: no write there is deployed"
    hint = "remove it from the Application, or write it where it is: leave out write-back-target"
    return FieldProblem(place=(*source.place, place), code="overridden", message=message, hint=hint)


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
    """Return the name that an image of kustomize replaces."""
    left, equals, _ = image.partition("=")
    return left if equals else references.split(image).name or image


def _told(answer: ImageTranslation, beside: tuple[tuple[str, str | None], ...]) -> ImageTranslation:
    if answer.subscription is None or not beside:
        return answer
    (target,) = answer.subscription.targets
    target = replace(target, locator=replace(target.locator, beside=beside))
    return replace(answer, subscription=replace(answer.subscription, targets=(target,)))
