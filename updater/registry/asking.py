"""Knows how one question reaches a registry: as whom, with which token, over which connection.

No ping: the real request is sent, its refusal read, one token fetched and the request repeated once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.errors import RegistryDenied
from updater.http.address import connection_to, origin_of
from updater.http.exchange import HttpFailure, Pace, Request
from updater.registry.answers import refusal, unreachable
from updater.registry.auth import MOST_TOKEN_BYTES, Asker, handshake, read_challenges, secrets_of
from updater.registry.config import connection_of
from updater.registry.manifest import ACCEPT, MOST_BYTES
from updater.registry.shape import Limits, check_shape
from updater.registry.tokens import GrantKey, Grants

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.credentials.keychain import Keychain
    from updater.errors import RegistryError
    from updater.http.client import HttpClient
    from updater.http.exchange import Allowance, Answer
    from updater.model.credential import Credential
    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef
    from updater.registry.auth import Challenge, Grant
    from updater.registry.config import Endpoint

_HEADERS: Final = {"Accept": ACCEPT}
_DENIED: Final = frozenset({401, 403})


class Place:
    """One image as one asker sees it: where it is asked, with which credential, and in which manner.

    Made once for an image and credential, since each of its tags is asked by it; a place equals only itself.
    """

    __slots__ = ("connection", "endpoint", "image", "pace", "ref", "root")

    def __init__(self, image: ImageName, endpoint: Endpoint, ref: CredentialRef | None) -> None:
        entry = endpoint.entry
        self.image = image
        self.endpoint = endpoint
        self.ref = ref
        self.root = f"{endpoint.url}/v2/{endpoint.path}"
        self.connection = connection_of(entry)
        self.pace = Pace(entry.concurrency, entry.rate, entry.burst)

    def url(self, kind: str, reference: str) -> str:
        """Give the URL of a tag list, manifest or blob of this image."""
        return f"{self.root}/{kind}/{reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request before it is known who asks: URL, method, the cap of the answer in bytes, and whose time it takes."""

    url: str
    method: str = "GET"
    limit: int = MOST_BYTES
    allowance: Allowance | None = None


class Asking:
    """Sends questions with the credentials of their place. What an answer holds is counted before anybody parses it."""

    def __init__(
        self,
        http: HttpClient,
        keychain: Keychain,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._http = http
        self._keychain = keychain
        self._wall = wall
        self._grants = Grants(self._fetch_grant, clock=clock)

    async def ask(self, place: Place, question: Question) -> Answer:
        """Give the answer, whatever its status; raises `RegistryError` kin where there is none.

        Each credential is tried in turn until one is not refused; what a program or Secret gave is then read
        anew, once, and tried again if it is another.
        """
        credentials = await self._resolve(place)
        refused: RegistryDenied | None = None
        try:
            answer = await self._in_turn(place, credentials, question)
            if answer.status not in _DENIED:
                return answer
        except RegistryDenied as denied:
            refused = denied
        if self._keychain.renew(place.ref) and (fresh := await self._resolve(place)) != credentials:
            return await self._in_turn(place, fresh, question)
        if refused:
            raise refused
        return answer

    def refusal(self, answer: Answer, what: str) -> RegistryError:
        """Give the error for an answer that is not what was asked for."""
        return refusal(answer, what, retry_after=self._http.wait_asked(answer))

    def now(self) -> datetime:
        """Give the time, aware, in UTC."""
        return datetime.fromtimestamp(self._wall(), tz=UTC)

    async def _resolve(self, place: Place) -> tuple[Credential, ...]:
        return await self._keychain.resolve(place.ref, place.image, lifetime=place.endpoint.entry.credentials_lifetime)

    async def _in_turn(self, place: Place, credentials: tuple[Credential, ...], question: Question) -> Answer:
        choices: tuple[Credential | None, ...] = credentials or (None,)
        for credential in choices[:-1]:
            try:
                answer = await self._ask_as(place, credential, question)
            except RegistryDenied:
                continue
            if answer.status not in _DENIED:
                return answer
        return await self._ask_as(place, choices[-1], question)

    async def _ask_as(self, place: Place, credential: Credential | None, question: Question) -> Answer:
        """Ask as one; a refusal is answered once, with what its challenge wants."""
        key = GrantKey(place.endpoint, credential)
        authorization = await self._grants.current(key)
        answer = await self._send(place, question, authorization, credential)
        if answer.status != 401:
            return answer
        challenges = read_challenges(answer.headers("WWW-Authenticate"))
        if not challenges:
            return answer
        authorization = await self._grants.answer(key, challenges, refused=authorization)
        return await self._send(place, question, authorization, credential)

    async def _send(self, place: Place, question: Question, authorization: str | None, credential: Credential | None) -> Answer:
        request = Request(
            url=question.url,
            method=question.method,
            headers={**_HEADERS, "Authorization": authorization} if authorization else _HEADERS,
            connection=place.connection,
            known=place.endpoint.known,
            pace=place.pace,
            lane=place.endpoint.path,
            limit=question.limit,
            allowance=question.allowance,
            secrets=secrets_of(credential, authorization),
        )
        try:
            answer = await self._http.send(request)
        except HttpFailure as failure:
            raise unreachable(failure, str(place.image)) from failure
        check_shape(answer.body, self.limits, what=str(place.image))
        return answer

    async def _fetch_grant(self, key: GrantKey, challenges: tuple[Challenge, ...]) -> Grant:
        """Drive a handshake over the network."""
        endpoint = key.endpoint
        own, home = connection_of(endpoint.entry), origin_of(endpoint.url)[1]
        known = {**endpoint.known, home: own}
        asker = Asker(registry_url=endpoint.url, path=endpoint.path, connection=own, known=known)
        secrets = secrets_of(key.credential)
        steps = handshake(challenges, asker, key.credential, now=self.now())
        try:
            wanted = next(steps)
            while True:
                request = Request(
                    url=wanted.url,
                    method=wanted.method,
                    headers=wanted.headers,
                    body=wanted.body,
                    connection=connection_to(origin_of(wanted.url)[1], home=endpoint.url, connection=own, known=known),
                    known=known,
                    pace=Pace(endpoint.entry.concurrency),
                    lane=endpoint.path,
                    limit=MOST_TOKEN_BYTES,
                    secrets=secrets,
                )
                answer = await self._http.send(request)
                check_shape(answer.body, self.limits, what=f"{endpoint.path}: no token")
                wanted = steps.send(answer)
        except StopIteration as end:
            grant: Grant = end.value
            return grant
        except HttpFailure as failure:
            raise unreachable(failure.without(secrets), f"{endpoint.path}: no token") from None
