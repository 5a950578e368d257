"""Pure readers and writers of texts with image references: bytes in, bytes and changes out.

`EDITORS` is the table of all kinds; a package may add one under the entry point group
``updater.editors``: its name, and a callable without arguments that gives an `Editor`.
"""

from __future__ import annotations

import difflib
from functools import partial
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError
from updater.reasons import import_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.editors.base import Editor

ENTRY_POINTS: Final = "updater.editors"


def _built_in(place: str, *arguments: Any) -> Editor:
    """Make the editor of ``module:class``, whose module is imported only now."""
    module, _, name = place.partition(":")
    editor: Editor = getattr(import_module(module), name)(*arguments)
    return editor


EDITORS: Final[Mapping[str, Callable[..., Editor]]] = {
    "marker": partial(_built_in, "updater.editors.marker:MarkerEditor"),
    "kustomize": partial(_built_in, "updater.editors.kustomize:KustomizeEditor"),
    "helm": partial(_built_in, "updater.editors.helm:HelmEditor"),
    "argocd_source": partial(_built_in, "updater.editors.argocd_source:ArgocdSourceEditor"),
}


def make_editors(text_markers: tuple[str, ...] = ()) -> dict[str, Editor]:
    """Make every editor there is, by name; *text_markers* are globs of non-YAML files in which markers count.

    Raises `ConfigError` with code ``editor`` where one of another package does not load.
    """
    made = {name: factory(text_markers) if name == "marker" else factory() for name, factory in EDITORS.items()}
    for point in metadata.entry_points(group=ENTRY_POINTS):
        if point.name not in made:
            made[point.name] = _foreign(point)
    return made


def make_editor(name: str, *, text_markers: tuple[str, ...] = ()) -> Editor:
    """Make the editor called *name*; raise `ConfigError` with code ``editor``, and the nearest name as hint."""
    if name in EDITORS:
        return EDITORS[name](text_markers) if name == "marker" else EDITORS[name]()
    found = {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}
    if name in found:
        return _foreign(found[name])
    known = sorted({*EDITORS, *found})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "there are " + ", ".join(known)
    raise ConfigError(f"there is no editor {name!r}", hint=hint, code="editor")


def _foreign(point: metadata.EntryPoint) -> Editor:
    try:
        editor: Editor = point.load()()
    except Exception as error:
        message = f"the editor {point.name!r} of {point.value} does not load: {import_reason(error)}"
        raise ConfigError(message, hint="correct or remove the package that brings it", code="editor") from error
    return editor
