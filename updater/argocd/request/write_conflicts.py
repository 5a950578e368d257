"""When two subscriptions would write one place, and that this is fine only where they want the same.

Applications of one repository often share a file: the same overlay for two clusters. Then one of the subscriptions writes,
and the others are answered by it. Where they want different things, one keeps the place by the rule of
`updater.inventory.precedence`, the others are refused, and all are told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from updater.argocd.request.application import ObjectProblem
from updater.argocd.request.branch_tracking import repository_place
from updater.argocd.request.layers import FieldProblem
from updater.errors import ImageSyntaxError
from updater.inventory.branch_writers import repository
from updater.inventory.precedence import RULE, Claim
from updater.model.image import parse_name
from updater.model.publishing import Proposal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.inventory.precedence import Precedence
    from updater.model.subscription import Destination, Subscription, Target

SHARED: Final = "shared"
PLACES: Final = "places"
PROPOSED: Final = "proposed"
MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class _Rival:
    """One who writes a place: its position among the answers, what it wants there, and the way by which it gets there."""

    position: int
    item: Subscription
    wanted: object
    way: object

    @property
    def key(self) -> str:
        """The key of its subscription."""
        return self.item.key

    @property
    def age(self) -> tuple[str, int]:
        """By which the oldest comes first; an object of which nobody knows when it was made comes last."""
        return self.item.origin.since or "~", self.position


class _Place:
    """Who writes one value. Thousands may: nothing here looks at all of them for each."""

    def __init__(self) -> None:
        self.by_wanted: defaultdict[object, list[_Rival]] = defaultdict(list)
        self.first: dict[object, _Rival] = {}
        self.keeper: Claim | None = None

    def add(self, rival: _Rival) -> None:
        self.by_wanted[rival.wanted].append(rival)
        way = (rival.wanted, rival.way)
        self.first[way] = min(self.first.get(way, rival), rival, key=lambda one: one.age)

    @property
    def is_contested(self) -> bool:
        """Whether several want different things here."""
        return len(self.by_wanted) > 1

    def claims(self) -> list[Claim]:
        """Return one claim for each wanted and way."""
        keys: defaultdict[object, set[str]] = defaultdict(set)
        for rivals in self.by_wanted.values():
            for rival in rivals:
                keys[rival.wanted, rival.way].add(rival.key)
        return [_claim(first, frozenset(keys[way])) for way, first in self.first.items()]

    def is_kept_by(self, rival: _Rival) -> bool:
        """Return whether *rival* may write here: nobody wants anything else, or who does comes after it."""
        if self.keeper is None or not self.is_contested:
            return not self.is_contested
        return any(other.key == self.keeper.key for other in self.by_wanted[rival.wanted])

    def others(self, wanted: object) -> Iterator[str]:
        """Name those who want something else, a few of each kind."""
        for other, rivals in self.by_wanted.items():
            if other != wanted:
                yield from (rival.key for rival in rivals[: MOST_NAMED + 1])


def without_doubles(
    answers: Sequence[ImageTranslation], precedence: Precedence
) -> tuple[tuple[ImageTranslation, ...], list[ObjectProblem]]:
    """Leave each place to one subscription; return the answers, and what is wrong with those that clash.

    Who wants the same and gets there by another way, such as another Secret, writes for itself: both write the same.
    """
    items = [(position, answer.subscription) for position, answer in enumerate(answers) if answer.subscription]
    claims = {position: tuple(_claims(item.targets[0])) for position, item in items}
    places = {claim: _Place() for claim, count in Counter(chain.from_iterable(claims.values())).items() if count > 1}
    if not places:
        precedence.contest(PLACES, ())
        return tuple(answers), []
    rivals: list[tuple[_Rival, list[_Place]]] = []
    for position, item in items:
        if mine := [places[claim] for claim in dict.fromkeys(claims[position]) if claim in places]:
            rival = _Rival(position, item, _wanted(item), _way(item.targets[0].destination))
            rivals.append((rival, mine))
            for place in mine:
                place.add(rival)
    _award(places.values(), precedence)
    settled = list(answers)
    findings: list[ObjectProblem] = []
    for rival, mine in rivals:
        position = rival.position
        settled[position], found = _settle(answers[position], rival, mine)
        findings += found
    return tuple(settled), findings


def _award(places: Iterable[_Place], precedence: Precedence) -> None:
    """Report who keeps each contested place, as far as the servers have answered."""
    contested = [(place, place.claims()) for place in places if place.is_contested]
    precedence.contest(PLACES, (claim.destination for _, claims in contested for claim in claims))
    for place, claims in contested:
        place.keeper = next(iter(precedence.order(claims)), None)


def _settle(answer: ImageTranslation, rival: _Rival, places: Sequence[_Place]) -> tuple[ImageTranslation, list[ObjectProblem]]:
    names = list(dict.fromkeys(islice(chain.from_iterable(place.others(rival.wanted) for place in places), 100)))
    findings = [ObjectProblem(origin=answer.asked_by, flaw=_flaw(answer, rival, places, names))] if names else []
    if all(place.is_kept_by(rival) for place in places):
        first = min((place.first[rival.wanted, rival.way] for place in places), key=lambda one: one.age)
        if first.position == rival.position:
            return _decided_by_all(answer, rival, places), findings
        sentence = f"{first.key} writes the same to the same place"
        return replace(answer, code=SHARED, sentence=sentence, subscription=None, writer=first.key), findings
    flaw = findings[0].flaw
    return replace(answer, code=flaw.code, sentence=flaw.message, hint=flaw.hint, subscription=None), findings


def _decided_by_all(answer: ImageTranslation, rival: _Rival, places: Sequence[_Place]) -> ImageTranslation:
    """Let what people decided on any of the objects that share a place count for the one that writes it."""
    alike = (other for place in places for other in place.by_wanted[rival.wanted])
    decisions = tuple(dict.fromkeys(chain.from_iterable(other.item.decisions for other in alike)))
    if answer.subscription is None or decisions == answer.subscription.decisions:
        return answer
    return replace(answer, subscription=replace(answer.subscription, decisions=decisions))


def _flaw(answer: ImageTranslation, rival: _Rival, places: Sequence[_Place], names: Sequence[str]) -> FieldProblem:
    """Return who else claims the place of *answer*, and who keeps it."""
    target = answer.subscription.targets[0] if answer.subscription else ""
    told = ", ".join(names[:MOST_NAMED]) + (" and others" if len(names) > MOST_NAMED else "")
    message = f"{answer.alias or answer.image} of {answer.application}: {target} is also written by {told}"
    lost = next((place for place in places if not place.is_kept_by(rival)), None)
    if lost is None:
        message = f"{message}; {answer.application} keeps it: {RULE}"
    elif lost.keeper is not None:
        message = f"{message}; {lost.keeper.key} keeps it: {RULE}"
    return FieldProblem(place=("metadata", "name"), code="conflict", message=message, hint="leave the place to one of them")


def _claim(first: _Rival, keys: frozenset[str]) -> Claim:
    item = first.item
    return Claim(
        key=item.key,
        keys=keys,
        destination=item.targets[0].destination,
        origin=item.origin,
        since=item.origin.since,
    )


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
    if destination.method != "git":
        return destination
    # two pull requests to one branch would write one place, each from a branch of its own
    publishing = PROPOSED if isinstance(destination.publishing, Proposal) else destination.publishing
    return repository_place(destination.url), destination.branch, publishing


def _way(destination: Destination) -> object:
    """Name how it is reached; a slash or ``.git`` at the end is no other way."""
    return (repository(destination.url), destination.credential) if destination.method == "git" else None


def _options(destination: Destination) -> object:
    """Return how a pull request is opened, None where none is."""
    if destination.method != "git" or not isinstance(destination.publishing, Proposal):
        return None
    return destination.publishing.options


def _canonical(name: str) -> str:
    try:
        return parse_name(name).canonical
    except ImageSyntaxError:
        return name


def _wanted(item: Subscription) -> object:
    """Return all that decides what is written."""
    target = item.targets[0]
    return (
        (item.image, item.policy.kind, repr(sorted(item.policy.options.items())), item.filter, item.platforms, item.variant),
        (item.downgrade, item.credential, target.commit_spec),
        (_branch(target.destination), _options(target.destination), target.editor, target.locator, target.form),
    )
