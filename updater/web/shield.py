"""What every answer at `listen.web` says to browsers, and which host names a request may have.

A page of another site that resolves its own name to 127.0.0.1 could ask a server on loopback: so there only the names of
loopback are answered.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_LOCAL: Final = "localhost"


async def add_headers(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Add the headers that every answer has; one that is set already stays."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "updater"


def is_loopback(host: str) -> bool:
    """Return whether *host*, a name or an address, is this machine alone."""
    if host.lower().rstrip(".") == _LOCAL or host.lower().endswith(f".{_LOCAL}"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_local_name(header: str) -> bool:
    """Return whether a Host header names loopback, whatever the port."""
    try:
        found = urlsplit(f"//{header}")
        name, _ = found.hostname or "", found.port
    except ValueError:
        return False
    return found.username is None and not found.path and is_loopback(name)
