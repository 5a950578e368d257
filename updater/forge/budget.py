"""How many requests a forge still allows: read from its answers, for each host and account, whichever repository asked.

GitHub, GitLab, Azure DevOps and Gitea behind a proxy name a limit, what remains of it and when it begins again, as
``X-RateLimit-*`` or ``RateLimit-*``: seconds since 1970, or from now. A refusal names a wait by ``Retry-After``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.http.client import Clock
from updater.http.limits import LONGEST_PAUSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.forge.base import ForgeUser
    from updater.http.exchange import Response

RESERVE: Final = 0.1
GRAPHQL: Final = "graphql"
USUAL_WAIT: Final = 60.0
_MOST_ACCOUNTS: Final = 1024
_UNTOLD_FOR: Final = 600.0
_EPOCH: Final = 1e9  # a smaller number is of seconds from now
_NUMBER: Final = re.compile(r"[0-9]{1,12}")


@dataclass(slots=True)
class _Account:
    rests_until: float = 0.0
    remaining: float | None = None
    limit: float = 0.0
    renewed: float = 0.0
    user: tuple[ForgeUser | None] | None = None
    user_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """What one account may still ask at *host*; *account* is a sum of its token. Times are in seconds from now."""

    host: str
    account: str
    resource: str
    remaining: int | None
    limit: int
    renewed_in: float
    rests_for: float


def _observe_nothing(_host: str, _remaining: float) -> None:
    return


class ForgeBudget:
    """What remains at each host for each account. One per process; *observe* is told what remains at a host.

    *reserve* is the share of a limit that is kept for what is new.
    """

    def __init__(
        self,
        *,
        surroundings: Clock | None = None,
        reserve: float = RESERVE,
        observe: Callable[[str, float], None] = _observe_nothing,
    ) -> None:
        surroundings = surroundings or Clock()
        self._clock = surroundings.clock
        self._wall = surroundings.wall
        self._reserve = reserve
        self._observe = observe
        self._accounts: dict[tuple[str, str, str], _Account] = {}

    def states(self) -> tuple[BudgetState, ...]:
        """Return what remains of each account; of one whose limit began again since nothing is known."""
        now = self._clock()
        return tuple(
            BudgetState(
                host=host,
                account=account[:8],
                resource=resource,
                remaining=int(known.remaining) if known.remaining is not None and known.renewed > now else None,
                limit=int(known.limit),
                renewed_in=max(known.renewed - now, 0.0),
                rests_for=max(known.rests_until - now, 0.0),
            )
            for (host, account, resource), known in sorted(self._accounts.items())
        )

    def is_resting(self, host: str, token: str) -> bool:
        """Return whether the host asked this account to wait."""
        return self._of(host, token).rests_until > self._clock()

    def is_reserved(self, host: str, token: str, resource: str = "") -> bool:
        """Return whether so little of the limit remains that only what is new is asked. GitHub counts `GRAPHQL` apart."""
        account = self._of(host, token, resource)
        if account.remaining is None or account.renewed <= self._clock():
            return False
        return account.remaining < account.limit * self._reserve

    def rest(self, host: str, token: str, seconds: float) -> None:
        """Leave the host alone for this account."""
        account = self._of(host, token)
        account.rests_until = max(account.rests_until, self._clock() + min(seconds, LONGEST_PAUSE))

    def user_of(self, host: str, token: str) -> tuple[ForgeUser | None] | None:
        """Return whose token that is; None where that is to be asked, which it is again where it was not told for a while."""
        account = self._of(host, token)
        is_old = account.user == (None,) and self._clock() - account.user_at >= _UNTOLD_FOR
        return None if is_old else account.user

    def note_user(self, host: str, token: str, user: tuple[ForgeUser | None]) -> None:
        """Keep whose token that is."""
        account = self._of(host, token)
        account.user, account.user_at = user, self._clock()

    def note(self, host: str, token: str, answer: Response) -> None:
        """Read what an answer says of the limit."""
        remaining, limit = _header(answer, "remaining"), _header(answer, "limit")
        if remaining is None:
            return
        resource = GRAPHQL if answer.header("x-ratelimit-resource") == GRAPHQL else ""
        if not resource:
            self._observe(host, remaining)
        if not limit:
            return
        account = self._of(host, token, resource)
        account.remaining, account.limit = remaining, limit
        account.renewed = self._clock() + self.seconds_until_reset(answer)

    def seconds_until_reset(self, answer: Response) -> float:
        """Return in how many seconds the limit of an answer begins again; a minute where it does not say so."""
        reset = _header(answer, "reset")
        if reset is None:
            return USUAL_WAIT
        seconds = reset - self._wall() if reset >= _EPOCH else reset
        return min(max(seconds, 0.0), 3600.0)

    def is_spent(self, answer: Response) -> bool:
        """Return whether an answer says that nothing remains."""
        return _header(answer, "remaining") == 0.0

    def _of(self, host: str, token: str, resource: str = "") -> _Account:
        key = host, hashlib.sha256(token.encode()).hexdigest()[:16], resource  # the token itself is kept nowhere
        account = self._accounts.get(key)
        if account is None:
            while len(self._accounts) >= _MOST_ACCOUNTS:
                del self._accounts[next(iter(self._accounts))]
            account = self._accounts[key] = _Account()
        return account


def _header(answer: Response, name: str) -> float | None:
    for prefix in ("x-ratelimit-", "ratelimit-"):
        text = (answer.header(f"{prefix}{name}") or "").strip()
        if _NUMBER.fullmatch(text):
            return float(text)
    return None
