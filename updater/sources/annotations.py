"""Knows the annotations of Argo CD Image Updater: their keys, and what each value may look like.

Source: the peer's annotation reference. Here they are only checked; nothing is silently passed over, as that
program does with a misspelt key, an unknown strategy (read as semver) or a filter that matches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError, UpdaterError
from updater.model.credential import parse_credential_ref
from updater.model.image import parse_aliased, parse_platform
from updater.model.problem import Problem
from updater.model.subscription import PolicySpec
from updater.settings import checks
from updater.settings.fields import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from updater.documents import Document
    from updater.model.image import AliasedImage

PREFIX: Final = "argocd-image-updater.argoproj.io/"
STRATEGIES: Final = ("semver", "newest-build", "latest", "alphabetical", "name", "digest")
_EVERYWHERE: Final = ("update-strategy", "force-update", "allow-tags", "ignore-tags", "pull-secret")
_WHOLE: Final = ("image-list", *_EVERYWHERE, "write-back-method", "write-back-target", "git-branch", "git-repository")
_HELM: Final = ("helm.image-name", "helm.image-tag", "helm.image-spec")
_PER_IMAGE: Final = (*_EVERYWHERE, "platforms", "tag-match", *_HELM, "kustomize.image-name")
_BOOLEANS: Final = frozenset({"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"})
_METHOD: Final = re.compile(r"argocd|git|git:[a-zA-Z0-9][a-zA-Z0-9\-._/:#]*")
_TARGET: Final = re.compile(r"(?:kustomization|helmvalues)(?::.*)?")


def has_annotations(value: Any) -> bool:
    """Say whether a document holds an object that the peer would read."""
    return any(True for _ in _annotated(value))


def check_annotations(document: Document) -> Iterator[Problem]:
    """Yield what is wrong with the annotations of an Application, or of the template of an ApplicationSet."""
    for place, texts in _annotated(document.value):
        for key, code, message, hint in _flaws(texts):
            mark = document.mark.find((*place, f"{PREFIX}{key}") if key else place)
            shown = f"{PREFIX}{key}: {message}" if key else message
            yield Problem(path=mark.path, line=mark.line, code=code, message=shown, hint=hint)


def _annotated(value: Any) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    if not isinstance(value, dict) or not str(value.get("apiVersion", "")).startswith("argoproj.io/"):
        return
    places = {"Application": ("metadata",), "ApplicationSet": ("spec", "template", "metadata")}
    place = places.get(str(value.get("kind")))
    if place is None:
        return
    found: Any = value
    for part in (*place, "annotations"):
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, dict):
        ours = {key.removeprefix(PREFIX): text for key, text in found.items() if key.startswith(PREFIX)}
        if ours:
            yield (*place, "annotations"), ours


_Flaw = tuple[str, str, str, str]


def _flaws(found: Mapping[str, Any]) -> Iterator[_Flaw]:
    texts = {key: text for key, text in found.items() if isinstance(text, str)}
    for key in sorted(found.keys() - texts.keys()):
        yield key, "wrong-type", "an annotation is text", "put the value in quotes"
    images, flaws = _images(texts.get("image-list"))
    yield from flaws
    aliases = [image.alias for image in images if image.alias]
    is_templated = "{{" in texts.get("image-list", "")
    for key, text in texts.items():
        if key != "image-list":
            yield from _entry_flaws(key, text, aliases, is_templated=is_templated)
    for alias in aliases:
        if any(f"{alias}.{name}" in texts for name in _HELM) and f"{alias}.kustomize.image-name" in texts:
            key = f"{alias}.kustomize.image-name"
            yield key, "target", f"{alias} is written by helm and by kustomize", "keep the annotations of one of them"
    for image in images:
        yield from _constraint_flaws(image, texts)


def _images(text: str | None) -> tuple[list[AliasedImage], list[_Flaw]]:
    if text is None or not text.strip():
        hint = "write image-list: alias=registry/image:constraint, with a comma between two"
        return [], [("image-list" if text is not None else "", "image-list", "no image-list says which images", hint)]
    if "{{" in text:
        return [], []
    images: list[AliasedImage] = []
    flaws: list[_Flaw] = []
    for entry in filter(None, map(str.strip, text.split(","))):
        try:
            images.append(parse_aliased(entry))
        except UpdaterError as error:
            flaws.append(("image-list", error.code, error.message, error.hint))
    return images, flaws


def _entry_flaws(key: str, text: str, aliases: list[str], *, is_templated: bool) -> Iterator[_Flaw]:
    name = next((known for known in _PER_IMAGE if key.endswith(f".{known}")), None)
    if key in _WHOLE:
        name = key
    elif name is None:
        yield key, "unknown-key", "this annotation is not known", _nearest_key(key, aliases)
        return
    else:
        alias = key.removesuffix(f".{name}")
        if alias not in aliases and not is_templated:
            yield key, "alias", f"no image in image-list has the alias {alias!r}", nearest(alias, aliases) if aliases else ""
    if "{{" in text:
        return
    try:
        _CHECKS.get(name, _anything)(text)
    except UpdaterError as error:
        yield key, error.code, error.message, error.hint


def _nearest_key(key: str, aliases: list[str]) -> str:
    alias = next((alias for alias in aliases if key.startswith(f"{alias}.")), None)
    if alias is not None:
        return nearest(key, [f"{alias}.{name}" for name in _PER_IMAGE])
    return nearest(key, list(_WHOLE)) if "." not in key else nearest(key.partition(".")[2], list(_PER_IMAGE))


def _constraint_flaws(image: AliasedImage, texts: Mapping[str, str]) -> Iterator[_Flaw]:
    own = texts.get(f"{image.alias}.update-strategy") if image.alias else None
    strategy = (own or texts.get("update-strategy") or "semver").strip().lower()
    if strategy == "digest" and not image.constraint:
        yield "image-list", "policy", f"{image.image} follows a digest and names no tag", f"write {image.image}:latest"
    if strategy == "semver" and image.constraint:
        try:
            checks.check_policy(PolicySpec("semver", {"range": image.constraint}))
        except UpdaterError as error:
            yield "image-list", error.code, error.message, error.hint


def _anything(_text: str) -> None:
    return


def _strategy(text: str) -> None:
    if text.strip().lower() not in STRATEGIES:
        raise ConfigError(f"{text!r} is no update strategy", hint=nearest(text.strip().lower(), STRATEGIES), code="policy")


def _boolean(text: str) -> None:
    if text not in _BOOLEANS:
        raise ConfigError(f"{text!r} is neither true nor false", hint='write "true" or "false"', code="wrong-type")


def _allow_tags(text: str) -> None:
    kind, colon, pattern = text.partition(":")
    if text.strip().lower() in {"", "any"}:
        return
    if kind != "regexp" or not colon:
        raise ConfigError(f"{text!r} matches nothing", hint="write any, or regexp: and a regular expression", code="filter")
    checks.check_filter(allow=pattern)


def _pull_secret(text: str) -> None:
    reference = text.partition("=")[2] if re.match(r"[^:]*=", text) else text
    try:
        parse_credential_ref(reference.strip())
    except ConfigError as error:
        raise ConfigError("this is no reference to a credential", hint=error.hint, code=error.code) from None


def _platforms(text: str) -> None:
    for part in text.split(","):
        parse_platform(part.strip())


def _method(text: str) -> None:
    if text.strip() and not _METHOD.fullmatch(text.strip()):
        raise ConfigError(f"{text!r} is no write-back method", hint="write argocd, git or git:<credential>", code="write-back")


def _target(text: str) -> None:
    if text.strip() and not _TARGET.fullmatch(text.strip()):
        hint = "write kustomization, kustomization:<path> or helmvalues:<path>"
        raise ConfigError(f"{text!r} is no write-back target", hint=hint, code="write-back")


_CHECKS: Final[Mapping[str, Callable[[str], None]]] = {
    "update-strategy": _strategy,
    "force-update": _boolean,
    "allow-tags": _allow_tags,
    "tag-match": _allow_tags,
    "pull-secret": _pull_secret,
    "platforms": _platforms,
    "write-back-method": _method,
    "write-back-target": _target,
}
