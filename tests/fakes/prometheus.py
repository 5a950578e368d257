"""A server that answers queries as Prometheus does, with the number that a test wants."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit


class FakePrometheus:
    """Answers each query with the value of the first word in `values` that the query holds; 0 where it holds none of them."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="prometheus", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, query: str) -> bytes:
        self.asked.append(query)
        value = next((value for word, value in self.values.items() if word in query), 0.0)
        result = [{"metric": {}, "value": [1, str(value)]}]
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(urlsplit(self.path).query)

            def do_POST(self) -> None:
                self._send(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode() or urlsplit(self.path).query)

            def _send(self, asked: str) -> None:
                body = fake.answer(parse_qs(asked).get("query", [""])[0])
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        return Handler
