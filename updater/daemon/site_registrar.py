"""Who may use the site, as the configuration in force says: the users, the key of sessions, and what was denied."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.daemon.own_files import made_once
from updater.daemon.renewed_value import RenewedValue
from updater.errors import ConfigError
from updater.model.text import printable
from updater.web.passwords import UserTable, read_users
from updater.web.people import SiteRules, rules_of
from updater.web.sessions import SHORTEST_KEY, SessionSigner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from updater.daemon.generation import Generation
    from updater.daemon.process import Process
    from updater.model.subscription import CredentialRef
    from updater.settings.web import WebSettings
    from updater.web.access import Denial

KEY_FILE: Final = "session.key"
_LONGEST: Final = 200


class SiteRegistrar:
    """Reads what the generation in force names, which *generation* returns; *is_local* where the site is on loopback."""

    def __init__(self, process: Process, generation: Callable[[], Generation], *, is_local: bool) -> None:
        self._process = process
        self._generation = generation
        self._is_local = is_local
        self._rules: tuple[WebSettings | None, SiteRules] = (None, SiteRules(is_local=is_local))
        self._users = RenewedValue(self._read_users, partial(self._tell, "users of the page"))
        self._key = RenewedValue(self._read_key, partial(self._tell, "key of sessions"))
        self._told: set[str] = set()

    @property
    def rules(self) -> SiteRules:
        """Who is let in now."""
        web = self._settings
        if self._rules[0] is not web:
            self._rules = web, rules_of(web, is_local=self._is_local)
        return self._rules[1]

    async def users(self) -> UserTable:
        """Return the users, as they were a moment ago; where they cannot be read now, as they were read last."""
        ref = self._settings.users
        return UserTable() if ref is None else await self._users.get(ref)

    async def signer(self) -> SessionSigner:
        """Return what signs sessions, by its key as it was a moment ago; raise `UpdaterError` where it was never to be had."""
        return SessionSigner(key=await self._key.get(self._settings.session_key), wall=self._process.wall)

    def denied(self, denial: Denial) -> None:
        """Count and log that something was refused."""
        self._process.metrics.count("updater_web_denied_total", denial.reason)
        self._process.log.warning(
            "denied",
            reason=denial.reason,
            person=printable(denial.person)[:_LONGEST],
            address=denial.address,
            method=denial.method,
            path=printable(denial.path)[:_LONGEST],
        )

    @property
    def _settings(self) -> WebSettings:
        return self._generation().loaded.settings.web

    async def _read_users(self, ref: CredentialRef | None) -> UserTable:
        table = await asyncio.to_thread(read_users, await self._text(ref) if ref else "")
        for problem in table.problems:
            self._tell("users of the page", f"{ref}: {problem}", "write the line with htpasswd -B")
        return table

    async def _read_key(self, ref: CredentialRef | None) -> bytes:
        if ref is None:
            return await asyncio.to_thread(own_key, self._process.state)
        key = (await self._text(ref)).encode()
        if len(key) < SHORTEST_KEY:
            hint = "write one with: openssl rand -hex 32"
            raise ConfigError(f"{ref} has fewer than {SHORTEST_KEY} characters", hint=hint, code="session-key")
        return key

    async def _text(self, ref: CredentialRef) -> str:
        self._process.keychain.renew(ref)
        return await self._process.keychain.text(ref)

    def _tell(self, about: str, sentence: str, hint: str) -> None:
        """Log what is wrong with the users or the key, once."""
        if sentence not in self._told:
            self._told = {*list(self._told)[-100:], sentence}
            self._process.log.warning(about, detail=sentence, hint=hint)


def own_key(state: Path) -> bytes:
    """Return the key in the folder *state*, which is made where there is none; whoever can read it can sign in as anybody.

    Raise `ConfigError` where it can be neither read nor made.
    """
    try:
        key = made_once(state / KEY_FILE, partial(secrets.token_bytes, SHORTEST_KEY), is_cut=lambda key: len(key) < SHORTEST_KEY)
    except OSError as error:
        hint = "make `state` writable, or set web.session_key"
        raise ConfigError(f"the key of sessions cannot be kept: {error.strerror}", hint=hint, code="session-key") from error
    if key is None:
        message = "the key of sessions is removed by somebody else all the time"
        raise ConfigError(message, hint="set web.session_key", code="session-key")
    return key
