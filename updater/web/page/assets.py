"""The files that the page loads: style, script, htmx. Nothing comes from another host."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

ASSETS: Final = "/static/"
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its type, its bytes, and a sum of them that stands in its address."""

    content_type: str
    body: bytes
    version: str


@cache
def assets() -> Mapping[str, Asset]:
    """Return every file by its name."""
    found = {}
    for item in files("updater.web.page").joinpath("static").iterdir():
        kind = _TYPES.get(item.name.rpartition(".")[2])
        if kind:
            body = item.read_bytes()
            found[item.name] = Asset(kind, body, hashlib.sha256(body).hexdigest()[:12])
    return found


def asset_address(name: str) -> str:
    """Return where a file is served; another content has another address."""
    return f"{ASSETS}{name}?v={assets()[name].version}"


async def serve_asset(request: web.Request) -> web.Response:
    """Answer one of the files, compressed where that is understood."""
    found = assets().get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    is_current = request.query.get("v") == found.version
    headers = {"ETag": f'"{found.version}"', "Cache-Control": _FOREVER if is_current else "no-cache"}
    if found.version in {tag.value for tag in request.if_none_match or ()}:
        return web.Response(status=304, headers=headers)
    response = web.Response(body=found.body, headers=headers, content_type=found.content_type, charset="utf-8")
    response.enable_compression()
    return response
