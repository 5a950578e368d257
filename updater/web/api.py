"""The API: what a page and programs read of a fleet, in JSON below /api/v1/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from updater.errors import UpdaterError
from updater.web.answers import ApiRefusal, answer, answer_many, keys_of, number, row_query
from updater.web.app import MOST_STATUSES, STATUS_PATH
from updater.web.fleet import RowQuery, page_of
from updater.web.keys import key_of
from updater.web.sse import EventStreams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from updater.web.detail import SubscriptionDetail
    from updater.web.events import EventLog
    from updater.web.fleet import FleetRow, FleetTable
    from updater.web.health import FleetHealth, ReplicaView

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

API: Final = "/api/v1"
SUBSCRIPTIONS: Final = f"{API}/subscriptions"
EVENTS: Final = f"{API}/events"
HEALTH: Final = f"{API}/health"
RECENT: Final = f"{API}/events/recent"
MOST_RECENT: Final = 1000
#: says in every answer whether the replica that answers is the one that works
REPLICA_HEADER: Final = "X-Updater-Leader"


class Fleet(Protocol):
    """Who knows the fleet; see `updater.daemon.fleet_desk.FleetDesk`."""

    @property
    def events(self) -> EventLog:
        """What happened."""
        ...

    @property
    def replica(self) -> ReplicaView:
        """Which replica this is."""
        ...

    async def table(self) -> FleetTable:
        """Return every subscription as a row."""
        ...

    async def rows_of(self, keys: Sequence[str]) -> Sequence[FleetRow]:
        """Return the rows of *keys* that are known."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """Return how many subscriptions there are of each state."""
        ...

    async def detail(self, key: str) -> SubscriptionDetail:
        """Return one subscription in full; raise `ConfigError` ``unknown-key``, and `UpdaterError`."""
        ...

    async def health(self) -> FleetHealth:
        """Return how everything that is asked is."""
        ...


class ReadApi:
    """The routes that read *fleet*."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.streams = EventStreams(fleet.events)

    @property
    def fleet(self) -> Fleet:
        """Who knows the fleet."""
        return self._fleet

    def routes(self) -> list[web.RouteDef]:
        """Return them; the key of a subscription may have slashes, percent-encoded or not."""
        return [
            web.get(SUBSCRIPTIONS, self.subscriptions),
            web.get(f"{SUBSCRIPTIONS}/{{key:.+}}", self.subscription),
            web.get(RECENT, self.recent),
            web.get(EVENTS, self.streams.serve),
            web.get(HEALTH, self.health),
            web.get(STATUS_PATH, self.statuses),
        ]

    async def subscriptions(self, request: web.Request) -> web.Response:
        """Answer rows of all subscriptions."""
        page = page_of(await self._fleet.table(), row_query(request.query))
        return await answer_many(request, page, headers=self._headers())

    async def subscription(self, request: web.Request) -> web.Response:
        """Answer one subscription in full."""
        return answer(request, await self._fleet.detail(key_of(request)), headers=self._headers())

    async def recent(self, request: web.Request) -> web.Response:
        """Answer the last events, newest first."""
        count = number(request.query, "limit", usual=100, most=MOST_RECENT)
        events = self._fleet.events
        found = {"events": events.latest(count), "last": f"{events.run}-{events.last}"}
        return answer(request, found, headers=self._headers())

    async def statuses(self, request: web.Request) -> web.Response:
        """Answer what `updater status` reads, in the same form as at `listen.metrics`."""
        query = RowQuery(
            keys=keys_of(request.query),
            states=tuple(request.query.getall("state", [])),
            limit=MOST_STATUSES,
        )
        table = await self._fleet.table()
        page = page_of(table, query)
        rows = [table.statuses[row.key].row() for row in page.subscriptions]
        return await answer_many(request, {"subscriptions": rows, "total": page.total}, headers=self._headers())

    async def health(self, request: web.Request) -> web.Response:
        """Answer how everything that is asked is."""
        return answer(request, await self._fleet.health(), headers=self._headers())

    def _headers(self) -> Mapping[str, str]:
        return {REPLICA_HEADER: "true" if self._fleet.replica.is_leader else "false"}


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what is refused, and what the program cannot do, as JSON."""
    try:
        return await handler(request)
    except ApiRefusal as refusal:
        return refusal.answer()
    except UpdaterError as error:
        return ApiRefusal.of(error).answer()
