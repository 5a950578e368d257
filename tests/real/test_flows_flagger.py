"""Canaries of the real Flagger, blue-green without a mesh: it asks the updater, and a failed one is reverted in Git."""

from __future__ import annotations

import urllib.error

import pytest

from tests.real.rolling_lab import SECRET, SLOW, RollingFlow, page_blocks
from tests.real.test_flows_rollouts import progress, scans
from updater.model.webhook import WebhookKind

pytestmark = [pytest.mark.real, pytest.mark.rolling, pytest.mark.xdist_group("rolling-flagger")]

PAGE = page_blocks("canary-with-flagger")
CANARY = (
    PAGE["apps/web.yaml"]
    .replace("    interval: 1m\n    threshold", "    interval: 10s\n    threshold")
    .replace("iterations: 5", "iterations: 1")
)
HOOKS = PAGE["apps/web.yaml: below analysis of the Canary"].replace("=SECRET", f"={SECRET}")


class FlaggerFlow(RollingFlow):
    """A Canary that Flux applies."""

    def phase(self):
        return self.canary().get("status", {}).get("phase", "")

    def canary(self):
        try:
            return self.read(f"/apis/flagger.app/v1beta1/namespaces/{self.name}/canaries/web")
        except urllib.error.HTTPError:
            return {}

    def runs(self, tag, deployment="web-primary"):
        """Say whether all pods of a Deployment run *tag*, and there is one."""
        try:
            item = self.read(f"/apis/apps/v1/namespaces/{self.name}/deployments/{deployment}")
        except urllib.error.HTTPError:
            return False
        spec, status = item["spec"], item.get("status", {})
        is_seen = status.get("observedGeneration") == item["metadata"]["generation"]
        image = spec["template"]["spec"]["containers"][0]["image"]
        return is_seen and image == f"{self.image}:{tag}" and status.get("availableReplicas", 0) >= 1


def begin(lab, folder, name, *, has_hooks=False):
    flow = FlaggerFlow(lab, folder, name, {"workload": f"Canary/{name}/web"})
    flow.begin(CANARY + (HOOKS if has_hooks else ""))
    flow.until(lambda: flow.phase() == "Initialized")
    return flow


def test_a_canary_that_flagger_fails_is_reverted_in_git_and_its_image_never_returns(rolling_lab, tmp_path):
    """Push, commit, a canary that succeeds, one that fails, revert, healthy again; a daemon without any state keeps to it."""
    rolling_lab.prometheus.values["success_of_failing"] = 99.0
    flow = begin(rolling_lab, tmp_path, "failing")
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.phase() == "Progressing")
        flow.push("1.1.1")
        daemon.until(lambda: (progress(daemon) or {}).get("words"))
        daemon.until(lambda: daemon.metric("updater_failures_total", code="busy") >= 1)
        assert flow.tags() == ["1.1.0"]
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)
        assert flow.runs("1.1.0")
        flow.until(lambda: flow.tags() == ["1.1.0", "1.1.1"])
        rolling_lab.prometheus.values["success_of_failing"] = 10.0
        flow.until(lambda: flow.tags() == ["1.1.0", "1.1.1", "1.1.0"])
        assert flow.phase() == "Failed"
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 2, SLOW)
        assert flow.runs("1.1.0")
        scans(daemon)
        assert len(flow.tags()) == 3
    with flow.daemon("two") as daemon:
        daemon.until(lambda: daemon.metric("updater_subscription_rejected_images") == 1)
        scans(daemon)
        assert len(flow.tags()) == 3


def test_a_canary_asks_before_it_is_promoted_and_is_rolled_back_when_a_person_rejects_its_image(rolling_lab, tmp_path):
    """A hold lets it wait, its release lets it go on; a rejection in the middle ends the next one, and Git goes back."""
    rolling_lab.prometheus.values["success_of_asking"] = 99.0
    flow = begin(rolling_lab, tmp_path, "asking", has_hooks=True)
    with flow.answering(WebhookKind.FLAGGER, "canaries") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.phase() == "Progressing")
        flow.decides("hold", "web", "--reason", "we look at it")
        flow.until(lambda: flow.phase() == "WaitingPromotion")
        daemon.until(lambda: "we look at it" in daemon.said())
        flow.decides("release", "web")
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)
        flow.push("1.2.0")
        flow.until(lambda: flow.phase() == "Progressing")
        flow.decides("reject", "web", "1.2.0")
        flow.until(lambda: flow.phase() == "Failed")
        flow.until(lambda: flow.tags() == ["1.1.0", "1.2.0", "1.1.0"])
        assert daemon.metric("updater_webhooks_total", result="no") >= 1
        assert daemon.metric("updater_webhooks_total", result="yes") >= 3
        assert "waiting for promotion approval" in daemon.said(), "its warnings are logged"
