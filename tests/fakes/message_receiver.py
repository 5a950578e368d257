"""Receivers of messages on this machine: an HTTP server that answers as it is told, and an SMTP server that keeps its mails."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from dataclasses import dataclass, field

from aiohttp import web
from aiosmtpd.smtp import SMTP


@dataclass
class Delivery:
    """One request: its path with query, its headers, its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    """What is answered: a status, headers, a body; nothing at all where it *hangs*."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    hangs: bool = False


class MessageReceiver:
    """An HTTP server. `script` holds the next answers, `usual` is the one after them."""

    def __init__(self):
        self.deliveries: list[Delivery] = []
        self.script: list[Answer] = []
        self.usual = Answer()
        self._ended = asyncio.Event()

    async def __aenter__(self):
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._ended.set()
        await self._runner.cleanup()

    def url(self, scheme: str = "http", path: str = "/hook") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    async def _take(self, request):
        self.deliveries.append(Delivery(request.path_qs, dict(request.headers), await request.read()))
        answer = self.script.pop(0) if self.script else self.usual
        if answer.hangs:
            await self._ended.wait()
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


class MailReceiver:
    """An SMTP server that keeps what it takes, or refuses it with *refusal*."""

    def __init__(self, refusal: str = ""):
        self.mails: list[email.message.EmailMessage] = []
        self._refusal = refusal

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - the name is aiosmtpd's
        if self._refusal:
            return self._refusal
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 taken"

    def url(self, more: str = "") -> str:
        return f"mailto://127.0.0.1:{self.port}?mode=insecure&from=updater@example.org&to=team@example.org{more}"
