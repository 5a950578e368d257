"""What people do at the page: the acts of the API, asked for by forms and answered as HTML, with scripts and without."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from updater.errors import UpdaterError
from updater.web.access import person_of
from updater.web.acts import ActKind
from updater.web.answers import ApiRefusal
from updater.web.api import API
from updater.web.keys import PREVIEW_END, key_of, whole_key_first
from updater.web.page.rendering import SUBSCRIPTION, render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.web.acts import Acts
    from updater.web.keys import Handler, KeyedFleet

    Asked = Callable[[web.Request], Awaitable[web.Response]]

#: with it a browser asks for a part of a page
_PART: Final = "HX-Request"
#: what the page hears that did something: its subscription is shown anew
_TRIGGER: Final = {"HX-Trigger": "refresh"}


class ActPages:
    """The routes of forms over *acts*, which check who asks and what; *whole* shows one subscription of *fleet*."""

    def __init__(self, acts: Acts, fleet: KeyedFleet, whole: Handler) -> None:
        self._acts = acts
        self._fleet = fleet
        self._whole = whole

    def routes(self) -> list[web.RouteDef]:
        """Return them; they come before the route of one subscription, whose key may have any form."""
        return [
            web.post(f"{SUBSCRIPTION}{{key:.+}}/{{act:{'|'.join(ActKind)}}}", self.act),
            web.get(f"{SUBSCRIPTION}{{key:.+}}{PREVIEW_END}", whole_key_first(self._fleet, self.preview, self._whole)),
        ]

    async def act(self, request: web.Request) -> web.Response:
        """Do what a form asks for."""
        asked = request.clone(rel_url=request.rel_url.with_path(f"{API}{request.rel_url.raw_path}", encoded=True))
        return await self._answered(asked, self._acts.act, "done", _TRIGGER)  # a leader is handed what the API takes

    async def preview(self, request: web.Request) -> web.Response:
        """Answer what would be written."""
        return await self._answered(request, self._acts.preview, "preview", {})

    async def _answered(self, request: web.Request, ask: Asked, name: str, headers: Mapping[str, str]) -> web.Response:
        try:
            found = await ask(request)
        except ApiRefusal as refusal:
            found = refusal.answer()
        except UpdaterError as error:
            found = ApiRefusal.of(error).answer()
        data, status = _data(found), max(found.status, 200)
        values: dict[str, Any] = {name: data} if status < 400 else {"problem": data.get("error") or {}}
        is_part = _PART in request.headers
        values |= {"key": key_of(request), "after": "", "person": person_of(request)}
        text = render("act_result.html" if is_part else "act_page.html", values, now=datetime.now(UTC))
        more = headers if status < 400 else {}
        return web.Response(text=text, status=status, headers=more, content_type="text/html", charset="utf-8")


def _data(answer: web.Response) -> Mapping[str, Any]:
    """Return what was answered; a replica of another version may answer differently."""
    with suppress(ValueError):
        data = json.loads(answer.body if isinstance(answer.body, bytes) else b"")
        if isinstance(data, dict):
            return data
    return {}
