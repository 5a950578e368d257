"""In which words an object is told what is wrong with it, and what became of its images: the Events on it.

`ImagesUpdated` and its annotations are the peer's, so that what listens for them keeps working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.kube.events import Event
from updater.model.outcome import Status
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.argocd.cluster.moves import ImageMove
    from updater.argocd.request.layers import FieldProblem
    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem

UPDATED: Final = "ImagesUpdated"
_REASONS: Final = {Status.FAILED: "ImageFailed", Status.HELD: "ImageHeld", Status.PROPOSED: "ImageProposed"}
_LENGTH_OF_COMMIT: Final = 40
_MOST_IMAGES: Final = 50  # an Event is small; so many images of one Application never move at once


def remark_on_flaw(flaw: FieldProblem) -> Event:
    """Return what is wrong at a place of an object; the reason is the code in CamelCase, such as UnknownKey."""
    return Event(reason=_reason(flaw.code), message=_sentence(flaw.message, flaw.hint, flaw.code), weight="Warning")


def remark_on_note(note: Problem) -> Event:
    """Return what is wrong in a file that an Application reads, such as a marker that nobody subscribed to."""
    return Event(reason=_reason(note.code), message=_sentence(str(note), note.hint, note.code), weight="Warning")


def remark_on_outcome(answer: ImageTranslation, outcome: Outcome) -> Event | None:
    """Return why an image was held or failed, or which pull request has it; None for every other end."""
    reason = _REASONS.get(outcome.status)
    if reason is None:
        return None
    message = f"{answer.alias or answer.image}: {_sentence(outcome.told, outcome.hint, outcome.code)}"
    return Event(reason=reason, message=message, weight="Normal" if outcome.status is Status.PROPOSED else "Warning")


def remark_on_moves(moves: Sequence[ImageMove], revision: str | None) -> Event:
    """Return which images of one Application moved, in which commit; *revision* may be the version of a live Application."""
    told = ", ".join(f"{move.alias} {move.old} → {move.new}" if move.old else f"{move.alias} set to {move.new}" for move in moves)
    annotations: dict[str, str] = {}
    for number, move in enumerate(moves[:_MOST_IMAGES]):
        prefix = f"argocd-image-updater.image-{number}"
        annotations |= {
            f"{prefix}/full-image-name": move.image.spelled,
            f"{prefix}/image-name": move.image.path,
            f"{prefix}/old-tag": move.old,
            f"{prefix}/new-tag": move.new,
        }
    return Event(reason=UPDATED, message=f"{told}{_carrier(revision)}", annotations=tuple(annotations.items()))


def _reason(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("-"))


def _carrier(revision: str | None) -> str:
    if revision is None:
        return ""
    return f" in commit {revision[:12]}" if len(revision) >= _LENGTH_OF_COMMIT else " in the Application itself"


def _sentence(message: str, hint: str, code: str | None) -> str:
    told = printable(f"{message}; {hint}" if hint else message)
    return f"{told} ({code})" if code else told
