"""An HTTP proxy on loopback: tunnels by CONNECT, forwards plain HTTP, and may want a user name and password."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class HttpProxy:
    """`asked` holds the first line of each request and the Proxy-Authorization that came with it.

    One with a *lure*, a port of loopback, leads everybody there, whatever server was meant.
    """

    def __init__(self, login: tuple[str, str] | None = None, *, lure: int | None = None) -> None:
        self._login = login
        self._lure = lure
        self.asked: list[tuple[str, str | None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *fields = head.strip().split("\r\n")
            shown = next((line.partition(": ")[2] for line in fields if line.lower().startswith("proxy-authorization:")), None)
            self.asked.append((first, shown))
            if self._login and shown != "Basic " + base64.b64encode(":".join(self._login).encode()).decode():
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
            else:
                await self._pass_on(first, fields, reader, writer)
        writer.close()

    async def _pass_on(self, first: str, fields: list[str], reader, writer) -> None:
        method, target, version = first.split(" ")
        is_tunnel = method == "CONNECT"
        parts = urlsplit(f"//{target}" if is_tunnel else target)
        place = ("127.0.0.1", self._lure) if self._lure else (parts.hostname, parts.port or 80)
        far_reader, far_writer = await asyncio.open_connection(*place)
        if is_tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            kept = [line for line in fields if not line.lower().startswith(("proxy-", "connection:"))]
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            far_writer.write("\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""]).encode())
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
