"""The template of a route: what it is shown, and how it is tried before a message needs it.

What a template is shown is escaped for the service already; the template's own text is the user's, and goes as it is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from updater.model.moments import rfc3339
from updater.model.notification import NotifiedEvent
from updater.model.outcome import Move
from updater.model.update import Change
from updater.model.written import Written
from updater.reporting.notifications.dialects import PLAIN
from updater.reporting.notifications.notices import Notice, NoticeLine
from updater.reporting.notifications.rendering import name_of, text_of, title_of, value_of
from updater.templates import Struct, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.reporting.notifications.dialects import TextDialect
    from updater.templates.template import Template

MOST_EVENTS: Final = 200
_DESTINATION: Final = "https://git.example.org/fleet.git#main"
_DETAILS: Final = {
    NotifiedEvent.HELD: ("1.2.0 waits until it is 3 days old", "min-age", ""),
    NotifiedEvent.FAILED: (
        "registry ghcr.io returned HTTP 503",
        "registry-unavailable",
        "it is tried again; check the registry if this lasts",
    ),
    NotifiedEvent.RECOVERED: ("1.1.0 is already the newest allowed version", None, ""),
}


def templated(text: str, notice: Notice, dialect: TextDialect, *, route: str) -> str:
    """Return what the template *text* makes of a notice; raise `TemplateError` with the place in the template."""
    return _parsed(text).render(_data(notice, dialect, route))


def try_template(text: str) -> None:
    """Render *text* for a notice that never was, with every kind of event; raise `TemplateError`."""
    templated(text, example(NotifiedEvent), PLAIN, route="shop")


def example(events: Iterable[NotifiedEvent]) -> Notice:
    """Return a notice that shows *events*, of a subscription that never was."""
    return Notice(lines=tuple(map(_example, events)), at=datetime.now(UTC), is_test=True)


@lru_cache(maxsize=64)
def _parsed(text: str) -> Template:
    return parse(text, name="notification")


def _data(notice: Notice, dialect: TextDialect, route: str) -> Struct:
    fields = (
        ("Route", dialect.escape(route)),
        ("Title", dialect.escape(title_of(notice))),
        ("Text", text_of(notice, dialect)),
        ("At", rfc3339(notice.at)),
        ("IsTest", notice.is_test),
        ("Lost", notice.lost),
        ("Destinations", [dialect.escape(text) for text in notice.destinations]),
        ("Events", [_event(line, dialect) for line in notice.lines[:MOST_EVENTS]]),
    )
    return Struct("Notification", fields)


def _event(line: NoticeLine, dialect: TextDialect) -> Struct:
    say = dialect.escape
    first = next(iter(line.moves), None)
    fields = (
        ("Event", str(line.event)),
        ("Subscription", say(line.key)),
        ("Image", say(name_of(line))),
        ("Old", say(value_of(first.old)) if first else ""),
        ("New", say(value_of(first.new)) if first else ""),
        ("Detail", say(line.detail)),
        ("Code", line.code or ""),
        ("Hint", say(line.hint)),
        ("Target", say(line.target)),
        ("Destination", say(line.destination)),
        ("Revision", say(line.revision or "")),
        ("Link", say(line.link or "")),
        ("Changes", [_change(change, dialect) for change in line.changes[:MOST_EVENTS]]),
    )
    return Struct("Event", fields)


def _change(change: Change, dialect: TextDialect) -> Struct:
    say = dialect.escape
    fields = (("Path", say(change.path)), ("Line", change.line), ("Old", say(change.old)), ("New", say(change.new)))
    return Struct("Change", fields)


def _example(event: NotifiedEvent) -> NoticeLine:
    detail, code, hint = _DETAILS.get(event, ("ghcr.io/example/shop 1.0.0 → 1.1.0", None, ""))
    is_written = event not in _DETAILS
    tags = ("1.1.0", "1.0.0") if event is NotifiedEvent.REVERTED else ("1.0.0", "1.1.0")
    old, new = (Written(name="ghcr.io/example/shop", tag=tag) for tag in tags)
    change = Change(path="apps/shop.yaml", line=7, where="spec.image", old=str(old), new=str(new))
    return NoticeLine(
        event=event,
        key="shop",
        target=f"{_DESTINATION} marker apps: flux-system:shop",
        destination=_DESTINATION,
        detail=detail,
        code=code,
        hint=hint,
        moves=(Move(old=old, new=new),) if is_written else (),
        changes=(change,) if is_written else (),
        revision="0123456789abcdef0123456789abcdef01234567" if is_written else None,
        link="https://git.example.org/fleet/pulls/1" if event is NotifiedEvent.PROPOSED else None,
    )
