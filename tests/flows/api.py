"""`updater run` that serves the API, and who asks it."""

from __future__ import annotations

import aiohttp

from tests.flows.test_run import Daemon
from tests.real.parts import free_port


class ServingDaemon(Daemon):
    """`updater run` with `listen.web` on loopback, or at *host*; *more* are lines of the configuration."""

    def __init__(self, made, *, more="", host="127.0.0.1"):
        super().__init__(made, free_port())
        self.web, self.more, self.host = free_port(), more, host

    def configure(self):
        path = super().configure()
        text = path.read_text()
        listen = f'listen: {{metrics: "127.0.0.1:{self.port}"'
        assert listen in text
        path.write_text(text.replace(listen, f'{listen}, web: "{self.host}:{self.web}"') + self.more)
        return path

    @property
    def base(self):
        return f"http://127.0.0.1:{self.web}"

    async def ask(self, path, method="GET", **options):
        async with aiohttp.ClientSession() as session, session.request(method, f"{self.base}{path}", **options) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, (await answer.json()) if is_json else await answer.text()

    async def row(self, key):
        status, page = await self.ask("/api/v1/subscriptions", params={"key": key})
        assert status == 200
        return next(iter(page["subscriptions"]), {})

    async def state(self, key):
        return (await self.row(key)).get("state")
