"""How `holds.yaml`, or the same text in a ConfigMap, becomes decisions of people; strict, and never a reason to write more.

By the key of a subscription it has ``hold``, ``pin``, ``reject`` (a list) and ``readmit`` (our commits that were taken back, and
whose images may come again). Where one entry cannot be read, its subscription is held and the others count. Where the text itself
cannot be read, every subscription is held: it could name any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from updater.documents import read_yaml
from updater.documents.base import DocumentLimits
from updater.git.regular_files import open_regular
from updater.model.decision import UNREADABLE, Decision, Decisions, Hold
from updater.model.problem import Problem
from updater.model.text import printable
from updater.reasons import reason_of
from updater.settings.decisions import DecisionRefused, read_entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from updater.documents.base import Mark

ORIGIN: Final = "holds"
LIMITS: Final = DocumentLimits(size=4 * 1024 * 1024, depth=8, nodes=500_000)
MOST_PROBLEMS: Final = 20
_REPAIR: Final = "mend the entry, or take it out: until then nothing is written for the subscription"
_REPAIR_ALL: Final = "mend it: until then nothing is written for any subscription, since it could name each of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsReading:
    """What a text says: the decisions, and what is wrong with it."""

    decisions: Decisions = field(default_factory=Decisions)
    problems: tuple[Problem, ...] = ()


def read_holds_file(path: Path) -> HoldsReading:
    """Read the file at *path*; one that does not exist decides nothing. Never raises."""
    try:
        with open_regular(path) as file:
            data: bytes = file.read(LIMITS.size + 1)
    except FileNotFoundError:
        return HoldsReading()
    except (OSError, ValueError) as error:
        return unreadable(Problem(path=str(path), code=UNREADABLE, message=f"cannot be read: {reason_of(error)}", origin=ORIGIN))
    return read_holds(str(path), data)


def unreadable(*problems: Problem) -> HoldsReading:
    """Return that nothing can be read, and that every subscription is held for it."""
    found = tuple(
        Problem(
            path=item.path, line=item.line, code=UNREADABLE, message=item.message, hint=item.hint or _REPAIR_ALL, origin=ORIGIN
        )
        for item in problems[:MOST_PROBLEMS]
    )
    hold = Hold(key="", reason=str(found[0]), is_unread=True)
    return HoldsReading(decisions=Decisions.of((), for_all=[hold]), problems=found)


def read_holds(path: str, data: bytes) -> HoldsReading:
    """Read *data*; *path* is for messages. Never raises."""
    found = read_yaml(path, data, caps=LIMITS)
    if found.problems:
        return unreadable(*found.problems)
    if len(found.documents) > 1:
        line = found.documents[1].mark.line
        return unreadable(Problem(path=path, line=line, code=UNREADABLE, message="a second document begins here"))
    for document in found.documents:
        if isinstance(document.value, dict):
            return _read(path, document.value, document.mark)
        if document.value is not None:
            return unreadable(Problem(path=path, line=1, code=UNREADABLE, message="expected a mapping of keys of subscriptions"))
    return HoldsReading()


def _read(path: str, value: Mapping[str, Any], mark: Mark) -> HoldsReading:
    decisions: list[Decision] = []
    problems: list[Problem] = []
    for key, entry in value.items():
        try:
            decisions += read_entry(key, entry, f"{path}:{mark.find((key,)).line}")
        except DecisionRefused as wrong:
            line = mark.find((key, *wrong.place)).line
            message = f"{printable(key)}: {wrong.message}"
            problem = Problem(path=path, line=line, code=wrong.code, message=message, hint=wrong.hint or _REPAIR, origin=ORIGIN)
            problems.append(problem)
            decisions.append(Hold(key=key, reason=f"{path}:{line}: {wrong.message}", is_unread=True, where=f"{path}:{line}"))
    return HoldsReading(decisions=Decisions.of(decisions), problems=tuple(problems))
