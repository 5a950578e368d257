"""Whether this replica writes: alone it always does, of several the one that holds the Lease."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError
from updater.kube.lease import LeaderElector
from updater.settings.values import ListenAddress
from updater.web.shield import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.process import Process
    from updater.errors import KubeError

TRIED_AGAIN: Final = 15.0


class LeaderElection:
    """Takes part in choosing a leader. *changed* is called in the event loop when this replica begins or ends to lead.

    *address* is where other replicas send what only the one that leads can do, "" for nowhere.
    """

    def __init__(self, process: Process, *, changed: Callable[[], None], address: str = "") -> None:
        self._cluster = cluster = process.cluster
        self._identity = identity()
        self._metrics = process.metrics
        self._log = process.log
        self._changed = changed
        self._told = ""
        self._is_leaving = False
        self.leadership = LeaderElector(
            cluster.client,
            (cluster.namespace, cluster.settings.lease),
            identity=self._identity,
            gained=self._gained,
            lost=self._lost,
            report=self._failed,
            address=address,
        )

    @property
    def is_leader(self) -> bool:
        """Whether this replica may write at this moment."""
        return self.leadership.is_leader

    @property
    def leader_address(self) -> str:
        """Return where the replica that leads is reached, "" where that is not known."""
        return self.leadership.leader_address

    async def run(self) -> None:
        """Take part until cancelled. A way to the cluster that is wrong is tried again, and so is what ended by a bug.

        A replica that never takes part again would look well and write nothing.
        """
        place = f"{self._cluster.namespace}/{self._cluster.settings.lease}"
        self._log.info("leader election", lease=place, identity=self._identity)
        self._metrics.set("updater_leader", to=0)
        while True:
            try:
                await self.leadership.run()
            except ConfigError as error:
                self._log.warning("leader election", detail=error.message, hint=error.hint, code=error.code)
            except Exception:  # noqa: BLE001 - a bug costs one attempt, with its traceback in the log
                self._log.exception("bug", detail="taking part in choosing a leader ended")
            await asyncio.sleep(TRIED_AGAIN)

    def leave(self, *, gives_back: bool = True) -> None:
        """Expect that `run` is cancelled now, because this replica ends.

        It gives the Lease back then; not where *gives_back* is false, since something of ours may still be written.
        """
        self._is_leaving = True
        self.leadership.gives_back = gives_back

    def _gained(self) -> None:
        self._metrics.set("updater_leader", to=1)
        self._log.info("leading")
        self._told = ""
        self._changed()

    def _lost(self) -> None:
        self._metrics.set("updater_leader", to=0)
        if not self._is_leaving:
            self._log.warning("no longer leading", detail="another replica may write; this one takes part again")
            self._changed()

    def _failed(self, error: KubeError) -> None:
        """Report a failure when it begins, not at every look."""
        if error.code != self._told:
            self._log.warning("leader election", detail=error.message, hint=error.hint, code=error.code)
        self._told = error.code


def address_of(listen: ListenAddress | None) -> str:
    """Return where other pods reach what this one serves at *listen*, "" outside a pod and where nothing is served to others."""
    pod = os.environ.get("POD_IP", "")
    if listen is None or not pod or is_loopback(listen.host):
        return ""
    return f"http://{ListenAddress(host=pod, port=listen.port)}"


def identity() -> str:
    """Return this replica a name that no other has: its pod's, and a part that a restart does not repeat."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}_{secrets.token_hex(4)}"
