"""The page of annotations is true: what a kind reads has an effect there without a flaw, and anything else is a problem."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.argocd.request import making as argocd
from tests.flux.request import making as flux

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "docs"))
from pages.annotations import KINDS, annotations_page

PREFIX = "image-updater.gitops/"
VALUES = {
    "hold": "true",
    "pin": "1.2.3",
    "reject": "1.2.3",
    "readmit": "a" * 40,
    "min-age": "3d",
    "window": '{kind: deny, schedule: "0 12 * * 5", duration: 1h}',
    "max-changes": "4/h",
    "coalesce": "5m",
    "follows": "{subscription: other, healthy_for: 2h}",
    "group": "shop",
    "workload": "Deployment/shop/web",
    "deadline": "7m",
    "settle": "7s",
    "on-bad": "hold",
    "proposal": "true",
    "downgrade": "always",
    "allow-downgrade": "true",
    "variant": "lock",
    "form": "digest",
    "interval": "7m",
}
LISTED = {"image-list": "web=ghcr.io/o/web:^1.0"} | argocd.GIT | {"write-back-target": "kustomization", "git-branch": "main"}


def on_application(own):
    return argocd.run(argocd.application(LISTED, own=own)).snapshot


def on_image_updater(own):
    git = {"method": "git", "gitConfig": {"branch": "main"}}
    made = argocd.updater(argocd.reference("*", argocd.image()), writeBackConfig=git)
    made["metadata"]["annotations"] = {PREFIX + name: text for name, text in own.items()}
    return argocd.run(argocd.application(), updaters=[made]).snapshot


def on_flux(own, *, is_policy):
    policy, automation = flux.policy(), flux.automation(git={"push": {"branch": "updates"}})
    (policy if is_policy else automation)["metadata"]["annotations"] = {PREFIX + name: text for name, text in own.items()}
    return flux.translate([flux.repository()], [policy], [automation], [flux.source()]).snapshot


MADE = {
    "Application": on_application,
    "ImageUpdater": on_image_updater,
    "ImagePolicy": lambda own: on_flux(own, is_policy=True),
    "ImageUpdateAutomation": lambda own: on_flux(own, is_policy=False),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("kind", MADE)
def test_an_annotation_counts_on_the_kinds_that_the_page_names(kind, name):
    before, after = MADE[kind]({}), MADE[kind]({name: VALUES[name]})
    assert before.problems == ()
    if name in KINDS[kind]:
        assert after.problems == ()
        assert after.subscriptions != before.subscriptions
    else:
        assert after.problems


@pytest.mark.parametrize("kind", [kind for kind in MADE if kind != "ImagePolicy"])
@pytest.mark.parametrize("name", [name for name in VALUES if name not in {"group", "proposal"}])
def test_one_image_is_meant_by_its_alias_or_policy(kind, name):
    if name in KINDS[kind]:
        one, every = (MADE[kind]({f"{prefix}{name}": VALUES[name]}) for prefix in ("web." if "Auto" not in kind else "app.", ""))
        assert one.problems == ()
        assert one.subscriptions == every.subscriptions


def test_the_page_has_a_row_for_each_annotation_that_some_kind_reads():
    known = frozenset().union(*KINDS.values())
    assert known == VALUES.keys()
    page = annotations_page()
    assert all(f"\n| `{name}` | " in page for name in known)
