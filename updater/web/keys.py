"""How the key of a subscription stands in the path of an address, and which key a path names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from updater.web.fleet import FleetTable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: a browser takes these for the folder itself and the one above, percent-encoded too
_DOTS: Final = frozenset({".", ".."})
PREVIEW_END: Final = "/preview"


class KeyedFleet(Protocol):
    """Who knows the keys."""

    async def table(self) -> FleetTable:
        """Return every subscription as a row."""
        ...


def path_of_key(key: str) -> str:
    """Return what stands for *key* in a path: one segment, which no browser shortens."""
    return quote(f"/{key}" if key in _DOTS else key, safe="", errors="surrogatepass")


def key_of(request: web.Request) -> str:
    """Return the key that the path of *request* names."""
    key = request.match_info["key"]
    return key[1:] if key[:1] == "/" and key[1:] in _DOTS else key


def whole_key_first(fleet: KeyedFleet, preview: Handler, whole: Handler) -> Handler:
    """Return what answers a path that ends in ``/preview``: *whole* where a key ends so, and no shorter key is there."""

    async def answered(request: web.Request) -> web.StreamResponse:
        key, rows = key_of(request), (await fleet.table()).rows
        if key in rows or f"{key}{PREVIEW_END}" not in rows:
            return await preview(request)
        request.match_info["key"] = f"{key}{PREVIEW_END}"
        return await whole(request)

    return answered
