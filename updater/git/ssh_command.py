"""What core.sshCommand and GIT_SSH_COMMAND say, as CI services write them: which key, and which known_hosts.

The command itself is never run: the program speaks SSH on its own (docs/decisions/0101).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.git.faults import fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.git.access import GitAccess

_WITH_VALUE: Final = frozenset("BbcDEeFIiJLlmOoPpQRSWw")  # ssh(1), SYNOPSIS
_SYSTEM_FILE: Final = Path("/etc/ssh/ssh_known_hosts")
# what changes nothing for a program that asks no questions and reads no ssh_config
_HARMLESS: Final = frozenset(
    {"batchmode", "identitiesonly", "loglevel", "connecttimeout", "serveraliveinterval", "serveralivecountmax", "checkhostip"}
)


@dataclass(slots=True)
class SshCommand:
    """The words of one command: files of keys, files of known hosts, and what is not read, as it is written."""

    keys: list[str] = field(default_factory=list)
    known_hosts: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> SshCommand:
        """Take a command apart; raise `GitError` ``ssh-key`` where its quotes are not closed."""
        found = cls()
        try:
            words = shlex.split(text)
        except ValueError:
            raise fault("ssh-key", "the SSH command cannot be read: a quote is not closed", hint=_HINT) from None
        for flag, value in _options(words[1:]):
            found._take(flag, value)
        return found

    def _take(self, flag: str, value: str) -> None:
        if flag == "o":
            name, _, given = value.replace("=", " ", 1).strip().partition(" ")
            self._set(name.lower(), given.strip(), f"-o {value}")
        elif flag == "i":
            self.keys.append(value)
        elif flag == "F" and value in {"none", "/dev/null"}:
            return
        elif flag in _WITH_VALUE or flag.startswith("-"):
            self.unread.append(f"-{flag} {value}".strip())

    def _set(self, name: str, value: str, written: str) -> None:
        if name == "identityfile":
            self.keys.append(value)
        elif name == "userknownhostsfile":
            self.known_hosts += shlex.split(value)
        elif name not in _HARMLESS and (name, value.lower()) != ("stricthostkeychecking", "yes"):
            self.unread.append(written)


def follow_ssh_command(access: GitAccess, configured: str | None, environment: Mapping[str, str]) -> GitAccess:
    """Return *access* with the key and the known_hosts of GIT_SSH_COMMAND, else of core.sshCommand (*configured*).

    Raises `GitError` ``ssh-key`` where none of the keys it names can be read. What else it says is named in errors.
    """
    name = "GIT_SSH_COMMAND" if environment.get("GIT_SSH_COMMAND") else "core.sshCommand"
    text = environment.get("GIT_SSH_COMMAND") or configured
    if not text:
        return access
    command = SshCommand.read(text)
    access = replace(access, unread=tuple(f"{option} of {name}" for option in command.unread))
    if command.keys:
        data = next(filter(None, map(_content, command.keys)), None)
        if data is None:
            raise fault("ssh-key", f"the key {command.keys[0]} of {name} cannot be read", hint=_HINT)
        access = replace(access, private_key=data)
    if command.known_hosts:
        files = [*command.known_hosts, str(_SYSTEM_FILE)]
        access = replace(access, known_hosts=b"\n".join(_content(file) or b"" for file in files))
    return access


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each option and its value; one letter may stand together with its value, or with letters that have none."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or len(word) == 1:
            yield f"-{word}", ""
            continue
        letters = word[1:]
        for at, letter in enumerate(letters):
            if letter in _WITH_VALUE:
                yield letter, letters[at + 1 :] or next(rest, "")
                break
            yield letter, ""


def _content(name: str) -> bytes | None:
    try:
        return Path(name).expanduser().read_bytes()
    except OSError:
        return None


_HINT: Final = "of the SSH command -i, IdentityFile and UserKnownHostsFile are read; the files must be readable"
