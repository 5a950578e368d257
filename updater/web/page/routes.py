"""The page: the fleet with its filter, one subscription, the health of what is asked, and the stream that keeps them current."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiDict

from updater.errors import UpdaterError
from updater.web.access import person_of
from updater.web.answers import ApiRefusal, row_query
from updater.web.fleet import USUAL_ROWS, page_of
from updater.web.keys import key_of
from updater.web.page.assets import ASSETS, serve_asset
from updater.web.page.ladder import picture_of
from updater.web.page.live import LiveFrames
from updater.web.page.rendering import HEALTH, HOME, LIVE, ROWS, STATES, SUBSCRIPTION, render
from updater.web.sse import EventStreams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from multidict import MultiMapping

    from updater.web.api import Fleet
    from updater.web.fleet import RowPage, RowQuery

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SHOWN_EVENTS: Final = 40
HEALTH_KEPT: Final = 2.0
_SORTS: Final = {"key": "by key", "state": "by state", "last_change": "by last change", "newest_at": "by age of the newest"}
_NEWEST_FIRST: Final = frozenset({"last_change", "newest_at", "since"})
_COMPRESSED_FROM: Final = 2048


class Page:
    """The routes of the page over *fleet*."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.streams = EventStreams(fleet.events, render=LiveFrames(fleet).render)
        self._health = (-HEALTH_KEPT, "")

    def routes(self) -> list[web.RouteDef]:
        """Return them."""
        return [
            web.get(HOME, page_of_errors(self.fleet)),
            web.get(ROWS, page_of_errors(self.rows)),
            web.get(f"{SUBSCRIPTION}{{key:.+}}", page_of_errors(self.subscription)),
            web.get(HEALTH, page_of_errors(self.health)),
            web.get(LIVE, self.streams.serve),
            web.get(f"{ASSETS}{{name}}", serve_asset),
        ]

    async def fleet(self, request: web.Request) -> web.Response:
        """Answer the fleet, or what of it the query asks for."""
        after = self._after()
        values = await self._table(request.query)
        health = await self._fleet.health()
        more = {
            "health": health,
            "after": after,
            "person": person_of(request),
            "events": self._fleet.events.latest(SHOWN_EVENTS),
            "replica": self._fleet.replica,
        }
        return html("fleet.html", {**values, **more})

    async def rows(self, request: web.Request) -> web.Response:
        """Answer the rows that follow those which a page shows already."""
        return html("rows.html", await self._table(request.query))

    async def subscription(self, request: web.Request) -> web.Response:
        """Answer one subscription in full."""
        after = self._after()
        detail = await self._fleet.detail(key_of(request))
        values = {name: getattr(detail, name) for name in type(detail).__slots__}
        return html(
            "subscription.html", {**values, "person": person_of(request), "after": after, "picture": picture_of(detail.ladder)}
        )

    async def health(self, _request: web.Request) -> web.Response:
        """Answer how everything that is asked is; every open page asks for it now and then."""
        made, text = self._health
        if time.monotonic() - made > HEALTH_KEPT:
            text = render("health.html", {"health": await self._fleet.health()})
            self._health = time.monotonic(), text
        return answered(text)

    def _after(self) -> str:
        """Return up to which event a page that is made now is current: its stream begins there, so that it misses none."""
        return f"{self._fleet.events.run}-{self._fleet.events.last}"

    async def _table(self, asked: MultiMapping[str]) -> Mapping[str, Any]:
        query, plain = _query(asked)
        page = page_of(await self._fleet.table(), query)
        counts = {state: page.states.get(state, 0) for state in STATES}
        return {
            "page": page,
            "query": query,
            "states": STATES,
            "counts": counts,
            "count_links": {state: _link(HOME, {**plain, "state": _toggled(state, plain)}) for state in STATES},
            "sorts": _SORTS,
            "is_whole": not {"q", "state", "source", "namespace", "key"} & plain.keys(),
            "more": _more(page, plain),
        }


def page_of_errors(handler: Handler) -> Handler:
    """Return *handler* with its refusals told as a page, for people."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiRefusal as refusal:
            return refused(refusal)
        except UpdaterError as error:
            return refused(ApiRefusal.of(error))

    return answer


def refused(refusal: ApiRefusal) -> web.Response:
    """Return a refusal as a page."""
    title = {404: "Not found", 403: "Not allowed"}.get(refusal.status, "That did not work")
    values = {"after": "", "title": title, "message": refusal.message, "code": refusal.code, "hint": refusal.hint}
    return html("message.html", values, status=refusal.status)


def html(template: str, values: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """Return a page."""
    return answered(render(template, values, now=datetime.now(UTC)), status=status)


def answered(text: str, *, status: int = 200) -> web.Response:
    """Return HTML, compressed where that is understood and worth it."""
    body = text.encode("utf-8", "replace")
    response = web.Response(body=body, status=status, content_type="text/html", charset="utf-8")
    if len(body) > _COMPRESSED_FROM:
        response.enable_compression()
    return response


def _query(asked: MultiMapping[str]) -> tuple[RowQuery, Mapping[str, str]]:
    """Read what a form asks for; a field that was left alone is sent empty."""
    given = MultiDict((name, value) for name, value in asked.items() if value)
    plain = {name: value for name, value in given.items() if name != "offset"}
    if "order" not in given and given.get("sort") in _NEWEST_FIRST:
        given["order"] = "desc"
    return row_query(given), plain


def _more(page: RowPage, plain: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return where the following rows are, None where there are none."""
    left = page.total - page.offset - len(page.subscriptions)
    if left <= 0:
        return None
    following = {**plain, "offset": str(page.offset + len(page.subscriptions))}
    return {"rows": _link(ROWS, following), "page": _link(HOME, following), "count": min(left, page.limit or USUAL_ROWS)}


def _toggled(state: str, plain: Mapping[str, str]) -> str:
    return "" if plain.get("state") == state else state


def _link(place: str, fields: Mapping[str, str]) -> str:
    text = urlencode({name: value for name, value in fields.items() if value}, errors="replace")
    return f"{place}?{text}" if text else place
