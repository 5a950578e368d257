"""Flux's three kinds are checked field by field."""

from __future__ import annotations

import json

import pytest

from updater.documents import Dialect, read_yaml
from updater.flux.request.objects import GROUP, check_object, is_flux, policy_name

REPOSITORY = {"image": "ghcr.io/org/app", "interval": "5m"}
POLICY = {"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": ">=1.0.0"}}}
AUTOMATION = {
    "sourceRef": {"kind": "GitRepository", "name": "fleet"},
    "interval": "30m",
    "git": {"commit": {"author": {"email": "a@b"}, "messageTemplate": "{{ .AutomationObject }}"}},
    "update": {"path": "./apps", "strategy": "Setters"},
}


def found(kind: str, spec: object, *, version: str = "v1", **others: object):
    value = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": "x"}, "spec": spec} | others
    (document,) = read_yaml("flux.yaml", json.dumps(value).encode(), dialect=Dialect.MANIFEST).documents
    return list(check_object(document))


@pytest.mark.parametrize("version", ["v1", "v1beta2"])
@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("ImageRepository", REPOSITORY),
        (
            "ImageRepository",
            REPOSITORY
            | {
                "timeout": "90s",
                "secretRef": {"name": "s"},
                "exclusionList": ["^.*\\.sig$"],
                "provider": "aws",
                "insecure": True,
                "accessFrom": {"namespaceSelectors": [{"matchLabels": {}}]},
                "suspend": None,
            },
        ),
        ("ImagePolicy", POLICY),
        (
            "ImagePolicy",
            POLICY | {"filterTags": {"pattern": "^v(?P<n>.*)$", "extract": "$n"}, "policy": {"numerical": {}}},
        ),
        ("ImageUpdateAutomation", AUTOMATION),
        pytest.param("ImagePolicy", POLICY | {"digestReflectionPolicy": "Always", "interval": "1m"}, id="flux-270"),
        pytest.param("ImageRepository", REPOSITORY | {"image": "example.com/foo/bar"}, id="flux-290"),
        pytest.param("ImageRepository", REPOSITORY | {"image": "alpine"}, id="flux-293"),
        pytest.param("ImageRepository", REPOSITORY | {"image": "example.com/foo/bar", "insecure": True}, id="flux-294"),
    ],
)
def test_an_object_as_flux_takes_it_is_clean(kind, spec, version):
    assert found(kind, spec, version=version) == []


@pytest.mark.parametrize(
    ("kind", "spec", "code", "place"),
    [
        pytest.param("ImagePolicy", POLICY | {"interval": "1m"}, "bad-value", "spec.interval", id="flux-268"),
        pytest.param("ImagePolicy", POLICY | {"digestReflectionPolicy": "Always"}, "missing-key", "spec.interval", id="flux-269"),
        pytest.param("ImageRepository", REPOSITORY | {"image": "https://x.org/a"}, "image-syntax", "spec.image", id="flux-291"),
        pytest.param("ImageRepository", REPOSITORY | {"image": "x.org/a/b:baz"}, "image-syntax", "spec.image", id="flux-292"),
        ("ImageRepository", {"image": "a"}, "missing-key", "spec.interval"),
        ("ImageRepository", REPOSITORY | {"intervall": "1m"}, "unknown-key", "spec.intervall"),
        ("ImageRepository", REPOSITORY | {"interval": "1d"}, "duration", "spec.interval"),
        ("ImageRepository", REPOSITORY | {"timeout": "1h"}, "duration", "spec.timeout"),
        ("ImageRepository", REPOSITORY | {"secretRef": {}}, "missing-key", "spec.secretRef.name"),
        ("ImageRepository", REPOSITORY | {"secretRef": "x"}, "wrong-type", "spec.secretRef"),
        ("ImageRepository", REPOSITORY | {"exclusionList": "x"}, "wrong-type", "spec.exclusionList"),
        ("ImageRepository", REPOSITORY | {"exclusionList": ["("]}, "policy", "spec.exclusionList[0]"),
        ("ImageRepository", REPOSITORY | {"exclusionList": ["a"] * 26}, "bad-value", "spec.exclusionList"),
        ("ImageRepository", REPOSITORY | {"provider": "amazon"}, "bad-value", "spec.provider"),
        ("ImageRepository", REPOSITORY | {"suspend": "maybe"}, "wrong-type", "spec.suspend"),
        ("ImageRepository", REPOSITORY | {"serviceAccountName": 3}, "wrong-type", "spec.serviceAccountName"),
        ("ImagePolicy", POLICY | {"policy": {}}, "policy", "spec.policy"),
        ("ImagePolicy", POLICY | {"policy": {"numerical": {}, "alphabetical": {}}}, "policy", "spec.policy"),
        ("ImagePolicy", POLICY | {"policy": {"semver": {"range": ">=="}}}, "policy", "spec.policy.semver.range"),
        ("ImagePolicy", POLICY | {"policy": {"numerical": {"order": "up"}}}, "bad-value", "spec.policy.numerical.order"),
        ("ImagePolicy", POLICY | {"filterTags": {"pattern": "("}}, "policy", "spec.filterTags.pattern"),
        ("ImagePolicy", POLICY | {"filterTags": {"pattern": "a", "extract": "$x"}}, "policy", "spec.filterTags.extract"),
        ("ImageUpdateAutomation", AUTOMATION | {"update": {"strategy": "Sed"}}, "bad-value", "spec.update.strategy"),
        (
            "ImageUpdateAutomation",
            AUTOMATION | {"git": {"commit": {"author": {"name": "x"}}}},
            "missing-key",
            "spec.git.commit.author.email",
        ),
        (
            "ImageUpdateAutomation",
            AUTOMATION | {"git": {"commit": {"author": {"email": "x"}, "messageTemplate": "{{ if"}}},
            "template",
            "spec.git.commit.messageTemplate",
        ),
        ("ImageRepository", None, "missing-key", ""),
        ("ImageRepository", [], "wrong-type", "spec"),
    ],
)
def test_each_fault_is_one_problem_at_its_field(kind, spec, code, place):
    (problem,) = found(kind, spec)
    assert (problem.code, problem.path, problem.line) == (code, "flux.yaml", 1)
    assert problem.message.startswith(f"{place}: " if place else "the object")


def test_kind_version_name_and_stray_fields_are_checked():
    assert [item.code for item in found("ImagePolcy", {})] == ["kind"]
    assert "ImagePolicy" in found("ImagePolcy", {})[0].hint
    assert [item.code for item in found("ImageRepository", REPOSITORY, version="v1beta1")] == ["api-version"]
    assert [item.code for item in found("ImageRepository", REPOSITORY, metadata={})] == ["missing-key"]
    assert [item.code for item in found("ImageRepository", REPOSITORY, sepc={})] == ["unknown-key"]


def test_the_name_of_a_policy_is_that_of_its_markers():
    def named(**metadata):
        return {"apiVersion": f"{GROUP}/v1", "kind": "ImagePolicy", "metadata": metadata}

    assert policy_name(named(name="a", namespace="ns")) == "ns:a"
    assert policy_name(named(name="a")) == ":a"
    assert policy_name(named(name="a") | {"kind": "ImageRepository"}) is None
    assert policy_name({"kind": "ImagePolicy"}) is None
    assert not is_flux([])


def test_flux_153_a_strategy_that_is_not_known_is_a_problem():
    problems = found("ImageUpdateAutomation", AUTOMATION | {"update": {"path": "./apps", "strategy": "FooStrategy"}})
    assert [problem for problem in problems if "strategy" in str(problem)]
