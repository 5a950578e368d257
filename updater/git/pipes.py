"""How dulwich's clients over pipes are closed, and the race of theirs that must be avoided."""

from __future__ import annotations

import contextlib
from typing import Any

from dulwich.client import TraditionalGitClient


class OpenPipes(TraditionalGitClient):
    """A client that closes what it opened, also where dulwich gives up before it would."""

    _pipes: tuple[Any, ...] = ()

    def _connect(self, cmd: bytes, path: str | bytes, protocol_version: int | None = None) -> Any:
        proto, _, stderr = super()._connect(cmd, path, protocol_version)
        self._pipes = (*self._pipes, proto)
        # Protocol 0 answers a wish for depth before the haves are through, and dulwich would take that for an
        # acknowledgement. Our haves are few: everything is read after the last of them.
        return proto, _never, stderr

    def close(self) -> None:
        """Close every pipe."""
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()


def _never() -> bool:
    return False
