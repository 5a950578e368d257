"""Which source of an Argo CD Application is written, and as what: helm, kustomize or a plugin.

Source: the schema of `argoproj.io/v1alpha1` Application. An Application may have one source, several, or, with the source
hydrator, a dry one; the peer's rules say which of them is written. What is of the wrong type counts as not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from updater.documents.members import list_in, mapping_in
from updater.editors.overrides import LISTS
from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from updater.model.image import ImageRef

    #: the way from the root of an object to a value in it
    Place: TypeAlias = tuple[str | int, ...]

SET: Final = "ApplicationSet"
#: the parameters of helm that are written where nobody names others
DEFAULT_NAME: Final = "image.name"
DEFAULT_TAG: Final = "image.tag"


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


WRITTEN: Final = (AppType.HELM, AppType.KUSTOMIZE, AppType.PLUGIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSource:
    """One source: where it stands in the object, what it names, and the blocks it has (helm, kustomize, plugin).

    *overrides* are the entries that it overrides images and parameters by: section, name, text; an image has no name there.
    """

    place: Place
    repository: str = ""
    path: str = ""
    revision: str = ""
    chart: str = ""
    blocks: frozenset[str] = frozenset()
    overrides: tuple[tuple[str, str, str], ...] = ()

    @property
    def dotted(self) -> str:
        """The place as people write it, ``spec.sources[1]``."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.place).removeprefix(".")


def type_of(sources: Sequence[ApplicationSource], types: Sequence[AppType]) -> AppType:
    """Return the type of the first source that can be written; by its blocks where nobody says it yet.

    *types* stand beside *sources* as far as they are known.
    """
    known = [kind for kind in types if kind is not AppType.UNKNOWN]
    if known:
        return next((kind for kind in known if kind in WRITTEN), known[0])
    for kind in WRITTEN:
        if any(kind.section in source.blocks or (kind is AppType.HELM and source.chart) for source in sources):
            return kind
    return AppType.UNKNOWN


def source_for(kind: AppType, sources: Sequence[ApplicationSource], types: Sequence[AppType]) -> ApplicationSource | None:
    """Return the source that is written for *kind*: one with its block, one of that type, one with any block, the first."""
    own = next((source for source in sources if kind.section and kind.section in source.blocks), None)
    typed = next((source for source, known in zip(sources, types, strict=False) if known is kind), None)
    blocked = next((source for source in sources if source.blocks), None)
    return own or typed or blocked or (sources[0] if sources else None)


def read_sources(spec: Mapping[str, Any]) -> tuple[ApplicationSource, ...]:
    """Read the sources of a spec."""
    hydrated = mapping_in(mapping_in(spec, "sourceHydrator"), "drySource")
    if hydrated:
        return (_source(hydrated, ("spec", "sourceHydrator", "drySource")),)
    listed = [item for item in list_in(spec, "sources") if isinstance(item, dict)]
    if listed:
        return tuple(_source(item, ("spec", "sources", index)) for index, item in enumerate(list_in(spec, "sources")))
    single = mapping_in(spec, "source")
    return (_source(single, ("spec", "source")),) if single else ()


def read_types(status: Mapping[str, Any]) -> tuple[AppType, ...]:
    """Read what Argo CD found the sources to be, in their order."""
    names = list_in(status, "sourceTypes") or [status.get("sourceType")]
    known = {kind.value: kind for kind in AppType}
    return tuple(known.get(name, AppType.UNKNOWN) if isinstance(name, str) else AppType.UNKNOWN for name in names)


def read_live(status: Mapping[str, Any]) -> tuple[ImageRef, ...]:
    """Read the images that run; what is no reference, such as an image id, is left out."""
    found = []
    for text in list_in(mapping_in(status, "summary"), "images"):
        try:
            found.append(parse_ref(text) if isinstance(text, str) else None)
        except ImageSyntaxError:
            continue
    return tuple(ref for ref in found if ref is not None)


def read_owner(metadata: Mapping[str, Any]) -> str:
    """Name the ApplicationSet that made an Application, "" where none did."""
    for owner in list_in(metadata, "ownerReferences"):
        if isinstance(owner, dict) and owner.get("kind") == SET:
            return text_in(owner, "name") or SET
    return ""


def text_in(item: Mapping[str, Any], key: str) -> str:
    """Return the text at *key* without blanks around it, "" where another value stands there."""
    value = item.get(key)
    return value.strip() if isinstance(value, str) else ""


def _source(item: Any, place: Place) -> ApplicationSource:
    found = item if isinstance(item, dict) else {}
    return ApplicationSource(
        place=place,
        repository=text_in(found, "repoURL"),
        path=text_in(found, "path"),
        revision=text_in(found, "targetRevision"),
        chart=text_in(found, "chart"),
        blocks=frozenset(kind.section for kind in WRITTEN if isinstance(found.get(kind.section), dict)),
        overrides=tuple(_overrides(found)),
    )


def _overrides(source: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for section, key in LISTS.items():
        for item in list_in(mapping_in(source, section), key):
            if isinstance(item, str):
                yield section, "", item
            elif isinstance(item, dict) and isinstance(item.get("name"), str):
                yield section, item["name"], item["value"] if isinstance(item.get("value"), str) else ""
