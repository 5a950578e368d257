"""One request to the API of a forge, whatever its dialect, with its answer checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from updater.errors import ForgeError
from updater.forge.base import ForgeProposal, ProposalState
from updater.forge.budget import GRAPHQL, USUAL_WAIT, ForgeBudget
from updater.forge.kept import KeptAnswer, KeptAnswers, Remaining
from updater.forge.reading import mapping, memory_of, number, page_link, parsed, text, words_of
from updater.forge.rights import denial_hint, lacking
from updater.http.exchange import FailureKind, HttpFailure, HttpRequest, Pace, Response
from updater.http.redaction import masked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from updater.forge.address import ForgeRepository
    from updater.forge.base import ForgeAccess, ForgeUser
    from updater.http.client import HttpClient

PAGE: Final = 50
MOST_PAGES: Final = 5
MOST_OPEN_PAGES: Final = 20
LONGEST_ANSWER: Final = 8 * 2**20
MOST_LISTED: Final = 96 * 2**20  # bytes that the pages of one listing may take once they are parsed
_MOST_TOKENS: Final = 4
PACE: Final = Pace(concurrency=4, rate=10.0, burst=10)
PASSING: Final = frozenset(
    {FailureKind.UNREACHABLE, FailureKind.TIMEOUT, FailureKind.BROKEN, FailureKind.DOWN, FailureKind.TOO_SLOW}
)
LATER: Final = "it is asked again with the next landing; nothing is lost"
_API: Final = "check git.repositories[].forge: kind, and api, the URL of the REST API"
_HINTS: Final = {
    "proposal-moved": "somebody pushed to its branch: it is looked at again with the next landing",
    "proposal-unready": "the forge does not let it be merged now: a check, an approval or a rule is missing",
    "forge-user": "check the names: the users must have access to this repository",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeDialect:
    """What differs: *authorization* returns how the token is shown, *headers* and *query* go with each request.

    *denied* are statuses of success by which a page to sign in is served.
    """

    authorization: Callable[[ForgeAccess], str]
    headers: Mapping[str, str] = field(default_factory=lambda: {"Accept": "application/json"})
    query: Mapping[str, str] = field(default_factory=dict)
    denied: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One call: *path* below the repository, or below *base* where that is given; *data* as JSON, *query* in the URL.

    *refused* says what a status means here that means something else elsewhere: the code of the error. *is_look* says that it
    may wait while few requests remain.
    """

    method: str = "GET"
    path: str
    base: str = ""
    data: Mapping[str, Any] | list[Any] | None = None
    query: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)
    is_repeatable: bool | None = None
    is_look: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RawProposal:
    """A pull request as an answer has it, of any types; *state* is None where the forge said none of its words."""

    number: Any
    state: ProposalState | None
    link: Any
    branch: Any
    base: Any
    head: Any
    title: Any
    body: Any
    is_draft: Any = False
    labels: Iterable[str] = ()
    author: ForgeUser | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a listing is read: *query* returns what asks for a page, from 0; *key* is where its items are, "" for a bare list.

    A listing that has to be read as a whole (*is_whole*) and has more than *most* pages is an error.
    """

    query: Callable[[int], Mapping[str, str]]
    key: str = ""
    size: int = PAGE
    most: int = MOST_PAGES
    is_whole: bool = False


class ForgeApi:
    """Asks the API of one repository, and says what is wrong with an answer.

    *root* is the URL of the repository in the API, `host` its host. *reach* is asked before every request, so that a rotated
    token is taken up.
    """

    def __init__(
        self,
        repository: ForgeRepository,
        http: HttpClient,
        reach: Callable[[], Awaitable[ForgeAccess]],
        *,
        dialect: ForgeDialect,
        root: str,
        budget: ForgeBudget | None = None,
    ) -> None:
        self.repository = repository
        self._http = http
        self._reach = reach
        self._dialect = dialect
        self._root = root
        self._budget = budget or ForgeBudget()
        self.host = urlsplit(repository.api).netloc
        self._kept = KeptAnswers()
        self._secrets: tuple[str, ...] = ()

    async def ask(self, call: ApiCall) -> Any:
        """Return the JSON that answers *call*; None where there is none. Raises `ForgeError`."""
        found, _, _ = await self._asked(call)
        return found

    async def header(self, call: ApiCall, name: str) -> str:
        """Return a header of the answer to *call*, "" where it has none. Raises `ForgeError`."""
        answer, token = await self._send(call, _url(call, self._root, self._dialect), "")
        if not 200 <= answer.status < 300:
            raise self._refusal(call, answer, token)
        return answer.header(name) or ""

    async def _asked(self, call: ApiCall) -> tuple[Any, Remaining, int]:
        """Return the JSON that answers *call*, what the answer says of further pages, and about how much memory it takes."""
        url = _url(call, self._root, self._dialect)
        kept = self._kept.get(url) if call.method == "GET" else None
        answer, token = await self._send(call, url, kept.tag if kept else "")
        if kept is not None and answer.status == 304:
            self._kept.keep(url, kept)
            body = kept.body
            return orjson.loads(body), kept.remaining, memory_of(body)
        if not 200 <= answer.status < 300 or answer.status in self._dialect.denied:
            raise self._refusal(call, answer, token)
        found, remaining = _parsed(self, answer), Remaining.of(answer)
        tag = answer.header("ETag")
        if call.method == "GET" and tag and answer.body:
            self._kept.keep(url, KeptAnswer.of(answer, tag))
        return found, remaining, memory_of(answer.body)

    async def pages(self, call: ApiCall, paging: Paging) -> list[Any]:
        """Return the items of a listing, of at most as many pages as *paging* says and `MOST_LISTED`; raise `ForgeError`."""
        return [item async for page in self.each_page(call, paging) for item in page]

    async def each_page(self, call: ApiCall, paging: Paging) -> AsyncIterator[list[Any]]:
        """Yield the items of a listing page by page: who has what they want asks for no more. Raises `ForgeError`."""
        count, left = 0, MOST_LISTED
        for page in range(paging.most):
            answer, remaining, taken = await self._asked(replace(call, query={**call.query, **paging.query(page)}))
            listed = mapping(answer).get(paging.key) if paging.key else answer
            if not isinstance(listed, list):
                raise self.odd("a listing is no list")
            count += len(listed)
            yield listed
            if not listed or not remaining.is_after(count, is_full=len(listed) >= paging.size):
                return
            left -= taken
            if left < 0:  # whoever sends pages without end fills no memory
                break
        if paging.is_whole:
            raise self.refused("forge-lacks", f"{call.path} has more than {paging.most} pages, or too much on them")

    async def _send(self, call: ApiCall, url: str, tag: str) -> tuple[Response, str]:
        """Return the answer, and the token that was shown for it."""
        access = await self._reach()
        self._check_budget(call, access.token)
        # answers to the token before are still on their way when one is renewed
        self._secrets = tuple(dict.fromkeys((access.token, *self._secrets)))[:_MOST_TOKENS]
        headers = {**self._dialect.headers, "Authorization": self._dialect.authorization(access)}
        headers |= {"If-None-Match": tag} if tag else {}
        headers |= {"Content-Type": "application/json"} if call.data is not None else {}
        request = HttpRequest(
            url=url,
            method=call.method,
            headers=headers,
            body=orjson.dumps(call.data) if call.data is not None else None,
            connection=access.connection,
            pace=PACE,
            limit=LONGEST_ANSWER,
            is_repeatable=call.method != "POST" if call.is_repeatable is None else call.is_repeatable,
            secrets=(access.token,),
            what="a pull request",
        )
        try:
            answer = await self._http.send(request)
        except HttpFailure as failure:
            if failure.trouble is FailureKind.PAUSED:
                raise _resting(self.repository) from failure
            is_passing = failure.trouble in PASSING
            is_set_so = failure.trouble is FailureKind.SETTINGS
            code = "forge-unavailable" if is_passing else "forge-settings" if is_set_so else "forge-protocol"
            hint = LATER if is_passing else failure.hint or _API
            raise ForgeError(f"{self.repository}: {failure.message}", hint=hint, code=code) from failure
        self._budget.note(self.host, access.token, answer)
        return answer, access.token

    def _check_budget(self, call: ApiCall, token: str) -> None:
        """Raise where the host asked us to wait, or too little remains for what is only a look."""
        if self._budget.is_resting(self.host, token):
            raise _resting(self.repository)
        resource = GRAPHQL if call.path == GRAPHQL else ""
        if call.is_look and self._budget.is_reserved(self.host, token, resource):
            message = f"{self.repository}: the requests that remain at {self.host} are kept for what is new"
            raise ForgeError(message, hint=LATER, code="forge-reserve")

    def _refusal(self, call: ApiCall, answer: Response, token: str) -> ForgeError:
        words = words_of(answer)
        said = f"{self.repository} answered {answer.status}{f': {words}' if words else ''}"
        wait = self._wait_asked(answer)
        if answer.status == 429 or (answer.status == 403 and wait is not None):
            self._budget.rest(self.host, token, wait if wait is not None else USUAL_WAIT)
            return ForgeError(said, hint=LATER, code="forge-rate-limited")
        if code := call.refused.get(answer.status):
            is_meant = code != "proposal-exists" or _is_second(words)
            return ForgeError(said, hint=_HINTS.get(code, LATER), code=code if is_meant else "forge-protocol")
        if answer.status >= 500 or answer.status == 408:
            return ForgeError(said, hint=LATER, code="forge-unavailable")
        if answer.status in {401, 403, *self._dialect.denied}:
            wanted = f"; it asks for {rights}" if (rights := lacking(answer)) else ""
            return ForgeError(said + wanted, hint=denial_hint(self.repository.kind, answer.status), code="forge-denied")
        if answer.status == 404:
            hint = f"{_API}; a token that may not read the repository gets the same answer"
            return ForgeError(said, hint=hint, code="forge-not-found")
        return ForgeError(said, hint=_API, code="forge-protocol")

    def _wait_asked(self, answer: Response) -> float | None:
        """Return for how long a refusal asks to be left alone, None where it is about rights."""
        wait = self._http.wait_asked(answer)
        if wait is not None:
            return wait
        if self._budget.is_spent(answer):
            return self._budget.seconds_until_reset(answer)
        return USUAL_WAIT if "secondary rate limit" in words_of(answer).lower() else None

    def proposal(self, raw: RawProposal, asked: int | None = None) -> ForgeProposal:
        """Return what *raw* holds; raise `ForgeError` where it is no pull request, or another one than *asked*."""
        found = number(raw.number)
        if found is None or raw.state is None:
            raise self.odd("a pull request has no number or state")
        if asked is not None and found != asked:
            raise self.odd(f"pull request {asked} was asked for, and the answer is about another one")
        return ForgeProposal(
            number=found,
            state=raw.state,
            link=masked(page_link(raw.link), self._secrets) or f"{self.repository}#{found}",
            branch=text(raw.branch),
            base=text(raw.base),
            head=text(raw.head),
            title=text(raw.title),
            body=text(raw.body).replace("\r\n", "\n"),
            is_draft=raw.is_draft is True,
            labels=frozenset(raw.labels),
            author=raw.author,
        )

    def odd(self, words: str) -> ForgeError:
        """Return the error for an answer that this API does not give."""
        return ForgeError(f"{self.repository}: {masked(words, self._secrets)}", hint=_API, code="forge-protocol")

    def refused(self, code: str, words: str) -> ForgeError:
        """Return the error for what the forge refuses in words, not by a status."""
        if code == "forge-rate-limited" and self._secrets:
            self._budget.rest(self.host, self._secrets[0], USUAL_WAIT)
        hint = denial_hint(self.repository.kind) if code == "forge-denied" else _HINTS.get(code, LATER)
        return ForgeError(f"{self.repository}: {masked(words, self._secrets)}", hint=hint, code=code)


def _url(call: ApiCall, root: str, dialect: ForgeDialect) -> str:
    query = {**dialect.query, **call.query}
    return f"{call.base or root}/{call.path}".rstrip("/") + (f"?{urlencode(query, doseq=True)}" if query else "")


def _parsed(api: ForgeApi, answer: Response) -> Any:
    if not answer.body.strip():
        return None
    try:
        return parsed(answer.body)
    except ValueError as error:
        raise api.odd(str(error)) from None


def _resting(repository: ForgeRepository) -> ForgeError:
    # no running count: with another number it would be news at each try, to the log and to conditions
    return ForgeError(f"{repository} asks for fewer requests", hint=LATER, code="forge-rate-limited")


def _is_second(words: str) -> bool:
    """Return whether a forge says that a pull request of this branch is open: others share the status."""
    lowered = words.lower()
    return "already exist" in lowered or "only one pull request may be open" in lowered or "duplicatepullrequest" in lowered
