"""An automation asks for a pull request by an annotation, and is told where that cannot be."""

from __future__ import annotations

import pytest

from tests.flux.request.making import automation, policy, repository, source, translate
from updater.controller.objects import Sharing
from updater.documents import load_yaml
from updater.flux.cluster.pruning import prune_object
from updater.flux.request.objects import check_object
from updater.model.publishing import AutoMerge, Direct, Proposal, ProposalOptions
from updater.settings.annotated import PROPOSAL


def annotated(text, *, key=PROPOSAL, **git):
    """An automation with one annotation."""
    item = automation(git=git)
    item["metadata"]["annotations"] = {key: text, "example.org/x": "1"}
    return item


def asked(text, *, reference=None, key=PROPOSAL, **git):
    given = {} if reference is None else {"ref": reference}
    made = translate([repository()], [policy()], [annotated(text, key=key, **git)], [source(**given)])
    return made.automations["apps", "fleet"]


def test_true_is_one_pull_request_of_the_automation():
    found = asked("true")
    assert found.fault is None
    assert found.branch.publishing == Proposal("updater/main/apps-fleet", ProposalOptions(), "group apps/fleet")
    assert (found.branch.branch, str(found.branch.credential)) == ("main", "gitrepository:apps/fleet")


def test_the_push_branch_is_the_branch_of_the_pull_request():
    found = asked("{labels: [images], auto_merge: minor}", push={"branch": "flux-updates"})
    assert found.branch.push == "flux-updates"
    assert found.branch.publishing.options == ProposalOptions(labels=("images",), auto_merge=AutoMerge.MINOR)
    assert asked("{branch: 'bump/{{ .Key }}'}", push={"branch": "flux-updates"}).branch.push == "bump/apps/fleet"


def test_false_and_no_annotation_push_as_flux_does():
    assert asked("false").branch.publishing == Direct()
    assert asked("true", key="example.org/proposal").branch.publishing == Direct()


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("maybe", {}, "wrong-type"),
        ("{labls: [a]}", {}, "unknown-key"),
        ("{token: x}", {}, "unknown-key"),
        ("{per: subscription}", {}, "conflict"),
        ("{group: others}", {}, "conflict"),
        ("{branch: main}", {}, "proposal-branch"),
        ("true", {"reference": {"tag": "v1", "branch": "main"}}, "proposal-branch"),
        ("true", {"push": {"branch": "auto", "refspec": "refs/heads/auto:refs/for/main"}}, "conflict"),
        ("true", {"push": {"options": {"topic": "x"}}}, "conflict"),
        ("true", {"key": "image-updater.gitops/propsal"}, "unknown-key"),
    ],
)
def test_what_cannot_be_is_a_condition_with_place_and_hint_and_nothing_is_pushed(text, options, code):
    found = asked(text, **options)
    assert (found.branch, found.fault.reason, found.fault.is_stalled) == (None, "InvalidProposal", True)
    assert found.fault.message.startswith(f"annotation {PROPOSAL}: ")
    assert (found.fault.problem.code, PROPOSAL in found.fault.problem.message) == (code, True)
    assert found.fault.problem.hint


def test_the_cluster_keeps_the_annotation():
    kept = prune_object(annotated("true"), Sharing()).item["metadata"]["annotations"]
    assert kept == {PROPOSAL: "true"}


def test_a_file_with_a_bad_annotation_is_told_with_its_line():
    text = f"""\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata:
  name: fleet
  annotations:
    {PROPOSAL}: "{{labls: [a]}}"
spec:
  interval: 30m
  sourceRef: {{kind: GitRepository, name: fleet}}
"""
    (problem,) = check_object(load_yaml("fleet.yaml", text.encode())[0])
    assert (problem.line, problem.code, "labels" in problem.hint) == (6, "unknown-key", True)
