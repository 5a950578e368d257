"""Canaries of the real Argo Rollouts: a tag is pushed, Git is written, Flux applies it, and a bad release is taken back."""

from __future__ import annotations

import json
import time
import urllib.error

import pytest

from tests.real.flux_objects import KUSTOMIZATION, MERGE, NAMESPACE, condition
from tests.real.rolling_lab import SECRET, SLOW, RollingFlow, page_blocks
from updater.model.webhook import WebhookKind

pytestmark = [pytest.mark.real, pytest.mark.rolling, pytest.mark.xdist_group("rolling")]

PAGE = page_blocks("canary-with-argo-rollouts")
CLICKED_AGAIN_AFTER = 3.0
PAUSED = "paused until somebody promotes it"
PLAN = ["set weight 25", "pause until promoted"]
ROLLOUT = PAGE["apps/web.yaml"]
# what the page describes in words: the open pause is replaced by the analysis
ANALYSED = ROLLOUT.replace("      - pause: {}\n", "      - analysis: {templates: [{templateName: success}]}\n")
ANALYSIS = f"{ANALYSED}---\n{PAGE['apps/analysis.yaml'].replace('interval: 1m', 'interval: 1s')}"


class RolloutFlow(RollingFlow):
    """A Rollout that Flux applies, and persons who abort or promote it."""

    @property
    def path(self):
        return f"/apis/argoproj.io/v1alpha1/namespaces/{self.name}/rollouts/web"

    def rollout(self):
        try:
            return self.read(self.path)
        except urllib.error.HTTPError:
            return {}

    def is_in(self, phase, tag):
        """Say whether Argo Rollouts says *phase* of the generation that asks for *tag*."""
        item = self.rollout()
        status = item.get("status", {})
        if status.get("observedGeneration") != str(item.get("metadata", {}).get("generation")):
            return False
        image = item["spec"]["template"]["spec"]["containers"][0]["image"]
        return status.get("phase") == phase and image == f"{self.image}:{tag}"

    def has_begun(self):
        """Say whether 1.0.0 serves: a Rollout is Healthy for a moment before its first pods are."""
        item = self.rollout()
        status = item.get("status", {})
        is_active = "blueGreen" not in item.get("spec", {}).get("strategy", {}) or status.get("blueGreen", {}).get(
            "activeSelector"
        )
        return self.is_in("Healthy", "1.0.0") and status.get("availableReplicas") == 4 and is_active

    def asks_for(self, tag):
        return self.rollout()["spec"]["template"]["spec"]["containers"][0]["image"] == f"{self.image}:{tag}"

    def abort(self, *, is_heard=True):
        """Click on the button that aborts; *is_heard* is false where Argo Rollouts stands still."""
        self._click("abort", lambda status: "abortedAt" in status or not is_heard)

    def promote(self):
        self._click("promoteFull", lambda status: status.get("stableRS") == status.get("currentPodHash"))

    def _click(self, button, is_done):
        """Click, again every few seconds while nothing comes of it: Argo Rollouts can lose an event while it writes the status.

        What stands there already makes no event, so the button is let go before.
        """
        generation, clicked = self.rollout()["metadata"]["generation"], 0.0

        def counts():
            nonlocal clicked
            item = self.rollout()
            if clicked and (item["metadata"]["generation"] != generation or is_done(item["status"])):
                return True
            if time.monotonic() - clicked > CLICKED_AGAIN_AFTER:
                if clicked:
                    self.patch_status(self.path, {button: False})
                self.patch_status(self.path, {button: True})
                clicked = time.monotonic()
            return False

        self.until(counts)


def begin(lab, folder, name, manifests=ROLLOUT, **delivery):
    flow = RolloutFlow(lab, folder, name, {"workload": f"Rollout/{name}/web", **delivery})
    flow.begin(manifests)
    flow.until(flow.has_begun)
    return flow


def progress(daemon, key="web"):
    """Return what the daemon says of the canary of a subscription."""
    code, text = daemon.get(f"/api/v1/status?key={key}")
    return json.loads(text)["subscriptions"][0]["progress"] if code == 200 else None


def scans(daemon, more=2):
    """Let *more* scans pass."""
    before = daemon.metric("updater_scans_total")
    daemon.until(lambda: daemon.metric("updater_scans_total") >= before + more)


def test_an_aborted_canary_is_reverted_in_git_and_its_image_never_returns(rolling_lab, tmp_path):
    """Push, commit, sync, canary, abort by a person, revert, healthy again; a daemon without any state keeps to it."""
    flow = begin(rolling_lab, tmp_path, "abort")
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
        assert flow.tags() == ["1.1.0"]
        flow.abort()
        daemon.until(lambda: flow.line() == "1.0.0")
        message = flow.repository.git("log", "-1", "--format=%B", "main")
        assert message.startswith(f"Revert {flow.image} to 1.0.0")
        assert "Updater-Rejected: web sha256:" in message
        flow.until(lambda: flow.is_in("Healthy", "1.0.0"))
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)
        assert daemon.metric("updater_releases_total", verdict="bad") == 1
        scans(daemon)
        assert flow.tags() == ["1.1.0", "1.0.0"]
    with flow.daemon("two") as daemon:
        daemon.until(lambda: daemon.metric("updater_subscription_rejected_images") == 1)
        scans(daemon)
        assert flow.tags() == ["1.1.0", "1.0.0"]
        flow.push("1.2.0")
        flow.until(lambda: flow.is_in("Paused", "1.2.0"))
        assert flow.tags() == ["1.1.0", "1.0.0", "1.2.0"]


def test_nothing_is_written_in_the_middle_of_a_canary_and_a_promotion_lets_the_next_one_in(rolling_lab, tmp_path):
    """A newer tag waits while the canary is paused; the person promotes; healthy; then the newer tag is written."""
    flow = begin(rolling_lab, tmp_path, "promote")
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
        flow.push("1.2.0")
        daemon.until(lambda: daemon.metric("updater_failures_total", code="busy") >= 1)
        daemon.until(lambda: progress(daemon) == {"step": 2, "steps": 2, "weight": 25, "words": PAUSED, "plan": PLAN})
        scans(daemon)
        assert flow.tags() == ["1.1.0"]
        assert flow.is_in("Paused", "1.1.0"), "the canary goes on where it was"
        flow.promote()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)
        flow.until(lambda: flow.is_in("Paused", "1.2.0"))
        assert flow.tags() == ["1.1.0", "1.2.0"]
        assert daemon.metric("updater_releases_total", verdict="bad") == 0


def test_a_pause_of_a_canary_is_no_fault_however_long_it_is(rolling_lab, tmp_path):
    """The deadline passes while a person looks: no verdict is given, and the promotion is still a success."""
    flow = begin(rolling_lab, tmp_path, "pause")
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
    flow.delivery["deadline"] = "15s"  # from the start of the next daemon on
    with flow.daemon("two") as daemon:
        scans(daemon, 10)
        assert daemon.metric("updater_releases_in_flight") == 1
        assert daemon.metric("updater_releases_total", verdict="progressing") == daemon.metric("updater_releases_total")
        flow.promote()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)
        assert flow.tags() == ["1.1.0"]


def test_a_canary_whose_analysis_fails_is_reverted_and_one_whose_analysis_succeeds_is_healthy(rolling_lab, tmp_path):
    flow = begin(rolling_lab, tmp_path, "analysis", ANALYSIS)
    rolling_lab.prometheus.values["success_of_analysis"] = 0.99
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Healthy", "1.1.0"))
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)
        rolling_lab.prometheus.values["success_of_analysis"] = 0.5
        flow.push("1.2.0")
        flow.until(lambda: flow.tags() == ["1.1.0", "1.2.0", "1.1.0"])
        message = flow.repository.git("log", "-1", "--format=%B", "main")
        assert "1.2.0 is bad: RolloutAborted: " in message
        assert 'Metric "success" assessed Failed' in message
        flow.until(lambda: flow.is_in("Healthy", "1.1.0"))
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 2, SLOW)


ASKING = ROLLOUT.replace("    canary:\n", "    canary:\n      analysis: {templates: [{templateName: updater}]}\n")
ASKING += f"---\n{PAGE['apps/updater-analysis.yaml'].replace('interval: 30s', 'interval: 1s')}"


def test_a_canary_whose_analysis_asks_the_updater_ends_when_a_person_rejects_its_image(rolling_lab, tmp_path):
    """The web metric of the page, with its token from a Secret: it succeeds while nothing speaks against the version."""
    rolling_lab.cluster.namespace("rejecting")
    metadata = {"name": "updater-analysis", "namespace": "rejecting"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": SECRET}}
    rolling_lab.cluster.apply_object(secret)
    flow = begin(rolling_lab, tmp_path, "rejecting", ASKING)
    with flow.answering(WebhookKind.ARGO_ROLLOUTS, "analysis") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
        daemon.until(lambda: daemon.metric("updater_webhooks_total", result="yes") >= 2, SLOW)
        assert flow.is_in("Paused", "1.1.0")
        flow.decides("reject", "web", "1.1.0", "--reason", "it looks odd")
        flow.until(lambda: flow.is_in("Healthy", "1.0.0"))
        assert flow.tags() == ["1.1.0", "1.0.0"]
        assert daemon.metric("updater_webhooks_total", result="no") >= 1


SWITCH = """\
  strategy:
    blueGreen: {activeService: active, previewService: preview, autoPromotionEnabled: false}
---
"""
BLUE_GREEN = ROLLOUT.partition("  strategy:")[0] + SWITCH + PAGE["apps/services.yaml"]


def test_a_blue_green_release_waits_for_its_promotion_and_an_abort_of_the_next_one_is_reverted(rolling_lab, tmp_path):
    flow = begin(rolling_lab, tmp_path, "bluegreen", BLUE_GREEN)
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
        assert daemon.metric("updater_releases_total", verdict="healthy") == 0
        flow.promote()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)
        flow.push("1.2.0")
        flow.until(lambda: flow.is_in("Paused", "1.2.0"))
        flow.abort()
        flow.until(lambda: flow.is_in("Healthy", "1.1.0"))
        assert flow.tags() == ["1.1.0", "1.2.0", "1.1.0"]


def test_a_revert_goes_to_what_ran_well_and_not_to_the_version_before_whose_canary_was_never_promoted(rolling_lab, tmp_path):
    """Two tags in a row replace each other in the canary; the abort leads back past both, and starts no canary."""
    flow = begin(rolling_lab, tmp_path, "stable")
    with flow.daemon(gates={"wait_while_busy": False}) as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
        flow.push("1.2.0")
        flow.until(lambda: flow.is_in("Paused", "1.2.0"))
        flow.abort()
        flow.until(lambda: flow.is_in("Healthy", "1.0.0"))
        scans(daemon)
        assert flow.tags()[:3] == ["1.1.0", "1.2.0", "1.0.0"]


def test_a_status_of_the_generation_before_is_never_taken_for_the_new_one(rolling_lab, tmp_path):
    """Argo Rollouts stands still: after the sync the Rollout is Healthy, and after the abort it is Paused, as it was before."""
    flow = begin(rolling_lab, tmp_path, "stale")
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        rolling_lab.rollouts.stop()
        try:
            flow.push("1.1.0")
            flow.until(lambda: flow.asks_for("1.1.0"))
            assert flow.rollout()["status"]["phase"] == "Healthy"
            scans(daemon)
            assert daemon.metric("updater_releases_total", verdict="healthy") == 0
            rolling_lab.rollouts.start()
            flow.until(lambda: flow.is_in("Paused", "1.1.0"))
            rolling_lab.rollouts.stop()
            flow.abort(is_heard=False)
            daemon.until(lambda: flow.line() == "1.0.0")
            assert flow.rollout()["status"]["phase"] == "Paused"
        finally:
            rolling_lab.rollouts.stop()
            rolling_lab.rollouts.start()
        flow.until(lambda: flow.is_in("Healthy", "1.0.0"))


def test_flux_that_waits_for_a_rollout_calls_no_release_bad(rolling_lab, tmp_path):
    """Its health check cannot judge a Rollout: what the Kustomization says then is no verdict, and nothing is taken back."""
    flow = RolloutFlow(rolling_lab, tmp_path, "wait", {"workload": f"Kustomization/{NAMESPACE}/wait", "deadline": "10m"})
    flow.begin(ROLLOUT, wait=True, timeout="5s")
    flow.until(flow.has_begun)
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
        path = KUSTOMIZATION.path("wait")
        flow.until(lambda: condition(flow.read(path)).get("reason") == "HealthCheckFailed")
        scans(daemon)
        assert daemon.metric("updater_releases_total", verdict="bad") == 0
        assert flow.tags() == ["1.1.0"]


def test_a_rollback_typed_by_hand_is_kept_although_the_agent_has_not_applied_it(rolling_lab, tmp_path):
    """A person writes the old tag while Flux stands still: the newer one is not written again, neither then nor later."""
    flow = begin(rolling_lab, tmp_path, "byhand")
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
        rolling_lab.cluster.request("PATCH", KUSTOMIZATION.path("byhand"), {"spec": {"suspend": True}}, form=MERGE)
        flow.writes("1.0.0")
        daemon.until(lambda: daemon.metric("updater_subscription_rejected_images") == 1)
        scans(daemon, 3)
        assert (flow.tags(), flow.line()) == (["1.1.0"], "1.0.0")
        rolling_lab.cluster.request("PATCH", KUSTOMIZATION.path("byhand"), {"spec": {"suspend": False}}, form=MERGE)
        flow.until(lambda: flow.is_in("Healthy", "1.0.0"))
        scans(daemon)
        assert (flow.tags(), flow.line()) == (["1.1.0"], "1.0.0")


def test_a_daemon_that_is_killed_in_the_middle_of_a_canary_takes_the_bad_release_back_when_it_comes_again(rolling_lab, tmp_path):
    """Its state folder is gone too: what is in flight stands in Git's trailers, what ran well in the Rollout."""
    flow = begin(rolling_lab, tmp_path, "killed")
    with flow.daemon() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("1.1.0")
        flow.until(lambda: flow.is_in("Paused", "1.1.0"))
    flow.abort()
    flow.until(lambda: flow.is_in("Degraded", "1.1.0"))
    with flow.daemon("two") as daemon:
        flow.until(lambda: flow.is_in("Healthy", "1.0.0"))
        scans(daemon)
        assert flow.tags() == ["1.1.0", "1.0.0"]
