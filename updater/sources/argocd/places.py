"""Knows when two subscriptions would write one place, and that this is fine only where they want the same.

Applications of one repository often share a file: the same overlay for two clusters. Then one of the subscriptions writes,
and the others are answered by it; where they want different things, none writes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.errors import ImageSyntaxError
from updater.model.image import parse_name
from updater.model.subscription import GitBranch
from updater.sources.argocd.parts import Finding
from updater.sources.argocd.settings import Flaw
from updater.sources.joined import repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from updater.model.subscription import Destination, Subscription, Target
    from updater.sources.argocd.subscriptions import Answer

SHARED: Final = "shared"


def without_doubles(answers: Sequence[Answer]) -> tuple[tuple[Answer, ...], list[Finding]]:
    """Leave each place to one subscription; gives the answers, and what is wrong with those that clash."""
    claims: dict[object, list[int]] = defaultdict(list)
    for position, answer in enumerate(answers):
        if answer.subscription:
            for claim in _claims(answer.subscription.targets[0]):
                claims[claim].append(position)
    rivals: dict[int, set[int]] = defaultdict(set)
    for positions in claims.values():
        for position in positions if len(positions) > 1 else ():
            rivals[position].update(positions)
    if not rivals:
        return tuple(answers), []
    settled = list(answers)
    findings: list[Finding] = []
    for position, others in rivals.items():
        settled[position], found = _settle(answers, position, sorted(others - {position}))
        findings += found
    return tuple(settled), findings


def _settle(answers: Sequence[Answer], position: int, others: Sequence[int]) -> tuple[Answer, list[Finding]]:
    answer = answers[position]
    clashing = [other for other in others if _wish(answers[other]) != _wish(answer)]
    if not clashing:
        first = min(position, *others)
        if first == position:
            return answer, []
        subscription = answers[first].subscription
        writer = subscription.key if subscription else ""
        sentence = f"{writer} writes the same to the same place"
        return replace(answer, code=SHARED, sentence=sentence, subscription=None, writer=writer), []
    names = ", ".join(sub.key for other in clashing if (sub := answers[other].subscription))
    target = answer.subscription.targets[0] if answer.subscription else ""
    message = f"{answer.alias or answer.image} of {answer.application}: {target} is also written by {names}"
    flaw = Flaw(place=("metadata", "name"), code="conflict", message=message, hint="leave the place to one of them")
    refused = replace(answer, code=flaw.code, sentence=message, subscription=None)
    return refused, [Finding(origin=answer.asked_by, flaw=flaw)]


def _claims(target: Target) -> Iterator[object]:
    """Name every value that a target writes."""
    locator = target.locator
    where = (_one_spelling(target.destination), target.editor, locator.path, locator.section)
    if target.editor == "kustomize" or locator.section == "kustomize":
        yield (*where, _canonical(locator.name or locator.spec or ""))
        return
    for key in (locator.name, locator.tag, locator.spec):
        if key:
            yield (*where, key)


def _one_spelling(destination: Destination) -> Destination:
    """Give a repository in one of its spellings, with ``.git`` or without, so that one place is not taken for two."""
    return replace(destination, url="@".join(repository(destination.url))) if isinstance(destination, GitBranch) else destination


def _canonical(name: str) -> str:
    try:
        return parse_name(name).canonical
    except ImageSyntaxError:
        return name


def _wish(answer: Answer) -> object:
    """Give all that decides what is written."""
    item: Subscription | None = answer.subscription
    if item is None:
        return None
    target = replace(item.targets[0], running=None, destination=_one_spelling(item.targets[0].destination))
    return (
        (item.image, item.policy, item.filter, item.platforms, item.variant, item.allow_downgrade),
        (item.credential, item.voice, target),
    )
