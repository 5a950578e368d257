"""How values become HTML: the templates, and how texts, times, keys and links are written in them.

Every text that a template prints is printable, bounded and without passwords, and Jinja escapes it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from updater import __version__
from updater.model.moments import rfc3339
from updater.model.outcome import Status
from updater.reporting.plain import told
from updater.web.fleet import UNKNOWN
from updater.web.keys import path_of_key
from updater.web.page.assets import asset_address

if TYPE_CHECKING:
    from collections.abc import Mapping

#: from the longest on: the span in seconds, and the letter or word after the number
_SPANS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
#: the states in which subscriptions are shown and counted, those first that want a person
STATES: Final = (
    *map(
        str,
        (
            Status.FAILED,
            Status.HELD,
            Status.PROPOSED,
            Status.UPDATED,
            Status.REVERTED,
            Status.NO_MATCH,
            Status.UNCHANGED,
        ),
    ),
    UNKNOWN,
)
#: the places of pages below the site
HOME: Final = "/"
ROWS: Final = "/rows"
LIVE: Final = "/live"
HEALTH: Final = "/parts/health"
SUBSCRIPTION: Final = "/subscriptions/"


def state_link(state: str) -> str:
    """Return where the subscriptions of a state are shown."""
    return f"{HOME}?state={state}"


def row_id(key: str) -> str:
    """Return the name of the row of a subscription: in HTML, and of the event that replaces it."""
    return "row-" + hashlib.blake2s(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def address_of(key: str) -> str:
    """Return where one subscription is shown."""
    return SUBSCRIPTION + path_of_key(key)


def web_link(link: str | None) -> str | None:
    """Return *link* where a browser may follow it: an address of the web, whatever a forge or an object said."""
    if not link:
        return None
    try:
        found = urlsplit(link)
    except ValueError:
        return None
    return link if found.scheme in {"http", "https"} and found.hostname else None


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago *at* was, or in what time it will be, in the largest span that fits."""
    seconds = (now - at).total_seconds()
    size = abs(seconds)
    if size < 1.0:
        return "now"
    span, unit = next(item for item in _SPANS if size >= item[0])
    text = f"{int(size // span)} {unit}"
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def clock(at: datetime) -> str:
    """Return a moment for people, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def stamp(at: datetime | None, now: datetime) -> Markup:
    """Return an element of a moment; a dash where it is not known."""
    if at is None:
        return Markup('<span class="none">–</span>')
    return Markup('<time datetime="{}" title="{}">{}</time>').format(rfc3339(at), clock(at), ago(at, now))


def version_of(written: str) -> str:
    """Return the part of a written image that changes: its tag, with a short digest."""
    name, at, digest = written.partition("@")
    _, colon, tag = name.rpartition(":")
    tag = tag if colon and "/" not in tag else "" if "/" in name else name
    short = f"{digest.partition(':')[2][:12]}" if at else ""
    return "@".join(part for part in (tag, short) if part) or written


def _shown(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return told(value)
    return "" if value is None else value


@cache
def environment() -> Environment:
    """Return the templates with everything that they use."""
    made = Environment(
        loader=PackageLoader("updater.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(row_id=row_id, address=address_of, web_link=web_link, version=version_of, clock=clock, moment=rfc3339)
    made.globals.update(asset=asset_address, program_version=__version__, stamp=stamp, home=HOME, live=LIVE, health_part=HEALTH)
    return made


def render(template: str, values: Mapping[str, Any], *, now: datetime | None = None) -> str:
    """Return what *template* makes of *values*."""
    return environment().get_template(template).render({"now": now or datetime.now(UTC), **values})


def macro(template: str, name: str, *values: Any) -> str:
    """Return what one macro of *template* makes of *values*."""
    module: Any = environment().get_template(template).module
    return str(getattr(module, name)(*values))
