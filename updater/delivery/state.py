"""What one object says of itself: the verdict that it gives, the images that it asks for; and whether that is about one image.

Every reader is pure, and reads an object of any shape: what is of the wrong type counts as not there, and texts are bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import list_in, mapping_in
from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.release import Health, ReleaseVerdict
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.image import ImageRef
    from updater.model.progress import Progress

LONGEST: Final = 300
MOST_ITEMS: Final = 200
_MOST_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadState:
    """What one object says, whatever image is asked about.

    *images* are the references that it asks for; None where the object names none and its reader has judged by the revision.
    *is_applied* is false where it was tried and did not get as far. *is_busy* where a controller works on a rollout or a
    canary. *stable* names the ReplicaSet that ran before, by its hash; *kept* are the images that ran before, where the
    controller keeps them. *since* is from when on the object vouches for being healthy, in Unix time. *progress* is how far
    its controller has come with a canary.
    """

    verdict: ReleaseVerdict
    reason: str
    images: tuple[str, ...] | None = ()
    is_applied: bool = True
    is_busy: bool = False
    stable: str = ""
    kept: tuple[str, ...] = ()
    since: float | None = None
    progress: Progress | None = None


progressing = partial(WorkloadState, verdict=ReleaseVerdict.PROGRESSING)
healthy = partial(WorkloadState, verdict=ReleaseVerdict.HEALTHY)
bad = partial(WorkloadState, verdict=ReleaseVerdict.BAD)
unknown = partial(WorkloadState, verdict=ReleaseVerdict.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedCondition:
    """One condition of a status: its status word, reason and message; *observed* is the generation that it speaks of.

    *changed* is when its status changed last, *updated* when it was written last, in Unix time.
    """

    status: str = ""
    reason: str = ""
    message: str = ""
    observed: int | None = None
    changed: float | None = None
    updated: float | None = None

    @property
    def told(self) -> str:
        """Reason and message, as far as there are any."""
        return ": ".join(part for part in (self.reason, self.message) if part)


NO_CONDITION: Final = ObservedCondition()


def health_of(state: WorkloadState, image: ImageRef) -> Health:
    """Return what *state* says of *image*; healthy or bad only where every container of that image name asks for this one."""
    if state.images is None:
        is_applied = state.is_applied and state.verdict in {ReleaseVerdict.HEALTHY, ReleaseVerdict.BAD}
        return Health(verdict=state.verdict, reason=state.reason, is_applied=is_applied, is_busy=state.is_busy)
    asked = [ref for ref in map(read_reference, state.images) if ref is not None and ref.name == image.name]
    if not asked:
        shown = ", ".join(state.images[:_MOST_SHOWN]) or "no image"
        return Health(verdict=ReleaseVerdict.UNKNOWN, reason=f"it does not use {image.name}, but {shown}", is_busy=state.is_busy)
    others = [ref for ref in asked if not is_asked_for(ref, image)]
    if others:
        return Health(verdict=ReleaseVerdict.PROGRESSING, reason=f"it still asks for {others[0]}", is_busy=state.is_busy)
    return Health(
        verdict=state.verdict,
        reason=state.reason,
        is_applied=True,
        is_busy=state.is_busy,
        since=state.since,
        progress=state.progress,
    )


def is_asked_for(asked: ImageRef, image: ImageRef) -> bool:
    """Return whether a container that asks for *asked* runs *image*: a digest decides where both have one, else the tag."""
    if asked.digest is not None and image.digest is not None:
        return asked.digest == image.digest
    return asked.tag is not None and asked.tag == image.tag


def runs_image(text: str, image: ImageRef) -> bool:
    """Return whether the reference *text* is *image*."""
    ref = read_reference(text)
    return ref is not None and ref.name == image.name and is_asked_for(ref, image)


def images_of(template: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the image of every container of a pod template, those that run first included."""
    spec = mapping_in(template, "spec")
    containers = [*list_in(spec, "initContainers")[:MOST_ITEMS], *list_in(spec, "containers")[:MOST_ITEMS]]
    texts = (item.get("image") for item in containers if isinstance(item, dict))
    return tuple(dict.fromkeys(text for text in texts if isinstance(text, str) and text and len(text) <= 2 * LONGEST))


def number_in(item: Mapping[str, Any], key: str) -> int | None:
    """Return the whole number at *key*, None where another value stands there."""
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text_in(item: Mapping[str, Any], key: str) -> str:
    """Return the text at *key*, printable and bounded; "" where another value stands there."""
    value = item.get(key)
    return printable(value[:LONGEST]) if isinstance(value, str) else ""


def time_in(item: Mapping[str, Any], key: str) -> float | None:
    """Return the moment at *key*, in Unix time; None where another value stands there."""
    try:
        found = datetime.fromisoformat(text_in(item, key))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def condition_in(status: Mapping[str, Any], kind: str) -> ObservedCondition:
    """Return the condition of one type, an empty one where there is none."""
    for item in list_in(status, "conditions")[:MOST_ITEMS]:
        if isinstance(item, dict) and item.get("type") == kind:
            return ObservedCondition(
                status=text_in(item, "status"),
                reason=text_in(item, "reason"),
                message=text_in(item, "message"),
                observed=number_in(item, "observedGeneration"),
                changed=time_in(item, "lastTransitionTime"),
                updated=time_in(item, "lastUpdateTime"),
            )
    return NO_CONDITION


def is_stale(item: Mapping[str, Any]) -> bool:
    """Return whether a controller has not yet seen the generation of *item*, or does not say so as a number."""
    generation = number_in(mapping_in(item, "metadata"), "generation")
    return generation is None or number_in(mapping_in(item, "status"), "observedGeneration") != generation


@lru_cache(maxsize=8192)
def read_reference(text: str) -> ImageRef | None:
    """Return *text* as a reference; None where it is none."""
    try:
        return parse_ref(text)
    except ImageSyntaxError:
        return None
