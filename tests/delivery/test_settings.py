"""What a configuration says of deliveries: what is followed, and who waits for a canary in progress."""

from __future__ import annotations

import pytest

from tests.settings.making import problem_of, settings_of
from updater.model.release import ClusterContext, OnBad, Workload
from updater.sources.file import to_snapshot

TEXT = """\
git: {{author: {{name: a, email: a@b.c}}}}
subscriptions:
  - key: shop
    image: ghcr.io/acme/shop
    policy: {{latest: {{}}}}
    {more}
    targets: [{{git: {{url: "https://git.example.org/fleet.git"}}, marker: "ns:shop"}}]
"""


def subscription(more):
    (found,) = to_snapshot(settings_of(TEXT.format(more=more))).subscriptions
    return found


def test_a_delivery_names_its_workload_and_has_defaults_for_the_rest():
    options = subscription("delivery: {workload: Deployment/shop/web}").delivery
    assert options.workload == Workload("Deployment", "shop", "web")
    assert (options.deadline, options.settle, options.on_bad) == (900.0, 30.0, OnBad.REPORT)


@pytest.mark.parametrize(
    ("more", "agent", "searched"),
    [
        ("delivery: {}", None, ("Application", "Kustomization")),
        ("delivery: {application: argocd/shop}", Workload("Application", "argocd", "shop"), ()),
        ("delivery: {kustomization: flux-system/apps}", Workload("Kustomization", "flux-system", "apps"), ()),
    ],
)
def test_a_delivery_that_names_no_workload_says_among_what_it_is_found(more, agent, searched):
    options = subscription(more).delivery
    assert (options.workload, options.agent, options.searched) == (None, agent, searched)
    assert subscription(more).gates.wait_while_busy


def test_a_delivery_in_another_cluster_names_the_context_and_may_name_its_kubeconfig():
    assert subscription("delivery: {context: staging}").delivery.cluster == ClusterContext(context="staging")
    both = subscription("delivery: {context: staging, kubeconfig: /etc/staging, workload: Deployment/shop/web}").delivery
    assert both.cluster == ClusterContext(context="staging", kubeconfig="/etc/staging")
    assert subscription("delivery: {}").delivery.cluster is None


def test_a_kubeconfig_without_a_context_is_refused():
    problem = problem_of(TEXT.format(more="delivery: {kubeconfig: /etc/staging}"))
    assert "delivery.kubeconfig: it counts only together with context" in problem.message
    assert "context:" in problem.hint


def test_a_live_application_that_is_written_is_not_looked_for_in_another_cluster():
    problem = problem_of(LIVE.format(more="{context: staging}"))
    assert "delivery.context" in problem.message
    assert "workload:" in problem.hint
    (found,) = to_snapshot(settings_of(LIVE.format(more="{context: staging, workload: Deployment/shop/web}"))).subscriptions
    assert found.delivery.cluster == ClusterContext(context="staging")


def test_a_delivery_takes_what_it_leaves_out_from_the_top_level_one():
    text = "delivery: {deadline: 5m, on_bad: revert}\n" + TEXT.format(more="delivery: {deadline: 1m}")
    (found,) = to_snapshot(settings_of(text)).subscriptions
    assert (found.delivery.deadline, found.delivery.on_bad, found.delivery.settle) == (60.0, OnBad.REVERT, 30.0)


LIVE = """\
subscriptions:
  - key: shop
    image: ghcr.io/acme/shop
    policy: {{latest: {{}}}}
    delivery: {more}
    targets: [{{argocd: {{application: argocd/shop}}}}]
"""


def test_a_live_application_says_itself_what_it_applied_and_is_never_taken_back():
    text = "delivery: {on_bad: revert}\n" + LIVE.format(more="{}")
    (found,) = to_snapshot(settings_of(text)).subscriptions
    assert (found.delivery.agent, found.delivery.on_bad) == (Workload("Application", "argocd", "shop"), OnBad.REPORT)
    assert problem_of(LIVE.format(more="{on_bad: revert}")).code == "not-yet"


def test_nothing_is_followed_unless_it_is_asked_for():
    assert subscription("").delivery is None


@pytest.mark.parametrize(
    ("more", "waits"),
    [
        ("", False),
        ("delivery: {workload: Deployment/shop/web}", False),
        ("delivery: {workload: Rollout/shop/web}", True),
        ("delivery: {workload: Canary/shop/web}", True),
        ("delivery: {workload: Rollout/shop/web}\n    gates: {wait_while_busy: false}", False),
        ("delivery: {workload: Rollout/shop/web}\n    gates: {min_age: 1h}", True),
        ("gates: {min_age: 1h}", False),
    ],
)
def test_a_rollout_or_canary_that_is_followed_is_waited_for(more, waits):
    assert subscription(more).gates.wait_while_busy is waits


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ("delivery: {workload: Deployment/shop/web, application: argocd/shop}", "conflict", "both set"),
        ("delivery: {application: shop}", "application", "names no Application"),
        ("delivery: {workload: Pod/shop/web}", "workload", "names no workload"),
        ("delivery: {workload: Deployment/web}", "workload", "names no workload"),
        ("delivery: {workload: Deployment/shop/web, settle: long}", "duration", "settle"),
        ("delivery: {workload: Deployment/shop/web, dead_line: 1m}", "unknown-key", "dead_line"),
        ("delivery: {workload: Deployment/shop/web}\n    gates: {wait_while_busy: true}", "conflict", "only a Rollout or Canary"),
        ("gates: {wait_while_busy: true}", "conflict", "only a Rollout or Canary"),
    ],
)
def test_what_cannot_be_followed_is_refused_where_it_stands(more, code, words):
    problem = problem_of(TEXT.format(more=more))
    assert (problem.code, words in problem.message) == (code, True), problem
    assert problem.hint
