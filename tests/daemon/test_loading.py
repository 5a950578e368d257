"""What a configuration names outside of itself, tried before anything works."""

from __future__ import annotations

import json

import pytest

from tests.fakes.kube import kubeconfig
from updater.daemon.cluster_connection import ClusterConnection
from updater.daemon.loading import check_contexts
from updater.errors import ConfigError
from updater.settings.cluster import KubernetesSettings
from updater.sources.file import load

SUBSCRIPTION = {
    "image": "ghcr.io/acme/shop",
    "policy": {"latest": {}},
    "targets": [{"git": {"url": "https://git.example.org/fleet.git"}, "marker": "ns:shop"}],
}


def loaded(folder, *deliveries):
    subscriptions = [{"key": f"shop{number}", **SUBSCRIPTION, "delivery": each} for number, each in enumerate(deliveries)]
    path = folder / "updater.yaml"
    path.write_text(json.dumps({"git": {"author": {"name": "a", "email": "a@b.c"}}, "subscriptions": subscriptions}, indent=1))
    return load([path], {})


def test_each_subscription_whose_context_no_kubeconfig_has_is_named_with_its_line_and_what_there_is(tmp_path):
    kubeconfigs = [tmp_path / name for name in ("usual", "staging")]
    for path in kubeconfigs:
        path.write_text(kubeconfig("https://127.0.0.1:1", {"token": "t"}))
    usual, staging = map(str, kubeconfigs)
    connection = ClusterConnection(KubernetesSettings(kubeconfig=usual), count=lambda _verb, _status: None)
    check_contexts(loaded(tmp_path, {}, {"context": "lab"}, {"context": "lab", "kubeconfig": staging}), connection)
    absent = str(tmp_path / "absent")
    found = loaded(
        tmp_path, {"context": "lab"}, {"context": "prod"}, {"context": "lab", "kubeconfig": absent}, {"context": "prod"}
    )
    with pytest.raises(ConfigError) as wrong:
        check_contexts(found, connection)
    lines = [item.origin.line for item in found.snapshot.subscriptions]
    assert [(item.origin, item.path, item.line) for item in wrong.value.problems] == [
        (f"shop{number}", str(tmp_path / "updater.yaml"), lines[number]) for number in (1, 2, 3)
    ]
    first, second, _ = wrong.value.problems
    assert first.message == f"shop1: delivery.context: {usual}: there is no context 'prod'"
    assert first.hint == "it has: lab"
    assert absent in second.message


def test_a_kubeconfig_in_the_home_of_nobody_is_said_and_ends_no_daemon_that_reloads(tmp_path):
    connection = ClusterConnection(KubernetesSettings(kubeconfig="~nobody-such/config"), count=lambda _verb, _status: None)
    for delivery in ({"context": "lab"}, {"context": "lab", "kubeconfig": "~nobody-such/lab"}):
        with pytest.raises(ConfigError, match="there is no such home"):
            check_contexts(loaded(tmp_path, delivery), connection)
    with pytest.raises(ConfigError, match="there is no such home"):
        assert connection.client
