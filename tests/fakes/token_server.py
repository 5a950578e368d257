"""A token server of our own: distribution's token and OAuth2 endpoints, with tokens that real registries accept."""

from __future__ import annotations

import base64
import time
import uuid
from typing import TYPE_CHECKING, Self

import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


class TokenServer:
    """Listens on loopback. `users` are names and passwords; `asked` is what came in, as (method, fields).

    *signing* are the paths of certificate and key with which tokens are signed; without, tokens are plain words.
    `answers` overrides the next answers, first in first out.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, signing: tuple[Path, Path] | None = None, issuer: str = "lab-issuer"
    ) -> None:
        self._tls = tls
        self._signing = signing
        self._issuer = issuer
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.users: dict[str, str] = {}
        self.refresh_tokens: set[str] = set()
        self.is_anonymous_fine = True
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.answers: list[web.Response] = []
        self.issued: list[str] = []
        self.expires_in: int | None = 300

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/token"

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/token", self._get)
        application.router.add_post("/token", self._post)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def is_ours(self, token: str) -> bool:
        """Say whether a plain token was issued here."""
        return token in self.issued

    async def _get(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(("GET", list(request.query.items())))
        if self.answers:
            return self.answers.pop(0)
        user = self._user(request.headers.get("Authorization"))
        if user is None:
            return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
        return web.json_response(self._token(user, request.query.getall("scope", []), request.query.get("service", "")))

    async def _post(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.asked.append(("POST", [(key, str(value)) for key, value in form.items()]))
        if self.answers:
            return self.answers.pop(0)
        if form.get("refresh_token") not in self.refresh_tokens:
            return web.json_response({"error": "invalid_grant"}, status=401)
        return web.json_response(self._token("refreshed", str(form["scope"]).split(), str(form["service"]), name="access_token"))

    def _user(self, authorization: str | None) -> str | None:
        if authorization is None:
            return "" if self.is_anonymous_fine else None
        user, _, password = base64.b64decode(authorization.partition(" ")[2]).decode().partition(":")
        return user if self.users.get(user) == password else None

    def _token(self, user: str, scopes: list[str], service: str, *, name: str = "token") -> dict[str, object]:
        token = self._signed(user, scopes, service) if self._signing else f"token-{len(self.issued)}"
        self.issued.append(token)
        life = {"expires_in": self.expires_in} if self.expires_in is not None else {}
        return {name: token, **life}

    def _signed(self, user: str, scopes: list[str], service: str) -> str:
        certificate, key = self._signing
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            image, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": image, "actions": actions.split(",")})
        now = int(time.time())
        der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
        claims = {"iss": self._issuer, "sub": user, "aud": service, "exp": now + 300, "nbf": now - 10, "iat": now}
        return jwt.encode(
            {**claims, "jti": uuid.uuid4().hex, "access": access},
            load_pem_private_key(key.read_bytes(), None),
            algorithm="ES256",
            headers={"x5c": [base64.b64encode(der).decode()]},
        )
