"""The last grant of each registry, by credential and image, until it expires.

One token serves all who wait for it. After its end the challenge that led to it is answered again, without
a refused request in between. Basic is granted for the whole registry.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.http.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.http.exchange import Connection
    from updater.model.credential import Credential
    from updater.registry.auth import Challenge, Grant
    from updater.registry.endpoints import Endpoint

MOST_GRANTS: Final = 8192
_RENEWED_EARLY: Final = 5.0


@dataclass(frozen=True, slots=True)
class GrantKey:
    """The registry, image and credential of a grant, and the connection by which it was asked for.

    A proxy or authority that an object of the cluster names may answer in the name of any registry: what it grants or
    challenges is for those alone who reach the registry in the same way.
    """

    endpoint: Endpoint
    credential: Credential | None
    connection: Connection

    @property
    def of_host(self) -> tuple[str, Credential | None, Connection]:
        """The key of a grant for every image of the registry."""
        return self.endpoint.url, self.credential, self.connection


@dataclass(frozen=True, slots=True)
class _Held:
    authorization: str
    ends: float
    challenges: tuple[Challenge, ...]


class TokenCache:
    """The cached grants. *fetch* requests a grant for challenges; *clock* counts seconds."""

    def __init__(
        self, fetch: Callable[[GrantKey, tuple[Challenge, ...]], Awaitable[Grant]], *, clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held: OrderedDict[GrantKey, _Held] = OrderedDict()
        self._of_hosts: dict[tuple[str, Credential | None, Connection], _Held] = {}
        self._flights = SingleFlight()

    async def current(self, key: GrantKey) -> str | None:
        """Return the Authorization to send, renewed if its time is over; None where nothing was ever wanted."""
        held = self._find(key) if self._held or self._of_hosts else None
        if held is None or self._clock() < held.ends:
            return held.authorization if held else None
        return await self._flights.share(key, lambda: self._take(key, held.challenges, held.authorization))

    async def answer(self, key: GrantKey, challenges: tuple[Challenge, ...], refused: str | None) -> str:
        """Return the Authorization that answers *challenges*, after *refused* was sent and did not do."""
        return await self._flights.share(key, lambda: self._take(key, challenges, refused))

    def forget(self, key: GrantKey, authorization: str) -> None:
        """Forget a grant that did not help."""
        host = key.of_host
        if (held := self._held.get(key)) and held.authorization == authorization:
            del self._held[key]
        if (of_host := self._of_hosts.get(host)) and of_host.authorization == authorization:
            del self._of_hosts[host]

    async def _take(self, key: GrantKey, challenges: tuple[Challenge, ...], refused: str | None) -> str:
        held = self._find(key)
        if held and held.authorization != refused and self._clock() < held.ends:
            return held.authorization  # somebody was faster
        grant = await self._fetch(key, challenges)
        ends = float("inf") if grant.expires_in is None else self._clock() + max(grant.expires_in - _RENEWED_EARLY, 1.0)
        held = _Held(grant.authorization, ends, challenges)
        if grant.is_for_host:
            self._of_hosts[key.of_host] = held
            return held.authorization
        self._held[key] = held
        self._held.move_to_end(key)
        if len(self._held) > MOST_GRANTS:
            self._held.popitem(last=False)
        return held.authorization

    def _find(self, key: GrantKey) -> _Held | None:
        return self._held.get(key) or self._of_hosts.get(key.of_host)
