"""Several replicas and an API server that goes away, as processes: one writes, nothing is doubled, nothing is forgotten."""

from __future__ import annotations

import time

import pytest

from tests.real.argocd_flows import LEASE
from tests.real.daemon_process import until

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_argocd")]

LEASE_SECONDS = 15


def revert(flow, revision):
    """Take a commit back as a person does with `git revert`."""
    git, folder = flow.lab.repository.git, flow.folder / "work"
    git("worktree", "add", "-q", "--force", str(folder), "main")
    try:
        flow.lab.repository.git("-C", str(folder), "--git-dir", str(folder / ".git"), "revert", "--no-edit", revision)
    finally:
        git("worktree", "remove", "--force", str(folder))


def test_when_the_leader_is_killed_another_writes_within_the_lease_and_a_persons_revert_holds(flow):
    """The follower is ready and asks nobody; as the leader it reads from Git what was done and what was taken back."""
    flow.push("over", "1.0.0", "1.1.0")
    flow.app("over")
    head = flow.lab.repository.head()
    with flow.daemon("first") as first:
        first.until(lambda: "1.1.0" in flow.written("over"))
        (ours,) = flow.commits(head)
        with flow.daemon("second") as second:
            second.until(second.is_ready)
            second.until(lambda: second.metric("updater_subscriptions", source="applications") == 1)
            assert second.metric("updater_leader") == 0
            quiet = ("registry_requests", "git_requests", "kubernetes_writes", "scans", "landings", "outcomes")
            assert [second.metric(f"updater_{name}_total") for name in quiet] == [0] * len(quiet)
            first.kill()
            killed = time.monotonic()
            revert(flow, ours)
            second.until(second.leads, LEASE_SECONDS + 10)
            assert time.monotonic() - killed > LEASE_SECONDS / 3  # the record of the dead one was waited for
            second.until(lambda: second.metric("updater_outcomes_total") >= 2)
            assert flow.commits(ours) == []
            assert "1.1.0" not in flow.written("over")
            flow.push("over", "1.2.0")
            second.until(lambda: "1.2.0" in flow.written("over"))
            assert len(flow.commits(ours)) == 1


def test_a_leader_that_is_told_to_stop_hands_over_at_once(flow):
    """It gives the Lease back, so that nobody waits for its end; what comes next is one commit of the other."""
    flow.push("hand", "1.0.0", "1.1.0")
    flow.app("hand")
    head = flow.lab.repository.head()
    with flow.daemon("first") as first, flow.daemon("second") as second:
        leader = until(lambda: next((one for one in (first, second) if one.leads()), None))
        other = second if leader is first else first
        leader.until(lambda: "1.1.0" in flow.written("hand"))
        other.until(other.is_ready)
        assert leader.stop() <= 10
        assert flow.lab.cluster.request("GET", LEASE)["spec"].get("holderIdentity", "") in {"", identity(other)}
        stopped = time.monotonic()
        flow.push("hand", "1.2.0")
        other.until(other.leads, LEASE_SECONDS)
        assert time.monotonic() - stopped < LEASE_SECONDS - 3
        other.until(lambda: "1.2.0" in flow.written("hand"))
        assert len(flow.commits(head)) == 2


def identity(daemon):
    line = next(line for line in daemon.said().splitlines() if "identity=" in line)
    return line.rpartition("identity=")[2].strip()


def test_while_the_api_server_is_away_nothing_is_forgotten_and_nobody_writes_unsure_of_the_lease(flow):
    """Twenty seconds without it: the subscriptions stay, the leader stops; once it is back, old and new Applications land."""
    flow.push("old", "1.0.0", "1.1.0")
    flow.push("new", "1.0.0", "1.1.0")
    flow.app("old")
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("old"))
        head = flow.lab.repository.head()
        flow.lab.cluster.stop_server()
        gone = time.monotonic()
        try:
            daemon.until(lambda: daemon.metric("updater_leader") == 0, LEASE_SECONDS)
            flow.push("old", "1.2.0")
            while time.monotonic() < gone + 20:
                assert daemon.metric("updater_subscriptions", source="applications") == 1
                assert daemon.get("/healthz")[0] == 200
                time.sleep(0.5)
            assert daemon.metric("updater_watch_lost", kind="applications.argoproj.io") == 1
            assert flow.lab.repository.head() == head
        finally:
            flow.lab.cluster.start_server()
        daemon.until(daemon.leads)
        daemon.until(lambda: daemon.metric("updater_watch_lost") == 0)
        flow.excuse()
        daemon.until(lambda: "1.2.0" in flow.written("old"), 60)
        flow.app("new")
        daemon.until(lambda: "1.1.0" in flow.written("new"))
        assert daemon.metric("updater_subscriptions", source="applications") == 2
        assert len(flow.commits(head)) == 2
