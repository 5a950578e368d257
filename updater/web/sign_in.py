"""How people sign in and out: the session of the API, and a plain page for those who have none yet."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from updater.web.access import FORM_FIELD, SIGN_IN, person_of
from updater.web.answers import ApiRefusal, answer
from updater.web.bodies import FORM, fields_of
from updater.web.sessions import LASTS

if TYPE_CHECKING:
    from updater.web.access import Access

SESSION: Final = "/api/v1/session"
SIGN_OUT: Final = "/api/v1/session/end"
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in – updater</title>
<link rel="stylesheet" href="/static/page.css">
</head>
<body>
<main>
<h1>updater</h1>
{message}
<form method="post" action="{action}">
<p><label>Name <input name="user" autocomplete="username" required autofocus></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Sign in</button></p>
</form>
</main>
</body>
</html>
"""


class SignIn:
    """The routes of sessions."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """Return them."""
        return [
            web.get(SIGN_IN, self.page),
            web.get(SESSION, self.who),
            web.post(SESSION, self.begin),
            web.delete(SESSION, self.end),
            web.post(SIGN_OUT, self.end),
        ]

    async def page(self, _request: web.Request) -> web.Response:
        """Answer the page on which people sign in."""
        return _page("")

    async def who(self, request: web.Request) -> web.Response:
        """Answer who asks, what they may do, and the token for forms."""
        return answer(request, _told(request))

    async def begin(self, request: web.Request) -> web.Response:
        """Begin a session of who proves a password; a form is led on to the page."""
        self._access.check_origin(request)
        fields = await fields_of(request)
        is_form = request.content_type == FORM
        try:
            token = await self._access.sign_in(request, fields.get("user", ""), fields.get("password", ""))
        except ApiRefusal as refusal:
            if not is_form:
                raise
            return _page(refusal.message, status=refusal.status)
        response = web.Response(status=303, headers={"Location": "/"}) if is_form else web.Response(status=204)
        is_secure = self._access.cookie.startswith("__Host-")
        response.set_cookie(
            self._access.cookie, token, max_age=int(LASTS), path="/", httponly=True, samesite="Lax", secure=is_secure
        )
        return response

    async def end(self, request: web.Request) -> web.Response:
        """End the session of who asks."""
        self._access.check_origin(request)
        fields = await fields_of(request)
        if (person := person_of(request)) is not None:
            self._access.check_form(request, person, fields.get(FORM_FIELD, ""))
        await self._access.sign_out(request)
        is_form = request.content_type == FORM
        response = web.Response(status=303, headers={"Location": SIGN_IN}) if is_form else web.Response(status=204)
        response.del_cookie(self._access.cookie, path="/", secure=self._access.cookie.startswith("__Host-"))
        return response


def _told(request: web.Request) -> dict[str, Any]:
    person = person_of(request)
    if person is None:
        return {"person": None, "may_view": False, "may_act": False, "evidence": None, "form_token": None}
    return {
        "person": person.name,
        "may_view": person.may_view,
        "may_act": person.may_act,
        "evidence": person.evidence,
        "form_token": person.form_token or None,
    }


def _page(message: str, *, status: int = 200) -> web.Response:
    shown = f'<p role="alert">{html.escape(message)}</p>' if message else ""
    return web.Response(text=_PAGE.format(message=shown, action=SESSION), status=status, content_type="text/html")
