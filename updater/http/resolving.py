"""Resolve names that another server chose, refuse private addresses, and connect only to the checked addresses.

aiohttp connects to what its resolver returns and asks nobody again, so there is no moment between check and connection
in which a name could come to mean something else.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver

from updater.http.address import is_listed, is_private

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult


class PrivateAddress(OSError):  # noqa: N818 - says what is the case; an OSError, because aiohttp takes only those from a resolver
    """Raised if a name resolves to an address of a private network. Never leaves this package."""


class GuardedResolver(AbstractResolver):
    """Resolve names; raise `PrivateAddress` if an address is in a private network and not listed in *private_hosts*."""

    def __init__(self, private_hosts: tuple[str, ...], resolver: AbstractResolver | None = None) -> None:
        self._private_hosts = private_hosts
        self._resolver = resolver or ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Return the addresses of *host*, all of which may be connected to."""
        found = await self._resolver.resolve(host, port, family)
        if not is_listed(host, self._private_hosts):
            for item in found:
                if is_private(item["host"]) and not is_listed(item["host"], self._private_hosts):
                    raise PrivateAddress(f"its name resolves to {item['host']}, an address of a private network")
        return found

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()
