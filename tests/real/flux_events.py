"""Receives what Flux's controllers post to their events address, in the place of notification-controller."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class PostedEvent:
    """One request as it arrived: its path, its headers, and its body as JSON."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class EventsReceiver:
    """A server on loopback, as a context; `posted` holds every event in the order of arrival. *code* answers the next ones."""

    def __init__(self, code: int = 202) -> None:
        self.code = code
        self.posted: list[PostedEvent] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, name="events", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def about(self, kind: str, name: str) -> list[PostedEvent]:
        """Return what was posted about one object."""
        return [
            one for one in self.posted if (one.body["involvedObject"]["kind"], one.body["involvedObject"]["name"]) == (kind, name)
        ]


def _handler_of(receiver: EventsReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.posted.append(PostedEvent(self.path, dict(self.headers.items()), json.loads(body)))
            self.send_response(receiver.code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing: the list is the log."""

    return Handler
