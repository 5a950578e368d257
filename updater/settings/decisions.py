"""How one entry of decisions is read, from a file or from an annotation; strict, each flaw with its place. Pure.

An entry has ``hold``, ``pin``, ``reject`` (a list) and ``readmit`` (our commits whose images may come again). An annotation has
one of them: the same as YAML in a line, or in short ``true`` for a hold, a tag for a pin, texts with commas between for others.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from updater.documents import read_yaml
from updater.documents.base import DocumentLimits
from updater.errors import ConfigError, ImageSyntaxError
from updater.model.decision import Decision, Hold, ImageRejection, Pin, Readmission
from updater.model.image import is_tag, parse_digest
from updater.model.moments import rfc3339
from updater.model.text import printable
from updater.settings.fields import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ANNOTATION_PREFIX: Final = "image-updater.gitops/"
LONGEST_TEXT: Final = 1000
LONGEST_ANNOTATION: Final = 16 * 1024
HOLD, PIN, REJECT, READMIT = "hold", "pin", "reject", "readmit"
KINDS: Final = (HOLD, PIN, REJECT, READMIT)
_COMMON: Final = ("author", "reason", "since", "until")
_FIELDS: Final = {HOLD: _COMMON, PIN: ("tag", *_COMMON), REJECT: ("tag", "digest", *_COMMON)}
_REVISION: Final = re.compile(r"[0-9a-f]{40}")
_LAST_MOMENT: Final = 253_402_300_799.0  # of the year 9999
_ANNOTATION_LIMITS: Final = DocumentLimits(size=LONGEST_ANNOTATION, depth=6, nodes=4000)


class DecisionRefused(Exception):  # noqa: N818 - it carries one flaw out of the reading of an entry to who knows its file
    """Says that an entry cannot be read: at which *place* of it, why, and what helps."""

    def __init__(self, place: tuple[str | int, ...], code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.place, self.code, self.message, self.hint = place, code, message, hint


def read_annotation(kind: str, text: str, *, key: str, where: str) -> tuple[Decision, ...]:
    """Read the decision of *kind* that an annotation holds about the subscription *key*; raise `ConfigError`."""
    if kind not in KINDS:
        raise ConfigError("this annotation is not known", hint=nearest(kind, KINDS), code="unknown-key")
    if len(text) > LONGEST_ANNOTATION:
        raise ConfigError(
            f"longer than {LONGEST_ANNOTATION} characters", hint="reject a version range by its policy", code="too-large"
        )
    found = read_yaml(where, text.encode("utf-8", "surrogatepass"), caps=_ANNOTATION_LIMITS)
    value = found.documents[0].value if len(found.documents) == 1 and not found.problems else text
    try:
        short = _in_short(kind, text.strip(), value)
        return tuple(read_entry(key, {} if short is None else {kind: short}, where))
    except DecisionRefused as wrong:
        raise ConfigError(wrong.message, hint=wrong.hint, code=wrong.code) from None


def _in_short(kind: str, text: str, value: Any) -> Any:
    """Return what an annotation says as an entry has it; None where it says that there is nothing."""
    if isinstance(value, dict):
        return [value] if kind == REJECT else value
    if kind == HOLD:
        return {True: {}, False: None}.get(value, value) if isinstance(value, bool) else value
    if kind == PIN:
        return {"tag": text}
    if isinstance(value, list):
        return value
    names = [name.strip() for name in text.split(",") if name.strip()]
    return names if kind == READMIT else [{"digest" if ":" in name else "tag": name} for name in names]


def read_entry(key: str, entry: Any, where: str) -> Iterator[Decision]:
    """Yield the decisions of one entry about the subscription *key*; raise `DecisionRefused`."""
    if not isinstance(entry, dict):
        raise DecisionRefused((), "wrong-type", "expected a mapping of hold, pin, reject and readmit")
    for name in entry:
        if name not in KINDS:
            raise DecisionRefused((name,), "unknown-key", f"unknown key {printable(name)!r}", nearest(name, KINDS))
    if HOLD in entry:
        yield Hold(key=key, where=where, **_common(entry[HOLD], (HOLD,), _FIELDS[HOLD]))
    if PIN in entry:
        yield Pin(key=key, where=where, tag=_tag(entry[PIN], (PIN,)), **_common(entry[PIN], (PIN,), _FIELDS[PIN]))
    for index, item in enumerate(_list(entry.get(REJECT, []), (REJECT,))):
        yield _rejection(key, item, (REJECT, index), where)
    revisions = _list(entry.get(READMIT, []), (READMIT,))
    for index, revision in enumerate(revisions):
        if not isinstance(revision, str) or not _REVISION.fullmatch(revision):
            raise DecisionRefused((READMIT, index), "wrong-type", "expected a commit, 40 hexadecimal digits")
    if revisions:
        yield Readmission(key=key, where=where, revisions=frozenset(revisions))


def _rejection(key: str, item: Any, place: tuple[str | int, ...], where: str) -> ImageRejection:
    common = _common(item, place, _FIELDS[REJECT])
    named = [name for name in ("tag", "digest") if item.get(name) is not None]
    if len(named) != 1:
        raise DecisionRefused(
            place, "missing-key", "a rejection names a tag or a digest", "write {tag: 1.2.3} or {digest: sha256:…}"
        )
    if named == ["tag"]:
        return ImageRejection(key=key, where=where, tag=_tag(item, place), **common)
    try:
        digest = parse_digest(str(item["digest"]))
    except ImageSyntaxError as error:
        raise DecisionRefused((*place, "digest"), "digest", error.message, error.hint) from None
    return ImageRejection(key=key, where=where, digest=str(digest), **common)


def _list(value: Any, place: tuple[str | int, ...]) -> list[Any]:
    if not isinstance(value, list):
        raise DecisionRefused(place, "wrong-type", f"{place[0]}: expected a list")
    return value


def _tag(item: Any, place: tuple[str | int, ...]) -> str:
    tag = item.get("tag")
    if not isinstance(tag, str):
        hint = "put the tag in quotes" if isinstance(tag, int | float) else "write tag: and the tag"
        raise DecisionRefused((*place, "tag"), "missing-key" if tag is None else "wrong-type", "expected the tag as text", hint)
    if not is_tag(tag):
        raise DecisionRefused((*place, "tag"), "tag", f"{printable(tag[:40])!r} is not a tag")
    return tag


def _common(item: Any, place: tuple[str | int, ...], known: tuple[str, ...]) -> dict[str, Any]:
    """Return author, reason and times of one decision; raise for a field that is not *known*."""
    if not isinstance(item, dict):
        raise DecisionRefused(place, "wrong-type", f"{place[0]}: expected a mapping such as {{reason: …, until: …}}")
    for name in item:
        if name not in known:
            raise DecisionRefused((*place, name), "unknown-key", f"unknown key {printable(name)!r}", nearest(name, known))
    found: dict[str, Any] = {}
    for name in ("author", "reason"):
        text = item.get(name)
        if text is not None and not isinstance(text, str):
            raise DecisionRefused((*place, name), "wrong-type", f"{name}: expected text", "put it in quotes")
        if text is not None and len(text) > LONGEST_TEXT:
            raise DecisionRefused((*place, name), "too-large", f"{name}: longer than {LONGEST_TEXT} characters")
        found[name] = text or ""
    for name in ("since", "until"):
        if item.get(name) is not None:
            found[name] = _moment(item[name], (*place, name))
    return found


def _moment(value: Any, place: tuple[str | int, ...]) -> float:
    moment = read_moment(value) if isinstance(value, str) else None
    if moment is None:
        raise DecisionRefused(
            place, "bad-value", f"{place[-1]}: expected a time with its zone", "write it as 2026-12-01T09:00:00Z"
        )
    return moment


def join_levels(levels: Iterable[Mapping[str, tuple[Decision, ...]]]) -> tuple[Decision, ...]:
    """Join what levels of annotations decide, the most exact first, each by its kinds; an object and what stands above it.

    Everything counts, so that no decision is lost by another one; but a level that says ``false`` for a hold has none of those
    below it, and of several pins the one of the first level counts.
    """
    found: list[Decision] = []
    is_exempt = False
    for depth, level in enumerate(levels):
        for kind, decisions in level.items():
            if kind == PIN and depth:  # of pins the latest counts: without a time it is the earliest
                found += (replace(item, since=None) for item in decisions)
            elif kind != HOLD or not is_exempt:
                found += decisions
        is_exempt = is_exempt or level.get(HOLD) == ()
    return tuple(found)


def read_moment(text: str) -> float | None:
    """Read a time of RFC 3339, which has a zone; None for any other text."""
    try:
        moment = datetime.fromisoformat(text.strip())
        seconds = moment.timestamp() if moment.tzinfo is not None else -1.0
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= _LAST_MOMENT else None


def entry_of(decisions: Iterable[Decision]) -> dict[str, Any]:
    """Return *decisions* about one subscription as an entry, which `read_entry` reads back."""
    entry: dict[str, Any] = {}
    for item in decisions:
        common = {"author": item.author or None, "reason": item.reason or None}
        times = {name: rfc3339(at) for name, at in (("since", item.since), ("until", item.until)) if at is not None}
        named = {"tag": getattr(item, "tag", None) or None, "digest": getattr(item, "digest", None) or None}
        row = {name: value for name, value in (named | common | times).items() if value is not None}
        if isinstance(item, Hold) and not item.is_unread:
            entry[HOLD] = row
        elif isinstance(item, Pin):
            entry[PIN] = row
        elif isinstance(item, ImageRejection):
            entry.setdefault(REJECT, []).append(row)
        elif isinstance(item, Readmission):
            entry[READMIT] = sorted({*entry.get(READMIT, ()), *item.revisions})
    return {kind: entry[kind] for kind in KINDS if kind in entry}


def annotation_texts(entry: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the text of the annotation of each kind, None where there is to be none."""
    texts: dict[str, str | None] = dict.fromkeys(KINDS)
    for kind, value in entry.items():
        is_plain = kind == READMIT
        texts[kind] = (
            ",".join(value) if is_plain else json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        )
    return texts
