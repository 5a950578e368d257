"""What one generation tells controllers of canaries about its releases."""

from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from tests.delivery.objects import CANARY, DEPLOYMENT, NAME, NEW, ROLLOUT
from tests.delivery.test_following import Story
from updater.daemon.canaries import CanaryDesk
from updater.delivery.hooks import CanaryHook
from updater.delivery.memory import ReleaseMemory
from updater.model.image import parse_ref
from updater.model.release import RevertOrder
from updater.web.webhooks.flagger import CanaryCall

CALL = CanaryCall(namespace="shop", name="shop", phase="Progressing", words="New revision detected", is_warning=False)
ORDER = RevertOrder(revision="c" * 40, bad=parse_ref(NEW), good=parse_ref(f"{NAME}:1.0.0"), reason="it crashes")


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


def test_a_release_is_told_with_the_image_that_its_rollout_asks_for():
    desk, memory = desk_for("Rollout", Rollout=ROLLOUT)
    told = desk.release("shop")
    assert (told["workloads"], told["image"], told["wanted"], told["held"]) == (["Rollout shop/shop"], NEW, True, False)
    memory.orders["shop"] = ORDER
    told = desk.release("shop")
    assert (told["wanted"], told["reason"]) == (False, "shop: 1.1.0 is taken back: it crashes")
    assert desk.release("other") is None


def test_a_release_whose_workload_is_not_known_yet_is_not_called_unwanted():
    desk, memory = desk_for("Rollout")
    memory.orders["shop"] = ORDER
    assert (desk.release("shop")["image"], desk.release("shop")["wanted"]) == (None, True)
