"""A registry of our own with scripted faults: the embedded one, and a list of rules that may answer first."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from updater.cli.embedded_registry import Blob, EmbeddedRegistry

if TYPE_CHECKING:
    import ssl

Answering = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass
class Asked:
    """One request as the registry saw it."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)

    @property
    def authorization(self) -> str | None:
        return self.headers.get("Authorization")


class FakeRegistry(EmbeddedRegistry):
    """`faults` are asked in turn before the registry; one that gives None leaves the answer to the next.

    `asked` is what came in. With *tls*, a server context, it speaks HTTPS. It takes pushes over HTTP too.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._tls = tls
        self.faults: list[Answering] = []
        self.asked: list[Asked] = []
        self._uploads: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    async def start(self) -> None:
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]

    def application(self) -> web.Application:
        application = super().application()
        application.middlewares.append(self._first_the_faults)
        application.router.add_post("/v2/{name:.+}/blobs/uploads/", self._upload)
        application.router.add_put("/v2/{name:.+}/blobs/uploads/{upload}", self._finish)
        application.router.add_put("/v2/{name:.+}/manifests/{reference}", self._put)
        application.router.add_route("*", "/{anything:.*}", _nothing_here)
        return application

    def count(self, part: str) -> int:
        """How many requests had *part* in their path."""
        return sum(part in asked.path for asked in self.asked)

    @web.middleware
    async def _first_the_faults(self, request: web.Request, handler) -> web.StreamResponse:
        self.asked.append(Asked(request.method, request.path, request.query_string, dict(request.headers)))
        for fault in list(self.faults):
            answer = await fault(request)
            if answer is not None:
                return answer
        return await handler(request)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=202, headers={"Location": f"/v2/{request.match_info['name']}/blobs/uploads/u{len(self.asked)}"}
        )

    async def _finish(self, request: web.Request) -> web.StreamResponse:
        blob = Blob("application/octet-stream", await request.read())
        if request.query.get("digest") != blob.digest:
            return web.Response(status=400)
        self.shelf(request.match_info["name"]).blobs[blob.digest] = blob
        return web.Response(status=201)

    async def _put(self, request: web.Request) -> web.StreamResponse:
        blob = Blob(request.headers["Content-Type"], await request.read())
        shelf = self.shelf(request.match_info["name"])
        shelf.manifests[blob.digest] = blob
        if not request.match_info["reference"].startswith("sha256:"):
            shelf.tags[request.match_info["reference"]] = blob.digest
        return web.Response(status=201)

    def put_manifest(self, name: str, tag: str, body: bytes, media_type: str) -> str:
        """Put any bytes as a manifest, and give their digest."""
        blob = Blob(media_type, body)
        shelf = self.shelf(name)
        shelf.manifests[blob.digest] = blob
        shelf.tags[tag] = blob.digest
        return blob.digest

    def put_blob(self, name: str, body: bytes) -> str:
        """Put any bytes as a blob, and give their digest."""
        blob = Blob("application/octet-stream", body)
        self.shelf(name).blobs[blob.digest] = blob
        return blob.digest


async def _nothing_here(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=404, text="404 page not found")


def times(count: int, status: int, *, part: str = "", headers: dict[str, str] | None = None, text: str = "") -> Answering:
    """A fault: the next *count* requests whose path holds *part* get this answer."""
    left = [count]

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if part not in request.path or left[0] <= 0:
            return None
        left[0] -= 1
        return web.Response(status=status, headers=headers, text=text if request.method != "HEAD" else None)

    return answer


def always(part: str, make: Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]]) -> Answering:
    """A fault: every request whose path holds *part* gets what *make* makes of it."""

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if part not in request.path:
            return None
        made = make(request)
        return await made if isinstance(made, Awaitable) else made

    return answer


def wants_basic(username: str, password: str, *, challenge: str = 'Basic realm="lab"') -> Answering:
    """A fault: who does not show this user and password is refused."""
    expected = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if request.headers.get("Authorization") == expected:
            return None
        return web.Response(status=401, headers={"WWW-Authenticate": challenge}, text="{}")

    return answer


def wants_bearer(challenge: Callable[[str], str], accepted: Callable[[str], bool]) -> Answering:
    """A fault: who does not show an accepted token is refused with a challenge made from the image's path."""

    async def answer(request: web.Request) -> web.StreamResponse | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and accepted(token):
            return None
        name = request.path.removeprefix("/v2/").partition("/tags/")[0].partition("/manifests/")[0].partition("/blobs/")[0]
        return web.Response(status=401, headers={"WWW-Authenticate": challenge(name)})

    return answer


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()
