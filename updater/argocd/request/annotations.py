"""The annotations of Argo CD Image Updater and our own beside them: their keys, and which image each speaks of.

Source: the peer's annotation reference. A key is of one image (``<alias>.update-strategy``) or of the whole Application.
Ours have another prefix, and say what the peer has no word for. Nothing is passed over: what is not known is a flaw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.live.memory import WRITTEN
from updater.argocd.request.layers import (
    ApplicationRequest,
    DecisionLevel,
    FieldProblem,
    FieldRefused,
    ImageRequest,
    Setting,
    flaw_of,
    inherit,
)
from updater.argocd.request.values import READERS
from updater.errors import UpdaterError
from updater.model.image import parse_aliased
from updater.settings.decisions import ANNOTATION_PREFIX, KINDS
from updater.settings.delivery_annotations import DELIVERY_KEYS
from updater.settings.fields import nearest
from updater.settings.gate_annotations import GATE_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from updater.argocd.request.layers import Place, Settings

PREFIX: Final = "argocd-image-updater.argoproj.io/"
OWN_PREFIX: Final = ANNOTATION_PREFIX
IMAGE_LIST: Final = "image-list"
MOST_IMAGES: Final = 1000  # an annotation has room for 100,000, and each would be asked for, answered and told
METADATA: Final[Place] = ("metadata", "annotations")

EVERYWHERE: Final = ("update-strategy", "force-update", "allow-tags", "ignore-tags", "pull-secret")
WRITE_BACK: Final = ("write-back-method", "write-back-target", "git-branch", "git-repository")
HELM: Final = ("helm.image-name", "helm.image-tag", "helm.image-spec")
KUSTOMIZE: Final = "kustomize.image-name"
WHOLE: Final = (IMAGE_LIST, *EVERYWHERE, *WRITE_BACK)
PER_IMAGE: Final = (*EVERYWHERE, "platforms", "tag-match", *HELM, KUSTOMIZE)
OWN: Final = ("downgrade", "allow-downgrade", "variant", "form", "interval", "proposal", *KINDS, *GATE_KEYS, *DELIVERY_KEYS)
#: those that may stand on an ImageUpdater too
OWN_OF_UPDATER: Final = ("proposal", *KINDS, *GATE_KEYS, *DELIVERY_KEYS)
_OPERATORS: Final = ("<", ">", "=", "!", "~", "^", "|", "*")


@dataclass(frozen=True, slots=True)
class _Key:
    """One annotation: the alias it speaks of (None: of all), its canonical name, and its text."""

    alias: str | None
    name: str
    setting: Setting


def has_image_list(annotations: Mapping[str, Any]) -> bool:
    """Return whether annotations name images."""
    return f"{PREFIX}{IMAGE_LIST}" in annotations


def read_annotations(
    annotations: Mapping[str, Any], *, at: Place = METADATA, asked_by: str = "", is_template: bool = False
) -> ApplicationRequest:
    """Read the annotations of one object; *at* is their place in it. Never raises: flaws stand in the request.

    With *is_template* a value with ``{{`` is a placeholder of an ApplicationSet, and is not looked into.
    """
    flaws: list[FieldProblem] = []
    texts = dict(_texts(annotations, at, flaws))
    listed = texts.pop(f"{PREFIX}{IMAGE_LIST}", None)
    is_open = is_template and listed is not None and "{{" in listed.value
    images, refused = ([], []) if is_open else _images(listed, at, flaws, is_asked=any(map(_is_peers, texts)))
    aliases = {alias for image in images if (alias := image.alias)}
    keys = [key for full, setting in texts.items() if (key := _key(full, setting, aliases, flaws, is_open=is_open))]
    looked_at = [key for key in keys if not (is_template and "{{" in key.setting.value)]
    flaws += [flaw for key in looked_at if (flaw := _value_flaw(key))]
    whole = {key.name: key.setting for key in keys if key.alias is None}
    return ApplicationRequest(
        asked_by=asked_by,
        images=tuple(_with_settings(image, keys, whole, asked_by) for image in images),
        write_back={name: item for name, item in whole.items() if name in WRITE_BACK and item.value.strip()},
        flaws=tuple(flaws),
        refused=tuple(refused),
    )


def with_own(
    image: ImageRequest, annotations: Mapping[str, Any], origin: str, *, known: Sequence[str] = OWN, is_default: bool = False
) -> ImageRequest:
    """Return *image* with our own settings for it, from annotations of an object *origin* that does not list it.

    With *is_default* they count where the image says nothing itself, else before what it says. Only those that are *known* count.
    """
    levels = [{name: item for name, item in level.items() if name in known} for level in _own_levels(annotations, image.alias)]
    others = inherit(*map(_without_decisions, levels))
    decided = _decided(levels, origin)
    if is_default:
        return replace(image, settings=inherit(image.settings, others), decided=(*image.decided, *decided))
    return replace(image, settings=inherit(others, image.settings), decided=(*decided, *image.decided))


def _own_levels(annotations: Mapping[str, Any], alias: str | None) -> tuple[dict[str, Setting], dict[str, Setting]]:
    """Return our own settings of one image by its alias, and those of all images."""
    levels: tuple[dict[str, Setting], dict[str, Setting]] = ({}, {})
    for full, text in annotations.items():
        if full.startswith(OWN_PREFIX) and isinstance(text, str) and text.strip():
            owner, name = _split(full.removeprefix(OWN_PREFIX), OWN)
            if name and (owner is None or _is_meant(owner, alias)):
                levels[owner is None][name] = Setting(text, (*METADATA, full))
    return levels


def _decided(levels: Iterable[Settings], origin: str) -> tuple[DecisionLevel, ...]:
    found = ({kind: level[kind] for kind in KINDS if kind in level} for level in levels)
    return tuple(DecisionLevel(origin=origin, settings=level) for level in found if level)


def _without_decisions(level: Settings) -> Settings:
    return {name: item for name, item in level.items() if name not in KINDS}


def updater_flaws(annotations: Mapping[str, Any], aliases: set[str], *, is_open: bool) -> list[FieldProblem]:
    """Return what is wrong with our own annotations on an ImageUpdater whose images have *aliases*.

    With *is_open* it means images that Applications list too, whose aliases are not known here.
    """
    flaws = own_flaws(annotations, aliases, is_open=is_open)
    for full in annotations:
        name = _split(full.removeprefix(OWN_PREFIX), OWN)[1] if full.startswith(OWN_PREFIX) else None
        if name is not None and name not in OWN_OF_UPDATER:
            message = f"{full}: this annotation has no meaning on an ImageUpdater"
            place = (*METADATA, full)
            flaws.append(FieldProblem(place=place, code="unknown-key", message=message, hint="write it on the Application"))
    return flaws


def own_flaws(annotations: Mapping[str, Any], aliases: set[str], *, is_open: bool = False) -> list[FieldProblem]:
    """Return what is wrong with our own annotations beside the image list of another object, whose aliases are *aliases*."""
    flaws: list[FieldProblem] = []
    ours = {key: text for key, text in annotations.items() if key.startswith(OWN_PREFIX)}
    for full, setting in _texts(ours, METADATA, flaws):
        key = _key(full, setting, aliases, flaws, is_open=is_open)
        flaws += [flaw for flaw in (_value_flaw(key) if key else None,) if flaw]
    return flaws


def _is_peers(key: str) -> bool:
    return key.startswith(PREFIX)


def _texts(annotations: Mapping[str, Any], at: Place, flaws: list[FieldProblem]) -> Iterator[tuple[str, Setting]]:
    for full, text in annotations.items():
        if not full.startswith((PREFIX, OWN_PREFIX)) or full == WRITTEN:
            continue
        if isinstance(text, str):
            yield full, Setting(text, (*at, full))
        else:
            message = f"{full}: an annotation is text"
            flaws.append(FieldProblem(place=(*at, full), code="wrong-type", message=message, hint="put the value in quotes"))


def _images(
    found: Setting | None, at: Place, flaws: list[FieldProblem], *, is_asked: bool
) -> tuple[list[ImageRequest], list[tuple[str, FieldProblem]]]:
    """Read the list entry by entry: what cannot be read is refused, and the others go on."""
    if found is None or not found.value.strip():
        if found is not None or is_asked:
            place = found.place if found else at
            hint = "write image-list: alias=registry/image:constraint, with a comma between two"
            message = (
                f"{PREFIX}{IMAGE_LIST}: there is no image-list that names the images"
                if found
                else "there is no image-list that names the images"
            )
            flaws.append(FieldProblem(place=place, code="image-list", message=message, hint=hint))
        return [], []
    images: list[ImageRequest] = []
    refused: list[tuple[str, FieldProblem]] = []
    entries = list(filter(None, map(str.strip, found.value.split(","))))
    if len(entries) > MOST_IMAGES:
        message = f"{PREFIX}{IMAGE_LIST}: {len(entries)} images are listed, and those after the first {MOST_IMAGES} are left out"
        flaw = FieldProblem(place=found.place, code="image-list", message=message, hint="let several Applications have them")
        refused.append((f"{len(entries) - MOST_IMAGES} more", flaw))
    for entry in entries[:MOST_IMAGES]:
        try:
            _add_image(entry, found.place, images, refused)
        except UpdaterError as error:
            refused.append((entry, _listed(flaw_of(error, found.place))))
    flaws += dict.fromkeys(flaw for _, flaw in refused)
    return images, refused


def _add_image(entry: str, place: Place, images: list[ImageRequest], refused: list[tuple[str, FieldProblem]]) -> None:
    if entry.startswith(_OPERATORS) and images and not entry.startswith("="):
        # the comma stood inside a range: half of a range is not what was asked for
        before = images.pop()
        whole = f"{before.text},{entry}"
        hint = f"separate the parts of a range by blanks: {before.text} {entry}"
        flaw = FieldProblem(place=place, code="image-syntax", message=f"{whole!r} is cut at its comma", hint=hint)
        refused.append((whole, _listed(flaw)))
        return
    image = parse_aliased(entry)
    if image.alias and not image.alias.isprintable():
        message = f"the alias {image.alias!r} holds characters that cannot be seen"
        flaw = FieldProblem(place=place, code="alias", message=message, hint="write letters, digits, '-', '.', '_' and '/'")
        refused.append((ascii(entry), _listed(flaw)))
        return
    if image.alias and any(image.alias == other.alias for other in images):
        message = f"the alias {image.alias!r} is defined twice"
        flaw = FieldProblem(place=place, code="alias", message=message, hint="give each image an alias of its own")
        refused.append((entry, _listed(flaw)))
        return
    images.append(ImageRequest(alias=image.alias or None, text=entry, place=place))


def _listed(flaw: FieldProblem) -> FieldProblem:
    return replace(flaw, message=f"{PREFIX}{IMAGE_LIST}: {flaw.message}")


def _key(full: str, setting: Setting, aliases: set[str], flaws: list[FieldProblem], *, is_open: bool) -> _Key | None:
    prefix, whole, per_image = (PREFIX, WHOLE, PER_IMAGE) if _is_peers(full) else (OWN_PREFIX, OWN, OWN)
    key = full.removeprefix(prefix)
    alias, name = _split(key, per_image, whole)
    if name is None:
        hint = _nearest_key(key, aliases, whole, per_image)
        flaws.append(
            FieldProblem(place=setting.place, code="unknown-key", message=f"{full}: this annotation is not known", hint=hint)
        )
        return None
    if alias is not None and not is_open:
        alias = next((known for known in aliases if _is_meant(alias, known)), alias)
        if alias not in aliases:
            hint = nearest(alias, sorted(aliases)) if aliases else "give the image an alias: alias=image"
            message = f"{full}: no image in image-list has the alias {alias!r}"
            flaws.append(FieldProblem(place=setting.place, code="alias", message=message, hint=hint))
    return _Key(alias, name, setting)


def _is_meant(written: str, alias: str | None) -> bool:
    """Return whether an annotation that names *written* means *alias*: the name of an annotation has no second slash."""
    return alias is not None and written in {alias, alias.replace("/", "_")}


def _split(key: str, per_image: Sequence[str], whole: Sequence[str] = OWN) -> tuple[str | None, str | None]:
    """Cut a key into its alias and its name; the name is None where none is known."""
    if key in whole:
        return None, key
    name = next((known for known in per_image if key.endswith(f".{known}") and len(key) > len(known) + 1), None)
    return (key.removesuffix(f".{name}"), name) if name else (None, None)


def _nearest_key(key: str, aliases: set[str], whole: Sequence[str], per_image: Sequence[str]) -> str:
    alias = next((alias for alias in aliases if key.startswith(f"{alias}.")), None)
    if alias is not None:
        return nearest(key, [f"{alias}.{name}" for name in per_image])
    return nearest(key, list(whole)) if "." not in key else nearest(key.partition(".")[2], list(per_image))


def _value_flaw(key: _Key) -> FieldProblem | None:
    if not key.setting.value.strip():
        return None  # an empty annotation says nothing
    try:
        key.setting.read(READERS[key.name])
    except FieldRefused as wrong:
        return wrong.flaw
    return None


def _with_settings(image: ImageRequest, keys: Sequence[_Key], whole: Mapping[str, Setting], origin: str) -> ImageRequest:
    own = {key.name: key.setting for key in keys if key.alias is not None and key.alias == image.alias}
    if "tag-match" in own:
        own.setdefault("allow-tags", own.pop("tag-match"))
    shared = {name: setting for name, setting in whole.items() if name in EVERYWHERE or name in OWN}
    levels = [{name: item for name, item in level.items() if item.value.strip()} for level in (own, shared)]
    return replace(image, settings=inherit(*map(_without_decisions, levels)), decided=_decided(levels, origin))
