"""Run a program that prints a credential: no shell, bounded in time and output, no process left behind.

`ext:` programs are named by the user. Docker's credential helpers are named by a file, so they run only where
that is allowed (docker-credential-helpers: the server on stdin, ``{"Username", "Secret"}`` on stdout).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError
from updater.model.credential import Credential
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_OUTPUT: Final = 64 * 1024
_TOKEN_USER: Final = "<token>"  # noqa: S105 - docker's word for "the secret is an identity token"
_NO_CREDENTIALS: Final = "credentials not found"
_HINT: Final = "run it by hand as the same user: it must print one credential and end with status 0"


class Programs:
    """Run programs with *environment*, each for at most *time_limit* seconds.

    *helpers_allowed* lets credential helpers run; *say* is told, once each, which one was left out.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        time_limit: float = 10.0,
        helpers_allowed: bool = False,
        say: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self._environment = os.environ if environment is None else environment
        self._time_limit = time_limit
        self.helpers_allowed = helpers_allowed
        self._say = say
        self._said: set[str] = set()

    async def output(self, program: str) -> str:
        """Return what *program*, an absolute path, prints; raise `ConfigError`."""
        status, text = await self.run((program,))
        if status != 0:
            raise _failed(program, f"ended with status {status}")
        return text

    async def ask_helper(self, suffix: str, server: str) -> Credential | None:
        """Return what ``docker-credential-SUFFIX`` knows of *server*; None without a helper or an answer.

        Raises `ConfigError`.
        """
        name = f"docker-credential-{suffix}"
        if not self.helpers_allowed:
            if name not in self._said:
                self._said.add(name)
                self._say(f"{name} may know credentials of {server}, but credential helpers are not allowed to run")
            return None
        status, text = await self.run((self._path_of(name), "get"), stdin=server.encode())
        if _NO_CREDENTIALS in text.lower():
            return None
        if status != 0:
            raise _failed(name, f"ended with status {status}")
        return _helper_credential(text, name)

    def _path_of(self, name: str) -> str:
        path = shutil.which(name, path=self._environment.get("PATH"))
        if path is None:
            raise _failed(name, "is not in PATH")
        # Not resolve(): it would follow symlinks, and programs of many names look at the one they were run by.
        return os.path.abspath(path)  # noqa: PTH100

    async def run(self, command: tuple[str, ...], *, stdin: bytes = b"") -> tuple[int, str]:
        """Return status and standard output of *command*, an absolute path and its arguments; raise `ConfigError`.

        The program leads a process group, killed when time or output runs out.
        """
        name = command[0]
        if not Path(name).is_absolute():
            raise _failed(name, "is not an absolute path")
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # it may hold the secret; it is never shown
                start_new_session=True,
                env=dict(self._environment),
            )
        except (OSError, ValueError) as error:
            raise _failed(name, f"cannot be run: {reason_of(error) or 'its arguments are no texts'}") from error
        try:
            async with asyncio.timeout(self._time_limit):
                output = await _talk(process, stdin)
                status = await process.wait()
        except TimeoutError:
            raise _failed(name, f"gave no answer in {self._time_limit:g} seconds") from None
        finally:
            await _end(process)
        return status, _text_of(name, output)


def _text_of(name: str, output: bytes) -> str:
    if len(output) > MOST_OUTPUT:
        raise _failed(name, f"printed more than {MOST_OUTPUT} bytes")
    try:
        return output.decode()
    except UnicodeDecodeError:
        raise _failed(name, "printed no UTF-8 text") from None


def _failed(name: str, what: str) -> ConfigError:
    return ConfigError(f"{name} {what}", hint=_HINT, code="credential-program")


def _helper_credential(text: str, name: str) -> Credential:
    try:
        document = json.loads(text)
        username, secret = document["Username"], document["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _failed(name, "printed no credential") from None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise _failed(name, "printed no credential")
    if username == _TOKEN_USER:
        return Credential(identity_token=secret)
    return Credential(username=username, password=secret)


async def _talk(process: asyncio.subprocess.Process, stdin: bytes) -> bytes:
    """Write *stdin*, and read until the end of the output or beyond its cap."""
    assert process.stdin is not None  # noqa: S101 - both are pipes, for the type checker
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(ConnectionError):  # a program may end without reading
        process.stdin.write(stdin)
        await process.stdin.drain()
    process.stdin.close()
    output = b""
    while len(output) <= MOST_OUTPUT and (chunk := await process.stdout.read(MOST_OUTPUT)):
        output += chunk
    if len(output) > MOST_OUTPUT:
        _kill(process)
    return output


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _kill(process)
        await process.wait()
    process._transport.close()  # type: ignore[attr-defined] # noqa: SLF001 - else a grandchild's open pipe keeps it alive


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
