"""The fields of an ImageUpdater object: which there are at each level, and what kind of value each holds.

Source: the schema of `argocd-image-updater.argoproj.io/v1alpha1` ImageUpdater, its patterns and its rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.request.layers import FieldProblem, Setting, show
from updater.errors import ConfigError
from updater.settings.fields import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.argocd.request.layers import Place

#: the fields of `commonUpdateSettings`, by the keys that annotations use
COMMON: Final = {
    "updateStrategy": "update-strategy",
    "forceUpdate": "force-update",
    "allowTags": "allow-tags",
    "ignoreTags": "ignore-tags",
    "pullSecret": "pull-secret",
    "platforms": "platforms",
}
GIT: Final = {
    "repository": "git-repository",
    "branch": "git-branch",
    "writeBackTarget": "write-back-target",
    "pullRequest": "pull-request",
}
TARGETS: Final = {
    "helm": {"name": "helm.image-name", "tag": "helm.image-tag", "spec": "helm.image-spec"},
    "kustomize": {"name": "kustomize.image-name"},
    "plugin": {"name": "plugin.name", "tag": "plugin.tag", "spec": "plugin.spec"},
}
SPEC: Final = ("applicationRefs", "commonUpdateSettings", "writeBackConfig", "imagesVerification", "namespace")
REF: Final = (
    "namePattern",
    "labelSelectors",
    "useAnnotations",
    "commonUpdateSettings",
    "writeBackConfig",
    "imagesVerification",
    "images",
)
IMAGE: Final = ("alias", "imageName", "commonUpdateSettings", "manifestTargets", "imagesVerification")
VERIFICATION: Final = ("enabled", "cosignKey")
WRITE_BACK: Final = ("method", "gitConfig")
_PROVIDERS: Final = ("github", "gitlab")
_MOST_LABELS: Final = 100
_LONGEST_LABEL: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """What a `pullRequest` block asks for: the forge, and the labels, each once and without blanks."""

    provider: str
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class FieldReader:
    """Walks one object and collects what is wrong with it; nothing is raised."""

    flaws: list[FieldProblem]

    def mapping(self, parent: Mapping[str, Any], key: str, at: Place, known: Sequence[str]) -> Mapping[str, Any]:
        """Return a block below *at*, with a flaw for each field that is not known; an absent one is empty."""
        value = parent.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add((*at, key), "wrong-type", "expected a mapping")
            return {}
        self.check_keys(value, (*at, key), known)
        return value

    def check_keys(self, value: Mapping[str, Any], at: Place, known: Sequence[str]) -> None:
        """Report which fields are not known."""
        for name in value:
            if name not in known:
                self.add((*at, name), "unknown-key", "this field is not known", nearest(name, list(known)))

    def items(self, parent: Mapping[str, Any], key: str, at: Place) -> list[tuple[int, Mapping[str, Any]]]:
        """Return the mappings of a list with their positions."""
        value = parent.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.add((*at, key), "wrong-type", "expected a list")
            return []
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                self.add((*at, key, index), "wrong-type", "expected a mapping")
        return [(index, item) for index, item in enumerate(value) if isinstance(item, dict)]

    def settings(self, block: Mapping[str, Any], at: Place, names: Mapping[str, str]) -> dict[str, Setting]:
        """Return the settings of a block; a field that is null or blank says nothing."""
        return {
            key: Setting(block[field], (*at, field))
            for field, key in names.items()
            if block.get(field) is not None and block[field] not in ("", [])
        }

    def add(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Note what is wrong at a place."""
        self.flaws.append(FieldProblem(place=place, code=code, message=f"{show(place)}: {message}", hint=hint))


def read_pull_request(value: Any) -> PullRequest:
    """Read a `pullRequest` block: exactly one forge, and labels; raise `ConfigError`."""
    if not isinstance(value, dict):
        raise ConfigError("expected a mapping", hint="write github: {} or gitlab: {}", code="wrong-type")
    named = [name for name in _PROVIDERS if value.get(name) is not None]
    if len(named) != 1:
        raise ConfigError(f"exactly one forge is expected, got {len(named)}", hint="write github: {} or gitlab: {}", code="forge")
    found = value.get("labels") or []
    if not isinstance(found, list) or not all(isinstance(label, str) for label in found):
        raise ConfigError("labels is not a list of texts", hint="write a list", code="wrong-type")
    labels = tuple(dict.fromkeys(label.strip() for label in found if label.strip()))
    if len(labels) > _MOST_LABELS or any(len(label) > _LONGEST_LABEL for label in labels):
        hint = f"at most {_MOST_LABELS} labels of {_LONGEST_LABEL} characters"
        raise ConfigError("there are too many labels, or one is too long", hint=hint, code="forge")
    return PullRequest(provider=named[0], labels=labels)
