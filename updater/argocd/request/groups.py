"""Groups of images of one Application: all members are kept current, or none is.

The members of an Application write one place, a branch or the live Application, so that one commit or one patch moves them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.settings.gate_annotations import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.argocd.request.subscriptions import ImageTranslation

_LONE_HINT: Final = "name the group at another image of this Application too, or take it out"
_PER_HINT: Final = "write proposal: {per: destination} for all of them"
_HINT: Final = "the members of a group move together; it goes on when all of them are kept current"


def whole_groups(answers: Iterable[ImageTranslation]) -> tuple[ImageTranslation, ...]:
    """Return *answers* with no subscription for the members of a group of which another one has none, or that has one member."""
    answers = tuple(answers)
    groups: defaultdict[str, list[ImageTranslation]] = defaultdict(list)
    for answer in answers:
        if answer.group:
            groups[answer.group].append(answer)
    stopped = {name: why for name, members in groups.items() if (why := _trouble(members)) is not None}
    if not stopped:
        return answers
    return tuple(_stopped(answer, *stopped[answer.group]) if answer.group in stopped else answer for answer in answers)


def _trouble(members: list[ImageTranslation]) -> tuple[str, str] | None:
    """Return why a group cannot move, and what helps."""
    if len(members) == 1:
        return "no other image of this Application is a member of the group", _LONE_HINT
    lost = next((each for each in members if each.subscription is None), None)
    if lost is not None:
        return f"{lost.alias or lost.image} is not kept current: {lost.sentence}", _HINT
    written = {target.destination for each in members if each.subscription for target in each.subscription.targets}
    return ("its members are proposed by several pull requests", _PER_HINT) if len(written) > 1 else None


def _stopped(answer: ImageTranslation, why: str, hint: str) -> ImageTranslation:
    if answer.subscription is None:
        return answer
    name = answer.group.removeprefix(f"{answer.application}/")
    return replace(answer, subscription=None, code=GROUP, sentence=f"waits for the group {name}: {why}", hint=hint)
