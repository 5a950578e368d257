"""The API of GitHub as far as Apps need it: it verifies the JWT really, and gives tokens of an installation."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


@cache
def app_key(_number: int = 0) -> rsa.RSAPrivateKey:
    """One key for each number, made once: that takes a moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey) -> str:
    """Write a key as GitHub gives it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


class GithubApps:
    """Listens on loopback. `apps` are the keys by number of the App, `installations` the App of each installation.

    `asked` is what came in, as (path, claims); `tokens` what was given. `answers` are scripted, first in first out. While
    `gate` is cleared nobody is answered; `arrived` is set once somebody asked.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, wall: Callable[[], float] = time.time) -> None:
        self._tls = tls
        self._wall = wall
        self.port = 0
        self.apps: dict[str, rsa.RSAPrivateKey] = {"12": app_key()}
        self.installations: dict[str, str] = {"34": "12"}
        self.owners: dict[str, int] = {}
        self.life = 3600
        self.prefix = ""
        self.asked: list[tuple[str, dict]] = []
        self.tokens: list[str] = []
        self.answers: list[web.Response] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{self.prefix}"

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._answer)
        application.router.add_get("/{kind}/{owner}/installation", self._locate)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _locate(self, request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").partition(" ")[2]
        self.asked.append((request.path, jwt.decode(shown, options={"verify_signature": False})))
        found = self.owners.get(f"{request.match_info['kind']}/{request.match_info['owner']}")
        if found is None:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response({"id": found})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").partition(" ")[2]
        self.asked.append((request.path, jwt.decode(shown, options={"verify_signature": False})))
        self.arrived.set()
        await self.gate.wait()
        if self.answers:
            return self.answers.pop(0)
        issuer = self._issuer(shown)
        if issuer is None:
            return web.json_response({"message": "A JSON web token could not be decoded"}, status=401)
        beginning, _, rest = request.path.partition("/app/installations/")
        number = rest.removesuffix("/access_tokens")
        if beginning != self.prefix or self.installations.get(number) != issuer or not rest.endswith("/access_tokens"):
            return web.json_response({"message": "Not Found"}, status=404)
        self.tokens.append(f"ghs_{number}_{len(self.tokens)}")
        end = datetime.fromtimestamp(self._wall() + self.life, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return web.json_response({"token": self.tokens[-1], "expires_at": end, "permissions": {}}, status=201)

    def _issuer(self, shown: str) -> str | None:
        """Verify a JWT as GitHub does: by the App's public key, and no more than ten minutes ahead."""
        issuer = jwt.decode(shown, options={"verify_signature": False}).get("iss")
        key = self.apps.get(issuer)
        if key is None:
            return None
        try:
            claims = jwt.decode(shown, key.public_key(), algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False})
        except jwt.InvalidTokenError:
            return None
        now = self._wall()
        return issuer if claims["iat"] <= now < claims["exp"] <= now + 600 else None
