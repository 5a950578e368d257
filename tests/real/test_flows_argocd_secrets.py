"""Secrets and the peer's ConfigMap as processes: what is missing, wrong or refused is said, and mended without a restart."""

from __future__ import annotations

import json

import pytest

from tests.real.argocd_flows import config_map, guarded_registry, secret
from tests.real.lab import USER
from tests.real.registries import basic

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_argocd_objects")]


def test_a_git_secret_that_is_missing_is_named_with_a_hint_and_works_once_it_is_there(flow):
    """The Application is told which Secret is missing; without a restart the tag lands when it is made, and after a rotation."""
    flow.push("app", "1.0.0", "1.1.0")
    flow.app("app", annotations={"write-back-method": "git:secret:argocd/writer"})
    with flow.daemon() as daemon:
        daemon.until(lambda: flow.has_event("app", "ImageFailed", "argocd/writer"))
        assert daemon.metric("updater_outcomes_total", status="failed") > 0
        secret(flow.lab, "writer", username=USER[0], password="wrong")
        daemon.until(lambda: flow.has_event("app", "ImageFailed", "git-denied"))
        secret(flow.lab, "writer", username=USER[0], password=USER[1])
        daemon.until(lambda: "1.1.0" in flow.written("app"))


def test_a_pull_secret_is_said_while_it_is_missing_or_wrong_and_works_once_it_is_right(flow):
    """Missing, right, wrong after the registry changed its password, rotated: each is said with its code, and read anew."""
    with guarded_registry("puller", "first") as guarded:
        image = f"{guarded.registry.host}/o/app"
        guarded.registry.push("o/app", "1.0.0")
        guarded.registry.push("o/app", "1.1.0")
        listed = {"image-list": f"it={image}", "it.pull-secret": "secret:argocd/puller#creds"}
        flow.lab.application("app", images=[f"{image}:1.0.0"], annotations={**listed, "write-back-method": "git"})
        with flow.daemon(registries=[guarded.settings]) as daemon:
            daemon.until(lambda: flow.has_event("app", "ImageFailed", "argocd/puller"))
            secret(flow.lab, "puller", creds="puller:first")
            daemon.until(lambda: "1.1.0" in flow.written("app"))
            guarded.wanted = basic("puller", "second")["Authorization"]
            guarded.registry.push("o/app", "1.2.0")
            daemon.until(lambda: flow.has_event("app", "ImageFailed", "whether it may pull the image"))
            assert daemon.metric("updater_failures_total", code="registry-denied") > 0
            secret(flow.lab, "puller", creds="puller:second")
            daemon.until(lambda: "1.2.0" in flow.written("app"))


def test_a_secret_of_another_namespace_is_refused_and_never_read(flow):
    """An Application names Secrets of its own namespace alone: who may write Applications must not read others' Secrets."""
    flow.lab.cluster.namespace("kept-apart")
    secret(flow.lab, "theirs", "kept-apart", creds="a:b", username=USER[0], password=USER[1])
    flow.push("pulls", "1.0.0", "1.1.0")
    flow.push("writes", "1.0.0", "1.1.0")
    flow.app("pulls", annotations={"it.pull-secret": "secret:kept-apart/theirs#creds"})
    flow.app("writes", annotations={"write-back-method": "git:secret:kept-apart/theirs"})
    done = flow.command("once", "-o", "json")
    assert {item["code"] for item in json.loads(done.stdout)["outcomes"]} == {"secret-namespace"}
    assert flow.written("pulls") == flow.written("writes") == ""
    for name in ("pulls", "writes"):
        assert flow.has_event(name, "SecretNamespace", "argocd")
    assert not [item for item in flow.asked() if item.namespace == "kept-apart"]


def test_the_peers_config_map_names_author_and_message_and_a_change_of_it_is_taken_up(flow):
    """git.user, git.email and the template count where our file says nothing; a reload reads them anew."""
    template = "build: {{ .AppName }}{{ range .AppChanges }} {{ .NewTag }}{{ end }}"
    config_map(flow.lab, **{"git.user": "bot", "git.email": "bot@corp.example", "git.commit-message-template": template})
    flow.push("app", "1.0.0", "1.1.0")
    flow.app("app")
    with flow.daemon(git={}) as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("app"))
        shown = flow.lab.repository.git("log", "-1", "--format=%an <%ae>%n%s", "main").split("\n")
        assert shown[:2] == ["bot <bot@corp.example>", "build: app 1.1.0"]
        config_map(flow.lab, **{"git.user": "robot", "git.email": "bot@corp.example"})
        daemon.reload()
        daemon.until(lambda: daemon.metric("updater_generation") == 2)
        flow.push("app", "1.2.0")
        daemon.until(lambda: "1.2.0" in flow.written("app"))
        assert flow.lab.git_log()[0].startswith("robot: ")


def test_where_nobody_names_an_author_commits_are_the_peers(flow):
    """Neither git.author nor git.user and git.email: an Application is committed as the peer does, by name and address."""
    flow.push("app", "1.0.0", "1.1.0")
    flow.app("app")
    with flow.daemon(git={}) as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("app"))
        shown = flow.lab.repository.git("log", "-1", "--format=%an <%ae> %cn <%ce>", "main").strip()
        assert shown == " ".join(["argocd-image-updater <noreply@argoproj.io>"] * 2)


def test_broken_registries_in_the_peers_config_map_refuse_the_reload_and_the_old_generation_works_on(flow):
    """Images would be asked for elsewhere than was meant: nothing changes until it is mended, and the log says why."""
    config_map(flow.lab, **{"git.user": "bot"})
    flow.push("app", "1.0.0", "1.1.0")
    flow.app("app")
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("app"))
        config_map(flow.lab, **{"git.user": "bot", "registries.conf": "registries:\n- name: x\n  tagsortmode: ["})
        daemon.reload()
        daemon.until(lambda: daemon.metric("updater_reloads_total", result="refused") == 1)
        assert "registries.conf" in daemon.said()
        flow.push("app", "1.2.0")
        daemon.until(lambda: "1.2.0" in flow.written("app"))
        assert daemon.metric("updater_generation") == 1
