"""Settings with lower priority than files and variables: only missing values are taken from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from updater.registry.endpoints import normalise_prefix
from updater.settings.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from updater.registry.endpoints import RegistryEntry
    from updater.settings.tree import Settings

#: the keys from the root to a setting, such as ``("git", "author", "name")``; a list has none, its entries are all meant
Path: TypeAlias = tuple[str, ...]

_N = TypeVar("_N", bound=Node)


def lay_below(settings: Settings, values: Mapping[Path, object], registries: Sequence[RegistryEntry] = ()) -> Settings:
    """Return *settings* with *values*, which are what a reading would have made of them, wherever they say nothing themselves.

    A part that is off stays off. Of two entries for one prefix, and of two default registries, that of *settings* holds.
    """
    laid = _laid(settings, values)
    laid._foreign_registries = (*laid._foreign_registries, *_unsaid(settings, registries))  # noqa: SLF001 - what was read besides the tree
    return laid


def is_said(settings: Node, path: Path) -> bool:
    """Return whether the files or the environment hold a value at *path*."""
    name, rest = path[0], path[1:]
    if name not in settings.model_fields_set:
        return False
    held = getattr(settings, name)
    parts = held if isinstance(held, tuple) else (held,)
    return not rest or any(isinstance(part, Node) and is_said(part, rest) for part in parts)


def _laid(node: _N, values: Mapping[Path, object]) -> _N:
    heads: dict[str, dict[Path, object]] = {}
    for path, value in values.items():
        heads.setdefault(path[0], {})[path[1:]] = value
    changed: dict[str, Any] = {}
    for name, below in heads.items():
        held = getattr(node, name)
        if () in below:
            changed |= {} if name in node.model_fields_set else {name: below[()]}
        elif isinstance(held, Node):
            changed[name] = _laid(held, below)
        elif isinstance(held, tuple):
            changed[name] = tuple(_laid(part, below) for part in held)
    return node.model_copy(update=changed)


def _unsaid(settings: Settings, registries: Sequence[RegistryEntry]) -> Iterator[RegistryEntry]:
    said = settings.registry_entries
    prefixes = {normalise_prefix(entry.prefix) for entry in said}
    has_default = any(entry.is_default for entry in said)
    for entry in registries:
        if normalise_prefix(entry.prefix) not in prefixes:
            yield replace(entry, is_default=False) if has_default else entry
