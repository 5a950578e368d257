"""For how long a version is known to have run healthy, and what of that is offered to who follows."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from tests.delivery.objects import NAME
from updater.delivery.promotion import MOST_RUNS, HealthyTimes
from updater.gates.promotion import offer_of
from updater.model.gates import GateRules
from updater.model.image import parse_name, parse_ref
from updater.model.promotion import Follows
from updater.model.release import ClusterContext, DeliveryOptions, Health, Release, ReleaseVerdict, Workload
from updater.model.report import DestinationLanded, InventoryChanged, LandingEnd, ReleaseJudged, SourceState
from updater.model.selection import Rejection
from updater.model.subscription import GitBranch, Locator, Origin, PolicySpec, Subscription, Target
from updater.model.view import PastCommit
from updater.model.written import Written

BRANCH = GitBranch(url="https://git.example.org/fleet.git", branch="main")
BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = 3600.0
FOLLOWS = Follows(subscription="staging", healthy_for=2 * HOUR)
DEADLINE = 900.0
HEALTHY = Health(verdict=ReleaseVerdict.HEALTHY, reason="2 of 2", is_applied=True)
SCALING = Health(verdict=ReleaseVerdict.PROGRESSING, reason="1 of 2", is_applied=True)
BROKEN = Health(verdict=ReleaseVerdict.BAD, reason="timed out", is_applied=True)
BLIND = Health(verdict=ReleaseVerdict.UNKNOWN, reason="no answer", is_blind=True)
UNWATCHED = Health(verdict=ReleaseVerdict.UNKNOWN, reason="cannot be watched")


def digest(tag):
    return "sha256:" + hashlib.sha256(tag.encode()).hexdigest()


def image(tag):
    return f"{NAME}:{tag}@{digest(tag)}"


def commit(number):
    return f"{number:040x}"


def staging(*, namespace="staging", cluster=None, **more):
    target = Target(destination=BRANCH, editor="marker", locator=Locator(name="ns:staging"))
    return Subscription(
        key="staging",
        image=parse_name(NAME),
        policy=PolicySpec("semver"),
        targets=(target,),
        delivery=DeliveryOptions(workload=Workload("Deployment", namespace, "shop"), deadline=DEADLINE, cluster=cluster),
        origin=Origin(kind="file", name="updater.yaml"),
        **more,
    )


def prod():
    return Subscription(
        key="prod",
        image=parse_name(NAME),
        policy=PolicySpec("semver"),
        gates=GateRules(follows=FOLLOWS),
        origin=Origin(kind="file", name="updater.yaml"),
    )


class Story:
    """What lands at staging, what the cluster says, and what is offered to prod."""

    def __init__(self, rows=(), wall=None):
        self.wall = wall or BEGAN.timestamp()
        self.says = SCALING
        self.woken = []
        self.commits = []
        self.times = HealthyTimes(
            [staging(), prod()], health=lambda _release, _heads: self.says, wake=self.woken.append, clock=lambda: self.wall
        )
        self.times.recall(rows)

    @property
    def offer(self):
        return offer_of(FOLLOWS, self.times.runs("staging"), self.wall)

    @property
    def promoted(self):
        return [ref.tag for ref in self.offer.promoted]

    def past(self, tag, **more):
        number = len(self.commits) + 1
        when = datetime.fromtimestamp(self.wall, UTC)
        fields = {
            "revision": commit(number),
            "when": when,
            "subject": f"staging {tag}",
            "subscriptions": ("staging",),
            "images": (image(tag),),
            "policies": (),
            "changes": (f"staging - {tag}",),
        }
        return PastCommit(**{**fields, **more})

    def commit(self, tag, **more):
        """Our commit lands, and is looked at again."""
        self.commits.insert(0, self.past(tag, **more))
        self.looks(tag)

    def looks(self, tag, **more):
        fields = {"outcomes": (), "end": LandingEnd.QUIET, "notes": (), "recent": tuple(self.commits), **more}
        at = datetime.fromtimestamp(self.wall, UTC)
        self.times.hear(DestinationLanded(destination=BRANCH, written={"staging": (Written(tag=tag),)}, at=at, **fields))

    def passes(self, seconds, says=None):
        self.wall += seconds
        self.says = says or self.says
        self.times.judge()

    def judged(self, verdict):
        past = self.commits[0]
        release = Release(subscription="staging", revision=past.revision, image=parse_ref(past.images[0]), began=past.when)
        workload = Workload("Deployment", "staging", "shop")
        at = datetime.fromtimestamp(self.wall, UTC)
        self.times.hear(ReleaseJudged(release=release, workload=workload, verdict=verdict, reason="", seconds=None, at=at))

    def restarted(self, after, *, rows=None):
        """Another process takes over, *after* seconds, with what was kept."""
        made = Story(self.times.remembered() if rows is None else rows, self.wall + after)
        made.commits, made.says = self.commits, UNWATCHED
        made.looks(self.commits[0].images[0].rpartition(":")[0].rpartition(":")[2].partition("@")[0])
        return made


def ran(seconds, tag="1.1.0"):
    """Staging has run *tag* healthy for *seconds*."""
    story = Story()
    story.commit(tag)
    story.passes(60)
    story.passes(0, HEALTHY)
    story.passes(seconds)
    return story


def test_a_version_is_offered_when_it_has_run_healthy_for_the_time_and_not_a_second_before():
    story = ran(2 * HOUR - 1)
    assert (story.promoted, story.offer.opens_at) == ([], story.wall + 1)
    story.passes(1)
    assert (story.promoted, story.offer.opens_at) == (["1.1.0"], None)
    assert str(story.offer.promoted[0].digest) == digest("1.1.0")


def test_a_newer_version_before_the_time_is_up_has_a_clock_of_its_own():
    story = ran(HOUR + 1800)
    story.commit("1.2.0")
    story.passes(0)
    story.passes(HOUR)
    assert story.promoted == []
    assert story.offer.opens_at == story.wall + HOUR
    story.passes(HOUR)
    assert story.promoted == ["1.2.0"]


def test_what_ran_for_the_time_stays_on_offer_while_staging_moves_on():
    story = ran(2 * HOUR)
    for minor in (2, 3, 4):
        story.commit(f"1.{minor}.0")
        story.passes(HOUR)
    assert story.promoted == ["1.1.0"]
    assert story.offer.standing.tag == "1.4.0"


def test_what_is_known_of_a_stage_that_moves_all_the_time_stays_bounded():
    story = ran(2 * HOUR)
    for minor in range(2, 30):
        story.commit(f"1.{minor}.0")
        story.passes(0, HEALTHY)
        story.passes(2 * HOUR)
    assert len(story.times.runs("staging")) == MOST_RUNS
    assert story.promoted[0] == "1.29.0"


def test_a_pause_stops_the_clock_and_promotes_nothing_meanwhile():
    story = ran(HOUR)
    story.passes(0, SCALING)
    assert (story.promoted, story.offer.opens_at) == ([], None)
    story.passes(600, HEALTHY)
    assert story.offer.opens_at == story.wall + HOUR
    story.passes(HOUR)
    story.passes(0, UNWATCHED)
    assert story.promoted == []
    story.passes(60, HEALTHY)
    assert story.promoted == ["1.1.0"]


def test_a_pause_longer_than_the_deadline_starts_the_time_anew():
    story = ran(2 * HOUR)
    story.passes(0, SCALING)
    story.passes(DEADLINE + 1)
    story.passes(0, HEALTHY)
    assert (story.promoted, story.offer.opens_at) == ([], story.wall + 2 * HOUR)


def test_what_is_bad_later_loses_its_time_at_once():
    story = ran(2 * HOUR)
    story.passes(0, BROKEN)
    assert story.promoted == []
    story.passes(0, HEALTHY)
    assert story.offer.opens_at == story.wall + 2 * HOUR


def test_a_version_with_a_bad_verdict_is_never_promoted_however_well_it_runs_later():
    story = ran(HOUR)
    story.judged(ReleaseVerdict.BAD)
    story.passes(3 * HOUR)
    assert story.promoted == []
    assert story.offer.is_bad
    assert "which is bad" in story.offer.reason


def test_a_bad_image_is_not_promoted_for_an_earlier_run_of_it_either():
    story = ran(2 * HOUR)
    story.commit("1.2.0")
    story.commit("1.1.0")
    story.judged(ReleaseVerdict.BAD)
    assert story.promoted == []


def test_what_a_revert_of_ours_took_back_is_not_promoted_and_what_it_went_back_to_is():
    story = ran(2 * HOUR)
    story.commit("1.2.0")
    story.passes(0)
    story.passes(3 * HOUR)
    assert story.promoted == ["1.2.0", "1.1.0"]
    story.commit("1.1.0", rejected=(f"staging {digest('1.2.0')}",))
    assert story.promoted == ["1.1.0"]


def test_a_commit_that_somebody_reverted_is_not_promoted():
    story = ran(2 * HOUR)
    story.commits[0] = story.past("1.1.0", revision=story.commits[0].revision, reverted_by="f" * 40)
    story.looks("1.0.0")
    assert (story.promoted, story.offer.standing) == ([], None)


def test_what_a_person_wrote_by_hand_is_not_promoted_nor_what_was_there_before():
    story = ran(2 * HOUR)
    story.looks("1.0.5")
    story.passes(3 * HOUR)
    assert (story.promoted, story.offer.standing) == ([], None)


def test_a_tag_that_people_rejected_at_staging_is_not_promoted():
    story = ran(2 * HOUR)
    story.looks("1.1.0", rejected={"staging": {"1.1.0": Rejection(tag="1.1.0", code="rejected", sentence="no")}})
    assert story.promoted == []
    story.looks("1.1.0")
    assert story.promoted == ["1.1.0"]


def test_a_commit_of_which_nobody_knows_the_digest_is_not_promoted_until_its_trailers_tell():
    story = Story()
    story.commit("1.1.0", images=(f"{NAME}:1.1.0",))
    story.passes(0, HEALTHY)
    story.passes(2 * HOUR)
    assert story.promoted == []
    assert "digest is not known" in story.offer.reason
    story.commits[0] = story.past("1.1.0", revision=story.commits[0].revision)
    story.looks("1.1.0")
    assert story.promoted == ["1.1.0"]


def test_a_restart_in_the_middle_continues_and_the_time_in_which_nobody_looked_does_not_count():
    story = ran(HOUR).restarted(after=600)
    story.passes(30, HEALTHY)
    assert story.offer.opens_at == story.wall + HOUR
    story.passes(HOUR)
    assert story.promoted == ["1.1.0"]


def test_a_restart_without_memory_starts_the_time_anew_for_what_git_says():
    story = ran(3 * HOUR).restarted(after=600, rows=())
    assert story.promoted == []
    story.passes(30, HEALTHY)
    assert story.offer.opens_at == story.wall + 2 * HOUR


def test_an_object_that_says_since_when_it_is_healthy_is_believed_after_a_restart_and_never_from_before_the_commit():
    for vouched, since in ((BEGAN.timestamp() + 1800, BEGAN.timestamp() + 1800), (BEGAN.timestamp() - 1800, BEGAN.timestamp())):
        story = ran(HOUR).restarted(after=600, rows=())
        story.passes(0, Health(verdict=ReleaseVerdict.HEALTHY, reason="", is_applied=True, since=vouched))
        assert story.offer.opens_at == since + 2 * HOUR


def test_what_was_not_watched_yet_after_a_restart_is_neither_promoted_nor_forgotten():
    story = ran(3 * HOUR)
    assert story.promoted == ["1.1.0"]
    story = story.restarted(after=10)
    story.passes(0, UNWATCHED)
    assert story.times.runs("staging")[0].since is not None


@pytest.mark.parametrize("says", [BLIND, UNWATCHED], ids=["blind", "unwatched"])
def test_a_stage_that_was_never_seen_says_why(says):
    story = Story()
    story.says = says
    story.commit("1.1.0")
    assert f"which is not healthy: {says.reason};" in story.offer.reason


def test_a_workload_that_broke_while_nobody_looked_is_not_promoted_after_the_restart():
    story = ran(3 * HOUR).restarted(after=600)
    story.passes(0, BROKEN)
    assert story.promoted == []


@pytest.mark.parametrize("says", [BLIND, UNWATCHED, BROKEN])
@pytest.mark.parametrize("has_landed", [False, True])
def test_time_in_which_nobody_looked_promotes_nothing_before_the_first_look_nor_while_nothing_is_known(says, has_landed):
    before = ran(HOUR)
    story = Story(before.times.remembered(), before.wall + 2 * HOUR)
    assert (story.promoted, story.offer.opens_at) == ([], None)
    story.commits = before.commits
    if has_landed:
        story.looks("1.1.0")
    story.passes(HOUR, says)
    assert (story.promoted, story.offer.opens_at) == ([], None)


def test_a_process_that_ends_before_its_first_look_leaves_what_was_seen_as_it_was():
    before = ran(HOUR)
    between = before.restarted(after=600).restarted(after=600)
    between.passes(30, HEALTHY)
    assert between.offer.opens_at == between.wall + HOUR


def test_a_restart_finds_that_staging_moved_on_and_counts_only_what_was_seen():
    story = ran(HOUR)
    rows = story.times.remembered()
    story.wall += 5 * HOUR
    story.commits.insert(0, story.past("1.2.0"))
    story = story.restarted(after=0, rows=rows)
    story.passes(0, HEALTHY)
    assert (story.promoted, story.offer.standing.tag) == ([], "1.2.0")


def test_a_clock_that_is_set_back_holds_longer_and_never_shorter():
    story = ran(HOUR)
    story.passes(-10 * HOUR)
    assert story.offer.opens_at == story.wall + 2 * HOUR


def test_an_older_commit_on_another_branch_starts_nothing():
    story = ran(HOUR)
    other = GitBranch(url="https://git.example.org/other.git", branch="main")
    past = story.past("1.0.1", when=BEGAN.replace(hour=1), revision="e" * 40)
    at = datetime.fromtimestamp(story.wall, UTC)
    story.times.hear(
        DestinationLanded(
            destination=other,
            written={"staging": (Written(tag="1.0.1"),)},
            at=at,
            outcomes=(),
            end=LandingEnd.QUIET,
            notes=(),
            recent=(past,),
        )
    )
    assert story.offer.standing.tag == "1.1.0"


def test_who_follows_is_woken_when_the_offer_may_be_another_and_not_for_other_words():
    story = ran(HOUR)
    before = len(story.woken)
    story.passes(1, Health(verdict=ReleaseVerdict.HEALTHY, reason="other words", is_applied=True))
    story.looks("1.1.0")
    assert len(story.woken) == before
    story.passes(1, SCALING)
    assert story.woken[before:] == ["staging"]


def test_what_nobody_follows_any_more_is_forgotten():
    story = ran(HOUR)
    report = InventoryChanged(subscriptions=(staging(),), destinations=frozenset(), sources=(), at=BEGAN)
    story.times.hear(report)
    assert story.times.remembered() == ()


def asked_for(*subscriptions, is_whole):
    sources = (SourceState(name="Application", subscriptions=len(subscriptions) if is_whole else None),)
    return InventoryChanged(subscriptions=subscriptions, destinations=frozenset(), sources=sources, at=BEGAN)


def test_what_was_seen_of_a_subscription_whose_source_is_not_heard_yet_is_kept_until_it_is():
    rows = ran(HOUR).times.remembered()
    times = HealthyTimes([], health=lambda _release, _heads: HEALTHY, wake=lambda _key: None, clock=BEGAN.timestamp)
    times.recall(rows)
    times.hear(asked_for(prod(), is_whole=False))
    assert (times.runs("staging"), times.remembered()) == ((), rows)
    times.hear(asked_for(prod(), staging(), is_whole=True))
    (run,), (row,) = times.runs("staging"), times.remembered()
    assert (run.revision, run.since) == (rows[0].runs[0].revision, rows[0].runs[0].since)
    assert (row.key, row.runs) == ("staging", (run,))


def test_what_no_source_asks_for_once_all_were_heard_is_not_remembered():
    times = HealthyTimes([], health=lambda _release, _heads: HEALTHY, wake=lambda _key: None, clock=BEGAN.timestamp)
    times.recall(ran(HOUR).times.remembered())
    times.hear(asked_for(prod(), is_whole=True))
    assert times.remembered() == ()


def test_who_is_gone_while_a_source_is_not_heard_goes_on_when_it_is_back():
    story = ran(HOUR)
    story.times.hear(asked_for(prod(), is_whole=False))
    story.passes(600)
    assert story.offer.standing is None
    story.times.hear(asked_for(prod(), staging(), is_whole=True))
    story.looks("1.1.0")
    story.passes(HOUR)
    assert story.promoted == ["1.1.0"]


@pytest.mark.parametrize("healthy_for", [1.0, 100 * HOUR])
def test_each_follower_has_a_time_of_its_own(healthy_for):
    story = ran(HOUR)
    offer = offer_of(Follows(subscription="staging", healthy_for=healthy_for), story.times.runs("staging"), story.wall)
    assert bool(offer.promoted) == (healthy_for < HOUR)


MOVED = [
    pytest.param({"namespace": "next"}, id="workload"),
    pytest.param({"cluster": ClusterContext(context="next")}, id="cluster"),
]


@pytest.mark.parametrize("place", MOVED)
def test_what_ran_in_another_place_is_not_offered_until_it_ran_in_the_new_one_for_the_time(place):
    story = ran(3 * HOUR)
    assert story.promoted == ["1.1.0"]
    asked = (staging(**place), prod())
    at = datetime.fromtimestamp(story.wall, UTC)
    story.times.hear(InventoryChanged(subscriptions=asked, destinations=frozenset({BRANCH}), sources=(), at=at))
    assert story.promoted == []
    story.looks("1.1.0")
    story.passes(HOUR)
    assert story.promoted == []
    story.passes(HOUR)
    assert story.promoted == ["1.1.0"]


@pytest.mark.parametrize("place", MOVED)
def test_another_process_takes_up_nothing_that_ran_in_another_place(place):
    rows = ran(3 * HOUR).times.remembered()
    assert [run.image.tag for run in Story(rows).times.runs("staging")] == ["1.1.0"]
    moved = HealthyTimes([staging(**place), prod()], health=lambda _release, _heads: UNWATCHED, wake=print, clock=lambda: 0.0)
    moved.recall(rows)
    assert moved.runs("staging") == ()
