"""Images in Helm values: a mapping with repository and tag, or one text under a key called image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from updater.editors import keypaths
from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES: Final = ("repository", "name")
_DEEPEST: Final = 12


class ValuesImage(NamedTuple):
    """One image of a values file: its name, what is written, and the options of a helm target."""

    image: str
    written: Written
    options: Mapping[str, str]
    key: tuple[str | int, ...]


def find_images(value: Any) -> Iterator[ValuesImage]:
    """Yield every image of the values in *value*, which is plain data."""
    yield from _walk(value, ())


def _walk(value: Any, place: tuple[str | int, ...]) -> Iterator[ValuesImage]:
    if len(place) > _DEEPEST:
        return
    if isinstance(value, dict):
        found = _pair(value, place)
        if found:
            yield found
            return
        for key, child in value.items():
            if key == "image" and isinstance(child, str) and (whole := _whole(child, (*place, key))):
                yield whole
            else:
                yield from _walk(child, (*place, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(child, (*place, index))


def _pair(value: Mapping[str, Any], place: tuple[str | int, ...]) -> ValuesImage | None:
    """Return the image of a mapping with a name and a tag, with `registry` before it where there is one."""
    tag = value.get("tag")
    name = next((key for key in _NAMES if isinstance(value.get(key), str) and value[key]), None)
    if name is None or not isinstance(tag, str) or not tag or not place:
        return None
    registry = value.get("registry")
    image = f"{registry}/{value[name]}" if isinstance(registry, str) and registry else value[name]
    try:
        ref = parse_ref(image)
    except ImageSyntaxError:
        return None
    if ref.tag or ref.digest:
        return None
    keys = {"tag": keypaths.show((*place, "tag"))}
    if image == value[name]:
        keys = {"name": keypaths.show((*place, name)), **keys}
    return ValuesImage(image, Written(name=image, tag=tag), keys, place)


def _whole(text: str, place: tuple[str | int, ...]) -> ValuesImage | None:
    try:
        ref = parse_ref(text)
    except ImageSyntaxError:
        return None
    if ref.tag is None:
        return None
    digest = str(ref.digest) if ref.digest else None
    return ValuesImage(
        str(ref.name), Written(name=str(ref.name), tag=ref.tag, digest=digest), {"spec": keypaths.show(place)}, place
    )
