"""Knows what registries offered last: one standing listing per image name and credential, and the choices made on it.

A listing stands until the next scan, and so does the digest of a mutable tag. Other facts of a tag stand while the
tag is listed; what hangs on a digest is the registry client's to remember.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from updater.engine.choose import Request, choose, foreseen_asks
from updater.engine.schedule import Listed
from updater.errors import ImageNotFound, ImageSyntaxError, RegistryProtocolError, UpdaterError
from updater.gates.guards import ListingGuard
from updater.model.candidate import Candidate, Fact
from updater.model.image import is_tag, parse_digest
from updater.model.outcome import Status
from updater.model.selection import Rejected, Selection
from updater.policies import build
from updater.policies.filters import build_filter
from updater.policies.ranking import Memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping
    from datetime import datetime

    from updater.model.candidate import Ask, Description
    from updater.model.image import Digest, ImageName
    from updater.model.subscription import CredentialRef, Subscription
    from updater.model.view import Written
    from updater.policies.base import Policy
    from updater.policies.filters import NameFilter
    from updater.registry.listing import TagList

_T = TypeVar("_T")
SCANS_AT_ONCE: Final = 256
_DIGEST: Final = frozenset({Fact.DIGEST})


class Registry(Protocol):
    """What a scan asks of registries; see `updater.registry.client.RegistryClient`."""

    async def tags(self, image: ImageName, credential: CredentialRef | None = None) -> TagList:
        """List every tag."""
        ...

    async def digest(self, image: ImageName, tag: str, credential: CredentialRef | None = None) -> Digest:
        """Resolve a tag."""
        ...

    async def describe(self, image: ImageName, digest: Digest, credential: CredentialRef | None = None) -> Description:
        """Read what hangs on a digest."""
        ...


class Seen(Protocol):
    """What was listed before; see `updater.cache.cache.Listing`."""

    @property
    def previous(self) -> Collection[str] | None:
        """The tags of the list before."""
        ...

    @property
    def first_seen(self) -> Mapping[str, datetime]:
        """When each tag was seen first."""
        ...


class Listings(Protocol):
    """Remembers lists of tags; see `updater.cache.cache.Cache`."""

    async def record_listing(self, image: str, tags: Iterable[str]) -> Seen:
        """Remember a list; gives what it is compared with."""
        ...


@dataclass(slots=True)
class Standing:
    """What one scan left: the candidates, what the list before had, the digests asked since, or the failure."""

    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    before: Collection[str] | None = None
    digests: dict[str, Digest] = field(default_factory=dict)
    failure: UpdaterError | None = None
    has_scanned: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy of a subscription, built once, with its memory of the last ranking."""

    policy: Policy
    name_filter: NameFilter
    memory: Memory


class Scans:
    """Scans images and chooses among what they offer. Raises nothing from `scan`; `choose` raises what the scan met."""

    def __init__(self, registry: Registry, listings: Listings, subscriptions: Iterable[Subscription] = ()) -> None:
        self._registry = registry
        self._listings = listings
        self._followed = _followed(subscriptions)
        self._turns = asyncio.Semaphore(SCANS_AT_ONCE)
        self._standing: dict[Listed, Standing] = {}
        self._rules: dict[Subscription, Rules] = {}

    async def scan(self, listed: Listed) -> bool:
        """Ask the registry for *listed*; says whether what stands now differs from before, as far as names tell."""
        async with self._turns:
            return await self._scan(listed)

    async def _scan(self, listed: Listed) -> bool:
        standing = self._standing.setdefault(listed, Standing())
        before, digests, failure = standing.candidates, standing.digests, standing.failure
        followed = self._followed.get(listed)
        try:
            if followed:
                await self._follow(listed, standing, followed)
            else:
                await self._stand(listed, standing, await self._registry.tags(listed.image, listed.credential))
        except UpdaterError as error:
            standing.failure = error
            return failure is None
        standing.failure = None
        return failure is not None or standing.candidates is not before or bool(followed and standing.digests != digests)

    def failure(self, listed: Listed) -> UpdaterError | None:
        """Give what the last scan met, None where it went well."""
        standing = self._standing.get(listed)
        return standing.failure if standing else None

    async def choose(
        self, subscription: Subscription, written: Written, *, needs_digest: bool, rejected: Mapping[str, Rejected]
    ) -> Selection:
        """Choose for one written value; raises the error of the last scan."""
        listed = listed_for(subscription)
        standing = await self._stood(listed)
        current = written.tag if written.tag and is_tag(written.tag) else None
        doubt = self._doubt(standing, current)
        if doubt is not None:
            return doubt
        rules = self._rules_of(subscription)
        request = Request(
            candidates=standing.candidates,
            policy=rules.policy,
            name_filter=rules.name_filter,
            platforms=subscription.platforms,
            current=current,
            current_digest=_digest_of(written),
            allow_downgrade=subscription.allow_downgrade,
            variant=subscription.variant,
            facts=_DIGEST if needs_digest else frozenset(),
            rejected=rejected,
        )
        return await self.choose_for(listed, request, rules.memory)

    async def choose_for(self, listed: Listed, request: Request, memory: Memory | None = None) -> Selection:
        """Choose by *request* among what *listed* offers; raises the error of the scan."""
        standing = await self._stood(listed)
        request = await self._foresee(listed, standing, replace(request, candidates=standing.candidates))
        return await drive(choose(request, memory), lambda ask: self._answer(listed, standing, ask))

    async def _stood(self, listed: Listed) -> Standing:
        """Give what stands for *listed*, scanning it where it was never scanned; raises the error of the scan."""
        if listed not in self._standing:
            await self.scan(listed)
        standing = self._standing[listed]
        if standing.failure is not None:
            raise standing.failure
        return standing

    async def identify(self, subscription: Subscription, tag: str) -> Digest | None:
        """Give the digest of a tag that is about to be written; None where the registry does not tell."""
        listed = listed_for(subscription)
        standing = self._standing.setdefault(listed, Standing())
        try:
            return await self._digest(listed, standing, tag)
        except UpdaterError:
            return None

    async def _follow(self, listed: Listed, standing: Standing, tags: frozenset[str]) -> None:
        """Resolve the followed tags: where nobody compares names, no list is asked for."""

        async def resolve(tag: str) -> Digest | None:
            try:
                return await self._registry.digest(listed.image, tag, listed.credential)
            except ImageNotFound:
                return None

        found = dict(zip(sorted(tags), await asyncio.gather(*map(resolve, sorted(tags))), strict=True))
        standing.digests = {tag: digest for tag, digest in found.items() if digest is not None}
        if standing.candidates.keys() != standing.digests.keys():
            standing.candidates = {tag: Candidate(tag=tag) for tag in standing.digests}
        standing.has_scanned = True

    async def _stand(self, listed: Listed, standing: Standing, offered: TagList) -> None:
        standing.digests = dict(offered.digests)
        if standing.has_scanned and offered.tags == tuple(standing.candidates):
            standing.before = standing.candidates.keys()
            return
        seen = await self._listings.record_listing(_cache_key(listed), offered.tags)
        first = min(seen.first_seen.values(), default=None)
        candidates = {}
        for tag in offered.tags:
            known = standing.candidates.get(tag)
            when = seen.first_seen.get(tag)
            # what stood in the first list ever was there before us: its time of birth is not known
            candidates[tag] = known or Candidate(
                tag=tag, pushed=offered.pushed.get(tag), first_seen=None if when == first else when
            )
        standing.before, standing.candidates, standing.has_scanned = seen.previous, candidates, True

    def _doubt(self, standing: Standing, current: str | None) -> Selection | None:
        """Hold an image whose list shrank suspiciously, until the next scan agrees."""
        if standing.before is None:
            return None
        written = (current,) if current else ()
        doubt = ListingGuard(standing.before).check(standing.candidates, written)
        if doubt is None:
            return None
        detail = f"{doubt.sentence}; held until the next scan agrees"
        return Selection(status=Status.HELD, chosen=None, code=doubt.code, detail=detail, rejections={})

    def _rules_of(self, subscription: Subscription) -> Rules:
        rules = self._rules.get(subscription)
        if rules is None:
            rules = Rules(build(subscription.policy), build_filter(subscription.filter), Memory())
            self._rules[subscription] = rules
        return rules

    async def _foresee(self, listed: Listed, standing: Standing, request: Request) -> Request:
        """Ask at once for every fact that is sure to be asked for, and let it stand with its tag."""
        asks = foreseen_asks(request)
        if not asks:
            return request
        answers = await asyncio.gather(*(self._answer(listed, standing, ask) for ask in asks))
        # the digest of a tag stands until the next scan only, so it is not kept with the candidate
        known = {answer.tag: replace(answer, digest=None) for answer in answers if answer is not None}
        standing.candidates = {tag: known.get(tag, candidate) for tag, candidate in standing.candidates.items()}
        return replace(request, candidates=standing.candidates)

    async def _answer(self, listed: Listed, standing: Standing, ask: Ask) -> Candidate | None:
        """Fill the facts asked for; None where the registry has none of this tag."""
        candidate = ask.candidate
        try:
            digest = await self._digest(listed, standing, candidate.tag)
            if ask.facts <= {Fact.DIGEST}:
                return replace(candidate, digest=digest)
            found = await self._registry.describe(listed.image, digest, listed.credential)
        except (ImageNotFound, RegistryProtocolError, ImageSyntaxError):
            return None
        return replace(candidate, digest=digest, created=found.created, labels=found.labels, platforms=found.platforms)

    async def _digest(self, listed: Listed, standing: Standing, tag: str) -> Digest:
        if tag not in standing.digests:
            standing.digests[tag] = await self._registry.digest(listed.image, tag, listed.credential)
        return standing.digests[tag]


def _followed(subscriptions: Iterable[Subscription]) -> dict[Listed, frozenset[str]]:
    """Name the tags of each image that only digest policies ask for."""
    tags: dict[Listed, set[str]] = {}
    listing: set[Listed] = set()
    for subscription in subscriptions:
        tag = subscription.policy.options.get("tag")
        if subscription.policy.kind == "digest" and isinstance(tag, str):
            tags.setdefault(listed_for(subscription), set()).add(tag)
        else:
            listing.add(listed_for(subscription))
    return {listed: frozenset(wanted) for listed, wanted in tags.items() if listed not in listing}


def listed_for(subscription: Subscription) -> Listed:
    """Say which scan serves a subscription."""
    return Listed(subscription.image, subscription.credential)


async def drive(steps: Generator[Ask, Candidate | None, _T], answer: Callable[[Ask], Awaitable[Candidate | None]]) -> _T:
    """Run a generator that asks for facts to its end."""
    try:
        ask = next(steps)
        while True:
            ask = steps.send(await answer(ask))
    except StopIteration as end:
        result: _T = end.value
        return result


def _digest_of(written: Written) -> Digest | None:
    try:
        return parse_digest(written.digest) if written.digest else None
    except ImageSyntaxError:
        return None


def _cache_key(listed: Listed) -> str:
    return f"{listed.image.canonical} {listed.credential or ''}".strip()
