"""What one image offers: its candidates, their facts, and whether the list they come from can be trusted.

A list stands until the next scan, and so does the digest of a tag, which may move. Other facts of a tag are asked
again after an hour, since a tag may be pushed anew; what hangs on a digest is the registry client's to remember.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from updater.errors import ImageNotFound, ImageSyntaxError, RegistryProtocolError, RegistryUnavailable, UpdaterError
from updater.model.candidate import Candidate, Fact, FactFailure
from updater.model.outcome import Status
from updater.model.selection import Selection
from updater.policies.choose import SelectionRequest, foreseen_asks
from updater.policies.guards import INCOMPLETE_LIST, ListingGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from updater.model.candidate import Description, FactRequest
    from updater.model.image import Digest, ImageName
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import CredentialRef
    from updater.registry.listing import TagList

FACTS_KEPT: Final = 3600.0
SCAN_TIMEOUT: Final = "scan-timeout"
#: tags whose first-seen time begins between two scans: after a loss of the cache hundreds may be newer than the written one
FIRST_ASKS: Final = 100


class RegistryReader(Protocol):
    """What a scan asks of registries; see `updater.registry.client.RegistryClient`."""

    async def tags(self, image: ImageName, credential: CredentialRef | None = None) -> TagList:
        """List every tag."""
        ...

    async def digest(self, image: ImageName, tag: str, credential: CredentialRef | None = None) -> Digest:
        """Resolve a tag, or ask for a digest."""
        ...

    async def describe(self, image: ImageName, digest: Digest, credential: CredentialRef | None = None) -> Description:
        """Read what hangs on a digest."""
        ...


class RememberedListing(Protocol):
    """What was listed before; see `updater.cache.cache.Listing`."""

    @property
    def previous(self) -> Collection[str] | None:
        """The tags of the list before."""
        ...

    @property
    def first_seen(self) -> Mapping[str, datetime]:
        """When each tag was seen first."""
        ...


class ListingMemory(Protocol):
    """Remembers lists of tags; see `updater.cache.cache.Cache`."""

    async def record_listing(self, image: str, tags: Iterable[str]) -> RememberedListing:
        """Remember a list; return what it is compared with."""
        ...

    async def first_seen(self, image: str, digest: Digest) -> datetime:
        """Return when a digest was seen first; now where it is not remembered."""
        ...


class ImageState:
    """What one image offers since its last scan. *followed* are the tags of interest where nobody compares names, else None."""

    def __init__(
        self, registry: RegistryReader, listed: ScanKey, *, followed: frozenset[str] | None, clock: Callable[[], float]
    ) -> None:
        self._registry = registry
        self._listed = listed
        self._followed = followed
        self._clock = clock
        self._facts_since = clock()
        self._before: Collection[str] | None = None
        self._has_scanned = False
        self._digests: dict[str, Digest] = {}
        self._exact: set[Digest] = set()
        self._failures: dict[tuple[str, bool], FactFailure] = {}
        self._ages: dict[str, tuple[Digest, datetime]] = {}
        self._first_asks = 0
        self._listings: ListingMemory | None = None
        self.has_ended = False
        self._listed_since: datetime | None = None
        self.candidates: Mapping[str, Candidate] = {}
        self.failure: UpdaterError | None = None

    async def scan(self, listings: ListingMemory, *, within: float | None = None) -> bool:
        """Ask the registry; return whether what stands now differs from before. A failure stands until the next scan."""
        before, digests, failure = self.candidates, self._digests, self.failure
        self._listings, self._first_asks = listings, 0
        try:
            async with asyncio.timeout(within):
                await self._ask(listings)
        except UpdaterError as error:
            self.failure, self.has_ended = error, True
            return failure is None
        except TimeoutError:
            message = f"{self._listed.image.registry} did not list {self._listed} within the timeout of {within:g} s"
            self.failure = RegistryUnavailable(message, hint="set a longer timeout for this image", code=SCAN_TIMEOUT)
            self.has_ended = True
            return failure is None
        self.failure, self.has_ended = None, True
        has_moved = self._followed is not None and self._digests != digests
        return failure is not None or self.candidates is not before or has_moved

    async def _ask(self, listings: ListingMemory) -> None:
        if self._followed is not None:
            await self._follow(self._followed)
        else:
            await self._stand(await self._registry.tags(self._listed.image, self._listed.credential), listings)

    def doubt(self, current: str | None) -> Selection | None:
        """Hold an image whose list shrank suspiciously, until the next scan agrees, or whose first scan goes on."""
        if not self.has_ended:
            detail = f"the first scan of {self._listed} has not ended"
            return Selection(status=Status.HELD, chosen=None, code=INCOMPLETE_LIST, detail=detail, rejections={})
        if self._before is None:
            return None
        doubt = ListingGuard(self._before).check(self.candidates, (current,) if current else ())
        if doubt is None:
            return None
        detail = f"{doubt.sentence}; held until the next scan confirms it"
        return Selection(status=Status.HELD, chosen=None, code=doubt.code, detail=detail, rejections={})

    async def foresee(self, request: SelectionRequest) -> SelectionRequest:
        """Ask at once for every fact that is sure to be asked for, and let it stand with its tag."""
        asks = foreseen_asks(request)
        if not asks:
            return request
        answers = await asyncio.gather(*map(self.answer, asks))
        failed = {answer.tag: answer for answer in answers if answer.failure is not None}
        # the digest of a tag stands until the next scan only, and so does a failure: neither is kept with the candidate
        known = {answer.tag: replace(answer, digest=None) for answer in answers if answer.failure is None}
        self.candidates = {tag: known.get(tag, candidate) for tag, candidate in self.candidates.items()}
        return replace(request, candidates={**self.candidates, **failed} if failed else self.candidates)

    async def answer(self, ask: FactRequest) -> Candidate:
        """Fill the facts asked for, or the failure where the registry has none of this tag; asked once between two scans.

        Raises `RegistryError` kin where the registry does not answer and the facts are needed.
        """
        try:
            return await self._filled(ask)
        except UpdaterError:
            if ask.is_needed:
                raise
            return ask.candidate

    async def _filled(self, ask: FactRequest) -> Candidate:
        candidate = ask.candidate
        if Fact.SEEN in ask.facts:
            return await self._aged(ask)
        needs_only_digest = ask.facts <= {Fact.DIGEST}
        name = str(candidate.digest) if candidate.is_exact else candidate.tag
        failure = self._failures.get((name, needs_only_digest))
        if failure is not None:
            return replace(candidate, failure=failure)
        try:
            digest = await self.digest(candidate.tag, exact=candidate.digest if candidate.is_exact else None)
            if needs_only_digest:
                return replace(candidate, digest=digest)
            found = await self._registry.describe(self._listed.image, digest, self._listed.credential)
        except (ImageNotFound, RegistryProtocolError, ImageSyntaxError) as error:
            failure = FactFailure(error.code, error.message, error.hint)
            self._failures[name, needs_only_digest] = failure
            return replace(candidate, failure=failure)
        created = self._believed(candidate, found.created)
        return replace(candidate, digest=digest, created=created, labels=found.labels, platforms=found.platforms)

    async def _aged(self, ask: FactRequest) -> Candidate:
        """Fill when the digest of a tag was seen first.

        Unless the digest is asked for too, what was known of the tag before answers: a tag that was too young once costs no
        request until it is old enough. Of tags that are new to this program a bounded number is resolved between two scans; what
        is left is not known yet.
        """
        tag = ask.candidate.tag
        if ask.candidate.is_exact:
            found = await self._filled(replace(ask, facts=frozenset({Fact.DIGEST})))
            if found.digest is None or found.failure is not None or self._listings is None:
                return found
            return replace(found, seen=await self._listings.first_seen(_cache_key(self._listed), found.digest))
        known = self._ages.get(tag)
        if known is not None and Fact.DIGEST not in ask.facts and tag not in self._digests:
            return replace(ask.candidate, digest=known[0], seen=known[1])
        if known is None and tag not in self._digests:
            if self._first_asks >= FIRST_ASKS:
                return ask.candidate
            self._first_asks += 1
        found = await self._filled(replace(ask, facts=frozenset({Fact.DIGEST})))
        if found.digest is None or self._listings is None:
            return found
        if known is None or known[0] != found.digest:
            known = found.digest, await self._listings.first_seen(_cache_key(self._listed), found.digest)
            self._ages[tag] = known
        return replace(found, seen=known[1])

    def _believed(self, candidate: Candidate, created: datetime | None) -> datetime | None:
        """Return a build date no later than the first list, if the tag stood in it: the builder's clock was ahead.

        Otherwise no tag that appears later would ever count as newer.
        """
        is_late = created is not None and self._listed_since is not None and created > self._listed_since
        return self._listed_since if is_late and candidate.first_seen is None and candidate.tag in self.candidates else created

    def forget(self, tags: Iterable[str] | None = None) -> None:
        """Ask for everything about *tags* again when it is next wanted: they were pushed again, or may have been.

        None asks for the digest of each tag.
        """
        if tags is None:
            self._digests, self._failures = {}, {}
            self._exact.clear()
            return
        for tag in tags:
            self._digests.pop(tag, None)
            self._failures.pop((tag, True), None)
            self._failures.pop((tag, False), None)
        pushed = {tag: self.candidates[tag] for tag in tags if tag in self.candidates}
        if pushed:
            bare = {tag: replace(item, created=None, labels=None, platforms=None) for tag, item in pushed.items()}
            self.candidates = {**self.candidates, **bare}

    async def digest(self, tag: str, *, exact: Digest | None = None) -> Digest:
        """Return the digest of *tag*, or the *exact* one if the registry has it, asked once between two scans.

        Raises `RegistryError` kin.
        """
        if exact is not None:
            if exact not in self._exact and self._digests.get(tag) != exact:
                await self._registry.digest(self._listed.image, str(exact), self._listed.credential)
                self._exact.add(exact)
            return exact
        if tag not in self._digests:
            self._digests[tag] = await self._registry.digest(self._listed.image, tag, self._listed.credential)
        return self._digests[tag]

    async def _follow(self, tags: frozenset[str]) -> None:
        """Resolve the followed tags: no list is asked for."""

        async def resolve(tag: str) -> Digest | FactFailure:
            try:
                return await self._registry.digest(self._listed.image, tag, self._listed.credential)
            except ImageNotFound as error:
                return FactFailure(error.code, error.message, error.hint)

        found = dict(zip(sorted(tags), await asyncio.gather(*map(resolve, sorted(tags))), strict=True))
        self._digests = {tag: digest for tag, digest in found.items() if not isinstance(digest, FactFailure)}
        self._failures.clear()
        self._exact.clear()
        failed = {tag: failure for tag, failure in found.items() if isinstance(failure, FactFailure)}
        followed = {tag: Candidate(tag=tag, failure=failed.get(tag)) for tag in found}
        if self.candidates != followed:
            self.candidates = followed

    async def _stand(self, offered: TagList, listings: ListingMemory) -> None:
        self._digests = dict(offered.digests)
        self._failures.clear()
        self._exact.clear()
        is_stale = self._clock() - self._facts_since > FACTS_KEPT and any(item.created for item in self.candidates.values())
        if self._has_scanned and not is_stale and offered.tags == tuple(self.candidates):
            self._before = self.candidates.keys()
            return
        seen = await listings.record_listing(_cache_key(self._listed), offered.tags)
        self._listed_since = first = min(seen.first_seen.values(), default=None)
        candidates = {}
        for tag in offered.tags:
            known = None if is_stale else self.candidates.get(tag)
            when = seen.first_seen.get(tag)
            # what stood in the first list ever was there before us: its time of birth is not known
            first_seen = None if when == first else when
            if known is not None and known.first_seen is not None and first_seen is not None and first_seen < known.first_seen:
                known = replace(known, first_seen=first_seen)  # the clock was ahead when it was seen first
            candidates[tag] = known or Candidate(tag=tag, pushed=offered.pushed.get(tag), first_seen=first_seen)
        if is_stale:
            self._facts_since = self._clock()
        self._before, self.candidates, self._has_scanned = seen.previous, candidates, True
        self._ages = {tag: age for tag, age in self._ages.items() if tag in candidates}


def _cache_key(listed: ScanKey) -> str:
    return f"{listed.image.canonical} {listed.credential or ''}".strip()
