"""What is kept of the objects that are watched: what translation reads and answers need, and nothing that churns.

Argo CD writes the status of an Application again and again. What is kept of it are its types and the images that run, so that
such a write is no change here. Nothing that stands in an object makes this raise: that would end the watch of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.application_source import SET, list_in, mapping_in
from updater.argocd.request.annotations import OWN_PREFIX, PREFIX
from updater.editors.overrides import LISTS

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCE_TEXTS: Final = ("repoURL", "path", "targetRevision", "chart")
_DELETED: Final = "deletionTimestamp"
_DEEPEST: Final = 16  # an ImageUpdater is 8 deep; what nests without end would end a comparison with it
_LONGEST_SHARED: Final = 256
_MOST_SHARED: Final = 65_536


class Sharing:
    """Returns equal short texts as one object: thousands of Applications name the same repositories, labels and images."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def text(self, value: str) -> str:
        """Return the text that was seen first."""
        if len(value) > _LONGEST_SHARED:
            return value
        if len(self._texts) >= _MOST_SHARED:  # it saves memory, so it must not hold what is long gone
            self._texts.clear()
        return self._texts.setdefault(value, value)

    def whole(self, value: Any, depth: int = _DEEPEST) -> Any:
        """Return a value with every text of it shared; what nests deeper than *depth* is None."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.whole(item, depth - 1) for key, item in value.items()} if depth else None
        if isinstance(value, list):
            return [self.whole(item, depth - 1) for item in value] if depth else None
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptUpdater:
    """What is kept of an ImageUpdater: *item* is what translation reads, the rest is needed to answer it.

    *item* is without version and status, so that our own writes of the status leave it as it is. *holders* are the finalizers
    of an object that somebody deleted, for which the API server waits.
    """

    item: Mapping[str, Any]
    generation: int
    version: str
    status: Mapping[str, Any]
    holders: tuple[str, ...] = ()


def prune_application(item: Mapping[str, Any], sharing: Sharing) -> dict[str, Any]:
    """Return what is kept of an Application, in its own shape."""
    metadata, spec, status = mapping_in(item, "metadata"), mapping_in(item, "spec"), mapping_in(item, "status")
    kept: dict[str, Any] = {"metadata": _metadata(metadata, sharing), "spec": _spec(spec, sharing)}
    if status:
        images = [sharing.text(text) for text in list_in(mapping_in(status, "summary"), "images") if isinstance(text, str)]
        kept["status"] = {"summary": {"images": images}}
        if isinstance(status.get("sourceType"), str):
            kept["status"]["sourceType"] = sharing.text(status["sourceType"])
        if list_in(status, "sourceTypes"):
            names = status["sourceTypes"]
            kept["status"]["sourceTypes"] = [sharing.text(name) if isinstance(name, str) else None for name in names]
    return kept


def prune_updater(item: Mapping[str, Any], sharing: Sharing) -> KeptUpdater:
    """Return what is kept of an ImageUpdater: its spec is whole, since each unknown field in it is a finding."""
    metadata = mapping_in(item, "metadata")
    kept = {"metadata": _names(metadata), "spec": sharing.whole(item.get("spec"))}
    generation, version = metadata.get("generation"), metadata.get("resourceVersion")
    return KeptUpdater(
        item=kept,
        generation=generation if isinstance(generation, int) and not isinstance(generation, bool) else 0,
        version=version if isinstance(version, str) else "",
        status=sharing.whole(mapping_in(item, "status")),
        holders=tuple(name for name in list_in(metadata, "finalizers") if isinstance(name, str) and metadata.get(_DELETED)),
    )


def _metadata(metadata: Mapping[str, Any], sharing: Sharing) -> dict[str, Any]:
    kept = _names(metadata)
    labels = {
        sharing.text(key): sharing.text(text) for key, text in mapping_in(metadata, "labels").items() if isinstance(text, str)
    }
    if labels:
        kept["labels"] = labels
    annotations = mapping_in(metadata, "annotations").items()
    ours = {sharing.text(key): sharing.whole(value) for key, value in annotations if key.startswith((PREFIX, OWN_PREFIX))}
    if ours:
        kept["annotations"] = ours
    if metadata.get(_DELETED):
        kept[_DELETED] = sharing.whole(metadata[_DELETED])
    for owner in list_in(metadata, "ownerReferences"):
        if isinstance(owner, dict) and owner.get("kind") == SET:
            name = owner.get("name")
            kept["ownerReferences"] = [{"kind": SET, "name": sharing.text(name) if isinstance(name, str) else ""}]
            break
    return kept


def _names(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: metadata[key] for key in ("namespace", "name", "uid", "creationTimestamp") if isinstance(metadata.get(key), str)}


def _spec(spec: Mapping[str, Any], sharing: Sharing) -> dict[str, Any]:
    """Keep every source that may be written, and where it stands; and what may be written in it."""
    dry = mapping_in(mapping_in(spec, "sourceHydrator"), "drySource")
    if dry:
        return {"sourceHydrator": {"drySource": _source(dry, sharing)}}
    listed = list_in(spec, "sources")
    if any(isinstance(item, dict) for item in listed):
        return {"sources": [_source(item, sharing) if isinstance(item, dict) else None for item in listed]}
    single = mapping_in(spec, "source")
    return {"source": _source(single, sharing)} if single else {}


def _source(item: Mapping[str, Any], sharing: Sharing) -> dict[str, Any]:
    texts = {key: sharing.text(item[key]) for key in _SOURCE_TEXTS if isinstance(item.get(key), str)}
    blocks = {key: _overrides(item[key], LISTS[key], sharing) for key in LISTS if isinstance(item.get(key), dict)}
    return {"repoURL": "", **texts, **blocks}


def _overrides(block: Mapping[str, Any], key: str, sharing: Sharing) -> dict[str, Any]:
    """Keep of a block what may be written in it; it counts by being there."""
    return {key: sharing.whole(block[key])} if block.get(key) is not None else {}
