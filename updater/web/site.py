"""What is served at `listen.web`: webhooks, the page, the API and its description; and who is let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from updater import __version__
from updater.web.access import Access
from updater.web.acts import Acts
from updater.web.answers import encoded
from updater.web.api import ReadApi, refusals
from updater.web.openapi import document
from updater.web.page.acting import ActPages
from updater.web.page.routes import Page, page_of_errors
from updater.web.receiving import WEB_PATHS, web_application
from updater.web.shield import add_headers
from updater.web.sign_in import SignIn

if TYPE_CHECKING:
    from updater.web.access import Registrar
    from updater.web.acts import ActDesk
    from updater.web.api import Fleet
    from updater.web.receiving import WebDesk

OPENAPI: Final = "/api/v1/openapi.json"
SITE_PATHS: Final = f"{WEB_PATHS} / /api/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDesks:
    """Who answers: what is read of the fleet, what people do to it, and who they are."""

    fleet: Fleet
    acts: ActDesk
    registrar: Registrar


def site_application(webhooks: WebDesk, desks: SiteDesks) -> web.Application:
    """Return all that is served at `listen.web`."""
    app = web_application(webhooks)
    open_site(app, desks)
    return app


def open_site(app: web.Application, desks: SiteDesks) -> None:
    """Add the page and the API to *app*, who is let in, and what every answer has."""
    access, api, page = Access(desks.registrar), ReadApi(desks.fleet), Page(desks.fleet)
    described = encoded(document(__version__))

    async def description(_request: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    acts = Acts(desks.acts, access, desks.registrar, api)
    app.middlewares.extend([refusals, access.check])
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.extend([api.streams.close, page.streams.close, access.close])
    app.add_routes([web.get(OPENAPI, description), *SignIn(access).routes(), *acts.routes(), *api.routes()])
    app.add_routes([*ActPages(acts, desks.fleet, page_of_errors(page.subscription)).routes(), *page.routes()])
