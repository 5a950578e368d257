"""Signed tokens: what a browser keeps of who signed in, what proves a form to be ours, and what one replica tells another.

Nothing of a session is kept here, so it outlasts a restart as long as the key does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_KEY: Final = 32
LASTS: Final = 12 * 3600.0
HANDED_ON_FOR: Final = 60.0
LONGEST_TOKEN: Final = 2048
MOST_ENDED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who signed in, by *name*; *number* is of this session alone, *mark* ties it to the password, *ends* is Unix time."""

    name: str
    number: str
    ends: float
    mark: str = ""


@dataclass(slots=True, kw_only=True)
class SessionSigner:
    """Signs and reads tokens with *key*; *wall* gives Unix seconds.

    What was signed for one purpose is nothing for another one.
    """

    key: bytes = field(repr=False)
    wall: Callable[[], float]

    def begin(self, name: str, *, mark: str = "", purpose: str = "session", lasts: float = LASTS) -> str:
        """Return a token for *name*."""
        data = {"n": name, "i": secrets.token_urlsafe(12), "e": int(self.wall() + lasts), "m": mark}
        text = _encoded(json.dumps(data, separators=(",", ":")).encode())
        return f"{text}.{self._sum(purpose, text)}"

    def read(self, token: str, *, purpose: str = "session") -> Session | None:
        """Return what a token says; None where it is not ours, of another purpose, or over."""
        text, dot, signed = token.partition(".")
        if not dot or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        if not hmac.compare_digest(signed, self._sum(purpose, text)):
            return None
        data = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if data["e"] <= self.wall():
            return None
        return Session(name=data["n"], number=data["i"], ends=data["e"], mark=data["m"])

    def mark(self, text: str) -> str:
        """Return a sum of *text* that tells nothing of it."""
        return self._sum("mark", text)[:16]

    def form_token(self, binding: str) -> str:
        """Return what proves that a request of who is bound by *binding* comes from a page of ours."""
        return self._sum("form", binding)

    def _sum(self, purpose: str, text: str) -> str:
        return _encoded(hmac.digest(self.key, f"{purpose}\n{text}".encode("utf-8", "surrogatepass"), hashlib.sha256))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def handed_on(method: str, path: str, body: bytes) -> str:
    """Return the purpose of a token for one request of another replica: for any other request it is nothing."""
    return f"replica\n{method}\n{unquote(path)}\n{hashlib.sha256(body).hexdigest()}"


class EndedSessions:
    """Remembers sessions that were ended by their people before they were over; lost with the process."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}

    def end(self, session: Session, now: float) -> None:
        """Note that a session is over."""
        self._ended = {number: ends for number, ends in self._ended.items() if ends > now}
        if len(self._ended) < MOST_ENDED:
            self._ended[session.number] = session.ends

    def has(self, session: Session) -> bool:
        """Return whether a session was ended."""
        return session.number in self._ended


class UsedTokens:
    """Remembers the tokens that count once, until they are over."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}

    def use(self, token: Session, now: float) -> bool:
        """Return whether *token* is used for the first time; none is where too many are remembered."""
        self._used = {number: ends for number, ends in self._used.items() if ends > now}
        if token.number in self._used or len(self._used) >= MOST_ENDED:
            return False
        self._used[token.number] = token.ends
        return True

    def give_back(self, token: Session) -> None:
        """Let *token* count once more: what it was shown for was not done, and the same request comes again."""
        self._used.pop(token.number, None)
