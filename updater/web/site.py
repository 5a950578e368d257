"""What is served at `listen.web` beside webhooks: who is let in, the page, the API, and what every answer has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.web.access import Access
from updater.web.acts import Acts
from updater.web.api import ReadApi, refusals
from updater.web.page.acting import ActPages
from updater.web.page.routes import Page
from updater.web.receiving import WEB_PATHS, web_application
from updater.web.shield import add_headers
from updater.web.sign_in import SignIn

if TYPE_CHECKING:
    from aiohttp import web

    from updater.web.access import Registrar
    from updater.web.acts import ActDesk
    from updater.web.api import Fleet
    from updater.web.receiving import Desk

SITE_PATHS: Final = f"/ {WEB_PATHS} /api/v1/ /sign-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDesks:
    """Who answers: what is read of the fleet, what people do to it, and who they are."""

    fleet: Fleet
    acts: ActDesk
    registrar: Registrar


def open_site(app: web.Application, desks: SiteDesks) -> None:
    """Add the page and the API to *app*, who is let in, and what every answer has."""
    access, api, page = Access(desks.registrar), ReadApi(desks.fleet), Page(desks.fleet)
    app.middlewares.extend([refusals, access.check])
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.extend([api.streams.close, page.streams.close, access.close])
    acts = Acts(desks.acts, access, desks.registrar)
    app.add_routes([*SignIn(access).routes(), *acts.routes(), *api.routes(), *ActPages(acts).routes(), *page.routes()])


def site_application(webhooks: Desk, desks: SiteDesks) -> web.Application:
    """Return all that is served at `listen.web`."""
    app = web_application(webhooks)
    open_site(app, desks)
    return app
