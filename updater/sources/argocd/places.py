"""Knows when two subscriptions would write one place, and that this is fine only where they want the same.

Applications of one repository often share a file: the same overlay for two clusters. Then one of the subscriptions writes,
and the others are answered by it; where they want different things, none writes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from updater.errors import ImageSyntaxError
from updater.model.image import parse_name
from updater.model.subscription import GitBranch
from updater.sources.argocd.following import repository_place
from updater.sources.argocd.parts import Finding
from updater.sources.argocd.settings import Flaw
from updater.sources.joined import repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from updater.model.subscription import Destination, Subscription, Target
    from updater.sources.argocd.subscriptions import Answer

SHARED: Final = "shared"
MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class _Rival:
    """One who writes a place: its position among the answers, what it wants there, and the way by which it gets there."""

    position: int
    key: str
    wish: object
    way: object


class _Place:
    """Who writes one value. Thousands may: nothing here looks at all of them for each."""

    def __init__(self) -> None:
        self.by_wish: defaultdict[object, list[_Rival]] = defaultdict(list)
        self.first: dict[object, _Rival] = {}

    def add(self, rival: _Rival) -> None:
        self.by_wish[rival.wish].append(rival)
        self.first.setdefault((rival.wish, rival.way), rival)

    def others(self, wish: object) -> Iterator[str]:
        """Name those who want something else, a few of each kind."""
        for other, rivals in self.by_wish.items():
            if other != wish:
                yield from (rival.key for rival in rivals[: MOST_NAMED + 1])


def without_doubles(answers: Sequence[Answer]) -> tuple[tuple[Answer, ...], list[Finding]]:
    """Leave each place to one subscription; gives the answers, and what is wrong with those that clash.

    Who wants the same and gets there by another way, such as another Secret, writes for itself: both write the same.
    """
    items = [(position, answer.subscription) for position, answer in enumerate(answers) if answer.subscription]
    claims = {position: tuple(_claims(item.targets[0])) for position, item in items}
    places = {claim: _Place() for claim, count in Counter(chain.from_iterable(claims.values())).items() if count > 1}
    if not places:
        return tuple(answers), []
    rivals: list[tuple[_Rival, list[_Place]]] = []
    for position, item in items:
        if mine := [places[claim] for claim in dict.fromkeys(claims[position]) if claim in places]:
            rival = _Rival(position, item.key, _wish(item), _way(item.targets[0].destination))
            rivals.append((rival, mine))
            for place in mine:
                place.add(rival)
    settled = list(answers)
    findings: list[Finding] = []
    for rival, mine in rivals:
        position = rival.position
        settled[position], found = _settle(answers[position], rival, mine)
        findings += found
    return tuple(settled), findings


def _settle(answer: Answer, rival: _Rival, places: Sequence[_Place]) -> tuple[Answer, list[Finding]]:
    names = list(dict.fromkeys(islice(chain.from_iterable(place.others(rival.wish) for place in places), 100)))
    if not names:
        first = min((place.first[rival.wish, rival.way] for place in places), key=attrgetter("position"), default=rival)
        if first.position == rival.position:
            return answer, []
        sentence = f"{first.key} writes the same to the same place"
        return replace(answer, code=SHARED, sentence=sentence, subscription=None, writer=first.key), []
    target = answer.subscription.targets[0] if answer.subscription else ""
    told = ", ".join(names[:MOST_NAMED]) + (" and others" if len(names) > MOST_NAMED else "")
    message = f"{answer.alias or answer.image} of {answer.application}: {target} is also written by {told}"
    flaw = Flaw(place=("metadata", "name"), code="conflict", message=message, hint="leave the place to one of them")
    refused = replace(answer, code=flaw.code, sentence=message, subscription=None)
    return refused, [Finding(origin=answer.asked_by, flaw=flaw)]


def _claims(target: Target) -> Iterator[object]:
    """Name every value that a target writes."""
    locator = target.locator
    where = (_branch(target.destination), target.editor, locator.path, locator.section)
    if target.editor == "kustomize" or locator.section == "kustomize":
        yield (*where, _canonical(locator.name or locator.spec or ""))
        return
    for key in (locator.name, locator.tag, locator.spec):
        if key:
            yield (*where, key)


def _branch(destination: Destination) -> object:
    """Name what is written, however it is reached: a user, a Secret or another spelling makes no other branch of it."""
    if not isinstance(destination, GitBranch):
        return destination
    return repository_place(destination.url), destination.branch, destination.push, destination.push_template


def _way(destination: Destination) -> object:
    """Name how it is reached; a slash or ``.git`` at the end is no other way."""
    return (repository(destination.url), destination.credential) if isinstance(destination, GitBranch) else None


def _canonical(name: str) -> str:
    try:
        return parse_name(name).canonical
    except ImageSyntaxError:
        return name


def _wish(item: Subscription) -> object:
    """Give all that decides what is written."""
    target = item.targets[0]
    return (
        (item.image, item.policy.kind, repr(sorted(item.policy.options.items())), item.filter, item.platforms, item.variant),
        (item.downgrade, item.credential, item.voice),
        (_branch(target.destination), target.editor, target.locator, target.form),
    )
