"""Send one request to the API server: with the client's identity, renewed once if it was refused."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson

from updater.http.exchange import HttpFailure, HttpRequest, Pace
from updater.kube.faults import error_of, failure_of, outside_protocol, status_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from updater.errors import KubeError
    from updater.http.client import HttpClient
    from updater.http.exchange import Response
    from updater.http.session import Stream
    from updater.kube.access import ApiLogin, ClusterAccess
    from updater.kube.kinds import Object

LONGEST_OBJECT: Final = 8 * 1024 * 1024  # etcd keeps at most 1.5 MB of one; escapes make it longer
_PACE: Final = Pace(concurrency=8)


class Verb(StrEnum):
    """The verb of a request, as in RBAC rules."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    PATCH = "patch"
    DELETE = "delete"

    @property
    def method(self) -> str:
        """The method of HTTP."""
        return _METHODS.get(self, "GET")


_METHODS: Final = {Verb.CREATE: "POST", Verb.PATCH: "PATCH", Verb.DELETE: "DELETE"}


def observe_nothing(_verb: str, _status: int) -> None:
    """Count nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request before it is sent. *words* describe it in messages: "get Secret argocd/login"."""

    words: str
    verb: Verb
    path: str
    query: Mapping[str, str] | None = None
    body: Any = None
    form: str = "application/json"
    is_repeatable: bool = True
    limit: int = LONGEST_OBJECT


class ApiServer:
    """Send the requests of the client. Raise `KubeError`.

    *observe* is called with the verb and the status of each answer, or 0 where none came after every try.
    """

    def __init__(
        self, access: ClusterAccess, http: HttpClient, *, user_agent: str, observe: Callable[[str, int], None] = observe_nothing
    ) -> None:
        self.access = access
        self._http = http
        self._observe = observe
        self._last: ApiLogin | None = None
        self._headers = {"Accept": "application/json", "User-Agent": user_agent}

    @asynccontextmanager
    async def stream(self, ask: ApiRequest, *, idle: float) -> AsyncIterator[Stream]:
        """Open an answer that is read line by line; nothing for *idle* seconds ends it."""
        for is_last in (False, True):
            login, status = await self._login(), 0
            try:
                async with self._http.stream(self._request(ask, login), idle=idle) as stream:
                    status = stream.status
                    self._observe(ask.verb, status)
                    if status == 200:
                        yield stream
                        return
                    answer = await stream.answer()
            except HttpFailure as failure:
                if not status:
                    self._observe(ask.verb, 0)
                raise failure_of(failure, asked=ask.words) from failure
            if is_last or answer.status != 401 or not self.access.refused(login):
                raise self._error(answer, ask)

    async def ask(self, ask: ApiRequest) -> Object:
        """Send *ask*, once more with renewed credentials where they were refused, and read the object it gives."""
        for is_last in (False, True):
            login = await self._login()
            try:
                answer = await self._http.send(self._request(ask, login))
            except HttpFailure as failure:
                self._observe(ask.verb, 0)
                raise failure_of(failure, asked=ask.words) from failure
            self._observe(ask.verb, answer.status)
            if is_last or answer.status != 401 or not self.access.refused(login):
                break
        if not 200 <= answer.status < 300:
            raise self._error(answer, ask)
        return object_of(answer.body, ask.words)

    async def _login(self) -> ApiLogin:
        login, last = await self.access.login(), self._last
        self._last = login
        if last and last.connection != login.connection:  # a certificate was renewed
            await self._http.retire(last.connection)
        return login

    def _request(self, ask: ApiRequest, login: ApiLogin) -> HttpRequest:
        query = f"?{urlencode(ask.query)}" if ask.query else ""
        headers = {**self._headers, **login.headers}
        if ask.body is not None:
            headers["Content-Type"] = ask.form
        return HttpRequest(
            url=f"{self.access.url}{ask.path}{query}",
            method=ask.verb.method,
            headers=headers,
            body=None if ask.body is None else orjson.dumps(ask.body),
            connection=login.connection,
            pace=_PACE,
            lane=ask.path,
            limit=ask.limit,
            is_repeatable=ask.is_repeatable,
        )

    def _error(self, answer: Response, ask: ApiRequest) -> KubeError:
        wait = self._http.wait_asked(answer)
        return error_of(answer.status, status_of(answer.body), asked=ask.words, retry_after=wait)


def object_of(body: bytes, words: str) -> Object:
    """Read a body or a line as one JSON object; raise `KubeError`."""
    try:
        found = orjson.loads(body)
    except ValueError:
        raise outside_protocol(words, "the answer is not JSON") from None
    if not isinstance(found, dict):
        raise outside_protocol(words, "the answer is not an object")
    return found
