"""What is kept of Flux's image objects: names, labels, the annotations that ask for something, spec and status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.controller.objects import DELETED, keep_object
from updater.documents.members import mapping_in
from updater.flux.cluster.event_texts import FORWARDED
from updater.flux.kinds import REQUESTED_AT
from updater.settings.decisions import ANNOTATION_PREFIX, LONGEST_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.controller.objects import KeptObject, Sharing


def prune_object(item: Mapping[str, Any], sharing: Sharing) -> KeptObject:
    """Return what is kept of an ImageRepository, ImagePolicy or ImageUpdateAutomation, or of a GitRepository."""
    metadata = mapping_in(item, "metadata")
    labels = {
        sharing.text(name): sharing.text(text) for name, text in mapping_in(metadata, "labels").items() if isinstance(text, str)
    }
    annotations = {
        sharing.text(name): sharing.text(text[: LONGEST_ANNOTATION + 1] if name.startswith(ANNOTATION_PREFIX) else text)
        for name, text in mapping_in(metadata, "annotations").items()
        if isinstance(text, str) and (name == REQUESTED_AT or name.startswith((FORWARDED, ANNOTATION_PREFIX)))
    }
    kept: dict[str, Any] = {"labels": labels} if labels else {}
    if annotations:
        kept["annotations"] = annotations
    if metadata.get(DELETED):
        kept[DELETED] = sharing.whole(metadata[DELETED])
    return keep_object(item, sharing, metadata=kept)
