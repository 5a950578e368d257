"""What of an Argo CD Application matters here: its sources and their type, what runs, and who made it.

Which source is written, and as what, is the rule of `updater.argocd.application_source`, which the writer of live Applications
follows too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.application_source import (
    ApplicationSource,
    AppType,
    read_live,
    read_owner,
    read_sources,
    read_types,
    source_for,
    text_in,
    type_of,
)
from updater.documents.members import mapping_in
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.image import ImageName, ImageRef

__all__ = ["GROUP", "KIND", "AppType", "Application", "ApplicationSource", "is_application", "read_application", "written"]

GROUP: Final = "argoproj.io/"
KIND: Final = "Application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is read of one Application. *types* stand beside *sources* as far as they are known.

    *live* are the images that run, None where the object has no status (a manifest from Git). *owner* is the
    ApplicationSet that made it, "" where none did; *since* says when it was made, "" where nobody knows.
    """

    namespace: str
    name: str
    labels: Mapping[str, Any]
    annotations: Mapping[str, Any]
    sources: tuple[ApplicationSource, ...]
    types: tuple[AppType, ...] = ()
    live: tuple[ImageRef, ...] | None = None
    owner: str = ""
    since: str = ""
    type: AppType = field(init=False, repr=False, compare=False)
    """The type of the first source that can be written; by its blocks where nobody says it yet."""
    _written: Mapping[AppType, ApplicationSource | None] = field(init=False, repr=False, compare=False)
    _running: Mapping[ImageName, tuple[ImageRef, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Look through the sources and what runs once, not for each image: there may be thousands of all three."""
        written_for = {kind: source_for(kind, self.sources, self.types) for kind in AppType}
        object.__setattr__(self, "type", type_of(self.sources, self.types))
        object.__setattr__(self, "_written", written_for)
        by_name: dict[ImageName, list[ImageRef]] = {}
        for ref in self.live or ():
            by_name.setdefault(ref.name, []).append(ref)
        object.__setattr__(self, "_running", {name: tuple(refs) for name, refs in by_name.items()})

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def source(self, kind: AppType) -> ApplicationSource | None:
        """Return the source that is written for *kind*: one with its block, one of that type, one with any block, the first."""
        return self._written[kind]

    def running(self, *names: ImageName) -> tuple[ImageRef, ...]:
        """Return what runs of the first of *names* of which anything runs."""
        return next((self._running[name] for name in names if name in self._running), ())


def is_application(value: Any) -> bool:
    """Return whether a document is an Application."""
    return isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(GROUP) and value.get("kind") == KIND


def read_application(item: Mapping[str, Any], *, namespace: str = "") -> Application:
    """Read an Application; what is of the wrong type counts as not there. *namespace* is that of objects without one."""
    metadata, status = mapping_in(item, "metadata"), mapping_in(item, "status")
    return Application(
        namespace=text_in(metadata, "namespace") or namespace,
        name=text_in(metadata, "name"),
        labels=mapping_in(metadata, "labels"),
        annotations=mapping_in(metadata, "annotations"),
        sources=read_sources(mapping_in(item, "spec")),
        types=read_types(status),
        live=read_live(status) if status else None,
        owner=read_owner(metadata),
        since=text_in(metadata, "creationTimestamp"),
    )


def written(ref: ImageRef) -> Written:
    """Return what runs as if it were written."""
    return Written(name=ref.name.spelled, tag=ref.tag, digest=str(ref.digest) if ref.digest else None)
