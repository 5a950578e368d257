"""What kustomize makes of the files of a tree, as far as that decides what is known of an object: who completes it.

Nothing is built. A file that is a patch is no whole object; one that a kustomization patches may get every field that the patches
name; names and namespaces may be given by a kustomization.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from updater.documents import Dialect, read_yaml
from updater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_OPAQUE: Final = ("replacements", "transformers", "generators", "configurations", "vars")
#: stands for every field: something that cannot be followed here may change it
_ANY: Final = "*"
_EVERYWHERE: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "name", "namespace"})


@dataclass(slots=True)
class _Kustomization:
    """One folder: the files and folders that it takes in, and what its own patches touch."""

    resources: list[Path] = field(default_factory=list)
    components: list[Path] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)


class Kustomizations:
    """The kustomizations among *files*, read by *read*. Paths are compared as the system names them."""

    def __init__(self, files: Iterable[Path], read: Callable[[Path], bytes]) -> None:
        self._read = read
        self.fragments: set[str] = set()
        self.namespaces: set[str] = set()
        self.affixes: set[tuple[str, str]] = set()
        self._folders: dict[str, _Kustomization] = {}
        self._deployed: list[tuple[str, set[str]]] = []
        for file in files:
            if file.name in NAMES:
                self._folders[_name(file.parent)] = self._kustomization(file)
        self._touched: dict[str, set[str]] = {}
        for folder in self._folders:
            patches = self._patches(folder, set())
            if patches:
                for file_name in self._reached(folder, set()):
                    self._touched.setdefault(file_name, set()).update(patches)

    def add_deployed(self, value: Any) -> None:
        """Take in a Kustomization of Flux: its patches count for all files below its path, from whichever root."""
        spec = value.get("spec")
        if not isinstance(spec, dict) or not isinstance(spec.get("path"), str):
            return
        fields = {name for patch in _patches_of(spec) for name in self._patch(patch, Path())}
        if spec.get("components"):
            fields.add(_ANY)
        if fields:
            self._deployed.append((os.path.normpath(spec["path"].lstrip("/")), fields))

    def touched(self, file: Path) -> set[str] | None:
        """Return the names of the fields that patches write in the objects of *file*, None where nothing patches them."""
        name = _name(file)
        found = set(self._touched.get(name, ()))
        for path, fields in self._deployed:
            if path == "." or f"{os.sep}{path}{os.sep}" in name:
                found |= fields
        return found or None

    def is_fragment(self, file: Path) -> bool:
        """Return whether *file* is a patch."""
        return _name(file) in self.fragments

    def _kustomization(self, file: Path) -> _Kustomization:
        made = _Kustomization()
        for value in self._documents(file):
            for key in ("resources", "bases"):
                made.resources += [file.parent / text for text in _texts(value.get(key))]
            made.components += [file.parent / text for text in _texts(value.get("components"))]
            if any(value.get(key) for key in _OPAQUE):
                made.touched.add(_ANY)
            if isinstance(value.get("namespace"), str):
                self.namespaces.add(value["namespace"])
            affixes = tuple(text if isinstance(text := value.get(key), str) else "" for key in ("namePrefix", "nameSuffix"))
            if any(affixes):
                self.affixes.add((affixes[0], affixes[1]))
            for patch in _patches_of(value):
                made.touched |= self._patch(patch, file)
        return made

    def _patch(self, patch: Any, file: Path) -> set[str]:
        """Return the fields that one patch writes, whether it stands here or in a file."""
        if isinstance(patch, str):  # of patchesStrategicMerge: a path, or the patch itself
            patch = {"patch": patch} if "\n" in patch or ":" in patch else {"path": patch}
        if not isinstance(patch, dict):
            return {_ANY}
        if isinstance(patch.get("path"), str):
            path = file.parent / patch["path"]
            self.fragments.add(_name(path))
            return set(_fields(list(self._documents(path, anything=True)))) if path.is_file() else {_ANY}
        text = patch.get("patch")
        found = read_yaml("", text.encode(errors="replace"), dialect=Dialect.MANIFEST) if isinstance(text, str) else None
        return set(_fields([document.value for document in found.documents])) if found and not found.problems else {_ANY}

    def _documents(self, file: Path, *, anything: bool = False) -> Iterator[Any]:
        try:
            found = read_yaml(str(file), self._read(file), dialect=Dialect.MANIFEST)
        except ConfigError:
            return
        yield from (document.value for document in found.documents if anything or isinstance(document.value, dict))

    def _patches(self, folder: str, seen: set[str]) -> set[str]:
        """Return what the patches of a folder touch, with those of the components that it takes in."""
        known = self._folders.get(folder)
        if known is None or folder in seen:
            return set() if folder in seen else {_ANY}
        seen.add(folder)
        return known.touched.union(*(self._patches(_name(part), seen) for part in known.components))

    def _reached(self, folder: str, seen: set[str]) -> Iterator[str]:
        """Yield every file that a folder takes in, those of the folders below it too."""
        known = self._folders.get(folder)
        if known is None or folder in seen:
            return
        seen.add(folder)
        for path in (*known.resources, *known.components):
            name = _name(path)
            if name in self._folders:
                yield from self._reached(name, seen)
            else:
                yield name


def _patches_of(value: dict[str, Any]) -> Iterator[Any]:
    for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        listed = value.get(key)
        yield from listed if isinstance(listed, list) else ()


def _fields(value: Any) -> Iterator[str]:
    """Yield the names of all fields that a patch writes: of a strategic merge its keys, of JSON 6902 the parts of its paths."""
    if isinstance(value, dict):
        if isinstance(value.get("op"), str) and isinstance(value.get("path"), str):
            yield from (part for part in value["path"].split("/") if part not in _EVERYWHERE)
            yield from _fields(value.get("value"))
            return
        yield from (key for key in value if key not in _EVERYWHERE)
        for item in value.values():
            yield from _fields(item)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item)


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str) and "://" not in text] if isinstance(value, list) else []


def _name(path: Path) -> str:
    return os.path.normpath(os.path.abspath(path))  # noqa: PTH100 - symlinks are not followed
