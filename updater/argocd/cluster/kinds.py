"""How the API server names the objects that Argo CD users write."""

from __future__ import annotations

from typing import Final

from updater.kube.kinds import Kind

APPLICATION: Final = Kind("argoproj.io", "v1alpha1", "Application", "applications")
IMAGE_UPDATER: Final = Kind("argocd-image-updater.argoproj.io", "v1alpha1", "ImageUpdater", "imageupdaters")
