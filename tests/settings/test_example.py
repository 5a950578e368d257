"""The example file holds every key, and each of its values arrives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from updater.model.credential import parse_credential_ref
from updater.model.subscription import Downgrade, Form, Variant
from updater.settings import ListenAddress, load_settings, schema
from updater.settings.tree import Level, Settings

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config" / "updater.example.yaml"


@pytest.fixture(scope="module")
def example() -> Settings:
    return load_settings([EXAMPLE], {"HOME": "/home/me"})


def test_the_top_of_the_example_arrives(example):
    assert example.interval == 120.0
    assert example.state == "/var/lib/updater"
    assert example.listen.metrics == ListenAddress(host="0.0.0.0", port=8080)
    assert example.listen.web == ListenAddress(host="0.0.0.0", port=8090)
    assert (example.log.level, example.log.format) == (Level.INFO, None)
    assert (example.registries_conf, example.docker_config) == (None, None)
    assert example.text_markers == ("Dockerfile*", "*.env", "*.tf")
    assert example.sources == ()
    assert example.files == (str(EXAMPLE),)


def test_the_registry_of_the_example_becomes_an_entry(example):
    (entry,) = example.registry_entries
    assert (entry.prefix, entry.url, entry.insecure) == ("localhost:5000", "http://localhost:5000", True)
    assert (entry.rate, entry.concurrency) == (50.0, 16)
    assert (entry.ca, entry.client_certificate) == (None, None)
    assert entry.credentials == parse_credential_ref("env:REG_AUTH")


def test_the_git_settings_of_the_example_arrive(example):
    assert (example.git.author.name, example.git.author.email) == ("updater", "updater@example.org")
    assert example.git.signing.method == "ssh"
    assert str(example.git.signing.key) == "file:/keys/id_ed25519"
    assert example.git.message is None
    (entry,) = example.git.repositories
    assert (entry.prefix, str(entry.credentials)) == ("https://git.example.org/", "file:/git/token")
    assert (entry.ca, entry.client_certificate, entry.known_hosts, entry.proxy) == (None, None, None, None)
    assert entry.insecure_skip_verify is False


def test_the_subscription_of_the_example_arrives(example):
    (item,) = example.subscriptions
    assert (item.key, str(item.image)) == ("myapp", "ghcr.io/myorg/myapp")
    assert (item.policy.kind, dict(item.policy.options)) == ("semver", {"range": ">=1.0.0", "prerelease": False})
    assert (item.filter.allow, item.filter.ignore, item.filter.extract) == ("^v?[0-9]", ("*-debug",), None)
    assert [str(platform) for platform in item.platforms] == ["linux/amd64"]
    assert (item.variant, item.downgrade_rule, item.form, item.interval) == (Variant.LOCK, Downgrade.NEVER, Form.TAG, 300.0)
    marker, proposed, kustomize, helm, whole = item.targets
    assert (marker.git.branch, marker.git.push, marker.git.path, marker.marker) == ("main", "main", "apps", "flux-system:myapp")
    assert (proposed.git.branch, proposed.git.proposal.per, proposed.git.push) == ("stable", "group", None)
    assert (kustomize.kustomize.path, kustomize.kustomize.name) == ("apps/overlays/prod", "myapp")
    assert (helm.helm.file, helm.helm.name, helm.helm.tag) == ("charts/app/values.yaml", "image.repository", "image.tag")
    assert (whole.helm.spec, whole.form, whole.git.push) == ("image", Form.TAG_AND_DIGEST, None)
    path, line = example.place_of(0)
    assert path == str(EXAMPLE)
    assert EXAMPLE.read_text().splitlines()[line - 1].strip().startswith("- key: myapp")
    assert example.place_of(7) == ("", None)


def _keys(tree: dict, node: dict) -> set[str]:
    """Every key that the schema knows, apart from the kinds that need a cluster and the options of other policies."""
    found: set[str] = set()
    for name, rule in node.get("properties", {}).items():
        if name in {"sources", "policy", "argocd"}:
            continue
        found.add(name)
        for part in (rule, rule.get("items", {}), *rule.get("anyOf", ())):
            if "$ref" in part:
                found |= _keys(tree, tree["$defs"][part["$ref"].rpartition("/")[2]])
    return found


def test_the_example_names_every_key():
    text = EXAMPLE.read_text()
    missing = {key for key in _keys(schema(), schema()) if f"{key}:" not in text}
    assert missing == set()


def test_the_committed_schema_is_the_one_of_the_code():
    assert json.loads((ROOT / "config" / "updater.schema.json").read_text()) == schema()


def test_the_generated_pages_are_not_stale():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert [line for line in done.stdout.splitlines() if "settings" in line or "schema" in line] == []


def test_every_setting_is_described():
    def nodes(value):
        if isinstance(value, dict):
            yield from value.get("properties", {}).items()
            for item in value.values():
                yield from nodes(item)

    tree = schema()
    described = {f"#/$defs/{name}" for name, rule in tree["$defs"].items() if rule.get("description")}
    assert [name for name, rule in nodes(tree) if not rule.get("description") and rule.get("$ref") not in described] == []
