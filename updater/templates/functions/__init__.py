"""All functions of templates, and suggestions for misspelled names."""

from __future__ import annotations

from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from updater.templates.functions.arithmetic import NUMBERS
from updater.templates.functions.dicts import DICTS
from updater.templates.functions.documents import DOCUMENTS
from updater.templates.functions.encoding import ENCODING
from updater.templates.functions.lists import LISTS
from updater.templates.functions.logic import LOGIC
from updater.templates.functions.paths import PATHS
from updater.templates.functions.refused import REFUSED
from updater.templates.functions.regexes import REGEXES
from updater.templates.functions.standard import STANDARD
from updater.templates.functions.strings import STRINGS
from updater.templates.functions.versions import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.templates.functions.signature import Function

__all__ = ["FUNCTIONS", "REFUSED", "SHORT_CIRCUITS", "meant"]

# These two do not evaluate all they are given, and are the evaluator's own.
SHORT_CIRCUITS: Final = frozenset({"and", "or"})

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        **STANDARD,
        **STRINGS,
        **LISTS,
        **DICTS,
        **NUMBERS,
        **LOGIC,
        **DOCUMENTS,
        **ENCODING,
        **PATHS,
        **REGEXES,
        **VERSIONS,
    }
)


def meant(name: str, known: Mapping[str, Function]) -> str | None:
    """Return the name of a function that looks like *name*, or None."""
    by_lower = {other.lower(): other for other in (*known, *SHORT_CIRCUITS)}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None
