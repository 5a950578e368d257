"""What Flux's ImagePolicy and ImageRepository objects in files say about the image behind a marker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from updater.flux.request.objects import is_flux, policy_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORDERED = {"alphabetical": "name", "numerical": "number"}


@dataclass(slots=True)
class FluxPolicies:
    """The policies of a repository by ``namespace:name``, and the images of its ImageRepositories."""

    _policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _images: dict[str, str] = field(default_factory=dict)

    def add(self, value: Any) -> None:
        """Take one document; anything but the two kinds is passed over."""
        if not is_flux(value) or not isinstance(value.get("spec"), dict):
            return
        if name := policy_name(value):
            self._policies[name] = value
        elif value.get("kind") == "ImageRepository" and isinstance(value.get("metadata"), dict):
            image = value["spec"].get("image")
            if isinstance(image, str):
                self._images[f"{value['metadata'].get('namespace') or ''}:{value['metadata'].get('name')}"] = image

    def image_of(self, setter: str) -> str | None:
        """Return the image that the policy *setter* scans; None where the files do not say it."""
        found = self._find(setter)
        if found is None:
            return None
        reference = found["spec"].get("imageRepositoryRef")
        if not isinstance(reference, dict):
            return None
        namespace = reference.get("namespace") or found["metadata"].get("namespace") or ""
        return self._images.get(f"{namespace}:{reference.get('name')}") or self._images.get(f":{reference.get('name')}")

    def policy_of(self, setter: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """Return policy and filter of *setter* in the words of our configuration; None where the files do not say it."""
        found = self._find(setter)
        spec = found["spec"] if found else {}
        return _policy(spec.get("policy")), _filter(spec.get("filterTags"))

    def _find(self, setter: str) -> Mapping[str, Any] | None:
        return self._policies.get(setter) or self._policies.get(f":{setter.partition(':')[2]}")


def _policy(value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, dict):
        return None
    semver = value.get("semver")
    if isinstance(semver, dict) and isinstance(semver.get("range"), str):
        return {"semver": {"range": semver["range"]}}
    for theirs, ours in _ORDERED.items():
        if isinstance(value.get(theirs), dict):
            return {ours: {"order": value[theirs].get("order") or "asc"}}
    return None


def _filter(value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, dict):
        return None
    kept = {"allow": value.get("pattern"), "extract": value.get("extract")}
    return {key: text for key, text in kept.items() if isinstance(text, str) and text} or None
