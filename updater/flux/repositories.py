"""How the server of a GitRepository is reached: its Secrets, read from its namespace and remembered for a minute.

A destination names its GitRepository by a reference of the kind `KIND`. After a refusal by the Git server its Secrets are read
anew.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError, KubeUnavailable
from updater.flux.git_secrets import login_of
from updater.http.single_flight import SingleFlight
from updater.model.subscription import CredentialRef

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.credentials.github_app import InstallationTokens
    from updater.flux.git_secrets import SecretLogin
    from updater.git.access import GitAccess

KIND: Final = "gitrepository"
REMEMBERED_SECONDS: Final = 60.0
SOONEST_RENEWAL: Final = 5.0
MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class _Known:
    spec: Any
    login: SecretLogin
    read_at: float
    good_until: float


def credential_of(namespace: str, name: str) -> CredentialRef:
    """Return the reference by which a destination names its GitRepository."""
    return CredentialRef(kind=KIND, value=f"{namespace}/{name}")


class GitRepositories:
    """Returns the way to the server of each GitRepository; one for a process, many tasks may ask.

    *find* gives the object by namespace and name, None where there is none; *read_secret* the data of a Secret, decoded.
    """

    def __init__(
        self,
        find: Callable[[str, str], Mapping[str, Any] | None],
        read_secret: Callable[[str, str], Awaitable[Mapping[str, bytes]]],
        tokens: InstallationTokens,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._read_secret = read_secret
        self._tokens = tokens
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._flights = SingleFlight()

    async def access(self, place: str, _url: str = "") -> GitAccess:
        """Return what the server of the GitRepository at *place*, ``namespace/name``, is shown.

        Raises `ConfigError` ``git-repository-missing`` where there is no such object, and what `login_of`, the reader of
        Secrets and the tokens of a GitHub App raise.
        """
        namespace, _, name = place.partition("/")
        found = self._find(namespace, name)
        if found is None:
            hint = "make the GitRepository, or name another one in sourceRef"
            raise ConfigError(f"the GitRepository {place} does not exist", hint=hint, code="git-repository-missing")
        login = await self._login(place, found)
        return await login.completed(self._tokens)

    def expire(self) -> None:
        """Read Secrets anew when they are next asked for, a few seconds after they were last read at the soonest."""
        for place, known in self._known.items():
            self._known[place] = replace(known, good_until=min(known.good_until, known.read_at + SOONEST_RENEWAL))
        self._tokens.expire()

    async def _login(self, place: str, found: Mapping[str, Any]) -> SecretLogin:
        known = self._known.get(place)
        if known is not None and known.spec != found.get("spec"):
            known = None
        if known is not None and self._clock() < known.good_until:
            return known.login
        try:
            return await self._flights.share(place, lambda: self._read(place, found))
        except KubeUnavailable:
            if known is None:
                raise
            self._known[place] = replace(known, good_until=self._clock() + SOONEST_RENEWAL)
            return known.login

    async def _read(self, place: str, found: Mapping[str, Any]) -> SecretLogin:
        began = self._clock()  # a refusal while it is read is about what was there before
        login = await login_of(found, self._read_secret)
        self._known[place] = _Known(found.get("spec"), login, began, began + REMEMBERED_SECONDS)
        self._known.move_to_end(place)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return login
