"""One tenant stops no other: on a real API server, with a real Git server, while the daemon runs."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_argocd_objects")]

SHARED = "shared/values.yaml"
TARGET = {"write-back-target": f"helmvalues:/{SHARED}", "it.helm.image-tag": "image.tag"}


@pytest.mark.parametrize("method", ["git", "git:secret:argocd/not-there"])
def test_who_names_the_file_of_another_application_is_refused_and_the_other_one_moves_on(flow, method):
    """While the newcomer comes, while it is there, and in a daemon that starts with both: its author is told, and writes on."""
    flow.lab.repository.commit({SHARED: b"image:\n  tag: 1.0.0\n"})
    flow.push("shop", "1.0.0", "1.1.0")
    flow.app("shop", annotations=TARGET)
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("shop", SHARED))
        rival = {**TARGET, "write-back-method": method, "it.update-strategy": "name"}
        flow.app("rival", f"{flow.images}/shop", annotations=rival)
        daemon.until(lambda: flow.has_event("rival", "Conflict", "argocd/shop/it keeps it"))
        daemon.until(lambda: flow.has_event("shop", "Conflict", "argocd/rival/it"))
        flow.push("shop", "1.2.0")
        daemon.until(lambda: "1.2.0" in flow.written("shop", SHARED))
        assert not flow.has_event("shop", "ImageFailed")
    with flow.daemon("two") as daemon:
        flow.push("shop", "1.3.0")
        daemon.until(lambda: "1.3.0" in flow.written("shop", SHARED))
    done = flow.command("once", "-o", "json")
    ends = {item["key"]: (item["status"], item["code"]) for item in json.loads(done.stdout)["outcomes"]}
    assert ends == {"argocd/shop/it": ("unchanged", None), "argocd/rival/it": ("failed", "conflict")}
    assert done.returncode == 1


def test_every_subscription_has_its_end_where_two_make_one_push_branch(flow):
    """`once` shows the one that is refused, exits with 1, and writes the branch of the other."""
    flow.lab.repository.git("update-ref", "refs/heads/production", "refs/heads/main")
    flow.push("shop", "1.0.0", "1.1.0")
    flow.app("shop", annotations={"git-branch": "main:updates"})
    flow.app(
        "rival",
        f"{flow.images}/shop",
        annotations={"git-branch": "production:updates", "write-back-method": "git:secret:argocd/no"},
    )
    done = flow.command("once", "-o", "json")
    ends = {item["key"]: (item["status"], item["code"]) for item in json.loads(done.stdout)["outcomes"]}
    assert ends == {"argocd/shop/it": ("updated", None), "argocd/rival/it": ("failed", "push-branch")}
    assert done.returncode == 1
    assert flow.lab.repository.head("updates")
    for name in ("updates", "production"):
        flow.lab.repository.git("update-ref", "-d", f"refs/heads/{name}")
