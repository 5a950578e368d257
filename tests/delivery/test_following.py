"""What becomes of releases: from what landed and what the cluster says to one verdict each."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.delivery.objects import DEPLOYMENT, NAME, OLD, ROLLOUT, conditions, merged, template
from tests.fakes.eventually import until
from updater.delivery.following import ReleaseFollower
from updater.delivery.kinds import KINDS
from updater.delivery.memory import ReleaseMemory
from updater.http.client import Clock
from updater.model.image import parse_name, parse_ref
from updater.model.outcome import Move, Outcome, Status
from updater.model.release import WORKLOAD_KINDS, ClusterContext, DeliveryOptions, ReleaseVerdict, Workload
from updater.model.report import DestinationLanded, InventoryChanged, LandingEnd, ReleaseJudged, ReleaseProgressed
from updater.model.subscription import GitBranch, Locator, Origin, PolicySpec, Subscription, Target
from updater.model.view import PastCommit
from updater.model.written import Written

BRANCH = GitBranch(url="https://git.example.org/fleet.git", branch="main")
BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PUSHED, LATER = "c" * 40, "d" * 40
OLD_RUNS = merged(DEPLOYMENT, {"spec": {"template": template(OLD)}})
FAILED = merged(DEPLOYMENT, {"status": conditions(("Progressing", "False", "ProgressDeadlineExceeded", "timed out"))})
STARTING = merged(DEPLOYMENT, {"status": {"availableReplicas": 1}})


class Known:
    """Plays the watch: what is put here is known."""

    def __init__(self):
        self.objects = {}
        self.lost = set()

    def is_known(self, kind, _namespace):
        return kind not in self.lost

    def get(self, kind, namespace, name):
        return self.objects.get((kind, namespace, name))


class Story:
    """A follower with a clock of its own."""

    def __init__(self, workload="Deployment", memory=None, **options):
        self.wall = BEGAN.timestamp()
        self.workload = Workload(workload, "shop", "shop")
        self.known = Known()
        self.heard = []
        target = Target(destination=BRANCH, editor="marker", locator=Locator(name="ns:shop"))
        self.subscription = Subscription(
            key="shop",
            image=parse_name(NAME),
            policy=PolicySpec("semver"),
            targets=(target,),
            delivery=DeliveryOptions(workload=self.workload, **options),
            origin=Origin(kind="file", name="updater.yaml"),
        )
        clock = Clock(wall=lambda: self.wall)
        self.follower = ReleaseFollower([self.subscription], publish=self.heard.append, memory=memory, surroundings=clock)
        self.follower.index.put_known(options.get("cluster"), self.known)

    @property
    def told(self):
        return [report for report in self.heard if isinstance(report, ReleaseJudged)]

    @property
    def progress(self):
        return [report.progress for report in self.heard if isinstance(report, ReleaseProgressed)]

    @property
    def verdicts(self):
        return [report.verdict.value for report in self.told]

    @property
    def last(self):
        return self.told[-1]

    def at(self):
        return datetime.fromtimestamp(self.wall, UTC)

    def pushed(self, tag="1.1.0", revision=PUSHED):
        move = Move(old=Written(tag="1.0.0"), new=Written(name=NAME, tag=tag))
        outcome = Outcome(key="shop", target="t", status=Status.UPDATED, detail="", revision=revision, moves=(move,))
        self.landed(tag, end=LandingEnd.PUSHED, outcomes=(outcome,), head="0" * 40)

    def landed(self, tag="1.1.0", **more):
        fields = {"destination": BRANCH, "outcomes": (), "end": LandingEnd.QUIET, "notes": (), "head": None, **more}
        written = {"shop": (Written(tag=tag),)}
        self.follower.hear(DestinationLanded(written=written, at=self.at(), **fields))

    def past(self, **more):
        fields = {
            "revision": PUSHED,
            "when": BEGAN,
            "subject": "x",
            "subscriptions": ("shop",),
            "images": (f"{NAME}:1.1.0",),
            "policies": (),
            "changes": ("shop 1.0.0 1.1.0",),
        }
        return PastCommit(**{**fields, **more})

    def says(self, item, after=0.0):
        self.wall += after
        self.known.objects["Deployment" if item["kind"] == "Deployment" else item["kind"], "shop", item["metadata"]["name"]] = (
            item
        )
        self.follower.judge()

    def passes(self, seconds):
        self.wall += seconds
        self.follower.judge()


def test_a_commit_is_followed_until_the_workload_has_been_healthy_on_its_image_for_the_settle_time():
    story = Story(settle=30.0)
    story.says(OLD_RUNS)
    story.pushed()
    assert story.verdicts == ["progressing"]
    story.says(OLD_RUNS, after=5)
    story.says(STARTING, after=5)
    story.says(DEPLOYMENT, after=5)
    story.passes(29)
    assert story.verdicts == ["progressing"]
    story.passes(1)
    assert story.verdicts == ["progressing", "healthy"]
    assert (story.last.seconds, story.last.release.revision, story.follower.in_flight) == (45.0, PUSHED, 0)


def test_health_that_breaks_off_while_it_settles_does_not_count():
    story = Story(settle=30.0)
    story.pushed()
    story.says(DEPLOYMENT)
    story.says(STARTING, after=20)
    story.says(DEPLOYMENT, after=5)
    story.passes(20)
    assert story.verdicts == ["progressing"]
    story.passes(10)
    assert story.verdicts[-1] == "healthy"


def test_a_workload_that_fails_on_the_image_is_bad_at_once_and_on_another_image_not_at_all():
    story = Story()
    story.says(merged(FAILED, {"spec": {"template": template(OLD)}}))
    story.pushed()
    story.passes(1)
    assert story.verdicts == ["progressing"]
    story.says(FAILED)
    assert (story.last.verdict, story.last.is_certain) == (ReleaseVerdict.BAD, True)
    assert "timed out" in story.last.reason


def test_what_is_applied_and_not_healthy_by_the_deadline_is_bad_and_what_was_never_applied_is_unknown():
    applied, never = Story(deadline=60.0), Story(deadline=60.0)
    for story, item in ((applied, STARTING), (never, OLD_RUNS)):
        story.pushed()
        story.says(item, after=59)
        assert story.verdicts == ["progressing"]
        story.passes(1)
    assert (applied.verdicts[-1], never.verdicts[-1]) == ("bad", "unknown")
    assert "still asks for" in never.last.reason


def test_a_workload_that_cannot_be_watched_is_unknown_at_the_deadline_and_never_bad():
    story = Story(deadline=60.0)
    story.says(FAILED)
    story.known.lost.add("Deployment")
    story.pushed()
    story.passes(60)
    assert (story.verdicts[-1], story.last.is_certain) == ("unknown", False)
    assert "cannot be watched" in story.last.reason


def test_a_canary_that_is_in_progress_keeps_its_own_time():
    story = Story("Rollout", deadline=60.0)
    paused = merged(ROLLOUT, {"status": {"phase": "Paused", "stableRS": "old"}})
    story.pushed()
    story.says(paused)
    story.passes(3600)
    assert story.verdicts == ["progressing"]
    story.says(merged(paused, {"status": {"abort": True}}))
    assert (story.verdicts[-1], story.last.is_certain) == ("bad", True)


def test_a_newer_commit_takes_the_place_of_one_that_is_on_its_way():
    story = Story()
    story.pushed()
    story.pushed("1.2.0", LATER)
    assert story.verdicts == ["progressing", "superseded", "progressing"]
    assert story.last.release.image == parse_ref(f"{NAME}:1.2.0")


def test_a_value_that_somebody_else_wrote_ends_the_release():
    story = Story()
    story.pushed()
    story.landed("1.0.0", recent=(story.past(),))
    assert (story.verdicts[-1], story.follower.in_flight) == ("superseded", 0)


def test_a_workload_that_was_moved_off_the_image_is_superseded():
    story = Story()
    story.pushed()
    story.says(STARTING)
    story.says(OLD_RUNS)
    assert story.verdicts[-1] == "superseded"


def test_after_a_restart_the_release_is_read_back_from_the_trailers_and_has_no_duration():
    story = Story(settle=0.0)
    story.wall += 3600
    story.landed(recent=(story.past(),))
    assert story.verdicts == []
    story.says(DEPLOYMENT)
    assert (story.verdicts, story.last.seconds) == (["healthy"], None)


def test_what_was_judged_is_not_judged_again_by_a_follower_that_comes_after():
    memory = ReleaseMemory()
    story = Story(settle=0.0, memory=memory)
    story.pushed()
    story.says(DEPLOYMENT)
    again = Story(memory=memory)
    again.landed(recent=(again.past(),))
    assert again.follower.in_flight == 0


@pytest.mark.parametrize(
    "change",
    [{"changes": ()}, {"changes": ("other 1.0.0 1.1.0",)}, {"images": ()}, {"images": ("nginx:1.1.0",)}, {"reverted_by": LATER}],
)
def test_a_commit_whose_trailers_do_not_say_what_it_wrote_here_is_no_release(change):
    story = Story()
    story.landed(recent=(story.past(**change),))
    assert story.follower.in_flight == 0


def test_a_release_that_was_taken_up_late_and_misses_the_deadline_is_not_certain_to_be_bad():
    """A node may be gone for another reason, long after: only what we saw from its commit on is held against it."""
    story = Story(deadline=60.0)
    story.wall += 86_400
    story.landed(recent=(story.past(),))
    story.says(STARTING)
    story.passes(60)
    assert (story.verdicts, story.last.is_certain) == (["bad"], False)


def test_a_clock_that_is_set_back_starts_settling_again():
    story = Story(settle=30.0)
    story.pushed()
    story.says(DEPLOYMENT)
    story.passes(-3600)
    story.passes(29)
    assert story.verdicts == ["progressing"]
    story.passes(1)
    assert story.verdicts[-1] == "healthy"


def test_a_subscription_that_is_gone_is_not_followed_any_more():
    story = Story()
    story.pushed()
    story.follower.hear(InventoryChanged(subscriptions=(), destinations=frozenset(), sources=(), at=story.at()))
    story.says(DEPLOYMENT, after=60)
    assert story.verdicts == ["progressing"]


def test_an_application_counts_only_on_a_revision_that_is_known_to_hold_the_commit():
    story = Story("Application", settle=0.0)
    story.pushed()
    application = {
        "kind": "Application",
        "metadata": {"name": "shop"},
        "status": {
            "sync": {"status": "Synced", "revision": "0" * 40},
            "health": {"status": "Healthy"},
            "summary": {"images": [f"{NAME}:1.1.0"]},
        },
    }
    story.says(application)
    assert story.verdicts == ["progressing"]
    person = merged(application, {"status": {"sync": {"revision": LATER}}})
    story.says(person)
    assert story.verdicts == ["progressing"]
    story.landed(head=LATER, recent=(story.past(),))
    story.follower.judge()
    assert story.verdicts == ["progressing", "healthy"]


def test_a_workload_of_the_same_name_in_the_cluster_of_updater_says_nothing_of_one_elsewhere():
    story = Story(cluster=ClusterContext(context="staging"), settle=0.0, deadline=60.0)
    here = story.follower.known = Known()
    here.objects["Deployment", "shop", "shop"] = DEPLOYMENT
    story.pushed()
    story.follower.judge()
    assert story.verdicts == ["progressing"]
    story.says(FAILED)
    assert story.verdicts == ["progressing", "bad"]
    assert story.last.reason == "ProgressDeadlineExceeded: timed out (cluster staging)"


def test_a_cluster_to_which_no_way_leads_yet_says_nothing():
    story = Story(cluster=ClusterContext(context="staging"), settle=0.0, deadline=60.0)
    story.follower.index.elsewhere.clear()
    story.known.objects["Deployment", "shop", "shop"] = DEPLOYMENT
    story.pushed()
    story.follower.judge()
    assert story.verdicts == ["progressing"]
    story.follower.index.put_known(ClusterContext(context="staging"), story.known)
    story.follower.judge()
    assert story.verdicts == ["progressing", "healthy"]


def test_every_kind_that_settings_accept_has_a_reader():
    assert tuple(KINDS) == WORKLOAD_KINDS


async def test_time_alone_wakes_the_follower_and_nothing_else_does():
    story = Story(deadline=60.0, settle=10.0)
    story.pushed()
    story.says(DEPLOYMENT)
    waits = story.follower._wait()
    assert waits == 10.0
    busy = Story("Rollout", deadline=60.0)
    busy.pushed()
    busy.says(merged(ROLLOUT, {"status": {"phase": "Paused", "stableRS": "old"}}), after=120)
    assert busy.follower._wait() > 600


async def test_a_change_of_the_cluster_is_judged_while_it_runs():
    story = Story(settle=0.0)
    story.pushed()
    running = asyncio.create_task(story.follower.run())
    try:
        story.known.objects["Deployment", "shop", "shop"] = DEPLOYMENT
        story.follower.changed()
        await until(lambda: story.verdicts[-1] == "healthy")
    finally:
        running.cancel()
