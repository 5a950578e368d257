"""What `land` promises: refused pushes are decided again on the new head, and every target ends once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.making import BRANCH, SHA, chosen, reading, subscription, target, view
from updater.engine.gating import Gatekeeper
from updater.engine.landing import ATTEMPTS, LandingContext, land
from updater.errors import GitUnavailable, PushRefused, RegistryDenied
from updater.model.gates import GateRules
from updater.model.image import ImageRef, parse_digest
from updater.model.outcome import Status
from updater.model.promotion import Follows, Offer
from updater.model.subscription import CommitSpec, PolicySpec
from updater.model.update import Change, WriteResult


class Branch:
    """A branch in memory: heads are numbers, the written tag is what stands there."""

    def __init__(self, tag: str, refusals: int = 0, moves_to: str | None = None):
        self.tag, self.refusals, self.moves_to = tag, refusals, moves_to
        self.commits = []
        self.looks = 0

    async def look(self, destination, subscriptions):
        self.looks += 1
        seen = view(head=f"{self.looks:040x}")
        return replace(seen, readings={(item.key, 0): (reading(f"ghcr.io/o/app:{self.tag}"),) for item in subscriptions})

    async def write(self, seen, commits, *, is_dry):
        if self.refusals:
            self.refusals -= 1
            self.tag = self.moves_to or self.tag
            raise PushRefused("the branch moved", hint="")
        self.commits += commits
        change = Change(path="a.yaml", line=1, where="image", old="", new="")
        updates = [update for commit in commits for update in commit.updates]
        return WriteResult(
            changes=dict.fromkeys(updates, (change,)), refused={}, revisions=dict.fromkeys(updates, "c" * 40), is_dry=is_dry
        )


def parts(branch, choose=None, pauses=None):
    async def newest(subscription, written, *, needs_digest, rejected, named):
        return chosen("2.0.0", status="unchanged" if written.tag == "2.0.0" else "updated")

    async def pause(attempt):
        (pauses if pauses is not None else []).append(attempt)

    return LandingContext(writer=branch, choose=choose or newest, pause=pause)


async def test_an_update_lands_in_one_commit():
    branch = Branch("1.0.0")
    landing = await land(BRANCH, (subscription(),), parts(branch))
    assert [outcome.status for outcome in landing.outcomes] == [Status.UPDATED]
    assert len(branch.commits) == 1


async def test_a_refused_push_is_looked_at_and_decided_again():
    branch, pauses = Branch("1.0.0", refusals=3), []
    landing = await land(BRANCH, (subscription(),), parts(branch, pauses=pauses))
    assert (landing.replays, branch.looks, pauses) == (3, 4, [1, 2, 3])
    assert landing.outcomes[0].status is Status.UPDATED


async def test_what_a_person_pushed_meanwhile_is_judged_anew_and_not_overwritten():
    branch = Branch("1.0.0", refusals=1, moves_to="2.0.0")
    landing = await land(BRANCH, (subscription(),), parts(branch))
    assert (landing.outcomes[0].status, branch.commits) == (Status.UNCHANGED, [])


async def test_scans_that_go_on_are_waited_for_once_between_the_first_look_and_the_choice():
    branch, told = Branch("1.0.0", refusals=2), []

    async def settle():
        told.append(branch.looks)

    await land(BRANCH, (subscription(),), replace(parts(branch), settle=settle))
    assert (told, branch.looks) == ([1], 3)


async def test_a_push_refused_for_ever_ends_failed_and_loses_nothing():
    branch = Branch("1.0.0", refusals=ATTEMPTS)
    landing = await land(BRANCH, (subscription(),), parts(branch))
    assert (landing.outcomes[0].status, landing.outcomes[0].code) == (Status.FAILED, "push-refused")
    again = await land(BRANCH, (subscription(),), parts(branch))
    assert again.outcomes[0].status is Status.UPDATED


async def test_an_unreachable_git_server_fails_its_targets_with_the_code():
    class Down(Branch):
        async def look(self, destination, subscriptions):
            raise GitUnavailable("no route", hint="")

    landing = await land(BRANCH, (subscription(),), parts(Down("1")))
    assert [(end.status, end.code) for end in landing.outcomes] == [(Status.FAILED, "git-unavailable")]


async def test_a_registry_that_denies_one_image_leaves_the_others():
    async def choose(item, written, *, needs_digest, rejected, named):
        if item.key == "denied":
            raise RegistryDenied("401", hint="")
        return chosen("2.0.0")

    class Two(Branch):
        async def look(self, destination, subscriptions):
            seen = await super().look(destination, subscriptions)
            object.__setattr__(
                seen, "readings", {("app", 0): (reading(),), ("denied", 0): (reading("ghcr.io/o/d:1.0.0", "d.yaml"),)}
            )
            return seen

    branch = Two("1.0.0")
    landing = await land(BRANCH, (subscription(), subscription("denied", "ghcr.io/o/d")), parts(branch, choose))
    assert {end.key: end.status for end in landing.outcomes} == {"app": Status.UPDATED, "denied": Status.FAILED}


async def test_each_commit_spec_has_a_commit_of_its_own():
    class Two(Branch):
        async def look(self, destination, subscriptions):
            seen = await super().look(destination, subscriptions)
            readings = {("a", 0): (reading(path="a.yaml"),), ("b", 0): (reading(path="b.yaml"),)}
            object.__setattr__(seen, "readings", readings)
            return seen

    branch = Two("1.0.0")
    await land(BRANCH, (subscription("a", author="anna"), subscription("b", author="ben")), parts(branch))
    assert [commit.commit_spec.name for commit in branch.commits] == ["anna", "ben"]


async def test_two_automations_commit_one_policy_each_by_its_own_commit_spec():
    class Two(Branch):
        async def look(self, destination, subscriptions):
            seen = await super().look(destination, subscriptions)
            object.__setattr__(seen, "readings", {("app", 0): (reading(path="a.yaml"),), ("app", 1): (reading(path="b.yaml"),)})
            return seen

    item = subscription("app", "ghcr.io/o/app", target(), target())
    first, second = item.targets
    item = replace(item, targets=(first, replace(second, commit_spec=CommitSpec(name="ben"))))
    branch = Two("1.0.0")
    landing = await land(BRANCH, (item,), parts(branch))
    made = {commit.commit_spec.name: [update.reading.path for update in commit.updates] for commit in branch.commits}
    assert (made, [outcome.status for outcome in landing.outcomes]) == (
        {"updater": ["a.yaml"], "ben": ["b.yaml"]},
        [Status.UPDATED, Status.UPDATED],
    )


async def test_a_dry_run_is_told_to_the_writer_and_ends_held():
    branch = Branch("1.0.0")
    landing = await land(BRANCH, (subscription(),), parts(branch), is_dry=True)
    assert (landing.outcomes[0].status, landing.outcomes[0].code) == (Status.HELD, "dry-run")


class Registry:
    """Answers choices as the engine does, and remembers which digests a commit was said to name."""

    def __init__(self, *events, tag="2.0.0"):
        self.events, self.tag = list(events), tag

    async def choose(self, subscription, written, *, needs_digest, rejected, named):
        selection = chosen(self.tag, status="unchanged" if written.tag == self.tag else "updated")
        tags = sorted(named(selection))
        self.events += [f"digest {tag}" for tag in tags]
        return replace(selection, digests=dict.fromkeys(tags, parse_digest(SHA)))


class Traced(Branch):
    def __init__(self, registry, *args, **more):
        super().__init__(*args, **more)
        self.registry = registry

    async def write(self, seen, commits, *, is_dry):
        self.registry.events.append("write")
        return await super().write(seen, commits, is_dry=is_dry)


async def test_the_choice_asks_for_the_digests_that_the_commit_names_and_nothing_is_asked_before_the_write():
    registry = Registry()
    branch = Traced(registry, "1.0.0", refusals=2)
    await land(BRANCH, (subscription(),), parts(branch, registry.choose))
    assert registry.events == ["digest 2.0.0", "write", "write", "write"]
    (update,) = branch.commits[0].updates
    assert (str(update.written_as), str(update.image)) == (f"ghcr.io/o/app:2.0.0@{SHA}", "ghcr.io/o/app:2.0.0")


async def test_under_latest_the_digest_of_the_replaced_tag_is_asked_for_too():
    registry = Registry()
    branch = Traced(registry, "1.0.0")
    await land(BRANCH, (replace(subscription(), policy=PolicySpec("latest")),), parts(branch, registry.choose))
    assert registry.events == ["digest 1.0.0", "digest 2.0.0", "write"]
    assert str(branch.commits[0].updates[0].replaced) == f"ghcr.io/o/app:1.0.0@{SHA}"


@pytest.mark.parametrize(("written", "is_dry"), [("2.0.0", False), ("1.0.0", True)])
async def test_no_digest_is_asked_for_where_no_commit_will_name_it(written, is_dry):
    registry = Registry()
    await land(BRANCH, (subscription(),), parts(Branch(written), registry.choose), is_dry=is_dry)
    assert registry.events == []


async def test_no_digest_is_asked_for_a_place_that_is_refused():
    class Contested(Branch):
        async def look(self, destination, subscriptions):
            seen = await super().look(destination, subscriptions)
            object.__setattr__(seen, "readings", {("a", 0): (reading(),), ("b", 0): (reading(),)})
            return seen

    registry = Registry()
    both = (subscription("a"), subscription("b"))
    landing = await land(BRANCH, both, parts(Contested("1.0.0"), registry.choose))
    assert ([outcome.code for outcome in landing.outcomes], registry.events) == (["conflict", "conflict"], [])


async def test_a_place_that_is_free_at_the_next_attempt_is_chosen_with_its_digest():
    class Freed(Traced):
        async def look(self, destination, subscriptions):
            seen = await super().look(destination, subscriptions)
            other = reading(path="a.yaml" if self.looks == 1 else "b.yaml")
            free = reading(path="c.yaml")
            object.__setattr__(seen, "readings", {("a", 0): (reading(),), ("b", 0): (other,), ("c", 0): (free,)})
            return seen

    registry = Registry()
    branch = Freed(registry, "1.0.0", refusals=1)
    await land(BRANCH, tuple(map(subscription, "abc")), parts(branch, registry.choose))
    assert registry.events == ["digest 2.0.0", "write", "digest 2.0.0", "digest 2.0.0", "write"]
    assert {update.written_as.digest for commit in branch.commits for update in commit.updates} == {parse_digest(SHA)}


async def test_what_was_suspended_or_held_after_the_look_is_not_written():
    branch = Branch("1.0.0")

    async def nothing():
        return ()

    landing = await land(BRANCH, (subscription(),), replace(parts(branch), asked_now=nothing))
    assert (branch.commits, landing.outcomes, branch.looks) == ([], (), 2)


async def test_what_is_asked_for_otherwise_after_the_look_is_decided_again():
    branch, other = Branch("1.0.0"), subscription("other")

    async def another():
        return (other,)

    landing = await land(BRANCH, (subscription(),), replace(parts(branch), asked_now=another))
    assert [outcome.key for outcome in landing.outcomes] == ["other"]
    assert len(branch.commits) == 1


async def test_what_is_asked_for_otherwise_at_every_attempt_ends_as_failed():
    branch, count = Branch("1.0.0"), iter(range(2 * ATTEMPTS))

    async def another():
        return (subscription(f"other-{next(count)}"),)

    landing = await land(BRANCH, (subscription(),), replace(parts(branch), asked_now=another))
    assert (landing.outcomes[0].status, landing.outcomes[0].code) == (Status.FAILED, PushRefused.default_code)
    assert (branch.commits, branch.looks) == ([], ATTEMPTS)


async def test_what_was_chosen_before_another_policy_was_heard_of_is_chosen_again():
    """The key and the value that stands there are the same; what may be chosen is not."""
    branch, narrower = Branch("1.0.0"), replace(subscription(), policy=PolicySpec(kind="semver", options={"range": "1.x"}))

    async def choose(item, written, *, needs_digest, rejected, named):
        tag = "1.5.0" if item == narrower else "2.0.0"
        return replace(chosen(tag), digests={tag: parse_digest(SHA)})

    async def another():
        return (narrower,)

    await land(BRANCH, (subscription(),), replace(parts(branch, choose), asked_now=another))
    [commit] = branch.commits
    assert [update.image.tag for update in commit.updates] == ["1.5.0"]


class Staging:
    """A followed subscription that offers 2.0.0 until it is said to be bad."""

    def __init__(self, *, is_bad_after):
        self.asked, self.is_bad_after = 0, is_bad_after

    def offers(self, follows):
        self.asked += 1
        ran = ImageRef(name=subscription().image, tag="2.0.0", digest=parse_digest(SHA))
        is_bad = self.asked > self.is_bad_after
        return Offer(follows=follows, promoted=() if is_bad else (ran,), standing=ran, is_bad=is_bad, reason=f"look {self.asked}")


@pytest.mark.parametrize(("is_bad_after", "written", "looks"), [(1, [], 2), (100, ["2.0.0"], 1)])
async def test_what_turns_bad_at_staging_between_the_look_and_the_write_is_not_written(is_bad_after, written, looks):
    branch, staging = Branch("1.0.0"), Staging(is_bad_after=is_bad_after)
    follower = replace(subscription(), gates=GateRules(follows=Follows(subscription="staging", healthy_for=60.0)))

    async def choose(item, written, *, needs_digest, rejected, named):
        return chosen("2.0.0") if item.offer.promoted else chosen("1.0.0", status="unchanged")

    asking = replace(parts(branch, choose), gates=Gatekeeper(offers=staging.offers))
    await land(BRANCH, (follower,), asking)
    assert [update.image.tag for commit in branch.commits for update in commit.updates] == written
    assert branch.looks == looks
