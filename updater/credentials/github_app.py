"""Tokens of GitHub Apps: a signed JWT is exchanged for a token of one of the App's installations.

Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app. A token reads and writes what
the installation may, for an hour.
"""

from __future__ import annotations

import base64
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson

from updater.errors import ConfigError, GitDenied, GitError, GitUnavailable
from updater.http.exchange import Connection, FailureKind, HttpFailure, HttpRequest
from updater.http.redaction import told
from updater.http.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.http.client import HttpClient
    from updater.http.exchange import Response

API: Final = "https://api.github.com"
USER: Final = "x-access-token"
JWT_SECONDS: Final = 600
JWT_BACKDATED: Final = 60
RENEWED_BEFORE_END: Final = 300.0
LONGEST_LIFE: Final = 3600.0
SOONEST_RENEWAL: Final = 5.0
MOST_TOKENS: Final = 1024
_LONGEST_ANSWER: Final = 256 * 1024
_LONGEST_MESSAGE: Final = 200
_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_PASSING: Final = frozenset(
    {FailureKind.UNREACHABLE, FailureKind.TIMEOUT, FailureKind.BROKEN, FailureKind.DOWN, FailureKind.PAUSED}
)
_HINTS: Final = {
    401: "the private key must be one of this App, and the clock of this machine must be right",
    403: "the installation may be suspended: check it in the settings of the organisation",
    404: "check the number of the installation, and the base URL where it is GitHub Enterprise",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One installation of an App: the IDs of both, and the App's private key as PEM.

    Without the ID of the installation *owner* names the organisation or user whose installation it is: GitHub is asked for it.
    *base_url* is that of the REST API: ``https://host/api/v3`` for GitHub Enterprise. *connection* is how it is reached.
    """

    identity: str
    installation: str
    private_key: str = field(repr=False)
    base_url: str = API
    connection: Connection = field(default_factory=Connection)
    owner: str = ""

    def __str__(self) -> str:
        return f"installation {self.installation or self.owner} of the GitHub App {self.identity}"

    @property
    def host(self) -> str:
        """Return the host of the API, "" where the base URL names none."""
        try:
            return urlsplit(self.base_url).hostname or ""
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    fetched: float
    ends: float


class InstallationTokens:
    """Return tokens, and cache each until five minutes before it expires. One per process, shared by many tasks.

    *clock* counts seconds, *wall* gives seconds since 1970: the one for how long a token holds, the other for what a JWT says.
    """

    def __init__(
        self, http: HttpClient, *, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._http = http
        self._clock = clock
        self._wall = wall
        self._held: OrderedDict[App, _Held] = OrderedDict()
        self._flights = SingleFlight()

    async def token(self, app: App) -> str:
        """Return a token of *app*, the same to all who ask at one time.

        Raises `ConfigError` where the App's numbers, key or URL cannot be used, `GitDenied` where GitHub refuses them and
        `GitUnavailable` where it does not answer; all have the code ``github-app``.
        """
        held = self._held.get(app)
        if held and self._clock() < held.ends:
            return held.token
        return await self._flights.share(app, lambda: self._fetch(app))

    def expire(self) -> None:
        """Ask anew for tokens that were not fetched a moment ago: a Git server refused one, and none tells which."""
        now = self._clock()
        for app in [app for app, held in self._held.items() if now - held.fetched >= SOONEST_RENEWAL]:
            del self._held[app]

    async def _fetch(self, app: App) -> str:
        _check(app)
        installation = app.installation or await self._installation(app)
        answer = await self._ask(app, "POST", f"/app/installations/{installation}/access_tokens")
        if answer.status != 201:
            raise self._refusal(app, answer)
        held = self._read(app, answer)
        self._held[app] = held
        self._held.move_to_end(app)
        if len(self._held) > MOST_TOKENS:
            self._held.popitem(last=False)
        return held.token

    async def _installation(self, app: App) -> str:
        """Return the ID of the installation of an owner, which is an organisation or a user."""
        for kind in ("orgs", "users"):
            answer = await self._ask(app, "GET", f"/{kind}/{app.owner}/installation")
            if answer.status != 404:
                break
        if answer.status != 200:
            raise self._refusal(app, answer)
        found = _mapping(answer.body).get("id")
        if not isinstance(found, int):
            hint = "check the base URL: it is that of the REST API, such as https://host/api/v3"
            raise GitError(f"no token for {app}: the answer of {app.host} names no installation", hint=hint, code="github-app")
        return str(found)

    async def _ask(self, app: App, method: str, path: str) -> Response:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {signed_jwt(app.identity, app.private_key, now=int(self._wall()))}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        url = f"{app.base_url.rstrip('/')}{path}"
        request = HttpRequest(url=url, method=method, headers=headers, connection=app.connection, limit=_LONGEST_ANSWER)
        try:
            return await self._http.send(request)
        except HttpFailure as failure:
            kind = GitUnavailable if failure.trouble in _PASSING else GitError
            raise kind(f"no token for {app}: {failure.message}", hint=failure.hint, code="github-app") from failure

    def _read(self, app: App, answer: Response) -> _Held:
        found = _mapping(answer.body)
        token, now = found.get("token"), self._clock()
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            hint = "check the base URL: it is that of the REST API, such as https://host/api/v3"
            raise GitError(f"no token for {app}: the answer of {app.host} holds none", hint=hint, code="github-app")
        life = _seconds_until(found.get("expires_at"), self._wall())
        return _Held(token, now, now + min(life, LONGEST_LIFE) - RENEWED_BEFORE_END)

    def _refusal(self, app: App, answer: Response) -> GitError:
        message = _mapping(answer.body).get("message")
        words = (
            f": {told(message, most=_LONGEST_MESSAGE, secrets=answer.secrets)}" if isinstance(message, str) and message else ""
        )
        said = f"no token for {app}: {app.host} answered {answer.status}{words}"
        is_limited = self._http.wait_asked(answer) is not None or answer.header("x-ratelimit-remaining") == "0"
        if answer.status >= 500 or answer.status in {408, 429} or (answer.status == 403 and is_limited):
            return GitUnavailable(said, hint="it is requested again with the next update", code="github-app")
        hint = _HINTS.get(answer.status, "check the base URL: it is that of the REST API, such as https://host/api/v3")
        return GitDenied(said, hint=hint, code="github-app")


def signed_jwt(issuer: str, private_key: str, *, now: int) -> str:
    """Return the JWT by which an App says who it is (RS256, RFC 7515 and 7519); raise `ConfigError` for a key that is no RSA key.

    It begins a minute ago, because clocks differ, and holds ten minutes in all, which is the most that GitHub takes.
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415 - a tenth of a second, for Apps alone
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    claims = {"iat": now - JWT_BACKDATED, "exp": now - JWT_BACKDATED + JWT_SECONDS, "iss": issuer}
    signing_input = f"{_encoded(orjson.dumps({'alg': 'RS256', 'typ': 'JWT'}))}.{_encoded(orjson.dumps(claims))}"
    signature: bytes = _key(private_key).sign(signing_input.encode(), PKCS1v15(), SHA256())
    return f"{signing_input}.{_encoded(signature)}"


def _key(private_key: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    hint = "give the file that GitHub made for the App, as it is: -----BEGIN RSA PRIVATE KEY-----"
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # what OpenSSL says of it may hold parts of the text
        raise ConfigError("the private key of the GitHub App cannot be read", hint=hint, code="github-app") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
        raise ConfigError(
            "the private key of the GitHub App is not an RSA key of 2048 bits or more", hint=hint, code="github-app"
        )
    return key


def _check(app: App) -> None:
    if app.owner and not _OWNER.fullmatch(app.owner):
        hint = "write the name of the organisation or user as in its URL on GitHub"
        raise ConfigError("the owner of a GitHub App's installation cannot be a name on GitHub", hint=hint, code="github-app")
    for name, text in (("App", app.identity), ("installation", app.installation)):
        if not _NUMBER.fullmatch(text) and not (name == "installation" and app.owner and not text):
            hint = "both numbers are in the URLs of the App's settings on GitHub"
            raise ConfigError(f"the {name} of a GitHub App is not named by a number", hint=hint, code="github-app")
    schemes = {"https", "http"} if app.connection.insecure else {"https"}
    try:
        parts = urlsplit(app.base_url)
        is_usable = parts.scheme in schemes and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or "?" in app.base_url or "#" in app.base_url:
        hint = "write https://host/api/v3, or leave it out for github.com"
        raise ConfigError("the base URL of the GitHub App is not an https URL of an API", hint=hint, code="github-app")


def _mapping(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds_until(text: object, now: float) -> float:
    """Return the seconds until an end that is written as RFC 3339; an end that cannot be read has come."""
    try:
        end = datetime.fromisoformat(text) if isinstance(text, str) else None
        return end.timestamp() - now if end is not None and end.tzinfo is not None else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
