"""How dulwich's clients over pipes are closed, and the race of theirs that must be avoided."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING, Any, Final

from dulwich.client import SubprocessWrapper, TraditionalGitClient

if TYPE_CHECKING:
    from updater.git.conversation import Conversation


_ENDS_WITHIN: Final = 1.0
_MOST_WORDS: Final = 8192


class OpenPipes(TraditionalGitClient):
    """A client that closes what it opened, also where dulwich gives up before it would; *talk* counts what it reads."""

    _pipes: tuple[Any, ...] = ()
    talk: Conversation | None = None

    def _connect(self, cmd: bytes, path: str | bytes, protocol_version: int | None = None) -> Any:
        proto, _, stderr = super()._connect(cmd, path, protocol_version)
        self._pipes = (*self._pipes, proto)
        if self.talk is not None:
            proto.read = self.talk.metered(proto.read)
        # Protocol 0 answers a wish for depth before the haves are through, and dulwich would take that for an
        # acknowledgement. Our haves are few: everything is read after the last of them.
        return proto, _never, stderr

    def abort(self) -> None:
        """Break every pipe, from any thread; whoever reads or writes there is woken by an error."""
        for pipe in self._pipes:
            owner = getattr(pipe._close, "__self__", None)  # noqa: SLF001 - dulwich hands out nothing else of a process
            with contextlib.suppress(OSError, EOFError):
                owner.proc.kill() if isinstance(owner, SubprocessWrapper) else pipe.close()

    def last_words(self) -> list[bytes]:
        """Return what the program at the other end wrote to standard error before it ended; nothing where it still runs."""
        for pipe in self._pipes:
            owner = getattr(pipe._close, "__self__", None)  # noqa: SLF001 - see abort
            if isinstance(owner, SubprocessWrapper) and owner.proc.stderr is not None:
                with contextlib.suppress(subprocess.TimeoutExpired, OSError, ValueError):
                    owner.proc.wait(_ENDS_WITHIN)
                    return owner.proc.stderr.read(_MOST_WORDS).splitlines()
        return []

    def close(self) -> None:
        """Close every pipe."""
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()


def _never() -> bool:
    return False
