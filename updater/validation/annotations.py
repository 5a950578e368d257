"""Which documents carry annotations of Argo CD Image Updater, and what is wrong with them line by line.

What they mean is known by `updater.argocd.request`; here a flaw gets the file and the line where it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.argocd.request.annotations import OWN_PREFIX, PREFIX, read_annotations
from updater.argocd.request.layers import FieldRefused
from updater.argocd.request.subscriptions import check_image
from updater.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.argocd.request.layers import FieldProblem, Place
    from updater.documents import Document

__all__ = ["OWN_PREFIX", "PREFIX", "check_annotations", "has_annotations", "misplaced_annotations"]

_KNOWN: Final = frozenset({"Application", "ImageUpdater"})
_POD: Final = ("spec", "template", "metadata", "annotations")
_PLACES: Final = (("metadata", "annotations"), _POD, ("spec", "jobTemplate", "spec", "template", "metadata", "annotations"))


def has_annotations(value: Any) -> bool:
    """Return whether a document holds an object that the peer would read."""
    return any(True for _ in _annotated(value))


def check_annotations(document: Document) -> Iterator[Problem]:
    """Yield what is wrong with the annotations of an Application, or of the template of an ApplicationSet."""
    for place, texts in _annotated(document.value):
        is_template = place[0] == "spec"
        request = read_annotations(texts, at=place, is_template=is_template)
        flaws = list(request.flaws)
        for image in request.images:
            settings = {key: item for key, item in image.settings.items() if not (is_template and "{{" in item.value)}
            flaws += _image_flaws(image.text, image.place, settings)
        for flaw in dict.fromkeys(flaws):
            mark = document.mark.find(flaw.place)
            yield Problem(path=mark.path, line=mark.line, code=flaw.code, message=flaw.message, hint=flaw.hint)


def misplaced_annotations(document: Document) -> Iterator[Problem]:
    """Yield where annotations for images stand on an object that nobody reads for them: a workload, a set of Applications."""
    for place, item in _objects(document.value):
        kind = str(item.get("kind"))
        is_set = kind == "ApplicationSet" and str(item.get("apiVersion", "")).startswith("argoproj.io/")
        for below in _PLACES if kind not in _KNOWN else ():
            found = _at(item, below)
            key = next((key for key in found if key.startswith((PREFIX, OWN_PREFIX))), None)
            if key is None or (is_set and below == _POD):
                continue
            mark = document.mark.find((*place, *below, key))
            message = f"{key} stands on a {kind}, and is read on an Application alone: no image moves by it"
            hint = (
                "write it under spec.template.metadata.annotations" if is_set else "write it on the Application of this workload"
            )
            yield Problem(path=mark.path, line=mark.line, code="misplaced-annotation", message=message, hint=hint)


def _objects(value: Any) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        yield from ((("items", index), item) for index, item in enumerate(value["items"]) if isinstance(item, dict))
    elif isinstance(value, dict) and "apiVersion" in value and "kind" in value:
        yield (), value


def _at(value: Mapping[str, Any], place: tuple[str, ...]) -> Mapping[str, Any]:
    found: Any = value
    for part in place:
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _image_flaws(text: str, place: Place, settings: Mapping[str, Any]) -> Iterator[FieldProblem]:
    try:
        check_image(text, place, settings)
    except FieldRefused as wrong:
        yield wrong.flaw


def _annotated(value: Any) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    if not isinstance(value, dict) or not str(value.get("apiVersion", "")).startswith("argoproj.io/"):
        return
    places = {"Application": ("metadata",), "ApplicationSet": ("spec", "template", "metadata")}
    place = places.get(str(value.get("kind")))
    if place is None:
        return
    found: Any = value
    for part in (*place, "annotations"):
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, dict) and any(key.startswith(PREFIX) for key in found):
        yield (*place, "annotations"), found
