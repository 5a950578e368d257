"""What a pull request of ours says, and the hidden marker by which it is found again after everything local is lost.

All that stands in the body comes from files, registries and settings: it is shown as code, so that nothing of it is a link, a
mention or a marker.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError
from updater.forge.base import ProposalText
from updater.model.decision import PINNED
from updater.writeback.message import message_template, subject_of
from updater.writeback.message_data import message_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from updater.model.subscription import Target
    from updater.model.update import Change, Held, Update
    from updater.writeback.proposal_links import SourceLinks

MOST_VALUES: Final = 3000
LONGEST_BODY: Final = 60_000  # GitHub takes 65,536 characters
LONGEST_TITLE: Final = 255
#: labels, reviewers and assignees are still to be set; why it is closed is still to be told
DRESS: Final = "labels"
TELL: Final = "words"
_LONGEST_CELL: Final = 300
#: at the start of a line: one that stands in a quotation or in a cell is no marker
_MARKER: Final = re.compile(
    r"^<!-- updater:proposal v1 text=([0-9a-f]{16}) values=([0-9a-f,]*)(?: places=([0-9a-f,]*))?(?: rejected=([0-9a-f,]*))? -->",
    re.MULTILINE,
)
#: behind the marker on its line: what is done once and was not done yet, and which installation opened it
_NOTES: Final = re.compile(r"(?:<!-- updater:(?:due|owner) [0-9a-z]+ -->)*")
_DUE: Final = re.compile(r"<!-- updater:due ([0-9a-z]+) -->")
_OWNER: Final = re.compile(r"<!-- updater:owner ([0-9a-z]+) -->")
_START: Final = re.compile(r"^<!-- updater:proposal v1 text=", re.MULTILINE)
_MARKER_LENGTH: Final = 200
_MOST_REJECTED: Final = 200
_LEAST_TABLE: Final = 600
_MOST_PLACES: Final = 500
_LONGEST_SECTION: Final = 8_000
_SHOWN_DIGEST: Final = len("sha256:") + 12
_HEAD: Final = "| Image | Old → new | Place | Policy | Requested by |\n| --- | --- | --- | --- | --- |\n"
_REFUSE: Final = """
**Merge** this pull request to accept the changes. **Close it without merging** to say no: updater does not propose these values
again, and opens another pull request as soon as a newer version may be chosen. {back}

This branch is rebuilt when its base moves or a newer version appears. Once somebody else commits to it, updater leaves it alone.
"""
_REOPEN: Final = "Reopen it to take that back."
_RELEASE: Final = "Run `updater release` to take that back: a declined pull request cannot be reopened here."


@dataclass(frozen=True, slots=True)
class ProposalMarker:
    """What the hidden marker holds: fingerprints of title and table, of each value that is proposed, of each place it is for.

    *rejected* are the values that were rejected before it was opened, None where that is not said. *due* is what is done once and
    was not done yet, `DRESS` or `TELL`, "" for nothing, *owner* the installation that wrote it, "" where it has no name.
    """

    text: str
    values: frozenset[str]
    places: frozenset[str] = frozenset()
    rejected: frozenset[str] | None = None
    due: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalExtras:
    """What a text has besides its changes; none of it is a reason to write the text again.

    *links* are to the sources of old and new images, *held* is what is not proposed, *longest* how many characters there may be,
    and *longest_title* in the title.
    *rejected* are fingerprints of what people decided against, None where that is not known. *owner* names the installation, ""
    for none. *can_reopen* says whether people can open a closed one again.
    """

    links: Mapping[Update, SourceLinks] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    longest: int = LONGEST_BODY
    longest_title: int = LONGEST_TITLE
    rejected: frozenset[str] | None = None
    owner: str = ""
    can_reopen: bool = True


_NO_EXTRAS: Final = ProposalExtras()


def read_marker(body: str) -> ProposalMarker | None:
    """Return the marker of the body of a pull request, None where it has none: then it is not ours."""
    found = _MARKER.search(body)
    if found is None:
        return None
    rejected = _parts(found[4]) if found[4] is not None else None
    notes = _notes(body, found.end())
    due, owner = (note[1] if (note := kind.search(notes)) else "" for kind in (_DUE, _OWNER))
    return ProposalMarker(found[1], _parts(found[2]), _parts(found[3] or ""), rejected, due, owner)


def _notes(body: str, start: int) -> str:
    found = _NOTES.match(body, start)
    return found[0] if found else ""


def with_due(text: ProposalText, due: str) -> ProposalText:
    """Return *text*, whose marker says that *due* is left to do."""
    return replace(text, body=_MARKER.sub(lambda found: f"{found[0]}<!-- updater:due {due} -->", text.body, count=1))


def without_due(text: ProposalText) -> ProposalText:
    """Return *text*, whose marker says that nothing is left to do."""
    found = _MARKER.search(text.body)
    if found is None:
        return text
    notes = _notes(text.body, found.end())
    return replace(text, body=text.body[: found.end()] + _DUE.sub("", notes) + text.body[found.end() + len(notes) :])


def has_marker(body: str) -> bool:
    """Return whether a marker begins in *body*: a listing may cut bodies short."""
    return _START.search(body) is not None


def marker_line(body: str) -> str:
    """Return the line of *body* that `read_marker` reads, or that `has_marker` finds where a listing cut it; "" for none."""
    found = _MARKER.search(body) or _START.search(body)
    return body[found.start() :].partition("\n")[0] if found else ""


def _parts(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))


def place_fingerprint(subscription: str, target: Target) -> str:
    """Return what tells one target of one subscription from every other, from whatever branch it is proposed."""
    what = (subscription, target.editor, str(target.locator))
    return hashlib.sha256("\0".join(what).encode(errors="surrogateescape")).hexdigest()[:8]


def fingerprint(update: Update) -> str:
    """Return what tells the value of one target from every other: what people decide for or against.

    What a person pinned is another decision than what the policy chose: who closed the one did not say no to the other.
    """
    pinned = (PINNED,) if update.policy == f"{PINNED} {update.written_as.tag}" else ()
    what = (update.subscription, str(update.target), str(update.image), *pinned)
    return hashlib.sha256("\0".join(what).encode(errors="surrogateescape")).hexdigest()[:12]


def proposal_text(
    updates: Sequence[Update],
    changes: Mapping[Update, tuple[Change, ...]],
    extras: ProposalExtras = _NO_EXTRAS,
    *,
    title: str = "",
    body: str = "",
) -> ProposalText:
    """Return title and body for *updates*. *title* is a template, "" for the subject of the commit; *body* one for a text above.

    Raises `ForgeError` ``proposal-large`` for more than a body can hold, and `TemplateError`.
    """
    values = sorted({fingerprint(update) for update in updates})
    places = sorted({place_fingerprint(update.subscription, update.target) for update in updates})
    places = places if len(places) <= _MOST_PLACES else []
    rejected = extras.rejected if extras.rejected is None or len(extras.rejected) <= _MOST_REJECTED else None
    room = extras.longest - 13 * (len(values) + len(rejected or ())) - 9 * len(places) - _MARKER_LENGTH
    refuse = _REFUSE.format(back=_REOPEN if extras.can_reopen else _RELEASE)
    if len(values) > MOST_VALUES or room < len(_HEAD) + len(refuse) + _LEAST_TABLE:
        hint = "write some of the targets to a branch of their own, or without proposal"
        most = min(MOST_VALUES, max(len(values) - 1, 0))
        message = f"{len(values)} values are more than the {most} that one pull request can hold"
        raise ForgeError(message, hint=hint, code="proposal-large")
    pairs = [(update, change) for update in updates for change in changes.get(update, ())]
    rows = list(dict.fromkeys(_row(update, change, _digest(update, change)) for update, change in pairs))
    # a digest that a registry does not tell today is no reason to write the text again
    core = "".join(dict.fromkeys(_row(update, change, "") for update, change in pairs))
    more = [_sources(extras.links), _held(extras.held)]
    room -= len(_HEAD) + len(refuse)
    above = _above(_rendered(updates, changes, body), room // 3)
    more = [section for section in more if len(section) < room // 3]
    table = _table(rows, room - len(above) - sum(map(len, more)))
    named = _title(updates, _rendered(updates, changes, title))[: extras.longest_title]
    marks = {"values": values, "places": places} | ({} if rejected is None else {"rejected": sorted(rejected)})
    return _marked(named, "".join([above, table, *more, refuse]), f"{above}{core}{refuse}", marks, owner=extras.owner)


def _rendered(updates: Sequence[Update], changes: Mapping[Update, tuple[Change, ...]], template: str) -> str:
    if not template:
        return ""
    spec = updates[0].target.commit_spec
    return message_template(template).render(message_data(updates, changes, dict(spec.values), owner=spec.owner))


def _title(updates: Sequence[Update], made: str) -> str:
    return _plain(" ".join(made.split()) or subject_of(updates))[:LONGEST_TITLE]


def _above(made: str, longest: int) -> str:
    """Return the text that stands above the table, without what a terminal or a page would not show; "" for none."""
    shown = "\n".join(_plain(line).rstrip() for line in made.splitlines()).strip()
    return f"{shown[:longest]}\n\n" if shown else ""


def closing_text(base: str) -> ProposalText:
    """Return title and body of a pull request that we close ourselves: it rejects nothing."""
    body = f"{closing_words(base)}\n"
    return _marked("Superseded: nothing is left to change", body, body, {"values": ()})


def closing_words(base: str) -> str:
    """Return why we close a pull request ourselves."""
    return f"Nothing is left to change: {as_code(base)} holds these values by now, or they are no longer chosen."


def superseding_text(by: str) -> ProposalText:
    """Return title and body of a pull request that another branch replaces; *by* is that one, "" where nobody asks for it."""
    body = f"{superseding_words(by)}\n"
    return _marked("Superseded: another pull request has these changes" if by else "Superseded", body, body, {"values": ()})


def superseding_words(by: str) -> str:
    """Return why we close a pull request that nobody asks for any more, or that has another branch by now."""
    if by:
        return f"Superseded: the configuration proposes these changes from the branch {as_code(by)} by now."
    return "Superseded: no subscription asks for these changes any more."


def _marked(title: str, body: str, core: str, marks: Mapping[str, Sequence[str]], *, owner: str = "") -> ProposalText:
    digest = hashlib.sha256(f"{title}\0{core}".encode()).hexdigest()[:16]
    said = " ".join(f"{name}={','.join(part)}" for name, part in marks.items())
    note = f"<!-- updater:owner {owner} -->" if owner else ""
    # the marker comes first: nothing that stands in the body can be taken for it
    return ProposalText(title=title, body=f"<!-- updater:proposal v1 text={digest} {said} -->{note}\n{body}")


def _table(rows: Sequence[str], left: int) -> str:
    shown: list[str] = []
    for row in rows:
        left -= len(row)
        if left < _LEAST_TABLE // 2:
            break
        shown.append(row)
    more = f"\nand {len(rows) - len(shown)} more\n" if len(shown) < len(rows) else ""
    return f"{_HEAD}{''.join(shown)}{more}"


def _sources(links: Mapping[Update, SourceLinks]) -> str:
    lines = dict.fromkeys(f"- {as_code(str(update.written_as.name))}: {found}" for update, found in links.items() if str(found))
    return _section("**Sources**", lines)


def _held(held: Iterable[Held]) -> str:
    lines = dict.fromkeys(f"- {as_code(item.subscription)}: {as_code(item.reason)} ({as_code(item.code)})" for item in held)
    return _section("**Held back**", lines)


def _section(head: str, lines: Iterable[str]) -> str:
    left, shown = _LONGEST_SECTION, []
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            shown.append("- and more")
            break
        shown.append(line)
    return "\n".join(["", head, "", *shown, ""]) if shown else ""


def _digest(update: Update, change: Change) -> str:
    digest = str(update.written_as.digest or update.image.digest or "")
    return f" {as_code(digest[:_SHOWN_DIGEST])}" if digest and digest not in change.new else ""


def _row(update: Update, change: Change, digest: str) -> str:
    name = update.image.name.spelled
    old, new = (text.removeprefix(f"{name}:").removeprefix(f"{name}@") for text in (change.old, change.new))
    cells = (
        as_code(str(update.written_as.name)),
        f"{as_code(old or 'nothing')} → {as_code(new)}{digest}",
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
