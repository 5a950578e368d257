"""What is served at `listen.web` beside webhooks: who is let in, the page, and the routes of the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from updater.web.answers import ApiRefusal
from updater.web.api import ReadApi, refusals
from updater.web.canaries import RELEASES
from updater.web.page.routes import Page
from updater.web.shield import add_headers, is_local_name, is_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.web.api import Fleet

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SITE_PATHS: Final = "/ /api/v1/"
#: what has rules of its own: who sends webhooks or asks of releases has a secret, and a probe learns nothing
_OPEN_PATHS: Final = ("/webhooks/", "/webhook", "/healthz", f"{RELEASES}/")
_NO_USERS: Final = "the page and the API are not served beyond loopback without users"
_NO_USERS_HINT: Final = 'set web.users or web.trusted_proxies, or listen on loopback: listen: {web: "127.0.0.1:8090"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """Where the site listens: *host* is that of `listen.web`, "" for every interface."""

    host: str

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask."""
        return is_loopback(self.host)


def open_site(app: web.Application, fleet: Fleet, options: SiteOptions) -> None:
    """Add the API over *fleet* to *app*, and what every answer has."""
    api, page = ReadApi(fleet), Page(fleet)
    app.middlewares.extend([refusals, Doorkeeper(options).check])
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(api.streams.close)
    app.on_shutdown.append(page.streams.close)
    app.add_routes([*api.routes(), *page.routes()])


class Doorkeeper:
    """Lets in who may ask."""

    def __init__(self, options: SiteOptions) -> None:
        self._options = options

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or raise `ApiRefusal`."""
        if request.path.startswith(_OPEN_PATHS):
            return await handler(request)
        if not self._options.is_local:
            raise ApiRefusal(403, "no-users", _NO_USERS, _NO_USERS_HINT)
        if not is_local_name(request.headers.get("Host", "")):
            hint = "open it as http://localhost and the port of listen.web"
            raise ApiRefusal(421, "unknown-host", "the Host header names another host than this machine", hint)
        return await handler(request)
