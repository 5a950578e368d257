"""What scans promise: one listing serves all who share it, facts are asked once, failures stand until the next scan."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.engine.making import subscription
from updater.cache.cache import Cache
from updater.engine.decide import with_unread
from updater.engine.scanner import Scanner
from updater.errors import ImageNotFound, RegistryProtocolError, RegistryUnavailable
from updater.model.candidate import Description
from updater.model.gates import GateRules
from updater.model.image import Digest, ImageRef, parse_platform
from updater.model.promotion import Follows, Offer
from updater.model.scan_key import scan_key_for
from updater.model.subscription import FIXED, Downgrade, PolicySpec
from updater.model.written import Written
from updater.policies.choose import nothing_named
from updater.registry.listing import TagList


class Registry:
    """A registry in memory: tags, the time each was built, and what was asked."""

    def __init__(self, **tags):
        self.tags_by_time = tags
        self.asked = []
        self.failure = None

    async def tags(self, image, credential=None):
        self.asked.append("tags")
        if self.failure:
            raise self.failure
        return TagList(tags=tuple(self.tags_by_time))

    async def digest(self, image, tag, credential=None):
        self.asked.append(f"digest {tag}")
        if self.failure:
            raise self.failure
        if tag not in self.tags_by_time:
            raise ImageNotFound(f"{tag} is not there", hint="")
        return Digest(algorithm="sha256", encoded=f"{self.tags_by_time[tag]:064x}")

    async def describe(self, image, digest, credential=None):
        self.asked.append("describe")
        when = datetime.fromtimestamp(int(digest.encoded, 16), UTC)
        return Description(created=when, labels={}, platforms=(parse_platform("linux/amd64"),))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


NOW = 1_700_000_000
LATEST = PolicySpec("latest", {})


async def choose(scans, item, tag=None, *, needs_digest=False, named=nothing_named):
    return await scans.choose(item, Written(tag=tag), needs_digest=needs_digest, rejected={}, named=named)


def scans_of(registry, *subscriptions, clock=None):
    scans = Scanner(registry, Cache(None), clock=clock or Clock())
    follow(scans, subscriptions)
    return scans


def follow(scans, subscriptions, *gone):
    """Let *subscriptions* be all that is asked for; *gone* are some that were asked for before."""
    asked = {}
    for item in subscriptions:
        asked.setdefault(scan_key_for(item), []).append(item)
    return scans.follow(asked, {*asked, *map(scan_key_for, gone)})


async def test_the_first_choice_scans_and_the_second_asks_nothing():
    registry = Registry(**{"1.0.0": NOW, "1.1.0": NOW})
    scans = scans_of(registry)
    assert (await choose(scans, subscription(), "1.0.0")).chosen.tag == "1.1.0"
    assert (await choose(scans, subscription("other"), "1.1.0")).status == "unchanged"
    assert registry.asked == ["tags"]


async def test_a_failed_scan_stands_until_the_next_and_is_news_once():
    registry = Registry(**{"1.0.0": NOW})
    scans, item = scans_of(registry), subscription()
    registry.failure = RegistryUnavailable("503", hint="")
    assert await scans.scan(scan_key_for(item))
    assert not await scans.scan(scan_key_for(item))
    with pytest.raises(RegistryUnavailable):
        await choose(scans, item)
    registry.failure = None
    assert await scans.scan(scan_key_for(item))
    assert scans.failure(scan_key_for(item)) is None


async def test_the_same_list_again_is_no_news():
    registry = Registry(**{"1.0.0": NOW})
    scans, listed = scans_of(registry), scan_key_for(subscription())
    assert await scans.scan(listed)
    assert not await scans.scan(listed)
    registry.tags_by_time["1.1.0"] = NOW
    assert await scans.scan(listed)


async def test_a_list_that_lost_the_written_tag_holds_until_a_second_scan_agrees():
    registry = Registry(**{"1.0.0": NOW, "1.1.0": NOW})
    scans, item = scans_of(registry), subscription()
    await choose(scans, item, "1.1.0")
    del registry.tags_by_time["1.1.0"]
    await scans.scan(scan_key_for(item))
    assert (await choose(scans, item, "1.1.0")).code == "incomplete-list"
    await scans.scan(scan_key_for(item))
    assert (await choose(scans, item, "1.1.0")).code == "downgrade"


async def test_dates_are_asked_once_for_each_tag_and_again_after_an_hour():
    registry, clock = Registry(old=NOW, new=NOW + 60), Clock()
    scans, item = scans_of(registry, clock=clock), replace(subscription(), policy=LATEST)
    assert (await choose(scans, item)).chosen.tag == "new"
    asked = len(registry.asked)
    await scans.scan(scan_key_for(item))
    await choose(scans, item)
    assert registry.asked[asked:] == ["tags"]
    registry.tags_by_time["old"] = NOW + 120
    clock.now = 3601.0
    await scans.scan(scan_key_for(item))
    assert (await choose(scans, item)).chosen.tag == "old"


async def test_a_tag_that_vanished_between_list_and_digest_loses_and_others_go_on():
    registry = Registry(old=NOW, new=NOW + 60)
    scans, item = scans_of(registry), replace(subscription(), policy=LATEST)
    await scans.scan(scan_key_for(item))
    del registry.tags_by_time["new"]
    selection = await choose(scans, item)
    assert (selection.chosen.tag, selection.rejections["new"].code) == ("old", "image-not-found")


class Broken(Registry):
    """A registry in which *broken* tags have a digest, and behind it something that is no image."""

    def __init__(self, *broken, **tags):
        super().__init__(**tags)
        self.broken = broken

    async def describe(self, image, digest, credential=None):
        self.asked.append("describe")
        for tag in self.broken:
            if int(digest.encoded, 16) == self.tags_by_time[tag]:
                raise RegistryProtocolError(f"{tag} is of schema 1", hint="push it again", code="manifest-schema")
        return await super().describe(image, digest, credential)


@pytest.mark.parametrize("changes", [{"policy": LATEST}, {"platforms": (parse_platform("linux/amd64"),)}])
async def test_a_tag_whose_facts_cannot_be_had_loses_with_the_registrys_own_error(changes):
    registry = Broken("1.1.0", **{"1.0.0": NOW, "1.1.0": NOW + 60})
    scans, item = scans_of(registry), replace(subscription(), **changes)
    selection = await choose(scans, item, "1.0.0")
    lost = selection.rejections["1.1.0"]
    assert (selection.chosen.tag, lost.code, lost.sentence) == ("1.0.0", "manifest-schema", "1.1.0 is of schema 1")
    assert selection.unread == (lost,)
    assert (
        with_unread(selection, "it stays") == "it stays; 1 tag could not be read: 1.1.0 [manifest-schema]: 1.1.0 is of schema 1"
    )


async def test_where_no_tag_can_be_read_the_error_is_counted_instead_of_a_missing_date():
    scans, item = scans_of(Broken("a", "b", a=NOW, b=NOW + 60)), replace(subscription(), policy=LATEST)
    assert (await choose(scans, item)).detail == "no tag matches: 2 with the error manifest-schema"


async def test_what_could_not_be_read_is_asked_once_between_two_scans_and_again_after():
    registry = Broken("b", a=NOW, b=NOW + 60)
    scans, item = scans_of(registry), replace(subscription(), policy=LATEST)
    await choose(scans, item, "a")
    asked = len(registry.asked)
    await choose(scans, item, "a")
    assert registry.asked[asked:] == []
    registry.broken = ()
    await scans.scan(scan_key_for(item))
    assert (await choose(scans, item, "a")).chosen.tag == "b"


async def test_only_a_few_of_many_unread_tags_are_named():
    tags = {f"t{number}": NOW + number for number in range(9)}
    scans, item = scans_of(Broken(*tags, **tags)), replace(subscription(), policy=LATEST)
    said = with_unread(await choose(scans, item), "none")
    assert said.startswith("none; 9 tags could not be read: ")
    assert said.endswith("; and 6 more")


async def test_the_digest_is_asked_for_the_chosen_one_alone_and_anew_after_each_scan():
    registry = Registry(**{"1.0.0": NOW, "1.1.0": NOW})
    scans, item = scans_of(registry), subscription()
    first = await choose(scans, item, "1.0.0", needs_digest=True)
    assert [text for text in registry.asked if text.startswith("digest")] == ["digest 1.1.0"]
    registry.tags_by_time["1.1.0"] = NOW + 1
    await scans.scan(scan_key_for(item))
    assert (await choose(scans, item, "1.0.0", needs_digest=True)).chosen.digest != first.chosen.digest


async def test_where_only_digests_are_followed_no_list_is_asked_for():
    registry = Registry(stable=NOW)
    item = replace(subscription(), policy=PolicySpec("digest", {"tag": "stable"}))
    scans = scans_of(registry, item)
    assert await scans.scan(scan_key_for(item))
    assert not await scans.scan(scan_key_for(item))
    registry.tags_by_time["stable"] = NOW + 1
    assert await scans.scan(scan_key_for(item))
    assert "tags" not in registry.asked


async def test_a_followed_tag_that_is_not_there_is_no_match():
    item = replace(subscription(), policy=PolicySpec("digest", {"tag": "stable"}))
    scans = scans_of(Registry(), item)
    selection = await choose(scans, item)
    assert (selection.status, selection.detail) == ("no-match", "no tag matches: 1 with the error image-not-found")


async def test_a_choice_brings_the_digests_that_a_commit_will_name_and_none_where_the_registry_does_not_tell():
    registry = Registry(**{"1.0.0": NOW})
    scans, item = scans_of(registry), subscription()
    selection = await choose(scans, item, "0.9.0", named=lambda made: {made.chosen.tag, "0.9.0"})
    assert (selection.status, {tag: digest is not None for tag, digest in selection.digests.items()}) == (
        "updated",
        {"1.0.0": True, "0.9.0": False},
    )
    again = await choose(scans, item, "0.8.0", named=lambda made: {made.chosen.tag, "0.9.0"})
    assert (again.digests, registry.asked) == (selection.digests, ["tags", "digest 0.9.0", "digest 1.0.0"])


async def test_a_registry_that_fails_when_a_digest_is_asked_for_the_message_stops_no_choice():
    registry = Registry(**{"1.0.0": NOW})
    scans, item = scans_of(registry), subscription()
    await scans.scan(scan_key_for(item))
    registry.failure = RegistryUnavailable("503", hint="")
    selection = await choose(scans, item, "0.9.0", named=lambda _: {"1.0.0"})
    assert (selection.chosen.tag, selection.digests) == ("1.0.0", {"1.0.0": None})


async def test_an_unmerged_change_that_is_kept_while_a_list_is_doubted_is_named_with_its_digest():
    registry = Registry(**{"1.0.0": NOW, "1.1.0": NOW})
    scans, item = scans_of(registry), subscription()
    await choose(scans, item, "1.1.0")
    del registry.tags_by_time["1.1.0"]
    await scans.scan(scan_key_for(item))
    selection = await choose(scans, item, "1.1.0", named=lambda _: {"1.0.0"})
    assert (selection.code, selection.digests["1.0.0"]) == ("incomplete-list", Digest(algorithm="sha256", encoded=f"{NOW:064x}"))


def follows(*tags):
    return [replace(subscription(f"follows {tag}"), policy=PolicySpec("digest", {"tag": tag})) for tag in tags]


async def test_what_others_ask_for_stands_when_somebody_comes_or_goes():
    registry = Registry(**{"1.0.0": NOW, "1.1.0": NOW})
    first, second = subscription(), subscription("other", "ghcr.io/o/other")
    scans = scans_of(registry, first, second)
    for item in (first, second):
        await choose(scans, item, "1.0.0")
    assert follow(scans, [first, subscription("third")], second) == frozenset()
    assert (await choose(scans, first, "1.0.0")).chosen.tag == "1.1.0"
    assert registry.asked == ["tags", "tags"]


async def test_what_nobody_asks_for_any_more_is_forgotten():
    registry = Registry(**{"1.0.0": NOW})
    registry.failure = RegistryUnavailable("503", hint="")
    item = subscription()
    scans = scans_of(registry, item)
    await scans.scan(scan_key_for(item))
    assert scans.failure(scan_key_for(item)) is registry.failure
    follow(scans, [], item)
    assert scans.failure(scan_key_for(item)) is None
    registry.failure = None
    follow(scans, [item])
    assert (await choose(scans, item)).chosen.tag == "1.0.0"
    assert registry.asked == ["tags", "tags"]


async def test_an_image_whose_single_tags_somebody_compares_now_is_listed_afresh():
    registry = Registry(**{"stable": NOW, "1.0.0": NOW})
    digests = follows("stable")
    scans, listed = scans_of(registry, *digests), scan_key_for(digests[0])
    await scans.scan(listed)
    assert follow(scans, [*digests, subscription()]) == {listed}
    assert (await choose(scans, subscription())).chosen.tag == "1.0.0"
    assert (await choose(scans, digests[0])).chosen.tag == "stable"
    assert follow(scans, digests) == {listed}


async def test_another_single_tag_is_asked_for_afresh():
    registry = Registry(stable=NOW, edge=NOW)
    digests = follows("stable", "edge")
    scans, listed = scans_of(registry, digests[0]), scan_key_for(digests[0])
    await scans.scan(listed)
    assert follow(scans, digests) == {listed}
    assert follow(scans, digests) == frozenset()
    assert (await choose(scans, digests[1])).chosen.tag == "edge"
    assert "tags" not in registry.asked


async def test_a_scan_of_an_image_that_left_and_came_back_does_not_count():
    registry, item = Registry(**{"1.0.0": NOW}), subscription()
    scans = scans_of(registry, item)
    began, go_on = asyncio.Event(), asyncio.Event()
    listing = registry.tags

    async def slow(image, credential=None):
        began.set()
        await go_on.wait()
        return await listing(image, credential)

    registry.tags = slow
    old = asyncio.create_task(scans.scan(scan_key_for(item)))
    await began.wait()
    follow(scans, [], item)
    follow(scans, [item])
    new = asyncio.create_task(scans.scan(scan_key_for(item)))
    go_on.set()
    await asyncio.gather(old, new)
    assert (await choose(scans, item)).chosen.tag == "1.0.0"


async def test_an_image_whose_first_scan_goes_on_is_held_not_without_match():
    registry, item = Registry(**{"1.0.0": NOW}), subscription()
    scans = scans_of(registry, item)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(image, credential=None):
        began.set()
        await go_on.wait()
        return TagList(tags=("1.0.0",))

    registry.tags = slow
    scan = asyncio.create_task(scans.scan(scan_key_for(item)))
    await began.wait()
    selection = await choose(scans, item)
    assert (selection.status, selection.code) == ("held", "incomplete-list")
    go_on.set()
    await scan
    assert (await choose(scans, item)).chosen.tag == "1.0.0"


async def test_a_subscription_with_another_policy_is_chosen_for_by_it():
    registry, item = Registry(**{"1.0.0": NOW, "2.0.0": NOW}), subscription()
    scans = scans_of(registry, item)
    assert (await choose(scans, item)).chosen.tag == "2.0.0"
    other = replace(item, policy=PolicySpec("semver", {"range": "<2"}))
    follow(scans, [other])
    assert (await choose(scans, other)).chosen.tag == "1.0.0"


async def test_a_clock_that_was_ahead_hides_no_later_tag_from_a_running_daemon():
    """A first-seen time in the future is corrected with the next list, also where the candidate is remembered."""
    registry, item = Registry(a=NOW), replace(subscription(), policy=LATEST)
    times = iter([NOW + 100, NOW + 10**8, NOW + 300, NOW + 400])
    now = [0]
    async with Cache(None, wall=lambda: now[0]) as cache:
        scans = Scanner(registry, cache, clock=Clock())
        follow(scans, [item])
        for tag in ("a", "b", "c", "d"):
            now[0] = next(times)
            registry.tags_by_time[tag] = NOW
            await scans.scan(scan_key_for(item))
            assert (await choose(scans, item, "a")).chosen.tag == tag


async def test_a_build_date_in_the_future_hides_no_later_tag():
    """A tag of the first list is no newer than that list, whatever the clock of its builder said."""
    registry, item = Registry(a=NOW, future=NOW + 10**8), replace(subscription(), policy=LATEST)
    now = [NOW + 100]
    async with Cache(None, wall=lambda: now[0]) as cache:
        scans = Scanner(registry, cache, clock=Clock())
        follow(scans, [item])
        await scans.scan(scan_key_for(item))
        assert (await choose(scans, item, "a")).chosen.tag == "future"
        now[0] += 100
        registry.tags_by_time["later"] = NOW
        await scans.scan(scan_key_for(item))
        assert (await choose(scans, item, "future")).chosen.tag == "later"


async def test_an_image_that_is_named_is_asked_of_nobody():
    registry, digest = Registry(), f"sha256:{1:064x}"
    fixed = replace(subscription("suspended"), policy=PolicySpec(FIXED, {"tag": "1.2.3", "digest": digest}))
    selection = await choose(scans_of(registry, fixed), fixed, "9.9.9", needs_digest=True)
    assert (selection.chosen.tag, str(selection.chosen.digest), registry.asked) == ("1.2.3", digest, [])


async def test_a_settled_digest_is_kept_as_long_as_its_tag_is_chosen():
    registry = Registry(**{"1.0.0": 1, "1.1.0": 2})
    kept = ImageRef(name=subscription("app").image, tag="1.1.0", digest=Digest(algorithm="sha256", encoded=f"{9:064x}"))
    item = replace(subscription("app"), settled=kept)
    scans = scans_of(registry, item)
    assert (await choose(scans, item, needs_digest=True)).chosen.digest == kept.digest
    assert "digest 1.1.0" not in registry.asked
    registry.tags_by_time["1.2.0"] = 3
    await scans.scan(scan_key_for(item))
    assert int((await choose(scans, item, needs_digest=True)).chosen.digest.encoded, 16) == 3


async def test_a_scan_that_takes_longer_than_its_object_allows_fails_by_name():
    class Silent(Registry):
        async def tags(self, image, credential=None):
            await asyncio.Event().wait()

    item = subscription("app")
    scans = scans_of(Silent(), item)
    await scans.scan(scan_key_for(item), within=0.01)
    assert scans.failure(scan_key_for(item)).code == "scan-timeout"


async def test_an_image_that_is_scanned_for_its_own_sake_is_listed_and_stays_without_a_subscription():
    registry, item = Registry(**{"1.0.0": 1}), replace(subscription("app"), policy=PolicySpec("digest", {"tag": "1.0.0"}))
    listed, scans = scan_key_for(item), Scanner(registry, Cache(None), clock=Clock())
    scans.follow({listed: [item]}, [listed], listed_anyway=[listed])
    await scans.scan(listed)
    assert registry.asked == ["tags"]
    assert scans.follow({}, [listed], listed_anyway=[listed]) == frozenset()
    assert list(scans.offered(listed)) == ["1.0.0"]
    scans.follow({}, [listed])
    assert list(scans.offered(listed)) == []


async def test_a_policy_whose_image_was_exchanged_is_not_held_by_the_version_of_the_former_image():
    """What stands there is of another image, so that no version is lower than it."""
    item = replace(subscription("policy"), is_reflected=True, downgrade=Downgrade.BY_POLICY)
    async with asyncio.timeout(10):
        scans = Scanner(Registry(**{"1.2.0": 1, "1.3.0": 2}), Cache(None))
        await scans.scan(scan_key_for(item))
        said = [
            (await scans.choose(item, Written(name=name, tag="3.0.0"), needs_digest=False, rejected={})).code
            for name in ("ghcr.io/o/moved", "ghcr.io/o/app", "not an image", None)
        ]
    assert said == [None, "downgrade", None, "downgrade"]


def offered_at_staging(digest, **rules):
    """A subscription that follows another one, which offers one build of 1.1.0."""
    ref = ImageRef(name=subscription().image, tag="1.1.0", digest=digest)
    offer = Offer(follows=Follows(subscription="staging", healthy_for=0), promoted=(ref,), standing=ref)
    return replace(subscription(), offer=offer, **rules)


async def test_the_facts_of_a_build_that_is_promoted_are_those_of_its_digest_whatever_its_tag_points_to():
    ran = Digest(algorithm="sha256", encoded=f"{NOW:064x}")
    registry = Registry(**{"1.0.0": NOW, "1.1.0": NOW + 1, str(ran): NOW})
    item = offered_at_staging(ran, platforms=(parse_platform("linux/amd64"),), gates=GateRules(min_age=0.0))
    scans = scans_of(registry, item)
    for _ in range(2):
        assert (await choose(scans, item, "1.0.0", needs_digest=True)).chosen.digest == ran
    assert [ask for ask in registry.asked if ask.startswith("digest")] == [f"digest {ran}"]
