"""How the API answers: JSON with an entity tag, refusals with a code and a hint, and query parameters that are checked."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from updater.reporting.last_outcomes import globs_of
from updater.reporting.plain import plain, told
from updater.web.app import MOST_GLOBS, TOO_MANY_GLOBS
from updater.web.fleet import MOST_ROWS, SORTS, USUAL_ROWS, RowQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import MultiMapping

    from updater.errors import UpdaterError

MOST_VALUES: Final = 100
LONGEST_VALUE: Final = 1000
LARGEST_OFFSET: Final = 1_000_000
_QUERY: Final = frozenset({"q", "key", "state", "source", "namespace", "sort", "order", "offset", "limit"})
#: what an error of the program means to who asks over HTTP
STATUSES: Final[Mapping[str, int]] = {
    "unknown-key": 404,
    "usage": 400,
    "not-leading": 503,
    "kube-conflict": 409,
    "kube-denied": 403,
}


@dataclass(eq=False)
class ApiRefusal(Exception):  # noqa: N818 - it is an answer
    """An answer that is no success: its status, a stable code, a message and what helps."""

    status: int
    code: str
    message: str
    hint: str = ""
    headers: Mapping[str, str] | None = None

    @classmethod
    def of(cls, error: UpdaterError) -> ApiRefusal:
        """Return what *error* means to who asks."""
        return cls(STATUSES.get(error.code, 422), error.code, error.message, error.hint)

    def answer(self) -> web.Response:
        """Return it as JSON."""
        error = {"code": self.code, "message": told(self.message), "hint": told(self.hint) or None}
        response = web.Response(
            status=self.status, body=encoded({"error": error}), content_type="application/json", headers=self.headers
        )
        if self.status in {408, 413, 415}:
            response.force_close()  # what remains of the body is not read
        return response


def encoded(data: Any) -> bytes:
    """Return plain data as JSON."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")


def answer(request: web.Request, value: Any, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return *value* as JSON, or 304 where who asks has it already."""
    return _tagged(request, encoded(plain(value)), headers or {})


async def answer_many(request: web.Request, value: Any, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return what `answer` does, made beside the loop: a thousand rows take 0.1 s."""
    return _tagged(request, await asyncio.to_thread(lambda: encoded(plain(value))), headers or {})


def _tagged(request: web.Request, body: bytes, headers: Mapping[str, str]) -> web.Response:
    tag = hashlib.sha256(body).hexdigest()[:32]
    found = {**headers, "ETag": f'"{tag}"'}
    known = {item.value for item in request.if_none_match or ()}
    if tag in known:
        return web.Response(status=304, headers=found)
    return web.Response(body=body, content_type="application/json", headers=found)


def row_query(query: MultiMapping[str]) -> RowQuery:
    """Read which rows are asked for; raise `ApiRefusal` for what cannot be read, and for a parameter that does not exist."""
    unknown = sorted(set(query) - _QUERY)
    if unknown:
        hint = f"the parameters are {', '.join(sorted(_QUERY))}"
        raise ApiRefusal(400, "unknown-parameter", f"there is no parameter {unknown[0]!r}", hint)
    sort = query.get("sort", "key")
    if sort not in SORTS:
        raise ApiRefusal(400, "bad-parameter", f"rows cannot be sorted by {sort!r}", f"sort is one of {', '.join(sorted(SORTS))}")
    order = query.get("order", "asc")
    if order not in {"asc", "desc"}:
        raise ApiRefusal(400, "bad-parameter", f"order is not {order!r}", "write asc or desc")
    return RowQuery(
        search=query.get("q", "")[:LONGEST_VALUE],
        keys=keys_of(query),
        states=_several(query, "state"),
        sources=_several(query, "source"),
        namespaces=_several(query, "namespace"),
        sort=sort,
        is_descending=order == "desc",
        offset=number(query, "offset", usual=0, most=LARGEST_OFFSET),
        limit=number(query, "limit", usual=USUAL_ROWS, most=MOST_ROWS),
    )


def number(query: MultiMapping[str], name: str, *, usual: int, most: int) -> int:
    """Read a number from 0 to *most*; raise `ApiRefusal`."""
    text = query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= most):
        raise ApiRefusal(400, "bad-parameter", f"{name} is not {text!r}", f"write a number from 0 to {most}")
    return int(text)


def keys_of(query: MultiMapping[str]) -> tuple[str, ...]:
    """Read which subscriptions are named; raise `ApiRefusal` where too many globs do."""
    found = _several(query, "key")
    if len(globs_of(found)) > MOST_GLOBS:
        raise ApiRefusal(400, "bad-parameter", TOO_MANY_GLOBS, "name subscriptions by their keys, or send several requests")
    return found


def _several(query: MultiMapping[str], name: str) -> tuple[str, ...]:
    found = query.getall(name, [])
    if len(found) > MOST_VALUES or any(len(text) > LONGEST_VALUE for text in found):
        hint = f"at most {MOST_VALUES} values of {LONGEST_VALUE} characters"
        raise ApiRefusal(400, "bad-parameter", f"there are too many or too long values of {name}", hint)
    return tuple(found)
