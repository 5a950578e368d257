"""Which namespaces are watched where some are named, and what is dropped of what is watched because of a glob."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.kube.client import EVERYWHERE, ListScope
from updater.policies.globs import name_matcher

if TYPE_CHECKING:
    from collections.abc import Sequence

_GLOB: Final = frozenset("*?[\\")


@dataclass(frozen=True, slots=True)
class NamespaceSelection:
    """*scopes* are listed and watched; where there are *matchers*, only what one of them covers is kept."""

    scopes: tuple[ListScope, ...] = (EVERYWHERE,)
    matchers: tuple[Any, ...] = ()

    def covers(self, namespace: str) -> bool:
        """Return whether the objects of a namespace that is watched are kept."""
        return not self.matchers or any(matcher.fullmatch(namespace) for matcher in self.matchers)


def select_namespaces(names: Sequence[str]) -> NamespaceSelection:
    """Return what *names* select, which may be globs as `filepath.Match` reads them (``team-*``); none means all.

    With a glob among them everything is watched, and what is elsewhere is dropped as it comes: an account with rights in
    single namespaces needs their names. Raise `PolicyError` for a glob that cannot be read.
    """
    has_globs = any(_GLOB.intersection(name) for name in names)
    matchers = tuple(name_matcher(name) for name in names) if has_globs and "*" not in names else ()
    is_wide = has_globs or not names
    scopes = (EVERYWHERE,) if is_wide else tuple(ListScope(namespace=name) for name in dict.fromkeys(names))
    return NamespaceSelection(scopes, matchers)
