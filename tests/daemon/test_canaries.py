"""What one generation tells controllers of canaries about its releases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import structlog
from structlog.testing import capture_logs

from tests.delivery.objects import CANARY, DEPLOYMENT, NAME, NEW, ROLLOUT
from tests.delivery.test_following import BRANCH, Story
from updater.daemon.canaries import CanaryDesk
from updater.delivery.hooks import CanaryHook
from updater.delivery.memory import ReleaseMemory
from updater.model.image import parse_ref
from updater.model.release import ClusterContext, Release, ReleaseVerdict, RevertOrder
from updater.model.report import DestinationLanded, InventoryChanged, LandingEnd, ReleaseJudged, SourceState
from updater.model.selection import Rejection
from updater.model.written import Written
from updater.web.webhooks.flagger import CanaryCall

CALL = CanaryCall(namespace="shop", name="shop", phase="Progressing", words="New revision detected", is_warning=False)
STAGING = ClusterContext(context="staging")
ORDER = RevertOrder(revision="c" * 40, bad=parse_ref(NEW), good=parse_ref(f"{NAME}:1.0.0"), reason="it crashes")


AT = datetime(2026, 3, 1, tzinfo=UTC)
OTHER_BRANCH = replace(BRANCH, branch="production")


def landed(destination, **more):
    written = {"shop": (Written(tag="1.1.0"),)}
    return DestinationLanded(destination=destination, outcomes=(), end=LandingEnd.QUIET, notes=(), written=written, at=AT, **more)


def desk_for(kind, **objects):
    memory = ReleaseMemory()
    story = Story(kind, memory=memory)
    for name, item in objects.items():
        story.known.objects[name, "shop", "shop"] = item
    return CanaryDesk(story.follower, memory, lambda: story.wall), memory


def test_a_hook_about_a_canary_is_answered_by_the_image_that_its_target_asks_for():
    desk, memory = desk_for("Canary", Canary=CANARY, Deployment=DEPLOYMENT)
    log = structlog.get_logger()
    assert desk.answer(CanaryHook.CONFIRM_ROLLOUT, CALL, log).is_yes
    memory.orders["shop"] = ORDER
    with capture_logs() as lines:
        assert not desk.answer(CanaryHook.CONFIRM_PROMOTION, CALL, log).is_yes
        assert desk.answer(CanaryHook.ROLLBACK, CALL, log).is_yes
        assert desk.answer(CanaryHook.EVENT, CALL, log).is_yes
    assert [line.get("hook", line["detail"]) for line in lines] == ["confirm-promotion", "rollback", "New revision detected"]
    other = CanaryCall(namespace="shop", name="other")
    assert desk.answer(CanaryHook.CONFIRM_ROLLOUT, other, log) is None


def test_a_hook_speaks_of_the_canary_of_its_own_cluster_alone():
    """Canaries of stages have one name in several clusters, and what is bad in one must not end the rollout of another."""
    memory, log = ReleaseMemory(), structlog.get_logger()
    story = Story("Canary", memory=memory, cluster=STAGING)
    story.known.objects |= {("Canary", "shop", "shop"): CANARY, ("Deployment", "shop", "shop"): DEPLOYMENT}
    memory.orders["shop"] = ORDER
    desk = CanaryDesk(story.follower, memory, lambda: story.wall)
    assert desk.answer(CanaryHook.ROLLBACK, CALL, log) is None
    assert desk.answer(CanaryHook.ROLLBACK, replace(CALL, context="staging"), log).is_yes


def test_a_release_is_told_with_the_image_that_its_rollout_asks_for():
    desk, memory = desk_for("Rollout", Rollout=ROLLOUT)
    told = desk.release("shop")
    assert (told["workloads"], told["image"], told["wanted"], told["held"]) == (["Rollout shop/shop"], NEW, True, False)
    memory.orders["shop"] = ORDER
    told = desk.release("shop")
    assert (told["wanted"], told["reason"]) == (False, "shop: 1.1.0 is taken back: it crashes")
    assert desk.release("other") is None


def test_what_one_destination_rejects_stands_while_another_one_lands():
    desk, _ = desk_for("Rollout", Rollout=ROLLOUT)
    desk.landed(landed(BRANCH, rejected={"shop": {"1.1.0": Rejection(tag="1.1.0", code="reverted", sentence="it was reverted")}}))
    desk.landed(landed(OTHER_BRANCH))
    assert (desk.release("shop")["wanted"], desk.release("shop")["reason"]) == (False, "shop: it was reverted")
    desk.landed(landed(BRANCH))
    assert desk.release("shop")["wanted"]


def test_what_is_not_asked_for_any_more_is_forgotten_once_every_source_was_heard():
    desk, _ = desk_for("Rollout", Rollout=ROLLOUT)
    rejected = {"shop": {"1.1.0": Rejection(tag="1.1.0", code="reverted", sentence="it was reverted")}}
    desk.landed(landed(OTHER_BRANCH, rejected=rejected))
    release = Release(subscription="shop", revision="c" * 40, image=parse_ref(NEW), began=AT)
    desk.judged(ReleaseJudged(release=release, workload=None, verdict=ReleaseVerdict.HEALTHY, reason="", seconds=None, at=AT))
    [item] = desk._follower.subscriptions
    asked = InventoryChanged(subscriptions=(item,), destinations=frozenset(), sources=(), at=AT)
    desk.asked(replace(asked, subscriptions=(), sources=(SourceState(name="Application", subscriptions=None),)))
    assert (desk.release("shop")["wanted"], desk.release("shop")["verdict"]) == (False, "healthy")
    desk.asked(asked)
    assert (desk.release("shop")["wanted"], desk.release("shop")["verdict"]) == (True, "healthy")
    desk.asked(replace(asked, subscriptions=()))
    assert desk.release("shop")["verdict"] is None


def test_a_release_whose_workload_is_not_known_yet_is_not_called_unwanted():
    desk, memory = desk_for("Rollout")
    memory.orders["shop"] = ORDER
    assert (desk.release("shop")["image"], desk.release("shop")["wanted"]) == (None, True)
