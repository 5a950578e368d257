"""What is kept of an Application or ImageUpdater: what translation reads and answers need, and nothing that churns.

Argo CD writes the status of an Application again and again. What is kept of it are its types and the images that run, so that
such a write is no change here. Nothing that stands in an object makes this raise: that would end the watch of all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.argocd.application_source import SET
from updater.argocd.request.annotations import OWN_PREFIX, PREFIX
from updater.controller.objects import DELETED, keep_object, names_in
from updater.documents.members import list_in, mapping_in
from updater.editors.overrides import LISTS
from updater.settings.decisions import LONGEST_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.controller.objects import KeptObject, Sharing

_SOURCE_TEXTS: Final = ("repoURL", "path", "targetRevision", "chart")


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


def prune_updater(item: Mapping[str, Any], sharing: Sharing) -> KeptObject:
    """Return what is kept of an ImageUpdater: our own annotations besides what every object has."""
    annotations = mapping_in(mapping_in(item, "metadata"), "annotations").items()
    texts = ((key, text) for key, text in annotations if key.startswith(OWN_PREFIX) and isinstance(text, str))
    ours = {sharing.text(key): sharing.text(text[: LONGEST_ANNOTATION + 1]) for key, text in texts}
    return keep_object(item, sharing, metadata={"annotations": ours} if ours else {})


def _metadata(metadata: Mapping[str, Any], sharing: Sharing) -> dict[str, Any]:
    kept: dict[str, Any] = names_in(metadata)
    labels = {
        sharing.text(key): sharing.text(text) for key, text in mapping_in(metadata, "labels").items() if isinstance(text, str)
    }
    if labels:
        kept["labels"] = labels
    annotations = mapping_in(metadata, "annotations").items()
    ours = {
        sharing.text(key): sharing.whole(value[: LONGEST_ANNOTATION + 1] if key.startswith(OWN_PREFIX) and is_text else value)
        for key, value in annotations
        if key.startswith((PREFIX, OWN_PREFIX))
        for is_text in (isinstance(value, str),)
    }
    if ours:
        kept["annotations"] = ours
    if metadata.get(DELETED):
        kept[DELETED] = sharing.whole(metadata[DELETED])
    for owner in list_in(metadata, "ownerReferences"):
        if isinstance(owner, dict) and owner.get("kind") == SET:
            name = owner.get("name")
            kept["ownerReferences"] = [{"kind": SET, "name": sharing.text(name) if isinstance(name, str) else ""}]
            break
    return kept


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
