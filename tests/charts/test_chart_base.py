"""The Kustomize base is what the chart makes of its defaults: whoever reads one knows the other."""

from __future__ import annotations

import copy
import os

import pytest
import yaml

from tests.charts.rendering import KUSTOMIZE, kustomized, objects, one, rights, template_of
from updater.sources.file import load

pytestmark = pytest.mark.real

NOT_HELMS = {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


def bare(found):
    """Give the objects by kind and name, without the labels that are Helm's own, and the configuration as data."""
    items = {}
    for given in found:
        item = copy.deepcopy(given)
        labels = item["metadata"]["labels"]
        item["metadata"]["labels"] = {name: labels[name] for name in NOT_HELMS}
        if item["kind"] == "ConfigMap":
            item["data"] = {name: yaml.safe_load(text) for name, text in item["data"].items()}
        items[item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]] = item
    return items


def test_the_base_is_the_chart_with_its_defaults():
    """Beside Argo CD both are the same objects: security context, probes, arguments, rules and all else."""
    assert bare(objects(kustomized("base"))) == bare(template_of(namespace="argocd"))


def test_the_component_is_the_chart_with_all_namespaces():
    """With ../all-namespaces the base is the chart with no namespace named, but for the image of the example."""
    applications = {"namespaces": [], "argocd_namespace": "argocd"}
    image = {"repository": "registry.example.org/tools/gitops-image-updater"}
    chart = template_of(namespace="argocd", config={"sources": [{"applications": applications}]}, image=image)
    assert bare(objects(kustomized("example"))) == bare(chart)
    assert rights(objects(kustomized("example"))) == rights(chart)


def test_the_folder_for_flux_is_the_chart_with_its_source():
    """Beside Flux both are the same objects, in Flux's namespace, with its rights and none of Argo CD's."""
    flux = {"namespaces": [], "events_address": "http://notification-controller.flux-system.svc.cluster.local./"}
    image = {"repository": "registry.example.org/tools/gitops-image-updater"}
    chart = template_of(namespace="flux-system", config={"sources": [{"flux": flux}]}, image=image)
    assert bare(objects(kustomized("flux"))) == bare(chart)
    assert rights(objects(kustomized("flux"))) == rights(chart)


@pytest.mark.parametrize("components", [[], ["all-namespaces"]])
def test_an_overlay_moves_all_of_it(tmp_path, components):
    """An overlay that names another namespace leaves nothing in the old one, the account of the bindings included."""
    (tmp_path / "updater.yaml").write_text("sources: [{applications: {namespaces: [gitops], argocd_namespace: gitops}}]\n")
    overlay = {
        "namespace": "gitops",
        "resources": [os.path.relpath(KUSTOMIZE / "base", tmp_path.resolve())],
        "components": [os.path.relpath(KUSTOMIZE / name, tmp_path.resolve()) for name in components],
        "configMapGenerator": [{"name": "updater", "behavior": "merge", "files": ["updater.yaml"]}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    text = kustomized(str(tmp_path.resolve()))
    found = objects(text)
    assert {item["metadata"].get("namespace", "gitops") for item in found} == {"gitops"}
    assert {subject["namespace"] for item in found for subject in item.get("subjects", ())} == {"gitops"}
    assert "namespaces: [gitops]" in one(found, "ConfigMap")["data"]["updater.yaml"]
    assert "namespace: argocd" not in text


@pytest.mark.parametrize("folder", ["base", "example", "flux"])
def test_the_configuration_is_one_that_the_program_takes(folder, tmp_path):
    """What stands in the ConfigMap loads without a problem."""
    file = tmp_path / "updater.yaml"
    file.write_text(one(objects(kustomized(folder)), "ConfigMap")["data"]["updater.yaml"])
    assert [problem.code for problem in load([file], {}).snapshot.problems] == []
