"""Who is let in at `listen.web`: people on loopback, people who signed in, people whom a proxy names, other replicas."""

from __future__ import annotations

import base64
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from updater.errors import UpdaterError
from updater.web.answers import ApiRefusal
from updater.web.bodies import body_of
from updater.web.canaries import RELEASES
from updater.web.password_queue import BUSY, PasswordQueue
from updater.web.people import LOCAL_NAME, LONGEST_NAME, SignInEvidence, SitePerson, origin_of_host
from updater.web.sessions import EndedSessions, Session, UsedTokens, handed_on
from updater.web.shield import is_local_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.web.passwords import UserTable
    from updater.web.people import SiteRules
    from updater.web.sessions import SessionSigner

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: what has rules of its own: who sends webhooks or asks of releases has a secret, and a probe learns nothing
_OPEN_PATHS: Final = ("/webhooks/", "/healthz", f"{RELEASES}/")
#: what people see who have not signed in yet
_SIGN_IN_PATHS: Final = ("/sign-in", "/static/", "/api/v1/session")
SIGN_IN: Final = "/sign-in"
FORM_FIELD: Final = "form_token"
FORM_HEADER: Final = "X-Form-Token"
#: in which one replica says to another who asks
PERSON_HEADER: Final = "X-Updater-Person"
CHECKED_FOR: Final = 60.0
MOST_CHECKED: Final = 256
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_USERS: Final = "the page and the API are not served beyond loopback, or behind a proxy, without users"
_NO_USERS_HINT: Final = (
    "set web.users, or the header in which the proxy names people (web.trusted_proxies); "
    'or listen on loopback without a proxy: listen: {web: "127.0.0.1:8090"}'
)
PERSON: Final = web.RequestKey("person", SitePerson)
_TOKEN: Final = web.RequestKey("token", Session)
#: the address of who asks, behind proxies that are trusted
CLIENT: Final = web.RequestKey("client", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """What was refused: why, to whom ("": nobody knows), from which address, by which method, at which path."""

    reason: str
    person: str
    address: str
    method: str
    path: str

    @classmethod
    def of(cls, reason: str, request: web.Request, person: str = "") -> Denial:
        """Return that *request* is refused."""
        address = request.get(CLIENT) or request.remote or ""
        return cls(reason=reason, person=person, address=address, method=request.method, path=request.path)


class Registrar(Protocol):
    """Who knows the rules and the users; see `updater.daemon.site_registrar.SiteRegistrar`."""

    @property
    def rules(self) -> SiteRules:
        """Who is let in now."""
        ...

    async def users(self) -> UserTable:
        """Return the users as they are now; raise `UpdaterError` where they were never read."""
        ...

    async def signer(self) -> SessionSigner:
        """Return what signs; raise `UpdaterError` where there is no key."""
        ...

    def denied(self, denial: Denial) -> None:
        """Count and log that something was refused."""
        ...


class Access:
    """Finds out who asks. *clock* gives seconds."""

    def __init__(self, registrar: Registrar, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._registrar = registrar
        self._clock = clock
        self._passwords = PasswordQueue(registrar.users, clock)
        self._ended = EndedSessions()
        self._used = UsedTokens()
        self._checked: dict[str, float] = {}

    async def close(self, _app: web.Application) -> None:
        """Let go of the thread that checks passwords."""
        self._passwords.close()

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of who is let in; raise `ApiRefusal` for others."""
        if request.path.startswith(_OPEN_PATHS) or request.path == "/webhook":
            return await handler(request)
        rules = self._registrar.rules
        request[CLIENT] = rules.client(request.remote or "", ",".join(request.headers.getall("X-Forwarded-For", [])))
        if rules.is_local and not _is_own_name(request, rules):
            self._registrar.denied(Denial.of("host", request))
            hint = "open it as http://localhost and the port of listen.web, or set web.url"
            raise ApiRefusal(421, "unknown-host", "the Host header names another host than this machine", hint)
        if not (rules.is_open or rules.knows_people):
            raise ApiRefusal(403, "no-users", _NO_USERS, _NO_USERS_HINT)
        person = await self.person(request)
        if person is None and not request.path.startswith(_SIGN_IN_PATHS):
            return self._strange(request)
        if person is not None and not person.may_view and not request.path.startswith(_SIGN_IN_PATHS):
            self._registrar.denied(Denial.of("view", request, person.name))
            raise ApiRefusal(403, "forbidden", f"{person.name} may not read here", "web.roles.view names who may")
        if person is not None:
            request[PERSON] = person
        try:
            return await handler(request)
        except (ApiRefusal, UpdaterError) as error:
            refusal = error if isinstance(error, ApiRefusal) else ApiRefusal.of(error)
            if refusal.status == web.HTTPServiceUnavailable.status_code and (token := request.get(_TOKEN)):
                self._used.give_back(token)  # whoever handed it on may try again
            raise

    async def person(self, request: web.Request) -> SitePerson | None:
        """Return who asks, None where nobody knows; raise `ApiRefusal` for a password that is wrong."""
        rules = self._registrar.rules
        signer = await self._registrar.signer()
        if (session := await self._handed_on(request, signer)) is not None:
            return rules.person(session.name, SignInEvidence.REPLICA)
        if rules.is_open:
            return rules.person(LOCAL_NAME, SignInEvidence.LOOPBACK, form_token=signer.form_token(LOCAL_NAME))
        if rules.is_proxy(request.remote or "") and (name := _named_by_proxy(request, rules.header)):
            return rules.person(name, SignInEvidence.PROXY, form_token=signer.form_token(f"proxy\n{name}"))
        if not rules.has_users:
            return None
        if (session := await self.session(request)) is not None:
            return rules.person(session.name, SignInEvidence.SESSION, form_token=signer.form_token(session.number))
        if name := await self._by_password(request):
            return rules.person(name, SignInEvidence.PASSWORD)
        return None

    async def _handed_on(self, request: web.Request, signer: SessionSigner) -> Session | None:
        """Return who asks another replica that handed this very request on, once."""
        token = request.headers.get(PERSON_HEADER)
        if not token:
            return None
        purpose = handed_on(request.method, request.rel_url.raw_path, await body_of(request))
        found = signer.read(token, purpose=purpose)
        if found is None or not self._used.use(found, signer.wall()):
            return None
        request[_TOKEN] = found
        return found

    async def session(self, request: web.Request) -> Session | None:
        """Return the session of a browser while it is in force: its user is there, and has the same password."""
        token = request.cookies.get(self.cookie)
        signer = await self._registrar.signer()
        found = signer.read(token) if token else None
        if found is None or self._ended.has(found):
            return None
        hashed = (await self._registrar.users()).hashes.get(found.name)
        return found if hashed is not None and signer.mark(hashed) == found.mark else None

    @property
    def cookie(self) -> str:
        """The name of the cookie of a session: over TLS browsers keep it to this very host."""
        return "__Host-updater" if self._registrar.rules.is_secure else "updater-session"

    async def sign_in(self, request: web.Request, name: str, password: str) -> str:
        """Return the token of a new session; raise `ApiRefusal` where the password is wrong, or too many were."""
        await self._check_password(request, name, password)
        signer, users = await self._registrar.signer(), await self._registrar.users()
        return signer.begin(name, mark=signer.mark(users.hashes[name]))

    async def sign_out(self, request: web.Request) -> None:
        """End the session of a browser, if it has one."""
        if (session := await self.session(request)) is not None:
            self._ended.end(session, (await self._registrar.signer()).wall())

    def check_origin(self, request: web.Request) -> None:
        """Refuse what a page of another site sends; raise `ApiRefusal`."""
        rules = self._registrar.rules
        own = {rules.origin} if rules.origin else set()
        own |= origin_of_host(request.headers.get("Host", ""))
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        if (origin is not None and origin not in own) or site not in {None, "same-origin", "none"}:
            self._registrar.denied(Denial.of("origin", request))
            hint = "set web.url to the address under which people open the page"
            raise ApiRefusal(403, "other-origin", "the request comes from a page of another site", hint)

    def check_form(self, request: web.Request, person: SitePerson, field: str) -> None:
        """Refuse what does not come from a page of ours, where a browser sends the evidence by itself; raise `ApiRefusal`."""
        given = request.headers.get(FORM_HEADER) or field
        if person.form_token and given != person.form_token:
            self._registrar.denied(Denial.of("form-token", request, person.name))
            hint = f"send the form_token that GET /api/v1/session returns, in the header {FORM_HEADER}"
            raise ApiRefusal(403, "form-token", "the token of the form is missing or wrong", hint)

    def _strange(self, request: web.Request) -> web.StreamResponse:
        """Answer who is not known: a browser is led to the page on which people sign in."""
        is_page = request.method in _SAFE and not request.path.startswith("/api/") and self._registrar.rules.has_users
        if is_page:
            return web.Response(status=303, headers={"Location": SIGN_IN})
        self._registrar.denied(Denial.of("unknown-person", request))
        hint = "sign in at /sign-in, or send user and password as Basic authentication"
        raise ApiRefusal(401, "sign-in", "nobody has signed in", hint)

    async def _by_password(self, request: web.Request) -> str:
        """Return who proves by Basic authentication who they are, "" where nobody tries to."""
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return ""
        try:
            name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except ValueError:
            raise ApiRefusal(401, "sign-in", "the Authorization header cannot be read") from None
        signer, users = await self._registrar.signer(), await self._registrar.users()
        proof = signer.mark(f"{name}\n{password}\n{users.hashes.get(name, '')}")
        if self._checked.get(proof, -math.inf) < self._clock():
            await self._check_password(request, name, password)
            self._checked = {kept: until for kept, until in self._checked.items() if until > self._clock()}
            if len(self._checked) < MOST_CHECKED:
                self._checked[proof] = self._clock() + CHECKED_FOR
        return name

    async def _check_password(self, request: web.Request, name: str, password: str) -> None:
        """Raise `ApiRefusal` where a password is wrong, or too many were."""
        try:
            await self._passwords.check(request.get(CLIENT, ""), name, password)
        except ApiRefusal as refusal:
            if refusal.code != BUSY:
                self._registrar.denied(Denial.of(refusal.code, request, name))
            raise


def person_of(request: web.Request) -> SitePerson | None:
    """Return who asks, as `Access.check` found out."""
    return request.get(PERSON)


def _is_own_name(request: web.Request, rules: SiteRules) -> bool:
    host = request.headers.get("Host", "")
    return is_local_name(host) or (bool(rules.origin) and rules.origin in origin_of_host(host))


def _named_by_proxy(request: web.Request, header: str) -> str:
    """Return the name in the header of a proxy; two headers, or a name that cannot be shown, name nobody."""
    found = request.headers.getall(header, [])
    name = found[0].strip() if len(found) == 1 else ""
    return name if name.isprintable() and len(name) <= LONGEST_NAME else ""
