"""The status of an ImageUpdater: the fields and reasons that its owner defines, and in conditions what those lack.

The definition drops fields that it does not know, so each image's reason stands in the message of a condition of our own,
`Images`, and what this version does not do in `NotYet`. A status is made only where more than times differs from the last one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.request.application import UNUSED
from updater.argocd.request.subscriptions import NOT_LIVE
from updater.argocd.request.write_conflicts import SHARED
from updater.controller.conditions import Condition, conditions_in, merge_conditions
from updater.documents.members import list_in
from updater.model.outcome import Status
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from updater.argocd.cluster.moves import ImageMove
    from updater.argocd.request.layers import FieldProblem
    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.controller.objects import KeptObject
    from updater.model.outcome import Outcome

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
ERROR: Final = "Error"
IMAGES: Final = "Images"
NOT_YET: Final = "NotYet"
OURS: Final = (READY, RECONCILING, ERROR, IMAGES, NOT_YET)
LONGEST_MESSAGE: Final = 16_384  # the definition allows 32,768 characters; etcd has other things to keep too
MOST_RECENT: Final = 20
#: fields that are no statement by themselves: times, and what happened in the past
VOLATILE: Final = frozenset({"lastCheckedAt", "lastUpdatedAt", "recentUpdates"})
_LONGEST_LINE: Final = 500
_MOST_NAMED: Final = 3
UNSELECTING: Final = (
    "no Application of this namespace is selected; check namePattern and labelSelectors, and whether another ImageUpdater "
    "selects it more exactly"
)
_PENDING: Final = "pending"
_REFUSED: Final = "refused"
_SKIPPED: Final = "skipped"
#: what people look for first stands first
_ORDER: Final = (
    _REFUSED,
    Status.FAILED,
    Status.HELD,
    Status.PROPOSED,
    Status.UPDATED,
    Status.REVERTED,
    Status.NO_MATCH,
    _SKIPPED,
    _PENDING,
    Status.UNCHANGED,
)
_BAD: Final = frozenset({_REFUSED, Status.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFacts:
    """What the status of one ImageUpdater is made of.

    *applications* is the number of those that it decides for, *answers* are of its images, *outcomes* by subscription key,
    *flaws* of the object itself, *moves* those that its status does not tell yet.
    """

    kept: KeptObject
    applications: int
    answers: Sequence[ImageTranslation]
    outcomes: Mapping[str, Outcome]
    flaws: Sequence[FieldProblem] = ()
    moves: Sequence[ImageMove] = ()


@dataclass(frozen=True, slots=True)
class _Image:
    """How one image stands: one word, and why."""

    word: str
    application: str
    image: str
    sentence: str
    code: str


def status_of(facts: StatusFacts, now: str) -> dict[str, Any] | None:
    """Return the status to write at *now* (RFC 3339), None where the one that stands there says the same.

    Where images wait for their first check, nothing is written before it, unless the object itself is new: a restart of
    this program is no news to anybody.
    """
    before, generation = facts.kept.status, facts.kept.generation
    images = _images(facts)
    is_waiting = any(image.word == _PENDING for image in images)
    if is_waiting and before.get("observedGeneration") == generation and _is_told(before):
        return None
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "applicationsMatched": facts.applications,
        "imagesManaged": sum(1 for answer in facts.answers if answer.subscription or answer.code == SHARED),
        "conditions": merge_conditions(before, _judged(facts, images), owned=OURS, generation=generation, now=now),
        "recentUpdates": _recent(before, facts.moves, now),
    }
    if facts.moves:
        status["lastUpdatedAt"] = now
    if not status["recentUpdates"] and "recentUpdates" not in before:
        del status["recentUpdates"]
    if all(before.get(name) == value for name, value in status.items()):
        return None
    return {**status, "lastCheckedAt": now}


def _is_told(before: Mapping[str, Any]) -> bool:
    return any(item.get("type") == READY for item in conditions_in(before))


def _images(facts: StatusFacts) -> list[_Image]:
    return [_image(answer, facts.outcomes) for answer in facts.answers if answer.code != UNUSED]


def _image(answer: ImageTranslation, outcomes: Mapping[str, Outcome]) -> _Image:
    application = answer.application.partition("/")[2]
    subject = answer.alias or answer.image
    if answer.subscription is None:
        word = _SKIPPED if answer.code in {NOT_LIVE, SHARED} else _REFUSED
        return _Image(word, application, subject, _on_one_line(answer.sentence), answer.code or "")
    outcome = outcomes.get(answer.subscription.key)
    if outcome is None:
        return _Image(_PENDING, application, subject, "not checked yet", "")
    return _Image(outcome.status.value, application, subject, _on_one_line(outcome.told), outcome.code or "")


def _on_one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _judged(facts: StatusFacts, images: Sequence[_Image]) -> list[Condition]:
    """Return every condition of ours."""
    bad = [image for image in images if image.word in _BAD]
    is_waiting = any(image.word == _PENDING for image in images)
    is_useless = bool(facts.flaws) and all(answer.subscription is None for answer in facts.answers)
    counted = f"{_count(facts.applications, 'application')}, {_counts(images)}"
    wrong = _lines([*(_told(flaw.message, flaw.hint, flaw.code) for flaw in facts.flaws), *_image_lines(bad)])
    if is_useless:
        ready, error = (False, "ReconcileFailed", wrong), (True, "ReconcileError", wrong)
    elif wrong:
        ready, error = (True, "ReconcileCompletedWithErrors", counted), (True, "PartialErrors", wrong)
    else:
        told = counted if facts.applications else f"{counted}: {UNSELECTING}"
        ready, error = (True, "ReconcileSucceeded", told), (False, "NoErrors", "nothing is wrong")
    reconciling = (
        (True, "Reconciling", "images wait for their first check") if is_waiting else (False, "Idle", "every image was checked")
    )
    listed = _lines(_image_lines(images)) or (UNSELECTING if not facts.applications else "no image is kept current")
    made = [(READY, *ready), (RECONCILING, *reconciling), (ERROR, *error), (IMAGES, not bad, _images_reason(images, bad), listed)]
    missing = [image for image in images if image.code == "not-yet"]
    if missing:
        made.append((NOT_YET, True, "NotYet", _lines(_image_lines(missing))))
    return [Condition(kind, "True" if is_true else "False", reason, message) for kind, is_true, reason, message in made]


def _images_reason(images: Sequence[_Image], bad: Sequence[_Image]) -> str:
    if not images:
        return "NoImages"
    return "SomeFailed" if bad else "AllFollowed"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _counts(images: Sequence[_Image]) -> str:
    counted = Counter(image.word for image in images)
    words = ", ".join(f"{counted[word]} {word}" for word in _ORDER if counted[word])
    return f"{_count(len(images), 'image')}: {words}" if words else _count(len(images), "image")


def _image_lines(images: Iterable[_Image]) -> list[str]:
    """Return each image in a line; where many Applications say the same, some are named and the others counted."""
    grouped: defaultdict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for image in images:
        grouped[image.word, image.image, image.sentence, image.code].append(image.application)
    lines = []
    for (word, subject, sentence, code), applications in sorted(grouped.items(), key=_weight):
        named = sorted(applications)
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        lines.append(f"{subject} of {', '.join(named[:_MOST_NAMED])}{more}: {word}: {_told(sentence, '', code)}")
    return lines


def _weight(item: tuple[tuple[str, str, str, str], list[str]]) -> tuple[int, str, str]:
    (word, subject, _, _), applications = item
    return _ORDER.index(word), min(applications), subject


def _told(message: str, hint: str, code: str | None) -> str:
    told = f"{message}; {hint}" if hint else message
    return f"{told} ({code})" if code else told


def _lines(lines: Iterable[str]) -> str:
    """Join lines to a message that the definition takes; says how many had no room."""
    kept: list[str] = []
    room, left = LONGEST_MESSAGE - 100, 0
    for line in dict.fromkeys(lines):
        short = " ".join(line.split())
        short = short if len(short) <= _LONGEST_LINE else f"{short[: _LONGEST_LINE - 1]}…"
        if left or len(short) + 1 > room:
            left += 1
            continue
        room -= len(short) + 1
        kept.append(short)
    return "\n".join([*kept, *([f"and {left} more; updater explain lists all"] if left else [])])


def _recent(before: Mapping[str, Any], moves: Sequence[ImageMove], now: str) -> list[dict[str, Any]]:
    """Add moves to what was told before, the newest first; an image and version has one entry, which counts Applications."""
    entries = [item for item in list_in(before, "recentUpdates") if isinstance(item, dict)]
    told: dict[tuple[str, str, str], list[ImageMove]] = defaultdict(list)
    for move in moves:
        told[move.alias, move.image.spelled, move.new].append(move)
    for key, found in told.items():
        alias, image, version = key  # Applications may give one alias to different images
        known = next((item for item in entries if (item.get("alias"), item.get("image"), item.get("newVersion")) == key), None)
        counted = known.get("applicationsUpdated") if known else 0
        first = found[0]
        entry = {
            "alias": alias,
            "image": image,
            "newVersion": version,
            "applicationsUpdated": len({move.application for move in found}) + (counted if isinstance(counted, int) else 0),
            "updatedAt": now,
            "message": f"{first.old} → {version}" if first.old else f"set to {version}",
        }
        entries = [entry, *(item for item in entries if item is not known)]
    return entries[:MOST_RECENT]
