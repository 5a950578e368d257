"""Renders the chart and the Kustomize base with the real programs, and reads what came out."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.real.parts import require

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/updater"
KUSTOMIZE = ROOT / "config/kustomize"
KUBERNETES = "1.36.0"
VALUES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*.yaml"))


def values_file(name: str) -> Path:
    return CHART / "ci" / f"{name}-values.yaml"


def helm(*arguments: str, values: dict[str, Any] | None = None, kubeconfig: str = os.devnull) -> subprocess.CompletedProcess[str]:
    """Run helm with *values*; for a Kubernetes of today where that may be said, and with no cluster but the one that is named."""
    said = ("--kube-version", KUBERNETES) if arguments[0] in {"lint", "template"} else ()
    given = () if values is None else ("--values", "-")
    return subprocess.run(
        [require("helm"), *arguments, *said, *given],
        input=json.dumps(values),
        env={**os.environ, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@cache
def rendered(values: str, *, namespace: str = "argocd", release: str = "updater") -> str:
    """Give what `helm template` makes of the chart with *values*, which are YAML or JSON, as text."""
    done = helm("template", release, str(CHART), "--namespace", namespace, values=yaml.safe_load(values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def template(name: str = "default", *, namespace: str = "argocd", release: str = "updater") -> list[dict[str, Any]]:
    """Give the objects that the chart makes of a file of values in ci/."""
    return objects(rendered(values_file(name).read_text(encoding="utf-8"), namespace=namespace, release=release))


def template_of(*, namespace: str = "argocd", **values: Any) -> list[dict[str, Any]]:
    """Give the objects that the chart makes of *values*."""
    return objects(rendered(json.dumps(values), namespace=namespace))


def refusal(**values: Any) -> str:
    """Give the words by which the chart refuses *values*."""
    done = helm("template", "updater", str(CHART), values=values)
    assert done.returncode != 0, done.stdout
    return done.stderr


def kubectl(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run kubectl with *text* as its input."""
    command = [require("kubectl"), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


@cache
def kustomized(folder: str) -> str:
    """Give what `kubectl kustomize` makes of a folder below config/kustomize, as text."""
    done = kubectl("kustomize", str(KUSTOMIZE / folder))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def objects(text: str) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all(text) if item]


def one(found: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    """Give the only object of a kind, or of kind and name."""
    (item,) = (item for item in found if item["kind"] == kind and name in {None, item["metadata"]["name"]})
    return item


def kinds(found: list[dict[str, Any]]) -> set[str]:
    return {item["kind"] for item in found}


def pod(found: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = one(found, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(found: list[dict[str, Any]]) -> dict[str, Any]:
    (item,) = pod(found)["containers"]
    assert isinstance(item, dict)
    return item


def rules(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Give the rules by namespace; those of the whole cluster stand under "*"."""
    roles = [item for item in found if item["kind"] in {"Role", "ClusterRole"}]
    return {item["metadata"].get("namespace", "*"): item["rules"] for item in roles}


def rights(found: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Give each single right as (namespace or "*", verb, resource, name or "*")."""
    return {
        (namespace, verb, resource, name)
        for namespace, listed in rules(found).items()
        for rule in listed
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ["*"])
    }
