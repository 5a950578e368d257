"""Which image is asked how, and chooses for subscriptions among what stands: one scan serves all who share it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from updater.engine.image_state import ImageState
from updater.engine.slots import Slots
from updater.errors import ImageSyntaxError
from updater.model.candidate import Candidate, Fact
from updater.model.image import is_tag, parse_digest, parse_name
from updater.model.outcome import Status
from updater.model.scan_key import ScanKey, scan_key_for
from updater.model.selection import Selection
from updater.model.written import Written
from updater.policies import build
from updater.policies.choose import SelectionRequest, choose, identified, nothing_named
from updater.policies.filters import build_filter
from updater.policies.ranking import RankingMemory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping, Sequence

    from updater.engine.image_state import ListingMemory, RegistryReader
    from updater.errors import UpdaterError
    from updater.model.candidate import FactRequest
    from updater.model.image import Digest, ImageRef
    from updater.model.selection import RevertedImage
    from updater.model.subscription import PolicySpec, Subscription, TagFilter
    from updater.policies.base import Policy
    from updater.policies.choose import NamedTags
    from updater.policies.filters import NameFilter

_T = TypeVar("_T")
TOO_SLOW: Final = "registry-too-slow"
_DIGEST: Final = frozenset({Fact.DIGEST})


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """The policy of a subscription, built once, with its memory of the last ranking. *spelled* is what they were built from."""

    spelled: tuple[PolicySpec, TagFilter]
    policy: Policy
    name_filter: NameFilter
    memory: RankingMemory


class Scanner:
    """Scans images and chooses among what they offer. Raises nothing from `scan`; `choose` raises what the scan met.

    *followed* are images of which only these tags are asked for, until `follow` says what everybody wants.
    """

    def __init__(
        self,
        registry: RegistryReader,
        listings: ListingMemory,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        followed: Mapping[ScanKey, frozenset[str]] | None = None,
    ) -> None:
        self._registry = registry
        self._listings = listings
        self._followed: dict[ScanKey, frozenset[str]] = dict(followed or {})
        self._clock = clock
        self._wall = wall
        self._slots = Slots()
        self._standing: dict[ScanKey, ImageState] = {}
        self._rules: dict[str, PolicyRules] = {}

    @property
    def registry(self) -> RegistryReader:
        """Who is asked, for those who want to know more of an image than what a choice needs."""
        return self._registry

    def follow(
        self,
        asked: Mapping[ScanKey, Sequence[Subscription]],
        changed: Iterable[ScanKey],
        *,
        listed_anyway: Collection[ScanKey] = (),
    ) -> frozenset[ScanKey]:
        """Serve the subscriptions of *asked*, by image, from now on; only those of *changed* are others than before.

        Images *listed_anyway* are scanned for their own sake, by a list. What nobody asks for any more is forgotten, what others
        asked for stands. Return the images that are asked otherwise than before, by a list or by single tags, and so have to be
        scanned afresh.
        """
        afresh = set()
        for listed in changed:
            subscriptions = () if listed in listed_anyway else asked.get(listed, ())
            before, followed = self._followed.pop(listed, None), _followed(subscriptions)
            if followed is not None:
                self._followed[listed] = followed
            if before != followed and listed in self._standing:
                del self._standing[listed]
                afresh.add(listed)
        # a scan or a landing that was going on may have brought back what was gone then
        for listed in set(self._standing).difference(asked, listed_anyway):
            del self._standing[listed]
        for key in set(self._rules).difference(item.key for items in asked.values() for item in items):
            del self._rules[key]
        return frozenset(listed for listed in afresh if listed in asked or listed in listed_anyway)

    async def scan(self, listed: ScanKey, *, within: float | None = None) -> bool:
        """Ask the registry for *listed*; return whether what stands now differs from before, as far as names tell.

        A scan that takes longer than *within* seconds fails; None leaves that to the registry's own limits.
        """
        host = listed.image.registry
        async with self._slots.slot(host):
            has_changed = await self._of(listed).scan(self._listings, within=within)
            failure = self.failure(listed)
            if failure is None:
                self._slots.well(host)
            elif failure.code == TOO_SLOW:
                self._slots.slow(host)
            return has_changed

    def has_scanned(self, listed: ScanKey) -> bool:
        """Return whether *listed* was scanned, well or not, since somebody asks for it."""
        return listed in self._standing and self._standing[listed].has_ended

    def offered(self, listed: ScanKey) -> Collection[str]:
        """Return the tags that an image offers since its last scan that went well."""
        standing = self._standing.get(listed)
        return standing.candidates.keys() if standing else ()

    def candidates(self, listed: ScanKey) -> Mapping[str, Candidate]:
        """Return what is known of each tag since the last scan that went well."""
        standing = self._standing.get(listed)
        return standing.candidates if standing else {}

    def failure(self, listed: ScanKey) -> UpdaterError | None:
        """Return what the last scan met, None where it went well."""
        standing = self._standing.get(listed)
        return standing.failure if standing else None

    async def choose(
        self,
        subscription: Subscription,
        written: Written,
        *,
        needs_digest: bool,
        rejected: Mapping[str, RevertedImage],
        named: NamedTags = nothing_named,
    ) -> Selection:
        """Choose for one written value, see `SelectionRequest`; raise the error of the last scan."""
        if subscription.is_fixed:
            return fixed_selection(subscription.policy, written)
        listed = scan_key_for(subscription)
        standing = await self._stood(listed)
        if _is_of_another_image(subscription, written):
            written = Written()
        current = written.tag if written.tag and is_tag(written.tag) else None
        doubt = standing.doubt(current)
        if doubt is not None:
            return await drive(identified(doubt, named, standing.candidates), standing.answer)
        rules = self._rules_of(subscription)
        request = SelectionRequest(
            candidates=standing.candidates,
            policy=rules.policy,
            name_filter=rules.name_filter,
            platforms=subscription.platforms,
            current=current,
            current_digest=_digest_of(written),
            downgrade=subscription.downgrade,
            is_shape_locked=subscription.is_shape_locked,
            variant=subscription.variant,
            facts=_DIGEST if needs_digest else frozenset(),
            rejected=rejected,
            min_age=subscription.gates.min_age,
            now=datetime.fromtimestamp(self._wall(), UTC),
            decisions=subscription.decisions,
            key=subscription.key,
            offer=subscription.offer,
            versions=subscription.versions,
            named=named,
        )
        request = await standing.foresee(request)
        return await drive(choose(request, rules.memory), partial(_settled_or_asked, subscription.settled, standing.answer))

    async def choose_for(self, listed: ScanKey, request: SelectionRequest) -> Selection:
        """Choose by *request* among what *listed* offers; raise the error of the scan."""
        standing = await self._stood(listed)
        request = await standing.foresee(replace(request, candidates=standing.candidates))
        return await drive(choose(request), standing.answer)

    def forget(self, listed: ScanKey, tags: Iterable[str] | None = None) -> None:
        """Ask for everything about *tags* of *listed* again when it is next wanted; None asks for the digest of each tag.

        What its last scan listed stands.
        """
        standing = self._standing.get(listed)
        if standing is not None:
            standing.forget(tags)

    def _of(self, listed: ScanKey) -> ImageState:
        if listed not in self._standing:
            followed = self._followed.get(listed)
            self._standing[listed] = ImageState(self._registry, listed, followed=followed, clock=self._clock)
        return self._standing[listed]

    async def _stood(self, listed: ScanKey) -> ImageState:
        """Return what stands for *listed*, scanning it where it was never scanned; raise the error of the scan."""
        if listed not in self._standing:
            await self.scan(listed)
        standing = self._of(listed)
        if standing.failure is not None:
            raise standing.failure
        return standing

    def _rules_of(self, subscription: Subscription) -> PolicyRules:
        spelled = (subscription.policy, subscription.filter)
        rules = self._rules.get(subscription.key)
        if rules is None or rules.spelled != spelled:
            rules = PolicyRules(spelled, build(subscription.policy), build_filter(subscription.filter), RankingMemory())
            self._rules[subscription.key] = rules
        return rules


def _followed(subscriptions: Sequence[Subscription]) -> frozenset[str] | None:
    """Name the tags of an image that digest policies ask for; None where anybody compares names, or nobody asks."""
    policies = [item.policy for item in subscriptions]
    tags = [policy.options.get("tag") if policy.kind == "digest" else None for policy in policies]
    named = frozenset(tag for tag in tags if isinstance(tag, str))
    return named if tags and all(isinstance(tag, str) for tag in tags) else None


async def drive(
    steps: Generator[FactRequest, Candidate | None, _T], answer: Callable[[FactRequest], Awaitable[Candidate | None]]
) -> _T:
    """Run a generator that asks for facts to its end."""
    try:
        ask = next(steps)
        while True:
            ask = steps.send(await answer(ask))
    except StopIteration as end:
        result: _T = end.value
        return result


async def _settled_or_asked(
    settled: ImageRef | None, answer: Callable[[FactRequest], Awaitable[Candidate]], ask: FactRequest
) -> Candidate:
    """Return the candidate with the digest on which its subscription settled; else what *answer* says."""
    if (
        settled is not None
        and not ask.candidate.is_exact
        and settled.tag == ask.candidate.tag
        and settled.digest
        and ask.facts <= _DIGEST
    ):
        return replace(ask.candidate, digest=settled.digest)
    return await answer(ask)


def fixed_selection(policy: PolicySpec, written: Written) -> Selection:
    """Return the selection of the tag that a fixed policy names, with its digest where it names one."""
    tag, digest = str(policy.options["tag"]), policy.options.get("digest")
    chosen = Candidate(tag=tag, digest=parse_digest(str(digest)) if digest else None)
    status = Status.UNCHANGED if written.tag == tag else Status.UPDATED
    return Selection(status=status, chosen=chosen, rejections={}, digests={tag: chosen.digest})


def _is_of_another_image(subscription: Subscription, written: Written) -> bool:
    """Return whether a policy that says its image itself moved to another one since: tags of two images are not compared."""
    if not subscription.is_reflected or written.name is None:
        return False
    try:
        return parse_name(written.name) != subscription.image
    except ImageSyntaxError:
        return True


def _digest_of(written: Written) -> Digest | None:
    try:
        return parse_digest(written.digest) if written.digest else None
    except ImageSyntaxError:
        return None
