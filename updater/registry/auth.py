"""Registry authentication: parse challenges, and answer them.

A handshake is a generator that does no I/O: it yields the requests a token needs and returns a `Grant`.
Sources: RFC 9110 §11, and distribution's token and OAuth2 specifications.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from updater.errors import RegistryDenied, RegistryError, RegistryProtocolError
from updater.http.address import resolve, shown
from updater.http.exchange import Connection
from updater.http.masking import MASK, SHORTEST
from updater.http.redaction import masked, told
from updater.registry.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from updater.http.exchange import Response
    from updater.model.credential import Credential

CLIENT_ID: Final = "gitops-image-updater"
SHORTEST_LIFE: Final = 60.0
MOST_TOKEN_BYTES: Final = 64 * 1024  # no setting: a token is sent in a header, and servers take 8 to 32 KiB of one
_SEPARATORS: Final = re.compile(r"[\s,]*")
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's word for a run of such characters
_PARAMETER: Final = re.compile(rf'({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME: Final = re.compile(rf"{_TOKEN}")
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")
_MOST_CHALLENGES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to authenticate that a registry offers; scheme and names of parameters in lower case."""

    scheme: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The value of Authorization, and for how many seconds it is valid; None means until it is refused."""

    authorization: str = field(repr=False)
    expires_in: float | None = None

    @property
    def is_for_host(self) -> bool:
        """Return whether it serves every image of the registry, as Basic does, and not the one it was asked for."""
        return self.authorization.startswith("Basic ")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A request to a token server."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScope:
    """The subject of a token: the registry's URL, the image's path, and how to reach the registry and other known hosts."""

    registry_url: str
    path: str
    connection: Connection = field(default_factory=Connection)
    known: Mapping[str, Connection] = field(default_factory=dict)


def read_challenges(lines: Iterable[str]) -> tuple[Challenge, ...]:
    """Read WWW-Authenticate: several challenges in one line, bare schemes, unquoted values, commas in quotes."""
    found: list[Challenge] = []
    for line in lines:
        parameters: dict[str, str] = {}
        position = 0
        while position < len(line) and len(found) < _MOST_CHALLENGES:
            position = _SEPARATORS.match(line, position).end()  # type: ignore[union-attr] # it matches nothing too
            if parameter := _PARAMETER.match(line, position):
                value = parameter[3] if parameter[2] is None else re.sub(r"\\(.)", r"\1", parameter[2])
                parameters.setdefault(parameter[1].lower(), value)
                position = parameter.end()
            elif scheme := _SCHEME.match(line, position):
                parameters = {}
                found.append(Challenge(scheme=scheme[0].lower(), parameters=parameters))
                position = scheme.end()
            else:
                position += 1
    return tuple(found)


def handshake(
    challenges: tuple[Challenge, ...], asker: TokenScope, credential: Credential | None, *, now: datetime
) -> Generator[TokenRequest, Response, Grant]:
    """Yield the requests that a token needs, take their answers, and return the grant.

    Raises `RegistryDenied` where the credential is refused or lacking, other `RegistryError` for an answer
    that is none, and `updater.http.exchange.HttpFailure` for a realm that may not be asked.
    """
    bearer = next((item for item in challenges if item.scheme == "bearer" and item.parameters.get("realm")), None)
    if bearer is None:
        return _basic(challenges, credential)
    if credential and credential.registry_token:
        return Grant(authorization=f"Bearer {_sendable(credential.registry_token)}")
    home, named = asker.registry_url, bearer.parameters["realm"]
    realm = resolve(f"{home}/v2/", named, home=home, connection=asker.connection, known=asker.known)
    scopes = bearer.parameters.get("scope", "").split() or [f"repository:{asker.path}:pull"]
    service = bearer.parameters.get("service", "")
    if credential and credential.identity_token:
        answer = yield _refresh_request(realm, service, scopes, credential.identity_token)
        if answer.status not in {404, 405}:
            return _grant(answer, realm, now)
    answer = yield _token_request(realm, service, scopes, credential)
    return _grant(answer, realm, now)


def _basic(challenges: tuple[Challenge, ...], credential: Credential | None) -> Grant:
    if not any(item.scheme == "basic" for item in challenges):
        offered = ", ".join(dict.fromkeys(_told_scheme(item.scheme, secrets_of(credential)) for item in challenges))
        raise RegistryProtocolError(
            f"the registry requires authentication by {offered or 'nothing'}, which is not supported",
            hint="Basic and Bearer are supported; check that the URL is the registry's",
            code="registry-auth-scheme",
        )
    if credential is None or not (credential.username or credential.identity_token):
        raise RegistryDenied("the registry requires authentication", hint="set credentials for this registry or image")
    return Grant(authorization=_basic_header(credential))


def _told_scheme(scheme: str, secrets: tuple[str, ...]) -> str:
    """Return the name of a scheme as it may be repeated: a challenge is cut at some characters, so pieces of secrets count."""
    is_piece = len(scheme) >= SHORTEST and any(scheme in secret.lower() for secret in secrets)
    return MASK if is_piece else told(scheme, most=20, secrets=secrets)


def secrets_of(credential: Credential | None, authorization: str | None = None) -> tuple[str, ...]:
    """Return every text that must not be repeated of what is shown as *credential* or sent as *authorization*."""
    texts = [authorization.partition(" ")[2]] if authorization else []
    if credential:
        plain = (credential.password, credential.identity_token, credential.registry_token)
        texts += [form for text in plain if text for form in (text, quote(text, safe=""))]
        texts += [_basic_header(credential).partition(" ")[2]] if any(plain[:2]) else []
    return tuple(dict.fromkeys(texts))


def _basic_header(credential: Credential) -> str:
    username = credential.username or "<token>"
    password = credential.password or credential.identity_token
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _token_request(realm: str, service: str, scopes: list[str], credential: Credential | None) -> TokenRequest:
    """Ask as distribution's token specification says: everything in the query, what the realm holds kept."""
    parts = urlsplit(realm)
    query = parse_qsl(parts.query, keep_blank_values=True)
    query += [("service", service)] if service else []
    query += [("scope", scope) for scope in scopes]
    query.append(("client_id", CLIENT_ID))
    headers: dict[str, str] = {}
    if credential:
        if credential.username:
            query.append(("account", credential.username))
        headers["Authorization"] = _basic_header(credential)
    url = urlunsplit(parts._replace(query=urlencode(query, quote_via=quote, safe=":/,*")))
    return TokenRequest(url=url, headers=headers)


def _refresh_request(realm: str, service: str, scopes: list[str], identity_token: str) -> TokenRequest:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": identity_token,
        "service": service,
        "client_id": CLIENT_ID,
        "scope": " ".join(scopes),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return TokenRequest(url=realm, method="POST", headers=headers, body=urlencode(form).encode())


def _grant(answer: Response, realm: str, now: datetime) -> Grant:
    server = f"the token server {masked(shown(realm), answer.secrets)}"
    if answer.status != 200:
        raise _refused(answer, server)
    document = _document(answer.body, server)
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str):
        raise _malformed(server, "it holds no token")
    return Grant(
        authorization=f"Bearer {_sendable(token)}",
        expires_in=_life(document, now),
    )


def _refused(answer: Response, server: str) -> RegistryError:
    if answer.status in {400, 401, 403}:
        return RegistryDenied(
            f"{server} refused us with status {answer.status}",
            hint="check user and password; for a public image, remove the credentials that no longer hold",
        )
    return refusal(answer, server)


def _document(body: bytes, server: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _malformed(server, "it is not JSON") from None
    if not isinstance(document, dict):
        raise _malformed(server, "it is not a JSON object")
    return document


def _life(document: dict[str, Any], now: datetime) -> float:
    """Return the seconds a token has left: 60 where nothing is said, never less, counted from its issue if that is credible."""
    try:
        life = float(document.get("expires_in") or 0)
    except (TypeError, ValueError, OverflowError):
        life = 0.0
    life = min(max(life, SHORTEST_LIFE), 24 * 3600.0) if life == life else SHORTEST_LIFE  # noqa: PLR0124 - NaN
    issued = document.get("issued_at")
    try:
        moment = datetime.fromisoformat(issued) if isinstance(issued, str) else now
    except ValueError:
        moment = now
    age = (now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()
    return max(life - age, 1.0) if 0 < age < life else life


def _sendable(token: str) -> str:
    if not _SENDABLE.fullmatch(token):
        raise RegistryProtocolError(
            "a token holds characters that no header may hold", hint="check the token server", code="registry-token"
        )
    return token


def _malformed(server: str, reason: str) -> RegistryProtocolError:
    return RegistryProtocolError(
        f"{server} answered with no token: {reason}", hint="check the token server", code="registry-token"
    )
