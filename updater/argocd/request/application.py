"""Who decides for one Application, and what its images come to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.argocd.application_source import DEFAULT_NAME
from updater.argocd.request.annotations import HELM, PREFIX, has_image_list, read_annotations
from updater.argocd.request.applications import KIND
from updater.argocd.request.layers import FieldProblem, ImageRequest
from updater.argocd.request.shadowed_lists import hidden, with_beside
from updater.argocd.request.subscriptions import ImageTranslation, TranslationDefaults, answer_image, refused
from updater.errors import UpdaterError
from updater.model.image import parse_aliased

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from updater.argocd.request.applications import Application
    from updater.argocd.request.imageupdaters import ImageUpdater
    from updater.argocd.request.layers import ApplicationRequest

UNUSED: Final = "annotations-unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectProblem:
    """What is wrong with one object: *origin* is ``Kind namespace/name``, the flaw has the place in it."""

    origin: str
    flaw: FieldProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationImages:
    """What the objects that speak of one Application come to; *selected_by* are ImageUpdaters as ``namespace/name``."""

    application: str
    answers: tuple[ImageTranslation, ...] = ()
    findings: tuple[ObjectProblem, ...] = ()
    selected_by: tuple[str, ...] = ()


def translate_application(
    application: Application, updaters: Sequence[ImageUpdater], defaults: TranslationDefaults
) -> ApplicationImages:
    """Return what becomes of every image that is listed for one Application; never raises."""
    asked = [(updater, request) for updater in updaters if (request := updater.request(application)) is not None]
    own = f"{KIND} {application}"
    findings = [ObjectProblem(origin=own, flaw=flaw) for updater in updaters for flaw in updater.flaws_of(application)]
    requests = [request for _, request in asked]
    if not asked and defaults.annotated and any(key.startswith(PREFIX) for key in application.annotations):
        requests = [read_annotations(application.annotations, asked_by=own)]
    requests, clashes = _settled(application, _once(requests))
    answers: list[ImageTranslation] = list(clashes.answers)
    findings += clashes.findings
    for request in requests:
        findings += [ObjectProblem(origin=request.asked_by, flaw=flaw) for flaw in request.flaws]
        answers += [_unread(application, request, entry, flaw) for entry, flaw in request.refused]
        for image in request.images:
            answer, flaws = answer_image(application, request, image, defaults)
            findings += [ObjectProblem(origin=request.asked_by, flaw=flaw) for flaw in flaws]
            answers.append(answer)
    if has_image_list(application.annotations) and all(request.asked_by != own for request in requests):
        answers.append(_unused(application, [updater for updater, _ in asked]))
    findings += [ObjectProblem(origin=own, flaw=flaw) for flaw in hidden(application, answers)]
    return ApplicationImages(
        application=str(application),
        answers=with_beside(application, _apart(answers, requests)),
        findings=tuple(dict.fromkeys(findings)),
        selected_by=tuple(f"{updater.namespace}/{updater.name}" for updater, _ in asked),
    )


def _once(requests: Iterable[ApplicationRequest]) -> list[ApplicationRequest]:
    """Drop what two ImageUpdaters ask in the same words: both point to the Application's annotations."""
    kept: list[ApplicationRequest] = []
    for request in requests:
        if request not in kept:
            kept.append(request)
    return kept


def _settled(
    application: Application, requests: Sequence[ApplicationRequest]
) -> tuple[list[ApplicationRequest], ApplicationImages]:
    """Take out what two objects ask for: neither of them knows of the other, and both are told."""
    doubled = _doubled(requests)
    kept, answers, findings = [], [], []
    for request in requests:
        for image in request.images:
            other_request = doubled.get((id(request), image))
            if other_request is not None:
                message = f"{image.alias or image.text} of {application} is also asked for by {other_request.asked_by}"
                flaw = FieldProblem(place=image.place, code="conflict", message=message, hint="leave it to one of them")
                answers.append(refused(application, request, image, flaw))
                findings.append(ObjectProblem(origin=request.asked_by, flaw=flaw))
        images = tuple(image for image in request.images if (id(request), image) not in doubled)
        kept.append(replace(request, images=images))
    return kept, ApplicationImages(application=str(application), answers=tuple(answers), findings=tuple(findings))


def _doubled(requests: Sequence[ApplicationRequest]) -> dict[tuple[int, ImageRequest], ApplicationRequest]:
    """Return each image that another object lists too, by alias or by name, with the request of that object."""
    if len(requests) < 2:
        return {}
    claims: defaultdict[object, list[tuple[ApplicationRequest, ImageRequest]]] = defaultdict(list)
    for request in requests:
        for image in request.images:
            for claim in _claims(image):
                claims[claim].append((request, image))
    doubled: dict[tuple[int, ImageRequest], ApplicationRequest] = {}
    for claimed in claims.values():
        first = claimed[0][0]
        other = next((request for request, _ in claimed if request is not first), None)
        if other is not None:
            doubled |= {(id(request), image): other if request is first else first for request, image in claimed}
    return doubled


def _claims(image: ImageRequest) -> Iterator[object]:
    if image.alias is not None:
        yield image.alias
    try:
        yield parse_aliased(image.text).image
    except UpdaterError:
        return


def _unread(application: Application, request: ApplicationRequest, entry: str, flaw: FieldProblem) -> ImageTranslation:
    return refused(application, request, ImageRequest(alias=None, text=entry, place=flaw.place), flaw)


def _unused(application: Application, updaters: Sequence[ImageUpdater]) -> ImageTranslation:
    who = ", ".join(map(str, updaters))
    why = f"{who} selects the Application without useAnnotations" if who else "no ImageUpdater selects the Application"
    return ImageTranslation(
        application=str(application),
        alias=None,
        image="image-list",
        asked_by=f"{KIND} {application}",
        sentence=f"the annotations are not used: {why}",
        code=UNUSED,
    )


def _apart(answers: Sequence[ImageTranslation], requests: Sequence[ApplicationRequest]) -> tuple[ImageTranslation, ...]:
    """Take the parameter that nobody named from images that would share it: each has its own tag, and none the name."""
    named = {image.alias for request in requests for image in request.images if HELM[0] in image.settings}
    sharing = [answer for answer in answers if answer.alias not in named and _has_default_name(answer)]
    if len(sharing) < 2:
        return tuple(answers)
    shared = set(map(id, sharing))
    return tuple(_nameless(answer) if id(answer) in shared else answer for answer in answers)


def _has_default_name(answer: ImageTranslation) -> bool:
    targets = answer.subscription.targets if answer.subscription else ()
    return any(target.locator.name == DEFAULT_NAME and target.locator.section == "helm" for target in targets)


def _nameless(answer: ImageTranslation) -> ImageTranslation:
    subscription = answer.subscription
    assert subscription is not None  # noqa: S101 - only answers with a target are asked
    targets = tuple(replace(target, locator=replace(target.locator, name=None)) for target in subscription.targets)
    said = answer.sentence
    for before, after in zip(subscription.targets, targets, strict=True):
        said = said.replace(f" {before.locator}", f" {after.locator}")  # nobody reads of a write that does not happen
    return replace(answer, sentence=said, subscription=replace(subscription, targets=targets))
