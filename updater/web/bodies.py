"""What a person sends: small bodies, read within a time, as JSON or as a form."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from aiohttp import web

from updater.documents.base import DocumentLimits
from updater.documents.json_text import load_json
from updater.errors import ConfigError
from updater.web.answers import ApiRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST: Final = 16 * 1024
SLOWEST: Final = 10.0
MOST_FIELDS: Final = 20
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
_BODY: Final = web.RequestKey("body", bytes)
_LIMITS: Final = DocumentLimits(size=LARGEST, depth=4)


async def fields_of(request: web.Request) -> Mapping[str, str]:
    """Read the fields of a body, all of them texts; raise `ApiRefusal`."""
    if request.content_type not in {JSON, FORM} and request.can_read_body:
        raise ApiRefusal(415, "bad-body", f"the body is {request.content_type}", f"send {JSON} or {FORM}")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ApiRefusal(415, "bad-body", "the body is compressed", "send it as it is")
    body = await body_of(request)
    if not body.strip():
        return {}
    return _of_form(body) if request.content_type == FORM else _of_json(body)


async def body_of(request: web.Request) -> bytes:
    """Read the body, however often it is asked for; raise `ApiRefusal` where it is too large or too slow."""
    if (known := request.get(_BODY)) is None:
        known = request[_BODY] = await _read(request)
    return known


async def _read(request: web.Request) -> bytes:
    if (request.content_length or 0) > LARGEST:
        raise _too_large()
    body = b""
    try:
        async with asyncio.timeout(SLOWEST):
            while piece := await request.content.readany():
                body += piece
                if len(body) > LARGEST:
                    raise _too_large()
    except TimeoutError:
        raise ApiRefusal(408, "slow-body", "the body did not arrive in time") from None
    return body


def _too_large() -> ApiRefusal:
    return ApiRefusal(413, "large-body", f"a body has at most {LARGEST} bytes")


def _of_form(body: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise ApiRefusal(400, "bad-body", "the form cannot be read") from None


def _of_json(body: bytes) -> Mapping[str, str]:
    try:
        data = load_json("", body, caps=_LIMITS)
    except ConfigError as error:
        raise ApiRefusal(400, "bad-body", f"the body is not JSON: {error.message}") from None
    if not isinstance(data, dict) or not all(isinstance(value, str | None) for value in data.values()):
        raise ApiRefusal(400, "bad-body", "the body is not a map of texts", 'send {"reason": "…"}')
    return {str(name): value for name, value in data.items() if value is not None}
