"""What a pull request of ours says, and the hidden marker by which it is found again after everything local is lost.

All that stands in the body comes from files, registries and settings: it is shown as code, so that nothing of it is a link, a
mention or a marker.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError
from updater.forge.base import ProposalText
from updater.writeback.message import message_template, subject_of
from updater.writeback.message_data import message_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.model.update import Change, Update

MOST_VALUES: Final = 3000
LONGEST_BODY: Final = 60_000  # GitHub takes 65,536 characters
_LONGEST_TITLE: Final = 200
_LONGEST_CELL: Final = 300
#: at the start of a line: one that stands in a quotation or in a cell is no marker
_MARKER: Final = re.compile(r"^<!-- updater:proposal v1 text=([0-9a-f]{16}) values=([0-9a-f,]*) -->", re.MULTILINE)
_HEAD: Final = "| Image | Old → new | Place | Policy | Requested by |\n| --- | --- | --- | --- | --- |\n"
_REFUSE: Final = """
**Merge** this pull request to accept the changes. **Close it without merging** to say no: updater does not propose these values
again, and opens another pull request as soon as a newer version may be chosen. Reopen it to take that back.

This branch is rebuilt when its base moves or a newer version appears. Once somebody else commits to it, updater leaves it alone.
"""


@dataclass(frozen=True, slots=True)
class ProposalMarker:
    """What the hidden marker holds: a fingerprint of title and body, and one of each value that is proposed."""

    text: str
    values: frozenset[str]


def read_marker(body: str) -> ProposalMarker | None:
    """Return the marker of the body of a pull request, None where it has none: then it is not ours."""
    found = _MARKER.search(body)
    return ProposalMarker(found[1], frozenset(filter(None, found[2].split(",")))) if found else None


def fingerprint(update: Update) -> str:
    """Return what tells the value of one target from every other: what people decide for or against."""
    what = (update.subscription, str(update.target), str(update.image))
    return hashlib.sha256("\0".join(what).encode(errors="surrogateescape")).hexdigest()[:12]


def proposal_text(updates: Sequence[Update], changes: Mapping[Update, tuple[Change, ...]], *, title: str = "") -> ProposalText:
    """Return title and body for *updates*; *title* is a template, "" for the subject of the commit.

    Raises `ForgeError` ``proposal-large`` for more than a body can hold, and `TemplateError`.
    """
    values = sorted({fingerprint(update) for update in updates})
    if len(values) > MOST_VALUES:
        hint = "write some of the targets to a branch of their own, or without proposal"
        message = f"{len(values)} values are more than the {MOST_VALUES} that one pull request can hold"
        raise ForgeError(message, hint=hint, code="proposal-large")
    return _marked(_title(updates, changes, title), _table(updates, changes, LONGEST_BODY - 13 * len(values)) + _REFUSE, values)


def _title(updates: Sequence[Update], changes: Mapping[Update, tuple[Change, ...]], template: str) -> str:
    made = ""
    if template:
        spec = updates[0].target.commit_spec
        made = message_template(template).render(message_data(updates, changes, dict(spec.values), owner=spec.owner))
    return _plain(" ".join(made.split()) or subject_of(updates))[:_LONGEST_TITLE]


def closing_text(base: str) -> ProposalText:
    """Return title and body of a pull request that we close ourselves: it rejects nothing."""
    return _marked("Superseded: nothing is left to change", f"{closing_words(base)}\n", ())


def closing_words(base: str) -> str:
    """Return why we close a pull request ourselves."""
    return f"Nothing is left to change: {as_code(base)} holds these values by now, or they are no longer chosen."


def _marked(title: str, body: str, values: Sequence[str]) -> ProposalText:
    digest = hashlib.sha256(f"{title}\0{body}".encode()).hexdigest()[:16]
    # the marker comes first: nothing that stands in the body can be taken for it
    return ProposalText(title=title, body=f"<!-- updater:proposal v1 text={digest} values={','.join(values)} -->\n{body}")


def _table(updates: Sequence[Update], changes: Mapping[Update, tuple[Change, ...]], room: int) -> str:
    rows = list(dict.fromkeys(_row(update, change) for update in updates for change in changes.get(update, ())))
    left = room - len(_HEAD) - len(_REFUSE) - 200
    shown: list[str] = []
    for row in rows:
        left -= len(row)
        if left < 0:
            break
        shown.append(row)
    more = f"\nand {len(rows) - len(shown)} more\n" if len(shown) < len(rows) else ""
    return f"{_HEAD}{''.join(shown)}{more}"


def _row(update: Update, change: Change) -> str:
    name = update.image.name.spelled
    old, new = (text.removeprefix(f"{name}:").removeprefix(f"{name}@") for text in (change.old, change.new))
    cells = (
        as_code(str(update.written_as.name)),
        f"{as_code(old or 'nothing')} → {as_code(new)}",
        as_code(f"{change.path}:{change.line}"),
        as_code(update.policy),
        as_code(f"{update.subscription} ({update.origin})"),
    )
    return f"| {' | '.join(cells)} |\n"


def as_code(text: str) -> str:
    """Return *text* as code in a cell of Markdown: a backtick would end it, a bar the cell, also one behind a backslash."""
    shown = _plain(text) if len(text) <= _LONGEST_CELL else f"{_plain(text[:_LONGEST_CELL])}…"
    escaped = shown.replace("`", "'").replace("\\|", "\u2216|").replace("|", "\\|")
    return f"`{escaped or ' '}`"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
