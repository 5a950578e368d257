"""Send one request to a registry: with the right credential, token and connection.

No ping: the real request is sent, its refusal read, one token fetched and the request repeated once. Only a registry that
hides what it has, by 403 or 404 without a challenge, is asked at ``/v2/`` how it wants to be convinced.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from updater.errors import RegistryDenied, RegistryProtocolError
from updater.http.address import connection_to, origin_of
from updater.http.exchange import HttpFailure, HttpRequest, Pace
from updater.http.offload import offload
from updater.http.single_flight import SingleFlight
from updater.model.image import ImageName
from updater.registry.auth import MOST_TOKEN_BYTES, Challenge, TokenScope, handshake, read_challenges, secrets_of
from updater.registry.endpoints import HUB_URL, connection_of
from updater.registry.manifest import ACCEPT, ACCEPT_ANY
from updater.registry.refusals import refusal, unreachable, with_origins
from updater.registry.resolving import ObjectKeychain
from updater.registry.shape import AnswerLimits, check_shape
from updater.registry.token_cache import GrantKey, TokenCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.credentials.keychain import Keychain
    from updater.errors import RegistryError
    from updater.http.client import HttpClient
    from updater.http.exchange import Allowance, Connection, Response
    from updater.model.credential import Credential
    from updater.model.subscription import CredentialRef
    from updater.registry.auth import Grant
    from updater.registry.endpoints import Endpoint
    from updater.registry.resolving import ConnectionResolver

MOST_CHALLENGES: Final = 4096
T = TypeVar("T")
_DENIED: Final = frozenset({401, 403})
_HIDDEN: Final = frozenset({401, 403, 404})
_BASIC: Final = (Challenge(scheme="basic", parameters={}),)


class RepositoryEndpoint:
    """The endpoint of one image for one credential, and how to reach it.

    *server* is the image by the host and path where it is asked, if that is another host than its name has. *moved* is
    the place to ask instead, once it turned out that the registry knows the image by another path, or speaks TLS where
    plain HTTP was allowed. *is_known* says that it knows the image by this one.

    Made once for an image and credential, since each of its tags is asked by it; a place equals only itself.
    """

    __slots__ = ("connection", "endpoint", "image", "is_known", "moved", "pace", "ref", "root", "server")

    def __init__(self, image: ImageName, endpoint: Endpoint, ref: CredentialRef | None) -> None:
        entry = endpoint.entry
        self.image = image
        self.endpoint = endpoint
        self.ref = ref
        self.is_known = False
        self.moved: RepositoryEndpoint | None = None
        self.root = f"{endpoint.url}/v2/{endpoint.path}"
        self.connection = connection_of(entry)
        self.pace = Pace(entry.concurrency, entry.rate, entry.burst)
        host = urlsplit(endpoint.url).netloc.lower()
        is_elsewhere = host not in {image.registry, urlsplit(HUB_URL).netloc}
        self.server = ImageName(registry=host, path=endpoint.path, spelled=image.spelled) if is_elsewhere else None

    def official(self) -> RepositoryEndpoint | None:
        """Return the place of the official image that this may be, behind a mirror of Docker Hub; None where it cannot be."""
        if self.is_known or self.endpoint.official is None:
            return None
        return RepositoryEndpoint(self.image, replace(self.endpoint, path=self.endpoint.official, official=None), self.ref)

    def over_tls(self) -> RepositoryEndpoint | None:
        """Return the same place by TLS, where an object allowed plain HTTP; None for every other."""
        entry, url = self.endpoint.entry, self.endpoint.url
        if not entry.is_plain or not url.startswith("http://"):
            return None
        secure = replace(self.endpoint, url=f"https{url.removeprefix('http')}", entry=replace(entry, is_plain=False))
        return RepositoryEndpoint(self.image, secure, self.ref)

    def url(self, kind: str, reference: str) -> str:
        """Return the URL of a tag list, manifest or blob of this image."""
        return f"{self.root}/{kind}/{reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRequest:
    """A request without its credential: URL, method, limit and media types of the answer, and the time allowance.

    *what* says in words what is asked for. *limit* None is that of a manifest.
    """

    url: str
    what: str
    method: str = "GET"
    limit: int | None = None
    accept: str = ACCEPT
    allowance: Allowance | None = None


class RegistryTransport:
    """Send requests with the credentials of their endpoint. Answers are counted before they are parsed.

    `objects` resolves the credentials that objects of a cluster make; None where there are no such objects.
    """

    def __init__(
        self,
        http: HttpClient,
        keychain: Keychain,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        limits: AnswerLimits | None = None,
        objects: ConnectionResolver | None = None,
    ) -> None:
        self.limits = limits or AnswerLimits()
        self.objects = objects
        self._http = http
        self._keychain = ObjectKeychain(keychain, objects) if objects else keychain
        self._wall = wall
        self._grants = TokenCache(self._fetch_grant, clock=clock)
        self._flights = SingleFlight()
        self._challenges: dict[tuple[str, Connection], tuple[Challenge, ...]] = {}

    async def ask(self, place: RepositoryEndpoint, question: RegistryRequest) -> Response:
        """Return the answer, whatever its status; raise `RegistryError` kin where there is none.

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
        origins = " and ".join(dict.fromkeys(item.origin for item in credentials if item.origin))
        if refused:
            raise with_origins(refused, str(place.image), origins)
        return replace(answer, asked_by=origins)

    def refusal(self, answer: Response, what: str) -> RegistryError:
        """Return the error for an answer that is not what was asked for."""
        return refusal(answer, what, retry_after=self._http.wait_asked(answer))

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.fromtimestamp(self._wall(), tz=UTC)

    async def _resolve(self, place: RepositoryEndpoint) -> tuple[Credential, ...]:
        lifetime = place.endpoint.entry.credentials_lifetime
        return await self._keychain.resolve(place.ref, place.image, server=place.server, lifetime=lifetime)

    async def _in_turn(
        self, place: RepositoryEndpoint, credentials: tuple[Credential, ...], question: RegistryRequest
    ) -> Response:
        choices: tuple[Credential | None, ...] = credentials or (None,)
        for credential in choices[:-1]:
            try:
                answer = await self._ask_as(place, credential, question)
            except RegistryDenied:
                continue
            if answer.status not in _DENIED:
                return answer
        return await self._ask_as(place, choices[-1], question)

    async def _ask_as(self, place: RepositoryEndpoint, credential: Credential | None, question: RegistryRequest) -> Response:
        """Ask as one; a refusal is answered once, with what its challenge wants, else with the credential as it is."""
        key = GrantKey(place.endpoint, credential, place.connection)
        authorization = await self._grants.current(key)
        answer = await self._send(place, question, authorization, credential)
        challenges = read_challenges(answer.headers("WWW-Authenticate")) if answer.status == 401 else ()
        if challenges:
            authorization = await self._grants.answer(key, challenges, refused=authorization)
            return await self._send(place, question, authorization, credential)
        if authorization is None and credential is not None and answer.status in _HIDDEN:
            return await self._ask_unprompted(place, question, credential, answer)
        return answer

    async def _ask_unprompted(
        self, place: RepositoryEndpoint, question: RegistryRequest, credential: Credential, hidden: Response
    ) -> Response:
        """Ask again as who we are, where a registry may hide from strangers what it has, by an answer without a challenge.

        ``/v2/`` tells how it wants to be convinced; where it does not, Basic is what is left, and goes to the registry
        alone. What helped is remembered; what did not is not, because it may keep us from what everybody may read.
        """
        key = GrantKey(place.endpoint, credential, place.connection)
        challenges = read_challenges(hidden.headers("WWW-Authenticate"))
        if not challenges:
            challenges = await self._flights.share(("ping", key), lambda: self._ping(place))
        try:
            authorization = await self._grants.answer(key, challenges, refused=None)
        except (RegistryDenied, RegistryProtocolError):
            return hidden
        answer = await self._send(place, question, authorization, credential)
        if answer.status not in _HIDDEN:
            return answer
        self._grants.forget(key, authorization)
        return answer if hidden.status in _DENIED else hidden

    async def _ping(self, place: RepositoryEndpoint) -> tuple[Challenge, ...]:
        """Return the challenges of the registry as a whole, asked once; Basic where it has none."""
        url = f"{place.endpoint.url}/v2/"
        key = url, place.connection
        if key in self._challenges:
            return self._challenges[key]
        question = RegistryRequest(url=url, what="how to authenticate for images", accept=ACCEPT_ANY)
        answer = await self._send(place, question, None, None)
        challenges = read_challenges(answer.headers("WWW-Authenticate")) if answer.status == 401 else ()
        if challenges or answer.status == 200:
            if len(self._challenges) >= MOST_CHALLENGES:
                self._challenges.clear()
            self._challenges[key] = challenges or _BASIC
        return challenges or _BASIC

    async def _send(
        self, place: RepositoryEndpoint, question: RegistryRequest, authorization: str | None, credential: Credential | None
    ) -> Response:
        request = HttpRequest(
            url=question.url,
            method=question.method,
            headers={"Accept": question.accept, **({"Authorization": authorization} if authorization else {})},
            connection=place.connection,
            known=place.endpoint.known,
            pace=place.pace,
            lane=place.endpoint.path,
            limit=self.limits.manifest_bytes if question.limit is None else question.limit,
            allowance=question.allowance,
            what=f"{question.what} of {place.image}",
            secrets=secrets_of(credential, authorization),
        )
        try:
            answer = await self._http.send(request)
        except HttpFailure as failure:
            raise unreachable(failure, str(place.image)) from failure
        # here and not beside the loop: meanwhile more large answers would arrive, and none of them is counted any more
        check_shape(answer.body, self.limits, what=str(place.image))
        return answer

    async def work(self, work: Callable[[], T], size: int, what: str) -> T:
        """Do *work* on *size* bytes of a registry, beside the event loop where they are many; raise `RegistryProtocolError`."""
        try:
            return await offload(work, size)
        except TimeoutError:
            hint = "no healthy answer takes so long: check what answers at this address, and the load of this machine"
            message = f"{what}: reading the answer of {size} bytes took too long and was given up"
            raise RegistryProtocolError(message, hint=hint, code="answer-too-slow") from None

    async def _fetch_grant(self, key: GrantKey, challenges: tuple[Challenge, ...]) -> Grant:
        """Drive a handshake over the network."""
        endpoint = key.endpoint
        own, home = key.connection, origin_of(endpoint.url)[1]
        known = {**endpoint.known, home: own}
        asker = TokenScope(registry_url=endpoint.url, path=endpoint.path, connection=own, known=known)
        secrets = secrets_of(key.credential)
        steps = handshake(challenges, asker, key.credential, now=self.now())
        try:
            wanted = next(steps)
            while True:
                request = HttpRequest(
                    url=wanted.url,
                    method=wanted.method,
                    headers=wanted.headers,
                    body=wanted.body,
                    connection=connection_to(origin_of(wanted.url)[1], home=endpoint.url, connection=own, known=known),
                    known=known,
                    pace=Pace(endpoint.entry.concurrency),
                    lane=endpoint.path,
                    limit=MOST_TOKEN_BYTES,
                    what=f"a token for {endpoint.path}",
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
