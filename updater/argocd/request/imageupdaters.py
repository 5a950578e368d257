"""What an ImageUpdater object asks for: which Applications it selects, which images, by which inherited settings.

A field of an image has the last word, then that of its reference, then that of the whole object. Under a reference with
`useAnnotations` the Application's own annotations say everything, but for the check of signatures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.request import fields
from updater.argocd.request.annotations import OWN_OF_UPDATER, own_flaws, read_annotations, updater_flaws, with_own
from updater.argocd.request.fields import FieldReader, read_pull_request
from updater.argocd.request.layers import (
    ApplicationRequest,
    FieldProblem,
    FieldRefused,
    ImageRequest,
    Setting,
    flaw_of,
    inherit,
    show,
)
from updater.argocd.request.selectors import check_selector, is_selected, label_count, specificity
from updater.argocd.request.values import READERS
from updater.documents.members import mapping_in
from updater.errors import UpdaterError
from updater.model.image import parse_aliased
from updater.policies.globs import name_matcher
from updater.settings.decisions import ANNOTATION_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.argocd.request.applications import Application
    from updater.argocd.request.layers import Place, Settings

GROUP: Final = "argocd-image-updater.argoproj.io/"
KIND: Final = "ImageUpdater"
_ALIAS: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-._]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One entry of `applicationRefs`, with its images and everything they inherit; *score* says how exact it is."""

    matcher: Any
    selector: Mapping[str, Any] | None
    score: int
    has_annotations: bool
    images: tuple[ImageRequest, ...] = ()
    refused: tuple[tuple[str, FieldProblem], ...] = ()
    write_back: Settings = field(default_factory=dict, hash=False)
    verification: Settings = field(default_factory=dict, hash=False)

    def selects(self, application: Application) -> bool:
        """Return whether this entry means an Application."""
        if not self.matcher.fullmatch(application.name):
            return False
        return self.selector is None or is_selected(application.labels, self.selector)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUpdater:
    """One object: its references, the most exact first, what is wrong in it, and *own*, its annotations."""

    namespace: str
    name: str
    references: tuple[Reference, ...]
    flaws: tuple[FieldProblem, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{KIND} {self.namespace}/{self.name}"

    def reference(self, application: Application) -> Reference | None:
        """Return the entry that speaks of an Application: the most exact one, of the namespace of this object."""
        if application.namespace != self.namespace:
            return None
        return next((reference for reference in self.references if reference.selects(application)), None)

    def request(self, application: Application) -> ApplicationRequest | None:
        """Return what this object asks for an Application, None where it does not mean it."""
        reference = self.reference(application)
        if reference is None:
            return None
        if reference.has_annotations:
            found = read_annotations(application.annotations, asked_by=f"Application {application}")
            listed = (replace(image, settings={**image.settings, **reference.verification}) for image in found.images)
            return replace(found, images=tuple(map(self._with_defaults, listed)))
        ours = f"Application {application}"
        images = tuple(with_own(self._with_defaults(image), application.annotations, ours) for image in reference.images)
        return ApplicationRequest(
            asked_by=str(self), images=images, refused=reference.refused, write_back=reference.write_back, flaws=self.flaws
        )

    def _with_defaults(self, image: ImageRequest) -> ImageRequest:
        """Return *image* with what annotations on this object say of it; the Application's own count before them."""
        return with_own(image, self.own, str(self), known=OWN_OF_UPDATER, is_default=True)

    def flaws_of(self, application: Application) -> list[FieldProblem]:
        """Return what is wrong with our own annotations on an Application whose images stand here."""
        reference = self.reference(application)
        if reference is None or reference.has_annotations:
            return []
        return own_flaws(application.annotations, {image.alias for image in reference.images if image.alias})


def is_image_updater(value: Any) -> bool:
    """Return whether a document is an ImageUpdater."""
    return isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(GROUP) and value.get("kind") == KIND


def read_image_updater(item: Mapping[str, Any], *, namespace: str = "") -> ImageUpdater:
    """Read one object; what is wrong in it ends what it belongs to, and nothing else."""
    reader = FieldReader([])
    metadata = item.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    spec = reader.mapping(item, "spec", (), fields.SPEC)
    shared = _Shared.read(reader, spec, ("spec",))
    annotations = mapping_in(metadata, "annotations")
    references = [
        found
        for index, entry in reader.items(spec, "applicationRefs", ("spec",))
        if (found := _reference(reader, entry, ("spec", "applicationRefs", index), shared)) is not None
    ]
    if not references and not reader.flaws:
        reader.add(("spec", "applicationRefs"), "no-reference", "no Application is named", "write applicationRefs")
    aliases = {image.alias for found in references for image in found.images if image.alias}
    is_open = any(found.has_annotations for found in references)
    reader.flaws += updater_flaws(annotations, aliases, is_open=is_open)
    return ImageUpdater(
        namespace=str(metadata.get("namespace") or namespace),
        name=str(metadata.get("name") or ""),
        references=tuple(sorted(references, key=lambda reference: -reference.score)),
        flaws=tuple(dict.fromkeys(reader.flaws)),
        own={name: text for name, text in annotations.items() if name.startswith(ANNOTATION_PREFIX)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What one level says for those below it."""

    common: Settings
    write_back: Settings
    verification: Settings

    @classmethod
    def read(cls, reader: FieldReader, level: Mapping[str, Any], at: Place) -> _Shared:
        common = _common(reader, level, at)
        write_back = reader.mapping(level, "writeBackConfig", at, fields.WRITE_BACK)
        here = (*at, "writeBackConfig")
        git = reader.mapping(write_back, "gitConfig", here, tuple(fields.GIT))
        settings = reader.settings(write_back, here, {"method": "write-back-method"})
        settings |= reader.settings(git, (*here, "gitConfig"), fields.GIT)
        _check_values(reader, settings)
        return cls(common=common, write_back=settings, verification=_verification(reader, level, at))

    def below(self, above: _Shared) -> _Shared:
        return _Shared(
            common=inherit(self.common, above.common),
            write_back=inherit(self.write_back, above.write_back),
            verification=inherit(self.verification, above.verification),
        )


def _common(reader: FieldReader, level: Mapping[str, Any], at: Place) -> Settings:
    block = reader.mapping(level, "commonUpdateSettings", at, tuple(fields.COMMON))
    settings = reader.settings(block, (*at, "commonUpdateSettings"), fields.COMMON)
    _check_values(reader, settings)
    return settings


def _verification(reader: FieldReader, level: Mapping[str, Any], at: Place) -> Settings:
    """Return ``enabled`` of a block that is there; a block without the word is on."""
    if level.get("imagesVerification") is None:
        return {}
    block = reader.mapping(level, "imagesVerification", at, fields.VERIFICATION)
    enabled = Setting(block.get("enabled", True), (*at, "imagesVerification"))
    if not isinstance(enabled.value, bool):
        reader.add((*enabled.place, "enabled"), "wrong-type", "expected true or false")
    return {"enabled": enabled}


def _check_values(reader: FieldReader, settings: Settings) -> None:
    for key, setting in settings.items():
        try:
            setting.read(read_pull_request if key == "pull-request" else READERS.get(key, _anything))
        except FieldRefused as wrong:
            reader.flaws.append(wrong.flaw)


def _anything(_value: Any) -> None:
    return


def _reference(reader: FieldReader, entry: Mapping[str, Any], at: Place, above: _Shared) -> Reference | None:
    """Read one entry; None where it cannot be said which Applications it means."""
    reader.check_keys(entry, at, fields.REF)
    level = _Shared.read(reader, entry, at)
    shared = level.below(above)
    pattern, selector = entry.get("namePattern"), entry.get("labelSelectors")
    if not isinstance(pattern, str) or not pattern:
        reader.add((*at, "namePattern"), "wrong-type", "expected a name or a glob of names")
        return None
    try:
        matcher = name_matcher(pattern)
        if selector is not None:
            check_selector(selector)
    except UpdaterError as error:
        place = (*at, "namePattern" if error.code == "policy" else "labelSelectors")
        reader.add(place, error.code, error.message, error.hint)
        return None
    has_annotations = entry.get("useAnnotations") is True
    images, refused = _images(reader, entry, at, shared)
    if not has_annotations and not images and not refused:
        reader.add((*at, "images"), "no-images", "no image is listed", "list images, or write useAnnotations: true")
    return Reference(
        matcher=matcher,
        selector=selector,
        score=specificity(pattern, labels=None if selector is None else label_count(selector)),
        has_annotations=has_annotations,
        images=tuple(images),
        refused=tuple(refused),
        write_back=shared.write_back,
        verification=_wanted(level.verification),
    )


def _images(
    reader: FieldReader, entry: Mapping[str, Any], at: Place, shared: _Shared
) -> tuple[list[ImageRequest], list[tuple[str, FieldProblem]]]:
    images: list[ImageRequest] = []
    refused: list[tuple[str, FieldProblem]] = []
    known: set[str | None] = set()
    for index, item in reader.items(entry, "images", at):
        here = (*at, "images", index)
        reader.check_keys(item, here, fields.IMAGE)
        alias, name = item.get("alias"), item.get("imageName")
        try:
            _check_image(alias, name, known, here)
            settings = inherit(
                _targets(reader, item, here),
                _common(reader, item, here),
                shared.common,
                _wanted(inherit(_verification(reader, item, here), shared.verification)),
            )
        except FieldRefused as wrong:
            reader.flaws.append(wrong.flaw)
            refused.append((str(name or alias or show(here)), wrong.flaw))
            continue
        known.add(alias)
        images.append(ImageRequest(alias=alias, text=str(name), place=(*here, "imageName"), settings=settings))
    return images, refused


def _check_image(alias: Any, name: Any, known: set[str | None], at: Place) -> None:
    if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
        message = f"{alias!r} is not an alias" if alias else "the image has no alias"
        raise Setting(alias, (*at, "alias")).flaw(message, code="alias", hint="write letters, digits, '-', '.' and '_'")
    if alias in known:
        raise Setting(alias, (*at, "alias")).flaw(
            f"the alias {alias!r} is defined twice", code="alias", hint="give each image an alias of its own"
        )
    if not isinstance(name, str) or not name.strip():
        raise Setting(name, (*at, "imageName")).flaw(
            "no image is named", code="image-syntax", hint="write [registry/]path[:constraint]"
        )
    try:
        listed = parse_aliased(name)
    except UpdaterError as error:
        raise FieldRefused(flaw_of(error, (*at, "imageName"))) from None
    if listed.alias is not None:
        raise Setting(name, (*at, "imageName")).flaw(
            f"{name!r} holds an alias", code="image-syntax", hint="write the alias in its own field"
        )


def _targets(reader: FieldReader, item: Mapping[str, Any], at: Place) -> dict[str, Setting]:
    """Read `manifestTargets`: exactly one kind, and for a plugin at least a variable; raise `FieldRefused`."""
    block = reader.mapping(item, "manifestTargets", at, tuple(fields.TARGETS))
    here = (*at, "manifestTargets")
    named = [kind for kind in fields.TARGETS if block.get(kind) is not None]
    if item.get("manifestTargets") is not None and len(named) != 1:
        message = f"exactly one of helm, kustomize and plugin is expected, got {len(named)}"
        raise Setting(block, here).flaw(message, code="target", hint="one image has one target; list it twice for two")
    settings: dict[str, Setting] = {}
    for kind in named:
        inner = reader.mapping(block, kind, here, tuple(fields.TARGETS[kind]))
        settings |= reader.settings(inner, (*here, kind), fields.TARGETS[kind])
        wanted = {"kustomize": {"kustomize.image-name"}, "plugin": {"plugin.name", "plugin.spec"}}.get(kind)
        if wanted and not wanted & settings.keys():
            missing = " or ".join(sorted(key.partition(".")[2].removeprefix("image-") for key in wanted))
            raise Setting(inner, (*here, kind)).flaw("the target names nothing", code="target", hint=f"write {missing}")
    _check_values(reader, settings)
    return settings


def _wanted(verification: Settings) -> Settings:
    """Return the setting by which an image is known to need verification, none where that is off."""
    enabled = verification.get("enabled")
    return {} if enabled is None or enabled.value is False else {"verification": enabled}
