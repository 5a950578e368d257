"""What becomes of releases whose workloads are found: several at once, and never before the agent applied the commit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.delivery.objects import DEPLOYMENT, KUSTOMIZATION, NEW, OLD, STATEFUL_SET, conditions, merged, template
from tests.delivery.test_finding import APPLICATION, CACHE, SHOP, Cluster, application, git_repository, kustomization, named
from tests.delivery.test_following import BRANCH, PUSHED, Story
from updater.delivery.memory import ReleaseMemory
from updater.model.release import DeliveryOptions, Workload
from updater.model.report import InventoryChanged, LandingEnd
from updater.model.subscription import LiveApplication

BEFORE, LATER = "b" * 40, "d" * 40
FAILED = merged(DEPLOYMENT, {"status": conditions(("Progressing", "False", "ProgressDeadlineExceeded", "timed out"))})
CACHED = named(STATEFUL_SET, "cache")


def synced(*workloads, revision=BEFORE, **status):
    item = application(*workloads)
    item["status"] |= {"sync": {"status": "Synced", "revision": revision}, "health": {"status": "Healthy"}, **status}
    return item


class FoundStory(Story):
    """A follower whose subscription is delivered by an Application, or by what reads its file."""

    def __init__(self, options, *, memory=None, **more):
        super().__init__(memory=memory, **more)
        self.subscription = replace(self.subscription, delivery=options)
        self.follower.hear(
            InventoryChanged(subscriptions=(self.subscription,), destinations=frozenset({BRANCH}), sources=(), at=self.at())
        )

    def has(self, *objects, awaited=(), after=0.0):
        self.wall += after
        cluster = Cluster(*objects, awaited=awaited)
        cluster.is_known = lambda kind, _namespace: kind not in awaited
        self.follower.known = cluster
        self.follower.judge()

    def landed(self, tag="1.1.0", **more):
        super().landed(tag, **{"paths": {"shop": ("apps/shop/deploy.yaml",)}, **more})


def by_application(**more):
    return FoundStory(DeliveryOptions(agent=APPLICATION, settle=0.0, **more))


def test_a_release_is_healthy_when_every_workload_that_uses_the_image_is():
    story = by_application()
    story.has(synced(SHOP, CACHE), merged(DEPLOYMENT, {"spec": {"template": template(OLD)}}), CACHED)
    story.pushed()
    assert story.last.reason == "waiting for Deployment shop/shop, StatefulSet shop/cache"
    story.has(synced(SHOP, CACHE, revision=PUSHED), DEPLOYMENT, merged(CACHED, {"status": {"readyReplicas": 1}}), after=5)
    assert story.verdicts == ["progressing"]
    story.has(synced(SHOP, CACHE, revision=PUSHED), DEPLOYMENT, CACHED, after=5)
    assert story.verdicts == ["progressing", "healthy"]


def test_of_two_workloads_with_different_verdicts_bad_wins_and_is_named():
    story = by_application()
    story.has(synced(SHOP, CACHE))
    story.pushed()
    story.has(synced(SHOP, CACHE, revision=PUSHED), FAILED, CACHED)
    assert (story.last.verdict.value, story.last.workload, story.last.is_certain) == ("bad", SHOP, True)
    assert story.last.reason.startswith("Deployment shop/shop: ProgressDeadlineExceeded")


def test_nothing_is_bad_before_the_application_applied_the_commit():
    """Somebody had set the image by hand and it failed: of the commit that says nothing, whose sync is still to come."""
    story = by_application(deadline=60.0)
    story.has(synced(SHOP), FAILED)
    story.pushed()
    story.has(synced(SHOP), FAILED, after=5)
    assert story.verdicts == ["progressing"]
    story.has(synced(SHOP, revision=PUSHED), FAILED, after=5)
    assert story.verdicts == ["progressing", "bad"]


def test_a_sync_to_a_commit_that_came_after_ours_counts_and_so_does_one_source_of_several():
    story = by_application()
    story.has(synced(SHOP), DEPLOYMENT)
    story.pushed()
    story.landed(head=LATER, recent=(story.past(),))
    several = {"sync": {"status": "Synced", "revisions": ["1.2.3", LATER]}}
    story.has(synced(SHOP, **several), DEPLOYMENT)
    assert story.verdicts[-1] == "healthy"


def flux(**status):
    item = kustomization(SHOP)
    item["status"] |= {**KUSTOMIZATION["status"], "lastAppliedRevision": f"main@sha1:{BEFORE}", **status}
    return item, git_repository(url=BRANCH.url)


def test_a_commit_whose_health_checks_flux_cannot_judge_is_applied_all_the_same():
    """With wait Flux tries the commit and never calls it applied; other failures mean that it was not applied."""
    story = FoundStory(DeliveryOptions(searched=("Kustomization",), settle=0.0, deadline=60.0))
    tried = {"lastAttemptedRevision": f"main@sha1:{PUSHED}"}
    story.landed("1.0.0")
    story.has(*flux(lastAttemptedRevision=f"main@sha1:{BEFORE}"), DEPLOYMENT)
    story.pushed()
    story.has(*flux(lastAttemptedRevision=f"main@sha1:{BEFORE}"), FAILED, after=1)
    story.has(*flux(**tried, **conditions(("Ready", "False", "BuildFailed", "no such file"))), FAILED, after=1)
    assert story.verdicts == ["progressing"]
    story.has(*flux(**tried, **conditions(("Ready", "False", "HealthCheckFailed", "timeout"))), FAILED, after=1)
    assert story.verdicts == ["progressing", "bad"]


def test_a_kind_that_is_listed_again_supersedes_nothing():
    story = by_application()
    story.has(synced(SHOP), DEPLOYMENT)
    story.pushed()
    story.has(synced(SHOP, revision=PUSHED), merged(DEPLOYMENT, {"status": {"availableReplicas": 1}}))
    story.has(synced(SHOP, revision=PUSHED), awaited={"Deployment"})
    assert story.verdicts == ["progressing"]
    story.has(synced(SHOP, revision=PUSHED), DEPLOYMENT)
    assert story.verdicts == ["progressing", "healthy"]


def test_where_nothing_is_found_the_release_ends_as_unknown_with_the_reason():
    story = FoundStory(DeliveryOptions(searched=("Application", "Kustomization"), deadline=60.0))
    story.has()
    story.pushed()
    story.has(after=61)
    assert (story.last.verdict.value, story.last.workload) == ("unknown", None)
    assert "no Application and no Kustomization reads the file that is written" in story.last.reason


def test_a_live_application_is_followed_from_its_write_until_what_it_applied_is_healthy():
    story = by_application()
    place = LiveApplication(namespace="argocd", name="shop")
    story.has(synced(SHOP), merged(DEPLOYMENT, {"spec": {"template": template(OLD)}}))
    story.landed(destination=place, recent=(story.past(revision="e" * 40),), end=LandingEnd.PUSHED)
    assert story.last.release.is_live
    story.has(synced(SHOP), DEPLOYMENT, after=5)
    assert story.verdicts == ["progressing", "healthy"]
    story.landed(destination=place, recent=(story.past(revision="f" * 40),))
    assert story.verdicts == ["progressing", "healthy"]


def test_a_live_application_that_shows_no_workload_is_judged_by_what_it_says_itself():
    story = by_application()
    place = LiveApplication(namespace="argocd", name="shop")
    story.has(synced(summary={"images": [OLD]}))
    story.landed(destination=place, recent=(story.past(),))
    story.has(synced(summary={"images": [OLD]}), after=5)
    assert story.verdicts == ["progressing"]
    story.has(synced(summary={"images": [NEW]}), after=5)
    assert story.verdicts == ["progressing", "healthy"]


def test_only_those_are_judged_that_read_what_changed():
    story = by_application()
    story.has(synced(SHOP), DEPLOYMENT)
    story.pushed()
    index = story.follower.index
    assert index.changed(frozenset({("Deployment", "shop", "other")})) == set()
    assert index.changed(frozenset({("Deployment", "shop", "shop")})) == {"shop"}
    story.follower.judge()
    assert index.changed(frozenset({("Application", "argocd", "shop")})) == {"shop"}


def test_what_is_over_or_gone_is_not_remembered_by_what_it_read():
    story = by_application()
    story.has(synced(SHOP), DEPLOYMENT)
    story.pushed()
    story.has(synced(SHOP, revision=PUSHED), DEPLOYMENT)
    assert story.verdicts[-1] == "healthy"
    assert story.follower.index.changed(None) == set()
    story.follower.hear(InventoryChanged(subscriptions=(), destinations=frozenset(), sources=(), at=story.at()))
    assert story.follower.found("shop").found == ()


@pytest.mark.parametrize("kind", ["Kustomization", "Application"])
def test_a_new_file_of_a_subscription_is_looked_for_anew(kind):
    story = FoundStory(DeliveryOptions(searched=(kind,), settle=0.0), memory=ReleaseMemory())
    story.landed("1.0.0", paths={"shop": ("other/deploy.yaml",)})
    objects = flux() if kind == "Kustomization" else (application(SHOP, source={"repoURL": BRANCH.url, "path": "apps"}),)
    story.has(*objects, DEPLOYMENT)
    assert story.follower.found("shop").found == ()
    story.landed("1.0.0")
    assert story.follower.found("shop").workloads == (Workload("Deployment", "shop", "shop"),)
