"""Knows what of an Argo CD Application matters here: its sources and their type, what runs, and who made it.

Source: the schema of `argoproj.io/v1alpha1` Application. An Application may have one source, several, or, with the source
hydrator, a dry one; the peer's rules say which of them is written, and as what.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.image import ImageName, ImageRef
    from updater.sources.argocd.settings import Place

GROUP: Final = "argoproj.io/"
KIND: Final = "Application"
SET: Final = "ApplicationSet"


class AppType(StrEnum):
    """What Argo CD makes manifests with."""

    HELM = "Helm"
    KUSTOMIZE = "Kustomize"
    PLUGIN = "Plugin"
    DIRECTORY = "Directory"
    UNKNOWN = ""

    @property
    def section(self) -> str:
        """The block of a source that belongs to this type."""
        return self.value.lower()


_WRITTEN: Final = (AppType.HELM, AppType.KUSTOMIZE, AppType.PLUGIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source: where it stands in the object, what it names, and the blocks it has (helm, kustomize, plugin)."""

    place: Place
    repository: str = ""
    path: str = ""
    revision: str = ""
    chart: str = ""
    blocks: frozenset[str] = frozenset()

    @property
    def dotted(self) -> str:
        """The place as people write it, ``spec.sources[1]``."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.place).removeprefix(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is read of one Application. *types* stand beside *sources* as far as they are known.

    *live* are the images that run, None where the object has no status (a manifest from Git). *owner* is the
    ApplicationSet that made it, "" where none did.
    """

    namespace: str
    name: str
    labels: Mapping[str, Any]
    annotations: Mapping[str, Any]
    sources: tuple[Source, ...]
    types: tuple[AppType, ...] = ()
    live: tuple[ImageRef, ...] | None = None
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def type(self) -> AppType:
        """The type of the first source that can be written; by its blocks where nobody says it yet."""
        known = [kind for kind in self.types if kind is not AppType.UNKNOWN]
        if known:
            return next((kind for kind in known if kind in _WRITTEN), known[0])
        for kind in _WRITTEN:
            if any(kind.section in source.blocks or (kind is AppType.HELM and source.chart) for source in self.sources):
                return kind
        return AppType.UNKNOWN

    def source(self, kind: AppType) -> Source | None:
        """Give the source that is written for *kind*: one with its block, one of that type, one with any block, the first."""
        own = next((source for source in self.sources if kind.section and kind.section in source.blocks), None)
        typed = next((source for source, known in zip(self.sources, self.types, strict=False) if known is kind), None)
        blocked = next((source for source in self.sources if source.blocks), None)
        return own or typed or blocked or (self.sources[0] if self.sources else None)

    def running(self, *names: ImageName) -> tuple[ImageRef, ...]:
        """Give what runs of the first of *names* of which anything runs."""
        for name in names:
            found = tuple(ref for ref in self.live or () if ref.name == name)
            if found:
                return found
        return ()


def is_application(value: Any) -> bool:
    """Say whether a document is an Application."""
    return isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(GROUP) and value.get("kind") == KIND


def read_application(item: Mapping[str, Any], *, namespace: str = "") -> Application:
    """Read an Application; what is of the wrong type counts as not there. *namespace* is that of objects without one."""
    metadata, status = _mapping(item, "metadata"), _mapping(item, "status")
    return Application(
        namespace=_text(metadata, "namespace") or namespace,
        name=_text(metadata, "name"),
        labels=_mapping(metadata, "labels"),
        annotations=_mapping(metadata, "annotations"),
        sources=_sources(_mapping(item, "spec")),
        types=_types(status),
        live=_live(status) if status else None,
        owner=_owner(metadata),
    )


def written(ref: ImageRef) -> Written:
    """Say what runs as if it were written."""
    return Written(name=ref.name.spelled, tag=ref.tag, digest=str(ref.digest) if ref.digest else None)


def _sources(spec: Mapping[str, Any]) -> tuple[Source, ...]:
    hydrated = _mapping(_mapping(spec, "sourceHydrator"), "drySource")
    if hydrated:
        return (_source(hydrated, ("spec", "sourceHydrator", "drySource")),)
    listed = [item for item in _list(spec, "sources") if isinstance(item, dict)]
    if listed:
        return tuple(_source(item, ("spec", "sources", index)) for index, item in enumerate(_list(spec, "sources")))
    single = _mapping(spec, "source")
    return (_source(single, ("spec", "source")),) if single else ()


def _source(item: Any, place: Place) -> Source:
    found = item if isinstance(item, dict) else {}
    return Source(
        place=place,
        repository=_text(found, "repoURL"),
        path=_text(found, "path"),
        revision=_text(found, "targetRevision"),
        chart=_text(found, "chart"),
        blocks=frozenset(kind.section for kind in _WRITTEN if isinstance(found.get(kind.section), dict)),
    )


def _types(status: Mapping[str, Any]) -> tuple[AppType, ...]:
    names = _list(status, "sourceTypes") or [status.get("sourceType")]
    known = {kind.value: kind for kind in AppType}
    return tuple(known.get(name, AppType.UNKNOWN) if isinstance(name, str) else AppType.UNKNOWN for name in names)


def _live(status: Mapping[str, Any]) -> tuple[ImageRef, ...]:
    found = []
    for text in _list(_mapping(status, "summary"), "images"):
        try:
            found.append(parse_ref(text) if isinstance(text, str) else None)
        except ImageSyntaxError:
            continue  # a pod may run what is no reference, such as an image id
    return tuple(ref for ref in found if ref is not None)


def _owner(metadata: Mapping[str, Any]) -> str:
    for owner in _list(metadata, "ownerReferences"):
        if isinstance(owner, dict) and owner.get("kind") == SET:
            return _text(owner, "name") or SET
    return ""


def _mapping(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def _list(item: Mapping[str, Any], key: str) -> list[Any]:
    value = item.get(key)
    return value if isinstance(value, list) else []


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value.strip() if isinstance(value, str) else ""
