"""How the conditions of a status are kept: ours said again with the time of their last transition, those of others left alone.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from updater.documents.members import list_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Condition:
    """What a status says of an object in one respect; *reason* is one word in CamelCase, *message* is for people."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def conditions_in(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the conditions of a status, without what is none."""
    return [item for item in list_in(status, "conditions") if isinstance(item, dict) and isinstance(item.get("type"), str)]


def merge_conditions(
    before: Mapping[str, Any], conditions: Sequence[Condition], *, owned: Collection[str], generation: int, now: str
) -> list[Mapping[str, Any]]:
    """Return what the status *before* holds with *conditions* in place of ours; *owned* are all types that are ever ours.

    *now* (RFC 3339) is the time of a transition: one whose status is as before keeps its time.
    """
    known = conditions_in(before)
    by_type = {item["type"]: item for item in known}
    made: list[Mapping[str, Any]] = []
    for condition in conditions:
        old = by_type.get(condition.type, {})
        moved = old.get("lastTransitionTime") if old.get("status") == condition.status else None
        made.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "observedGeneration": generation,
                "lastTransitionTime": moved if isinstance(moved, str) else now,
            }
        )
    return [*made, *(item for item in known if item["type"] not in owned)]
