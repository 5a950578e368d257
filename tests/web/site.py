"""A site over a fleet by hand, on a real socket."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
from aiohttp import web

from updater.errors import ConfigError
from updater.reporting.last_outcomes import SubscriptionStatus
from updater.web.acts import ActDone, ChangePreview
from updater.web.app import serve
from updater.web.detail import SubscriptionDetail
from updater.web.events import EventLog
from updater.web.fleet import FleetTable
from updater.web.health import FleetHealth, ReplicaView
from updater.web.passwords import read_users
from updater.web.people import SiteRules
from updater.web.sessions import SessionSigner
from updater.web.shield import is_loopback
from updater.web.site import SiteDesks, open_site


class FleetByHand:
    """A fleet of the rows that it is given."""

    def __init__(self, *rows, is_leader=True):
        self.rows = {row.key: row for row in rows}
        self.events = EventLog()
        self.replica = ReplicaView(is_leader=is_leader, leader="" if is_leader else "http://10.0.0.1:8090")

    async def table(self):
        needles = {key: f"{key}\n{row.image or ''}".lower() for key, row in self.rows.items()}
        statuses = {key: SubscriptionStatus(key=key, image=row.image) for key, row in self.rows.items()}
        return FleetTable(rows=self.rows, statuses=statuses, needles=needles)

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


class RegistrarByHand:
    """Users and rules by hand; what was denied is in `denials`."""

    def __init__(self, *, host="127.0.0.1", users="", **rules):
        self.rules = SiteRules(is_local=is_loopback(host), has_users=bool(users), **rules)
        self.table = read_users(users)
        self.key = SessionSigner(key=b"k" * 32, wall=time.time)
        self.denials = []

    async def users(self):
        return self.table

    async def signer(self):
        return self.key

    def denied(self, denial):
        self.denials.append((denial.reason, denial.person))


class ActsByHand:
    """Notes what is asked for; a follower hands on to *leader*."""

    def __init__(self, *, leads=True, status=200):
        self.leads, self.status = leads, status
        self.orders, self.handed, self.results = [], [], []

    async def act(self, order):
        self.orders.append(order)
        if order.key == "gone":
            raise ConfigError("there is no subscription 'gone'", code="unknown-key")
        return ActDone(key=order.key, act=order.kind, author=order.author, told="done")

    async def preview(self, order, key):
        self.orders.append(order)
        return ChangePreview(diff=("-a", "+b"), targets=())

    async def hand_on(self, path, fields, person):
        self.handed.append((path, dict(fields), person))
        return self.status, b'{"handed": true}'

    def done(self, order, result):
        self.results.append((order.kind.value, result))


class Site:
    """Asks the site at *base*."""

    def __init__(self, base, session, desks):
        self.base, self.session, self.desks = base, session, desks
        self.acts, self.registrar = desks.acts, desks.registrar

    async def get(self, path, **options):
        return await self.send("GET", path, **options)

    async def post(self, path, **options):
        return await self.send("POST", path, **options)

    async def send(self, method, path, **options):
        options = {"allow_redirects": False} | options
        async with self.session.request(method, f"{self.base}{path}", **options) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, (await answer.json()) if is_json else await answer.text(), answer.headers

    async def form_token(self, **options):
        _, told, _ = await self.get("/api/v1/session", **options)
        return told["form_token"]


@asynccontextmanager
async def opened(fleet, *, host="127.0.0.1", acts=None, registrar=None, port=0):
    desks = SiteDesks(fleet=fleet, acts=acts or ActsByHand(), registrar=registrar or RegistrarByHand(host=host))
    app = web.Application(handler_args={"auto_decompress": False, "lingering_time": 1.0})
    open_site(app, desks)
    runner = await serve(app, f"127.0.0.1:{port}")
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            yield Site(f"http://127.0.0.1:{runner.addresses[0][1]}", session, desks)
    finally:
        await runner.cleanup()
