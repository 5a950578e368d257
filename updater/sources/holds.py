"""How `holds.yaml`, or the same text in a ConfigMap, becomes decisions of people; strict, and never a reason to write more.

By the key of a subscription it has ``hold``, ``pin``, ``reject`` (a list) and ``readmit`` (our commits that were taken back, and
whose images may come again). Where one entry cannot be read, its subscription is held and the others count. Where the text itself
cannot be read, every subscription is held: it could name any of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from updater.documents import read_yaml
from updater.documents.base import DocumentLimits
from updater.errors import ImageSyntaxError
from updater.git.regular_files import open_regular
from updater.model.decision import UNREADABLE, Decision, Decisions, Hold, ImageRejection, Pin, Readmission
from updater.model.image import is_tag, parse_digest
from updater.model.problem import Problem
from updater.model.text import printable
from updater.reasons import reason_of
from updater.settings.fields import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from updater.documents.base import Mark

ORIGIN: Final = "holds"
LIMITS: Final = DocumentLimits(size=4 * 1024 * 1024, depth=8, nodes=500_000)
LONGEST_TEXT: Final = 1000
MOST_PROBLEMS: Final = 20
HOLD, PIN, REJECT, READMIT = "hold", "pin", "reject", "readmit"
KINDS: Final = (HOLD, PIN, REJECT, READMIT)
_COMMON: Final = ("author", "reason", "since", "until")
_FIELDS: Final = {HOLD: _COMMON, PIN: ("tag", *_COMMON), REJECT: ("tag", "digest", *_COMMON)}
_REVISION: Final = re.compile(r"[0-9a-f]{40}")
_REPAIR: Final = "mend the entry, or take it out: until then nothing is written for the subscription"
_REPAIR_ALL: Final = "mend it: until then nothing is written for any subscription, since it could name each of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsReading:
    """What a text says: the decisions, and what is wrong with it."""

    decisions: Decisions = field(default_factory=Decisions)
    problems: tuple[Problem, ...] = ()


class _Refused(Exception):  # noqa: N818 - it carries one flaw out of the reading of an entry, and never leaves this module
    def __init__(self, place: tuple[str | int, ...], code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.place, self.code, self.message, self.hint = place, code, message, hint


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
            decisions += _entry(key, entry, f"{path}:{mark.find((key,)).line}")
        except _Refused as wrong:
            line = mark.find((key, *wrong.place)).line
            message = f"{printable(key)}: {wrong.message}"
            problem = Problem(path=path, line=line, code=wrong.code, message=message, hint=wrong.hint or _REPAIR, origin=ORIGIN)
            problems.append(problem)
            decisions.append(Hold(key=key, reason=f"{path}:{line}: {wrong.message}", is_unread=True, where=f"{path}:{line}"))
    return HoldsReading(decisions=Decisions.of(decisions), problems=tuple(problems))


def _entry(key: str, entry: Any, where: str) -> Iterator[Decision]:
    if not isinstance(entry, dict):
        raise _Refused((), "wrong-type", "expected a mapping of hold, pin, reject and readmit")
    for name in entry:
        if name not in KINDS:
            raise _Refused((name,), "unknown-key", f"unknown key {printable(name)!r}", nearest(name, KINDS))
    if HOLD in entry:
        yield Hold(key=key, where=where, **_common(entry[HOLD], (HOLD,), _FIELDS[HOLD]))
    if PIN in entry:
        yield Pin(key=key, where=where, tag=_tag(entry[PIN], (PIN,)), **_common(entry[PIN], (PIN,), _FIELDS[PIN]))
    for index, item in enumerate(_list(entry.get(REJECT, []), (REJECT,))):
        yield _rejection(key, item, (REJECT, index), where)
    revisions = _list(entry.get(READMIT, []), (READMIT,))
    for index, revision in enumerate(revisions):
        if not isinstance(revision, str) or not _REVISION.fullmatch(revision):
            raise _Refused((READMIT, index), "wrong-type", "expected a commit, 40 hexadecimal digits")
    if revisions:
        yield Readmission(key=key, where=where, revisions=frozenset(revisions))


def _rejection(key: str, item: Any, place: tuple[str | int, ...], where: str) -> ImageRejection:
    common = _common(item, place, _FIELDS[REJECT])
    named = [name for name in ("tag", "digest") if item.get(name) is not None]
    if len(named) != 1:
        raise _Refused(place, "missing-key", "a rejection names a tag or a digest", "write {tag: 1.2.3} or {digest: sha256:…}")
    if named == ["tag"]:
        return ImageRejection(key=key, where=where, tag=_tag(item, place), **common)
    try:
        digest = parse_digest(str(item["digest"]))
    except ImageSyntaxError as error:
        raise _Refused((*place, "digest"), "digest", error.message, error.hint) from None
    return ImageRejection(key=key, where=where, digest=str(digest), **common)


def _list(value: Any, place: tuple[str | int, ...]) -> list[Any]:
    if not isinstance(value, list):
        raise _Refused(place, "wrong-type", f"{place[0]}: expected a list")
    return value


def _tag(item: Any, place: tuple[str | int, ...]) -> str:
    tag = item.get("tag")
    if not isinstance(tag, str):
        hint = "put the tag in quotes" if isinstance(tag, int | float) else "write tag: and the tag"
        raise _Refused((*place, "tag"), "missing-key" if tag is None else "wrong-type", "expected the tag as text", hint)
    if not is_tag(tag):
        raise _Refused((*place, "tag"), "tag", f"{printable(tag[:40])!r} is not a tag")
    return tag


def _common(item: Any, place: tuple[str | int, ...], known: tuple[str, ...]) -> dict[str, Any]:
    """Return author, reason and times of one decision; raise for a field that is not *known*."""
    if not isinstance(item, dict):
        raise _Refused(place, "wrong-type", f"{place[0]}: expected a mapping such as {{reason: …, until: …}}")
    for name in item:
        if name not in known:
            raise _Refused((*place, name), "unknown-key", f"unknown key {printable(name)!r}", nearest(name, known))
    found: dict[str, Any] = {}
    for name in ("author", "reason"):
        text = item.get(name)
        if text is not None and not isinstance(text, str):
            raise _Refused((*place, name), "wrong-type", f"{name}: expected text", "put it in quotes")
        if text is not None and len(text) > LONGEST_TEXT:
            raise _Refused((*place, name), "too-large", f"{name}: longer than {LONGEST_TEXT} characters")
        found[name] = text or ""
    for name in ("since", "until"):
        if item.get(name) is not None:
            found[name] = _moment(item[name], (*place, name))
    return found


def _moment(value: Any, place: tuple[str | int, ...]) -> float:
    moment = read_moment(value) if isinstance(value, str) else None
    if moment is None:
        raise _Refused(place, "time", f"{place[-1]}: expected a time with its zone", "write it as 2026-12-01T09:00:00Z")
    return moment


def read_moment(text: str) -> float | None:
    """Read a time of RFC 3339, which has a zone; None for any other text."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None
