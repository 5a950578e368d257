"""The dialect of each kind of forge, and which kind a host is that its name does not tell: it is asked once, without a token."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import orjson

from updater.errors import ForgeError
from updater.forge.address import HINT, ForgeKind
from updater.forge.api import LATER, PACE, PASSING
from updater.forge.azure_merges import AzureForge
from updater.forge.bitbucket import BitbucketForge
from updater.forge.bitbucket_server import BitbucketServerForge
from updater.forge.gitea import GiteaForge
from updater.forge.github import GithubForge
from updater.forge.gitlab import GitlabForge
from updater.forge.reading import mapping, text
from updater.http.exchange import FailureKind, HttpFailure, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.forge.address import ForgeAddress, ForgeRepository
    from updater.forge.base import Forge, ForgeAccess
    from updater.forge.budget import ForgeBudget
    from updater.http.client import HttpClient
    from updater.http.exchange import Connection, Response


class ForgeMaker(Protocol):
    """Makes what asks one repository. *reach* is asked before every request, *budget* is shared by all of a process."""

    def __call__(
        self,
        repository: ForgeRepository,
        http: HttpClient,
        reach: Callable[[], Awaitable[ForgeAccess]],
        *,
        budget: ForgeBudget | None = None,
    ) -> Forge:
        """Return the pull requests of *repository*."""
        ...


DIALECTS: Final[Mapping[ForgeKind, ForgeMaker]] = {
    ForgeKind.GITHUB: GithubForge,
    ForgeKind.GITLAB: GitlabForge,
    ForgeKind.GITEA: GiteaForge,
    ForgeKind.BITBUCKET: BitbucketForge,
    ForgeKind.BITBUCKET_SERVER: BitbucketServerForge,
    ForgeKind.AZURE: AzureForge,
}
_ASKED_AGAIN: Final = 600.0
_LONGEST_ANSWER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Probe:
    """One question: its path below the forge, how its answer is known, and a word in names of hosts or paths that hints at it."""

    kind: ForgeKind
    path: str
    is_it: Callable[[Response, Mapping[str, object]], bool]
    word: str


def _is_gitlab(answer: Response, body: Mapping[str, object]) -> bool:
    """Return whether GitLab says its version, or that it is told to nobody without a token."""
    is_shut = answer.status == 401 and body.get("message") == "401 Unauthorized"
    return is_shut or (answer.status == 200 and {"version", "revision"} <= set(body))


def _is_gitea(answer: Response, body: Mapping[str, object]) -> bool:
    is_shut = answer.status in {401, 403} and "signed in user" in text(body.get("message")).lower()
    return is_shut or (answer.status == 200 and bool(text(body.get("version"))) and "revision" not in body)


def _is_github(_answer: Response, body: Mapping[str, object]) -> bool:
    return "verifiable_password_authentication" in body


def _is_bitbucket_server(answer: Response, body: Mapping[str, object]) -> bool:
    return answer.status == 200 and body.get("displayName") == "Bitbucket"


_PROBES: Final = (
    _Probe(ForgeKind.GITLAB, "api/v4/version", _is_gitlab, "gitlab"),
    _Probe(ForgeKind.GITHUB, "api/v3/meta", _is_github, "github"),
    _Probe(ForgeKind.GITEA, "api/v1/version", _is_gitea, "git"),
    _Probe(ForgeKind.BITBUCKET_SERVER, "rest/api/1.0/application-properties", _is_bitbucket_server, "scm"),
)
#: what lies below a path of its host; the others have their API at its root
_BELOW: Final = frozenset({ForgeKind.GITEA, ForgeKind.BITBUCKET_SERVER})
#: what these forges alone write into every answer, also into one about a path that they do not have
_HEADERS: Final = {"x-gitlab-meta": ForgeKind.GITLAB, "x-github-request-id": ForgeKind.GITHUB}
#: what Bitbucket shares with other programs of its vendor, so that an answer of its own has to confirm it
_VENDOR: Final = "x-arequestid"


def _by_name(address: ForgeAddress) -> list[_Probe]:
    """Return the questions, first what names of host and folders hint at; where none does Gitea, which alone writes no header."""
    hints = f"{address.host}/{'/'.join(address.folders[:-2])}"
    named = [probe.kind for probe in _PROBES if probe.word in hints] or [ForgeKind.GITEA]
    return sorted(_PROBES, key=lambda probe: probe.kind not in named)


def _url(probe: _Probe, address: ForgeAddress) -> str:
    """Return where a forge of that kind would answer, as its repositories lie at *address*."""
    above = address.folders[:-2] if probe.kind in _BELOW else ()
    above = above[:-1] if above[-1:] == ("scm",) else above
    return "/".join((f"{address.scheme}://{address.place}", *above, probe.path))


class KindFinder:
    """Asks hosts which forge they are. What a host said is remembered; one that is none is asked again after ten minutes."""

    def __init__(self, http: HttpClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._known: dict[str, ForgeKind] = {}
        self._unknown: dict[str, float] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def kind(self, address: ForgeAddress, connection: Connection) -> ForgeKind:
        """Return the kind of the forge at *address*; raise `ForgeError` ``forge-unknown`` where it is none that is known.

        Raises ``forge-unavailable`` where the host does not answer.
        """
        if address.kind is not None:
            return address.kind
        async with self._turns.setdefault(address.place, asyncio.Lock()):
            return await self._of(address, connection)

    async def _of(self, address: ForgeAddress, connection: Connection) -> ForgeKind:
        known = self._known.get(address.place)
        if known is None:
            if self._unknown.get(address.place, 0.0) > self._clock():
                raise _unknown(address)
            known = await self._ask(address, connection)
            if known is None:
                self._unknown[address.place] = self._clock() + _ASKED_AGAIN
                raise _unknown(address)
            self._known[address.place] = known
        return known

    async def _ask(self, address: ForgeAddress, connection: Connection) -> ForgeKind | None:
        """Ask the likeliest kind first: its own answer confirms it, or a header that one forge alone writes into any answer."""
        left, down = _by_name(address), ""
        while left:
            probe = left.pop(0)
            answer = await self._answer(url := _url(probe, address), connection)
            if answer is None:
                continue
            if answer.status == 429 or answer.status >= 500:  # what stands before a forge may say so of strange paths alone
                down = down or f"{url} answered {answer.status}"
            elif told := _told(answer):
                return told
            elif probe.is_it(answer, _body(answer)):
                return probe.kind
            if answer.header(_VENDOR) is not None:
                left.sort(key=lambda other: other.kind is not ForgeKind.BITBUCKET_SERVER)
        if down:
            raise ForgeError(down, hint=LATER, code="forge-unavailable")
        return None

    async def _answer(self, url: str, connection: Connection) -> Response | None:
        """Return the answer, None where what came is none of HTTP."""
        request = HttpRequest(
            url=url,
            headers={"Accept": "application/json"},
            connection=connection,
            pace=PACE,
            limit=_LONGEST_ANSWER,
            what="which forge this is",
        )
        try:
            return await self._http.send(request)
        except HttpFailure as failure:
            if failure.trouble in PASSING or failure.trouble in {FailureKind.PAUSED, FailureKind.TLS}:
                raise ForgeError(failure.message, hint=failure.hint or LATER, code="forge-unavailable") from failure
            return None


def _told(answer: Response) -> ForgeKind | None:
    """Return the forge that alone writes one of the headers of *answer*, None where it has none of these."""
    return next((kind for name, kind in _HEADERS.items() if answer.header(name) is not None), None)


def _body(answer: Response) -> Mapping[str, object]:
    try:
        return mapping(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        return {}


def _unknown(address: ForgeAddress) -> ForgeError:
    message = f"{address.place} answers as none of the forges that are known"
    return ForgeError(message, hint=HINT, code="forge-unknown")
