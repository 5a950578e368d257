"""How the API server names the objects that Flux users write."""

from __future__ import annotations

from typing import Final

from updater.kube.kinds import Kind

IMAGE_REPOSITORY: Final = Kind("image.toolkit.fluxcd.io", "v1", "ImageRepository", "imagerepositories")
IMAGE_POLICY: Final = Kind("image.toolkit.fluxcd.io", "v1", "ImagePolicy", "imagepolicies")
IMAGE_UPDATE_AUTOMATION: Final = Kind("image.toolkit.fluxcd.io", "v1", "ImageUpdateAutomation", "imageupdateautomations")
GIT_REPOSITORY: Final = Kind("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories")
REQUESTED_AT: Final = "reconcile.fluxcd.io/requestedAt"
FINALIZER: Final = "finalizers.fluxcd.io"
