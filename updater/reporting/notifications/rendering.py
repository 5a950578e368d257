"""What a message says in our words: its title and its text, in a dialect and within a length. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from updater.model.notification import NotifiedEvent
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from updater.model.outcome import Move
    from updater.model.written import Written
    from updater.reporting.notifications.dialects import TextDialect
    from updater.reporting.notifications.notices import Notice, NoticeLine

TITLE_LENGTH: Final = 200
TEXT_LENGTH: Final = 8000
_DETAIL_LENGTH: Final = 400
_MOST_KEYS: Final = 10
_MOST_PLACES: Final = 5
_COMMIT_LENGTH: Final = 9
_ROOM: Final = 60  # for the line that says how many are left out
_ORDER: Final = (
    NotifiedEvent.FAILED,
    NotifiedEvent.REVERTED,
    NotifiedEvent.HELD,
    NotifiedEvent.PROPOSED,
    NotifiedEvent.UPDATED,
    NotifiedEvent.RECOVERED,
)
_MOVED: Final = {
    NotifiedEvent.UPDATED: "updated to {}",
    NotifiedEvent.REVERTED: "reverted to {}",
    NotifiedEvent.PROPOSED: "{} is proposed",
}


def title_of(notice: Notice) -> str:
    """Return one line of plain text that says what a notice is about."""
    lines = notice.lines
    events = {(line.key, line.event) for line in lines}
    if len(events) == 1:
        text = _one(lines)
    else:
        counts = Counter(event for _, event in events)
        text = ", ".join(f"{counts[event]} {event}" for event in _ORDER if counts[event])
        places = notice.destinations
        text += f" in {places[0]}" if len(places) == 1 else f" in {len(places)} places" if places else ""
    return _cut(printable(f"Test: {text}" if notice.is_test else text), TITLE_LENGTH)


def text_of(notice: Notice, dialect: TextDialect, *, length: int = TEXT_LENGTH) -> str:
    """Return the text of a notice: each event with what it is about, then where; at most *length* characters."""
    footer = list(_footer(notice, dialect))
    left = length - sum(len(line) + len(dialect.line_end) for line in footer) - _ROOM
    blocks, omitted = [], 0
    for event in _ORDER:
        shown: list[str] = []
        heading = dialect.heading(event.value.capitalize())
        for item, count in _items([line for line in notice.lines if line.event is event], dialect):
            cost = len(item) + len(dialect.line_end) + (0 if shown else len(heading) + 2 * len(dialect.line_end))
            if omitted or cost > left:
                omitted += count
                continue
            left -= cost
            shown.append(item)
        if shown:
            blocks.append(dialect.line_end.join([heading, *([""] if dialect.item == "- " else []), *shown]))
    if omitted:
        blocks.append(f"and {omitted} more")
    return f"{dialect.line_end}{dialect.line_end}".join([*blocks, *([dialect.line_end.join(footer)] if footer else [])])


def value_of(written: Written) -> str:
    """Return what is written without the name: the tag, the digest or both; a digest at a length that people read."""
    digest = written.digest or ""
    short = digest[: digest.find(":") + 13]
    return "@".join(part for part in (written.tag or "", short) if part) or "nothing"


def name_of(line: NoticeLine) -> str:
    """Return the name of the image that a line is about, "" where it is not known."""
    return next((move.new.name or move.old.name or "" for move in line.moves), "")


def _one(lines: Sequence[NoticeLine]) -> str:
    line = lines[0]
    values = list(dict.fromkeys(value_of(move.new) for each in lines for move in each.moves))
    wording = _MOVED.get(line.event) if len(values) == 1 else None
    return f"{_cut(line.key, TITLE_LENGTH // 2)}: {wording.format(values[0]) if wording else line.event}"


def _items(lines: Sequence[NoticeLine], dialect: TextDialect) -> Iterator[tuple[str, int]]:
    """Yield an item for all that ended alike, and how many subscriptions it is about."""
    alike: dict[tuple[str, str], dict[str, None]] = {}
    for line in lines:
        alike.setdefault((_said(line, dialect), line.hint), {})[line.key] = None
    for (said, hint), keys in alike.items():
        named = [dialect.escape(key) for key in list(keys)[:_MOST_KEYS]]
        more = f" and {len(keys) - len(named)} more" if len(keys) > len(named) else ""
        text = f"{dialect.item}{', '.join(named)}{more}: {said}"
        yield f"{text}{dialect.line_end}  hint: {dialect.escape(_cut(hint, _DETAIL_LENGTH))}" if hint else text, len(keys)


def _said(line: NoticeLine, dialect: TextDialect) -> str:
    """Return what is said of one target: how its image moved, or why it is as it is."""
    if line.moves and line.event in _MOVED:
        moved = "; ".join(dict.fromkeys(_moved(move) for move in line.moves))
        link = f" ({dialect.escape(line.link)})" if line.link else ""
        return f"{dialect.escape(_cut(moved, _DETAIL_LENGTH))}{link}"
    code = f" [{line.code}]" if line.code and line.event is not NotifiedEvent.RECOVERED else ""
    return f"{dialect.escape(_cut(line.detail, _DETAIL_LENGTH))}{code}"


def _moved(move: Move) -> str:
    old, new = move.old.name or "", move.new.name or move.old.name or ""
    is_renamed = old not in {"", new}
    before = f"{old} {value_of(move.old)}" if is_renamed else value_of(move.old)
    return f"{before} → {new} {value_of(move.new)}" if is_renamed else f"{new} {before} → {value_of(move.new)}".strip()


def _footer(notice: Notice, dialect: TextDialect) -> Iterator[str]:
    places = dict.fromkeys((line.destination, line.revision or "") for line in notice.lines if line.destination)
    named = {destination for destination, revision in places if revision}
    shown = [pair for pair in places if pair[1] or pair[0] not in named]
    for destination, revision in shown[:_MOST_PLACES]:
        commit = f", commit {dialect.escape(revision[:_COMMIT_LENGTH])}" if revision else ""
        yield f"{dialect.escape(_cut(destination, TITLE_LENGTH))}{commit}"
    if len(shown) > _MOST_PLACES:
        yield f"and {len(shown) - _MOST_PLACES} more places"
    if notice.lost:
        yield f"{notice.lost} messages before this one could not be delivered"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
