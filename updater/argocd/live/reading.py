"""What a live Application says at every target. Pure.

A target names its source by the place in the object, or leaves that to the Application (`WRITTEN`): then the rule of
`updater.argocd.application_source` says which source is written, and as what.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.argocd.application_source import (
    DEFAULT_NAME,
    DEFAULT_TAG,
    AppType,
    read_live,
    read_owner,
    read_sources,
    read_types,
    source_for,
    text_in,
    type_of,
)
from updater.argocd.live.overrides_text import overridden, write_text
from updater.documents.members import mapping_in
from updater.editors.argocd_source import ArgocdSourceEditor
from updater.editors.base import FileReadings
from updater.errors import EditError, ImageSyntaxError
from updater.model.image import parse_name
from updater.model.problem import Problem
from updater.model.subscription import WRITTEN_SOURCE, Locator
from updater.model.written import Written, common

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.argocd.application_source import ApplicationSource, Place
    from updater.model.image import ImageName, ImageRef
    from updater.model.subscription import Target
    from updater.model.view import Reading

REMEMBERED: Final = 8192
EDITOR: Final = ArgocdSourceEditor()


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """One Application as it was read at *version*. *owner* is the ApplicationSet that made it, "" where none did."""

    name: str
    version: str
    item: Mapping[str, Any]
    sources: tuple[ApplicationSource, ...]
    types: tuple[AppType, ...]
    running: tuple[ImageRef, ...]
    owner: str = ""
    is_leaving: bool = False

    def located(self, locator: Locator) -> Locator:
        """Return *locator* with the source and section that it leaves to the Application; raise `EditError`."""
        if locator.path != WRITTEN_SOURCE:
            self._check_place(locator)
            return locator
        kind = type_of(self.sources, self.types)
        if locator.section is not None:
            wanted = next((known for known in AppType if known.section == locator.section), AppType.UNKNOWN)
            if kind not in {wanted, AppType.UNKNOWN}:
                raise _other_type(self.name, kind, f"take {locator.section}: out of the target, or write {kind.section}:")
            return replace(locator, path=self._written(wanted).dotted)
        if kind is AppType.KUSTOMIZE:
            return Locator(path=self._written(kind).dotted, spec=locator.spec, section=kind.section)
        if kind is AppType.HELM:
            return Locator(path=self._written(kind).dotted, name=DEFAULT_NAME, tag=DEFAULT_TAG, section=kind.section)
        hint = "Argo CD overrides images of Helm and Kustomize sources; for others write to Git: git: with marker:"
        if kind is AppType.UNKNOWN:
            hint = "it is known once Argo CD has compared the Application; or write helm: or kustomize: at the target"
        raise _other_type(self.name, kind, hint)

    def text(self, path: str) -> bytes:
        """Return the overrides of the source at *path* as YAML; raise `EditError`."""
        return write_text(overridden(self.source(path)))

    def weight(self) -> int:
        """Return how many bytes the specification has as JSON: reading the overrides in it costs no more than that many."""
        return len(orjson.dumps(mapping_in(self.item, "spec"), default=str))

    def source(self, path: str) -> Mapping[str, Any]:
        """Return the source at *path*, ``spec.sources[1]``; raise `EditError`."""
        found: Any = self.item
        for step in self.place(path):
            found = found[step]
        if not isinstance(found, dict):
            message = f"{path} of {self.name} is not a source"
            raise EditError(message, hint="write it as a map: repoURL, path, targetRevision", code="not-a-mapping")
        return found

    def place(self, path: str) -> Place:
        """Return the way to the source at *path*; raise `EditError` ``source-gone`` where Argo CD reads none there."""
        place = next((source.place for source in self.sources if source.dotted == path), None)
        if place is None:
            there = ", ".join(source.dotted for source in self.sources) or "no source"
            message = f"{self.name} has no {path}; it has {there}"
            raise EditError(message, hint="correct the target, or the sources of the Application", code="source-gone")
        return place

    def read(self, locator: Locator) -> FileReadings:
        """Find what is written at *locator*; what is wrong there is a problem, never an exception."""
        try:
            located = self.located(locator)
            found = _found(self.file(located), self.text(located.path), located)
        except EditError as error:
            problem = Problem(path=self.name, code=error.code, message=error.message, hint=error.hint)
            return FileReadings(problems=(problem,))
        return replace(found, problems=tuple(without_line(problem) for problem in found.problems))

    def file(self, located: Locator) -> str:
        """Name a source as if it were a file: ``argocd/shop/spec.source``."""
        return f"{self.name}/{located.path}"

    def runs(self, locator: Locator, image: ImageName) -> Written | None:
        """Return what runs of *image*, or of the one that kustomize replaces by it; None where nothing does."""
        for name in _names(locator, image):
            found = [ref for ref in self.running if ref.name == name]
            if found:
                alike = [ref for ref in found if ref.tag == found[0].tag]  # where their digests differ, one is stale
                digests = [str(ref.digest) if ref.digest else None for ref in alike]
                tag = found[0].tag
                return common(Written(name=ref.name.spelled, tag=tag, digest=it) for ref, it in zip(alike, digests, strict=True))
        return None

    def _check_place(self, locator: Locator) -> None:
        """Refuse a place that another source took since the target was made: the wrong manifests would be overridden."""
        typed = {source.dotted for source, kind in zip(self.sources, self.types, strict=False) if kind.section == locator.section}
        fitting = typed | {source.dotted for source in self.sources if locator.section in source.blocks}
        if fitting and locator.path not in fitting and any(source.dotted == locator.path for source in self.sources):
            message = f"{locator.path} of {self.name} is none that {locator.section} makes; {', '.join(sorted(fitting))} is"
            raise EditError(message, hint="correct the target, or the sources of the Application", code="source-gone")

    def _written(self, kind: AppType) -> ApplicationSource:
        found = source_for(kind, self.sources, self.types)
        if found is None:
            raise EditError(f"{self.name} has no source", hint="write spec.source", code="no-source")
        return found


@lru_cache(maxsize=REMEMBERED)  # overrides change seldom, and each pass asks
def _found(file: str, text: bytes, located: Locator) -> FileReadings:
    return EDITOR.read(file, text, located)


def read_application(item: Mapping[str, Any]) -> LiveState:
    """Read an Application as the API server gives it; what is of the wrong type counts as not there."""
    metadata, status = mapping_in(item, "metadata"), mapping_in(item, "status")
    return LiveState(
        name=f"{text_in(metadata, 'namespace')}/{text_in(metadata, 'name')}",
        version=text_in(metadata, "resourceVersion"),
        item=item,
        sources=read_sources(mapping_in(item, "spec")),
        types=read_types(status),
        running=read_live(status),
        owner=read_owner(metadata),
        is_leaving=bool(metadata.get("deletionTimestamp")),
    )


def readings_of(live: LiveState, target: Target, image: ImageName) -> FileReadings:
    """Find what is written at *target*; where nothing is, what runs stands for it."""
    found = live.read(target.locator)
    runs = target.running or live.runs(target.locator, image)
    return replace(found, readings=tuple(_judged_by(reading, runs) for reading in found.readings))


def _judged_by(reading: Reading, runs: Written | None) -> Reading:
    is_bare = reading.is_missing and not reading.parts
    return replace(reading, written=runs) if is_bare and runs else reading


def _names(locator: Locator, image: ImageName) -> tuple[ImageName, ...]:
    if locator.section != AppType.KUSTOMIZE.section or not locator.name:
        return (image,)
    try:
        return parse_name(locator.name), image
    except ImageSyntaxError:
        return (image,)


def _other_type(name: str, kind: AppType, hint: str) -> EditError:
    message = f"{name} is of type {kind}" if kind else f"what makes the manifests of {name} is not known"
    return EditError(message, hint=hint, code="application-type")


def without_line(problem: Problem) -> Problem:
    """Take the line away: nobody sees the text that it counts in."""
    return replace(problem, line=None)
