"""A site over a fleet by hand, on a real socket."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
from aiohttp import web

from updater.errors import ConfigError
from updater.web.app import serve
from updater.web.detail import SubscriptionDetail
from updater.web.events import EventLog
from updater.web.fleet import FleetTable
from updater.web.health import FleetHealth, ReplicaView
from updater.web.site import SiteOptions, open_site


class FleetByHand:
    """A fleet of the rows that it is given."""

    def __init__(self, *rows, is_leader=True):
        self.rows = {row.key: row for row in rows}
        self.events = EventLog()
        self.replica = ReplicaView(is_leader=is_leader, leader="" if is_leader else "http://10.0.0.1:8090")

    async def table(self):
        needles = {key: f"{key}\n{row.image or ''}".lower() for key, row in self.rows.items()}
        return FleetTable(rows=self.rows, needles=needles)

    async def rows_of(self, keys):
        return [self.rows[key] for key in keys if key in self.rows]

    async def counts(self):
        return Counter(row.state for row in self.rows.values())

    async def detail(self, key):
        if key not in self.rows:
            raise ConfigError(f"there is no subscription {key!r}", hint="did you mean 'web'?", code="unknown-key")
        return SubscriptionDetail(row=self.rows[key])

    async def health(self):
        return FleetHealth(
            version="1",
            at=datetime.now(UTC),
            waits_for="",
            replica=self.replica,
            sources=(),
            registries=(),
            hosts=(),
            budgets=(),
            problems=(),
        )


class Site:
    """Asks the site at *base*."""

    def __init__(self, base, session):
        self.base, self.session = base, session

    async def get(self, path, **options):
        async with self.session.get(f"{self.base}{path}", **options) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, (await answer.json()) if is_json else await answer.text(), answer.headers


@asynccontextmanager
async def opened(fleet, *, host="127.0.0.1", port=0):
    app = web.Application()
    open_site(app, fleet, SiteOptions(host=host))
    runner = await serve(app, f"127.0.0.1:{port}")
    try:
        async with aiohttp.ClientSession() as session:
            yield Site(f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    finally:
        await runner.cleanup()
