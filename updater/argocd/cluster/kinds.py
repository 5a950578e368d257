"""How the API server names the objects that Argo CD users write."""

from __future__ import annotations

from typing import Any, Final

from updater.kube.kinds import Kind

APPLICATION: Final = Kind("argoproj.io", "v1alpha1", "Application", "applications")
IMAGE_UPDATER: Final = Kind("argocd-image-updater.argoproj.io", "v1alpha1", "ImageUpdater", "imageupdaters")

Key = tuple[str, str]
"""Namespace and name of an object."""


def identity(kind: Kind, key: Key, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return as much of an object as names it in an Event; the uid is what ``kubectl describe`` finds Events by."""
    namespace, name = key
    uid = metadata.get("uid")
    known = {"uid": uid} if isinstance(uid, str) else {}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": name, "namespace": namespace, **known}}
