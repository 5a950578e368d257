"""How a member of data from outside is read where it may be of any type: what is of the wrong type counts as not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def mapping_in(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping at *key*, an empty one where another value stands there."""
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def list_in(item: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list at *key*, an empty one where another value stands there."""
    value = item.get(key)
    return value if isinstance(value, list) else []
