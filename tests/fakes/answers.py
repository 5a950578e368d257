"""Makes answers for generators that do no I/O."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict, CIMultiDictProxy

from updater.http.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Generator


def answer(
    status: int = 200, content: Any = None, *, url: str = "https://r.example.com/", **headers: str | list[str]
) -> Response:
    """An answer; *content* is bytes, or anything that JSON can hold."""
    fields: CIMultiDict[str] = CIMultiDict()
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            fields.add(name.replace("_", "-"), value)
    body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
    return Response(status=status, url=url, body=body, fields=CIMultiDictProxy(fields))


def drive(steps: Generator, *given: Any) -> tuple[list[Any], Any]:
    """Give what a generator asked for, and what it returned; it must take every answer."""
    asked, left = [], list(given)
    try:
        asked.append(next(steps))
        while left:
            asked.append(steps.send(left.pop(0)))
    except StopIteration as end:
        assert not left, "it ended before it took every answer"
        return asked, end.value
    raise AssertionError(f"it asks for more: {asked[-1]}")
