"""The registry client: tags, digests, descriptions; identical simultaneous requests are sent once.

What hangs on a digest is asked once, proved by the digest, and remembered.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from updater.errors import (
    ImageNotFound,
    ImageSyntaxError,
    RateLimited,
    RegistryError,
    RegistryProtocolError,
    RegistryUnavailable,
)
from updater.http.exchange import Allowance
from updater.http.masking import holds, masked
from updater.http.single_flight import SingleFlight
from updater.model.candidate import Description
from updater.model.image import Digest, is_tag, parse_digest
from updater.registry.endpoints import RegistryTable
from updater.registry.listing import ACCEPT as ACCEPT_LIST
from updater.registry.listing import ListingLimits, TagList, walking
from updater.registry.manifest import (
    ACCEPT,
    ACCEPT_ANY,
    ImageDocument,
    WantedDocument,
    check_digest,
    describing,
    prove_manifest,
)
from updater.registry.transport import RegistryRequest, RegistryTransport, RepositoryEndpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Hashable, Iterable

    from updater.http.exchange import Response
    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef
    from updater.registry.endpoints import RegistryEntry

T = TypeVar("T")
Asked = TypeVar("Asked")
Answered = TypeVar("Answered")
Found = TypeVar("Found")
MOST_RECENT: Final = 2048
MOST_PLACES: Final = 16_384
_MAYBE_NO_HEAD: Final = frozenset({400, 403, 404, 405, 406, 501})
_CLOCK_ERROR: Final = timedelta(days=1)


class DescriptionStore(Protocol):
    """Persistent storage of descriptions; it never fails, but may lose entries."""

    async def description(self, digest: Digest) -> Description | None:
        """Return what is remembered of *digest*."""
        ...

    async def remember_description(self, digest: Digest, description: Description) -> None:
        """Remember what hangs on *digest*."""
        ...


class RegistryClient:
    """Send requests to registries, as their entries say. Many tasks may share it; identical requests are sent once.

    *facts* keeps descriptions beyond the process. Every method takes the credential of the subscription, else
    that of the registry's entry counts, and raises `RegistryError` kin, or `ConfigError` for credentials that
    lead nowhere.
    """

    def __init__(
        self,
        asking: RegistryTransport,
        entries: Iterable[RegistryEntry] = (),
        *,
        facts: DescriptionStore | None = None,
        caps: ListingLimits | None = None,
    ) -> None:
        self._asking = asking
        self._table = RegistryTable(entries, rate=asking.limits.rate)
        self._facts = facts
        self._caps = caps or ListingLimits(page_bytes=asking.limits.page_bytes)
        self._flights = SingleFlight()
        self._places: dict[tuple[ImageName, CredentialRef | None], RepositoryEndpoint] = {}
        self._recent: OrderedDict[Digest, Description] = OrderedDict()

    async def tags(self, image: ImageName, credential: CredentialRef | None = None) -> TagList:
        """Return every tag of *image*, in the registry's order."""
        place = await self._place(image, credential)
        return await _share(self._flights, ("tags", place), lambda: self._list(place))

    async def digest(self, image: ImageName, tag: str, credential: CredentialRef | None = None) -> Digest:
        """Return the digest that *tag* stands for now: of the index where there is one. A digest is asked for as it is."""
        if not is_tag(tag) and not _is_digest(tag):
            raise ImageSyntaxError(f"{tag!r} is not a tag", hint="a tag has letters, digits, '_', '.', '-', at most 128")
        place = await self._place(image, credential)
        return await _share(self._flights, ("digest", place, tag), lambda: self._resolve_anywhere(place, tag))

    async def describe(self, image: ImageName, digest: Digest, credential: CredentialRef | None = None) -> Description:
        """Return creation time, labels and platforms of *digest*; a creation time in the future is none."""
        known = self._recent.get(digest)
        if known is None:
            place = await self._place(image, credential)
            known = await _share(self._flights, ("describe", place, digest), lambda: self._describe(place, digest))
        if known.created and known.created > self._asking.now() + _CLOCK_ERROR:
            return replace(known, created=None)
        return known

    async def _place(self, image: ImageName, credential: CredentialRef | None) -> RepositoryEndpoint:
        """Look the image's place up once, not for each of its tags; that of an object anew when its Secrets changed."""
        place = self._places.get((image, credential))
        if place is None:
            endpoint = self._table.locate(image)
            ref = credential or endpoint.entry.credentials
            place = self._places.get((image, ref)) or RepositoryEndpoint(image, endpoint, ref)
            _keep(self._places, place, credential)
        objects = self._asking.objects
        if objects is not None and place.ref is not None and objects.resolves(place.ref):
            entry = await objects.entry(place.ref, self._table.find(image))
            if entry != place.endpoint.entry:
                place = RepositoryEndpoint(image, self._table.locate(image, entry), place.ref)
                _keep(self._places, place, credential)
        return place.moved or place

    async def _list(self, place: RepositoryEndpoint) -> TagList:
        """List the tags; where the image is not there, by the path of an official image behind a mirror, remembered."""
        try:
            found = await self._walk(place)
        except ImageNotFound as missing:
            return await self._list_official(place, missing)
        except (RegistryUnavailable, RegistryProtocolError) as failure:
            return await _list_by_tls(self._list, place, failure)
        place.is_known = True
        return found

    async def _list_official(self, place: RepositoryEndpoint, missing: ImageNotFound) -> TagList:
        official = place.official()
        if official is None:
            raise missing
        try:
            found = await self._walk(official)
            if not found.tags:
                raise missing
            if place.endpoint.is_guess:  # then one repository has both names only if it answers to both
                await self._resolve(place, found.tags[-1])
        except RegistryError:
            raise missing from None
        place.moved = official
        return found

    async def _walk(self, place: RepositoryEndpoint) -> TagList:
        walk = walking(place.url("tags", "list"), what=str(place.image), caps=self._caps)
        url, allowance = next(walk), Allowance(self._asking.limits.list_time)
        while True:
            question = RegistryRequest(url=url, what="tags", limit=self._caps.page_bytes, accept=ACCEPT_LIST, allowance=allowance)
            answer = await self._asking.ask(place, question)
            if answer.status == 429:  # the walk knows no time: here is who can say for how long
                raise self._asking.refusal(answer, str(place.image))
            step = await self._asking.work(partial(_step, walk, answer), len(answer.body), str(place.image))
            if isinstance(step, TagList):
                return step
            url = step

    async def _resolve_anywhere(self, place: RepositoryEndpoint, tag: str) -> Digest:
        """Resolve a tag; of an image that was never found, by the path of an official image too."""
        try:
            return await self._resolve(place, tag)
        except ImageNotFound as missing:
            official = None if place.endpoint.is_guess else place.official()
            if official is None:
                raise
            try:
                found = await self._resolve(official, tag)
            except RegistryError:
                raise missing from None
            place.moved = official
            return found

    async def _resolve(self, place: RepositoryEndpoint, tag: str) -> Digest:
        """HEAD first: it does not count as a pull. GET where HEAD is unknown, says no digest or gives no reason."""
        what, url = f"{place.image}{':' if is_tag(tag) else '@'}{tag}", place.url("manifests", tag)
        answer = await self._asking.ask(place, RegistryRequest(url=url, what="a manifest", method="HEAD"))
        if answer.status == 200 and (told := _told_digest(answer, what)):
            return told
        if answer.status != 200 and answer.status not in _MAYBE_NO_HEAD:
            raise self._asking.refusal(answer, what)
        answer = await self._asking.ask(place, RegistryRequest(url=url, what="a manifest"))
        if answer.status != 200:
            raise self._asking.refusal(answer, what)
        if told := _told_digest(answer, what):
            check_digest(answer.body, told, what=what)
            return told
        await self._asking.work(
            lambda: prove_manifest(_document_of(answer), what=what, limits=self._asking.limits), len(answer.body), what
        )
        return Digest(algorithm="sha256", encoded=hashlib.sha256(answer.body).hexdigest())

    async def _describe(self, place: RepositoryEndpoint, digest: Digest) -> Description:
        known = await self._facts.description(digest) if self._facts else None
        if known is None:
            known = await self._ask_description(place, digest)
            if self._facts:
                await self._facts.remember_description(digest, known)
        self._recent[digest] = known
        if len(self._recent) > MOST_RECENT:
            self._recent.popitem(last=False)
        return known

    async def _ask_description(self, place: RepositoryEndpoint, digest: Digest) -> Description:
        steps = describing(digest, self._asking.limits)
        wanted = next(steps)
        while True:
            document = await self._document(place, wanted)
            size, what = len(document.body), f"{place.image}@{wanted.digest}"
            step = await self._asking.work(partial(_step, steps, document), size, what)
            if isinstance(step, Description):
                return _without(document.secrets, step)
            wanted = step

    async def _document(self, place: RepositoryEndpoint, wanted: WantedDocument) -> ImageDocument:
        what = f"{place.image}@{wanted.digest}"
        url = place.url("blobs" if wanted.is_blob else "manifests", str(wanted.digest))
        limit = self._asking.limits.manifest_bytes if wanted.size is None else wanted.size
        accept = ACCEPT_ANY if wanted.is_blob else ACCEPT
        kind = "the configuration" if wanted.is_blob else "a manifest"
        answer = await self._asking.ask(place, RegistryRequest(url=url, what=kind, limit=limit, accept=accept))
        if answer.status != 200:
            raise self._asking.refusal(answer, what)
        check_digest(answer.body, wanted.digest, what=what)
        return _document_of(answer)


def _keep(
    places: dict[tuple[ImageName, CredentialRef | None], RepositoryEndpoint],
    place: RepositoryEndpoint,
    credential: CredentialRef | None,
) -> None:
    """Keep *place* by its own credential and by the one that was asked for."""
    if len(places) >= MOST_PLACES:
        places.clear()
    places[place.image, place.ref] = places[place.image, credential] = place


async def _list_by_tls(
    tags: Callable[[RepositoryEndpoint], Awaitable[TagList]], place: RepositoryEndpoint, failure: RegistryError
) -> TagList:
    """List the tags by TLS where plain HTTP was allowed and failed with *failure*; what helped is remembered."""
    secure = None if isinstance(failure, RateLimited) else place.over_tls()
    if secure is None:
        raise failure
    try:
        found = await tags(secure)
    except (RegistryUnavailable, RegistryProtocolError):
        raise failure from None
    place.moved = secure.moved or secure
    return found


def _step(steps: Generator[Asked, Answered, Found], answer: Answered) -> Asked | Found:
    """Return what *steps* ask for after *answer*, or what they found. No `StopIteration` leaves it: a future takes none."""
    try:
        return steps.send(answer)
    except StopIteration as end:
        found: Found = end.value
        return found


def _is_digest(text: str) -> bool:
    try:
        return bool(parse_digest(text))
    except ImageSyntaxError:
        return False


async def _share(flights: SingleFlight, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
    """Do *work* once for all who ask. Its error is kept until the next scan, and must not keep the answer with it."""
    try:
        return await flights.share(key, work)
    except RegistryError as error:
        error.__cause__ = error.__context__ = None
        raise error.with_traceback(None)  # noqa: B904 - its frames, and a parser's error, hold the whole body


def _without(secrets: tuple[str, ...], description: Description) -> Description:
    """Mask what the registry was shown: labels are remembered, and stand in commit messages."""
    labels = description.labels
    if not secrets or masked(text := "\n".join(f"{key}\n{value}" for key, value in labels.items()), secrets) == text:
        return description
    return replace(description, labels={masked(key, secrets): masked(value, secrets) for key, value in labels.items()})


def _document_of(answer: Response) -> ImageDocument:
    return ImageDocument(answer.body, answer.header("Content-Type") or "", answer.secrets)


def _told_digest(answer: Response, what: str) -> Digest | None:
    """Return the digest that the answer's header names, None where it has no such header; raise `RegistryProtocolError`."""
    text = answer.header("Docker-Content-Digest")
    if text is None:
        return None
    try:
        return parse_digest("" if holds(text, answer.secrets) else text)
    except ImageSyntaxError:
        hint = "a registry or proxy that cannot say a digest is not trusted with the choice of an image: look what answers there"
        raise RegistryProtocolError(f"{what}: the header Docker-Content-Digest holds no digest", hint=hint) from None
