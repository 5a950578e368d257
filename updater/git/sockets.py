"""The open sockets of a connection pool, so that another thread can end what goes on there.

A time limit of a socket holds for each read of it: a server that sends a byte now and then never meets one.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import weakref
from typing import TYPE_CHECKING, Any

from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Callable

# urllib3 would print the headers that a server sent and it could not read
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


class Sockets:
    """Notes every connection that the pools of its classes make; used by one thread, and aborted by any."""

    def __init__(self) -> None:
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.is_aborted = False

    def pool_classes(self, dial: Callable[[str, int], socket.socket] | None = None) -> dict[str, type[HTTPConnectionPool]]:
        """Return urllib3's pools by scheme, whose connections are noted here; *dial* makes their sockets, None: urllib3 does."""
        return {"http": self._noting(HTTPConnectionPool, dial), "https": self._noting(HTTPSConnectionPool, dial)}

    def abort(self) -> None:
        """Break every connection; who reads or writes there is woken by an error."""
        self.is_aborted = True
        with self._lock:
            open_now = [connection.sock for connection in self._connections]  # one that still connects has no other trace
            noted = [*open_now, *self._sockets]
        for item in noted:
            with contextlib.suppress(OSError, AttributeError):
                item.shutdown(socket.SHUT_RDWR)

    def _noting(self, base: Any, dial: Callable[[str, int], socket.socket] | None) -> Any:
        sockets = self

        class NotedConnection(base.ConnectionCls):  # type: ignore[misc]
            def _new_conn(self) -> socket.socket:
                return dial(self.host, self.port) if dial is not None else super()._new_conn()

            def connect(self) -> None:
                with sockets._lock:
                    sockets._connections.add(self)
                super().connect()
                with sockets._lock:
                    sockets._sockets.add(self.sock)  # an answer keeps it when its connection has let go of it
                if sockets.is_aborted:
                    self.close()
                    raise TimeoutError("the conversation is over")

        class NotedPool(base):  # type: ignore[misc]
            ConnectionCls = NotedConnection

        return NotedPool
