"""The REST dialect that GitHub and Gitea share: one request, its answer checked, and what of it may be repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlencode

import orjson

from updater.errors import ForgeError
from updater.forge.base import ForgeProposal, ProposalState
from updater.http.client import Clock
from updater.http.exchange import FailureKind, HttpFailure, HttpRequest, Pace, Response
from updater.http.limits import LONGEST_PAUSE
from updater.http.redaction import masked, told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.forge.address import ForgeRepository
    from updater.forge.base import ForgeAccess, ProposalText
    from updater.http.client import HttpClient

PAGE: Final = 30
MOST_PAGES: Final = 5
LONGEST_ANSWER: Final = 8 * 2**20
_MOST_KEPT: Final = 64
_LARGEST_KEPT: Final = 512 * 2**10
_USUAL_WAIT: Final = 60.0
_LONGEST_MESSAGE: Final = 300
_LONGEST_LINK: Final = 500
_PACE: Final = Pace(concurrency=4, rate=10.0, burst=10)
_PASSING: Final = frozenset(
    {FailureKind.UNREACHABLE, FailureKind.TIMEOUT, FailureKind.BROKEN, FailureKind.DOWN, FailureKind.TOO_SLOW}
)
_LATER: Final = "it is asked again with the next landing; nothing is lost"
_DENIED: Final = "check the token: it must be allowed to read and write pull requests and the contents of this repository"
_API: Final = "check git.repositories[].forge: kind, and api, the URL of the REST API"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeDialect:
    """What differs: how the token is named, headers, and the status that refuses a second open pull request of one branch."""

    scheme: str
    headers: Mapping[str, str]
    exists: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One call below the repository: *path* from there, *data* as JSON, *query* in the URL."""

    method: str
    path: str
    data: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


class ForgeApi:
    """Asks the API of one repository, and says what is wrong with an answer.

    *reach* is asked before every request, so that a rotated token is taken up. *wall* counts seconds since 1970, *clock* seconds.
    """

    def __init__(
        self,
        repository: ForgeRepository,
        http: HttpClient,
        reach: Callable[[], Awaitable[ForgeAccess]],
        *,
        dialect: ForgeDialect,
        surroundings: Clock,
    ) -> None:
        self.repository = repository
        self._http = http
        self._reach = reach
        self._dialect = dialect
        self._clock = surroundings.clock
        self._wall = surroundings.wall
        self._kept: dict[str, tuple[str, Any]] = {}
        self._rests_until = 0.0
        self._secrets: tuple[str, ...] = ()

    async def ask(self, call: ApiCall) -> Any:
        """Return the JSON that answers *call*; None where there is none. Raises `ForgeError`."""
        if self._rests_until > self._clock():
            raise self._resting()
        url = f"{self.repository.api}/repos/{self.repository.path}/{call.path}"
        url += f"?{urlencode(call.query)}" if call.query else ""
        kept = self._kept.get(url) if call.method == "GET" else None
        answer = await self._send(call, url, kept[0] if kept else "")
        if kept is not None and answer.status == 304:
            return kept[1]
        if not 200 <= answer.status < 300:
            raise self._refusal(answer)
        found = self._parsed(answer)
        tag = answer.header("ETag")
        if call.method == "GET" and tag and len(answer.body) <= _LARGEST_KEPT:
            while len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[url] = (tag, found)
        return found

    async def _send(self, call: ApiCall, url: str, tag: str) -> Response:
        access = await self._reach()
        self._secrets = (access.token,)
        headers = {**self._dialect.headers, "Authorization": f"{self._dialect.scheme} {access.token}"}
        headers |= {"If-None-Match": tag} if tag else {}
        headers |= {"Content-Type": "application/json"} if call.data is not None else {}
        request = HttpRequest(
            url=url,
            method=call.method,
            headers=headers,
            body=orjson.dumps(call.data) if call.data is not None else None,
            connection=access.connection,
            pace=_PACE,
            limit=LONGEST_ANSWER,
            is_repeatable=call.method != "POST",
            secrets=(access.token,),
            what="a pull request",
        )
        try:
            return await self._http.send(request)
        except HttpFailure as failure:
            if failure.trouble is FailureKind.PAUSED:
                raise self._resting() from failure
            is_passing = failure.trouble in _PASSING
            code = "forge-unavailable" if is_passing else "forge-protocol"
            hint = _LATER if is_passing else failure.hint or _API
            raise ForgeError(f"{self.repository}: {failure.message}", hint=hint, code=code) from failure

    def _parsed(self, answer: Response) -> Any:
        if not answer.body.strip():
            return None
        try:
            return orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            raise self.odd("the answer is no JSON") from None

    def _refusal(self, answer: Response) -> ForgeError:
        words = _words(answer)
        said = f"{self.repository} answered {answer.status}{f': {words}' if words else ''}"
        wait = self._wait_asked(answer)
        if answer.status == 429 or (answer.status == 403 and wait is not None):
            self._rests_until = self._clock() + (wait if wait is not None else _USUAL_WAIT)
            return ForgeError(said, hint=_LATER, code="forge-rate-limited")
        if answer.status >= 500 or answer.status == 408:
            return ForgeError(said, hint=_LATER, code="forge-unavailable")
        if answer.status in {401, 403}:
            return ForgeError(said, hint=_DENIED, code="forge-denied")
        if answer.status == 404:
            hint = f"{_API}; a token that may not read the repository gets the same answer"
            return ForgeError(said, hint=hint, code="forge-not-found")
        if answer.status == self._dialect.exists and "already exist" in words.lower():
            return ForgeError(said, hint=_LATER, code="proposal-exists")
        return ForgeError(said, hint=_API, code="forge-protocol")

    def _wait_asked(self, answer: Response) -> float | None:
        """Return for how long a refusal asks to be left alone, None where it is about rights."""
        wait = self._http.wait_asked(answer)
        if wait is not None:
            return wait
        reset = answer.header("x-ratelimit-reset") or ""
        if answer.header("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdecimal() and len(reset) < 12:
            return min(max(float(reset) - self._wall(), 0.0), LONGEST_PAUSE)
        return _USUAL_WAIT if "secondary rate limit" in _words(answer).lower() else None

    def _resting(self) -> ForgeError:
        # no running count: with another number it would be news at each try, to the log and to conditions
        return ForgeError(f"{self.repository} asks for fewer requests", hint=_LATER, code="forge-rate-limited")

    def unshown(self, text: str) -> str:
        """Return *text* of the forge without the token."""
        return masked(text, self._secrets)

    def odd(self, words: str) -> ForgeError:
        """Return the error for an answer that this API does not give."""
        return ForgeError(f"{self.repository}: {words}", hint=_API, code="forge-protocol")


class RestForge:
    """The pull requests of one repository, by the REST API that GitHub and Gitea share."""

    dialect: ClassVar[ForgeDialect]

    def __init__(
        self,
        repository: ForgeRepository,
        http: HttpClient,
        reach: Callable[[], Awaitable[ForgeAccess]],
        *,
        surroundings: Clock | None = None,
    ) -> None:
        self.repository = repository
        self._api = ForgeApi(repository, http, reach, dialect=self.dialect, surroundings=surroundings or Clock())

    async def get(self, number: int) -> ForgeProposal:
        """Return one pull request; one that did not change costs no answer where the forge has ETags."""
        return self._read(await self._api.ask(ApiCall(method="GET", path=f"pulls/{number}")), number)

    async def open(self, text: ProposalText, *, branch: str, base: str) -> ForgeProposal:
        """Open a pull request; raise `ForgeError` ``proposal-exists`` where one from that branch is open."""
        data = {"title": text.title, "body": text.body, "head": branch, "base": base}
        return self._read(await self._api.ask(ApiCall(method="POST", path="pulls", data=data)))

    async def update(self, number: int, text: ProposalText) -> ForgeProposal:
        """Set title and body."""
        data = {"title": text.title, "body": text.body}
        return self._read(await self._api.ask(ApiCall(method="PATCH", path=f"pulls/{number}", data=data)), number)

    async def comment(self, number: int, words: str) -> None:
        """Add a comment."""
        await self._api.ask(ApiCall(method="POST", path=f"issues/{number}/comments", data={"body": words}))

    async def close(self, number: int, text: ProposalText) -> ForgeProposal:
        """Close a pull request without merging it, with its last title and body."""
        data = {"state": "closed", "title": text.title, "body": text.body}
        return self._read(await self._api.ask(ApiCall(method="PATCH", path=f"pulls/{number}", data=data)), number)

    def _branch_of(self, head: Mapping[str, Any]) -> str:
        return str(head.get("ref") or "")

    async def _pages(self, query: Mapping[str, str]) -> list[ForgeProposal]:
        """Return what a listing has from branches of the repository itself, at most `MOST_PAGES` pages; raise `ForgeError`."""
        found: list[ForgeProposal] = []
        for page in range(1, MOST_PAGES + 1):
            listed = await self._api.ask(ApiCall(method="GET", path="pulls", query={**query, "page": str(page)}))
            if not isinstance(listed, list):
                raise self._api.odd("a listing of pull requests is no list")
            found += [self._read(item) for item in listed if not _is_foreign(item)]
            if len(listed) < PAGE:
                break
        return found

    def _read(self, item: Any, asked: int | None = None) -> ForgeProposal:
        found = _mapping(item)
        head, base = _mapping(found.get("head")), _mapping(found.get("base"))
        number, state = found.get("number"), found.get("state")
        if type(number) is not int or number < 1 or state not in ("open", "closed"):  # bool is an int, and a list no hash
            raise self._api.odd("a pull request has no number or state")
        if asked is not None and number != asked:
            raise self._api.odd(f"pull request {asked} was asked for, and the answer is about another one")
        is_merged = bool(found.get("merged") or found.get("merged_at"))
        return ForgeProposal(
            number=number,
            state=ProposalState.MERGED if is_merged else ProposalState(state),
            link=self._api.unshown(_page(found.get("html_url"))) or f"{self.repository}#{number}",
            branch=self._branch_of(head),
            base=str(base.get("ref") or ""),
            head=str(head.get("sha") or ""),
            body=str(found.get("body") or "").replace("\r\n", "\n"),
        )


def _is_foreign(item: Any) -> bool:
    """Return whether a pull request is not from a branch of the repository itself."""
    sides = (_mapping(_mapping(item).get(name)) for name in ("head", "base"))
    head, base = (_mapping(side.get("repo")).get("id") or side.get("repo_id") for side in sides)
    return head is None or head != base


def _page(url: object) -> str:
    """Return the page of a pull request as the forge names it, where that is a URL."""
    is_url = isinstance(url, str) and url.startswith(("https://", "http://")) and url.isprintable()
    return url.replace(" ", "%20") if is_url and isinstance(url, str) and len(url) <= _LONGEST_LINK else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(answer: Response) -> str:
    """Return what the forge says of a refusal: its message, and those of its errors."""
    try:
        found = _mapping(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        return ""
    errors = found.get("errors")
    further = [_mapping(item).get("message") for item in errors[:5]] if isinstance(errors, list) else []
    texts = [text for text in (found.get("message"), *further) if isinstance(text, str) and text]
    return told("; ".join(texts), most=_LONGEST_MESSAGE, secrets=answer.secrets)
