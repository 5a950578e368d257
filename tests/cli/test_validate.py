"""`updater validate` says what is wrong, and its exit code is 1 if something is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.settings.making import SUBSCRIPTION
from updater.cli.main import run_cli

AUTHORED = SUBSCRIPTION + "git: {author: {name: images, email: images@example.org}}\n"
BROKEN = "intervall: 1m\ninterval: x\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_clean_file_exits_0_and_says_so_on_stderr(here, capsys):
    (here / "updater.yaml").write_text(AUTHORED)
    assert run_cli(["validate", "updater.yaml"]) == 0
    note = "note: 1 target was not compared with the repository: updater once --dry-run does that\n"
    assert capsys.readouterr() == ("", f"no problems in 1 file\n{note}")


def test_who_commits_must_be_said_in_a_file_or_in_the_environment(here, capsys, monkeypatch):
    """A configuration with which `updater run` would not start for lack of an author is no clean one."""
    (here / "updater.yaml").write_text(SUBSCRIPTION)
    assert run_cli(["validate"]) == 1
    assert "git.author.name and git.author.email must be set: subscription 'myapp' writes to Git" in capsys.readouterr().out
    (here / "updater.yaml").write_text(SUBSCRIPTION + "sources: [applications: {}]\n")  # Argo CD's ConfigMap may say it
    assert run_cli(["validate"]) == 0
    (here / "updater.yaml").write_text(SUBSCRIPTION)
    monkeypatch.setenv("UPDATER_GIT__AUTHOR__NAME", "images")
    monkeypatch.setenv("UPDATER_GIT__AUTHOR__EMAIL", "images@example.org")
    assert run_cli(["validate"]) == 0


def test_another_file_may_say_who_commits(here):
    """One configuration may be in several files: the author is in one of them."""
    (here / "updater.yaml").write_text("git: {author: {name: images, email: images@example.org}}\n")
    (here / "updater.shop.yaml").write_text(SUBSCRIPTION)
    assert run_cli(["validate", "."]) == 0
    assert run_cli(["validate", "updater.shop.yaml"]) == 1


@pytest.mark.parametrize("more", [[], ["-o", "json"]])
def test_a_named_file_that_holds_nothing_to_check_is_said(here, capsys, more):
    """No problems in a file that nobody recognized must not read as if it was right."""
    (here / "holds.yaml").write_text("shop: {hold: {reason: x}}\n")
    (here / "marked.yaml").write_text('image: ghcr.io/o/a:1 # {"$imagepolicy": "flux-system:myapp"}\n')
    (here / "updater.yaml").write_text(AUTHORED)
    assert run_cli(["validate", "holds.yaml", "marked.yaml", "updater.yaml", *more]) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if "not checked" in line] == [
        "not recognized, not checked: holds.yaml"
    ]
    assert run_cli(["validate", ".", *more]) == 0  # a folder holds files of others
    assert "not checked" not in capsys.readouterr().err


def test_without_a_path_the_configuration_of_this_folder_is_checked(here, capsys):
    (here / "updater.yaml").write_text(SUBSCRIPTION.replace("semver", "semvre"))
    assert run_cli(["validate"]) == 1
    assert "did you mean 'semver'" in capsys.readouterr().out


def test_a_folder_without_configuration_has_nothing_to_check(here, capsys):
    assert run_cli(["validate"]) == 2
    assert "there is no ./updater.yaml" in capsys.readouterr().err


def test_problems_are_grouped_by_file_with_hints_and_exit_1(here, capsys):
    (here / "updater.yaml").write_text(BROKEN)
    (here / "more.yaml").write_text("subscriptions: 3\n")
    assert run_cli(["validate", "."]) == 1
    out, err = capsys.readouterr()
    assert out == (
        "more.yaml:1: subscriptions: expected a list, got a number\n"
        "\n"
        "updater.yaml:1: intervall: this key is not known\n"
        "  hint: did you mean 'interval'?\n"
        "updater.yaml:2: interval: 'x' is not a duration\n"
        "  hint: write a number and its unit, such as 90s, 2m, 1h30m or 1d\n"
    )
    assert err == "3 problems in 2 files\n"


def test_json_holds_the_same(here, capsys):
    (here / "updater.yaml").write_text(BROKEN)
    assert run_cli(["validate", "-o", "json", "updater.yaml"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == 1
    assert found["problems"][0] == {
        "path": "updater.yaml",
        "line": 1,
        "code": "unknown-key",
        "message": "intervall: this key is not known",
        "hint": "did you mean 'interval'?",
    }


def test_a_configuration_named_by_c_is_checked_and_its_markers_count(here, capsys):
    (here / "c.yaml").write_text(AUTHORED + "text_markers: ['*.env']\n")
    (here / "apps").mkdir()
    (here / "apps" / "x.env").write_text('A=ghcr.io/myorg/myapp:1 # {"$imagepolicy": "flux-system:myapp"}\n')
    assert run_cli(["-c", "c.yaml", "validate", "apps"]) == 0
    assert run_cli(["validate", "apps", "-c", "c.yaml"]) == 0
    (here / "apps" / "x.env").write_text('A=ghcr.io/myorg/myapp:1 # {"$imagepolicy": "flux-system:other"}\n')
    assert run_cli(["validate", "apps", "-c", "c.yaml"]) == 1
    (here / "c.yaml").write_text(BROKEN)
    assert run_cli(["validate", "-c", "c.yaml"]) == 1
    assert "c.yaml:2: interval" in capsys.readouterr().out


def test_what_is_wrong_only_once_files_are_merged_is_said_too(here, capsys):
    (here / "a.yaml").write_text("registries: [{prefix: docker.io}]\n")
    (here / "b.yaml").write_text("registries: [{name: hub, api_url: 'https://registry-1.docker.io', prefix: docker.io}]\n")
    assert run_cli(["validate", "-c", "a.yaml", "-c", "b.yaml"]) == 1
    assert "two registry entries" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["validate"], ["validate", "absent.yaml"], ["validate", "-c", "absent.yaml"]])
def test_nothing_to_check_and_an_absent_path_exit_2(here, arguments, capsys):
    assert run_cli(arguments) == 2
    assert "hint:" in capsys.readouterr().err


APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  namespace: argocd
  annotations: {argocd-image-updater.argoproj.io/image-list: "web=ghcr.io/o/web:^1.0, redis"}
spec:
  source: {repoURL: https://git.test/fleet.git, path: apps, targetRevision: main}
status: {sourceType: Kustomize, summary: {images: ["ghcr.io/o/web:1.0.0"]}}
"""


def test_it_says_image_by_image_what_would_happen(here, capsys):
    (here / "web.yaml").write_text(APPLICATION)
    assert run_cli(["validate", "web.yaml"]) == 0
    assert capsys.readouterr().out == (
        "argocd/web: web=ghcr.io/o/web:^1.0\n"
        "  semver ^1.0; form tag; to argocd:argocd/web spec.source: ghcr.io/o/web\n"
        "argocd/web: redis\n"
        "  not written (not-live): redis does not run in argocd/web; force-update lets it move all the same\n"
    )


def test_json_says_what_would_happen_too(here, capsys):
    (here / "web.yaml").write_text(APPLICATION)
    assert run_cli(["validate", "-o", "json", "web.yaml"]) == 0
    first, second = json.loads(capsys.readouterr().out)["images"]
    assert first == {
        "alias": "web",
        "application": "argocd/web",
        "asked_by": "Application argocd/web",
        "code": None,
        "destination": "argocd:argocd/web",
        "image": "web=ghcr.io/o/web:^1.0",
        "key": "argocd/web/web",
        "policy": "semver ^1.0",
        "sentence": "semver ^1.0; form tag; to argocd:argocd/web spec.source: ghcr.io/o/web",
        "target": "application spec.source: ghcr.io/o/web",
    }
    assert (second["code"], second["key"]) == ("not-live", None)


def test_a_prefix_that_is_not_the_host_of_the_api_is_said_and_is_no_problem(tmp_path, capsys):
    path = tmp_path / "registries.conf"
    path.write_text("registries:\n- {name: corp, api_url: 'https://api.corp', prefix: registry.corp}\n")
    assert run_cli(["validate", str(path)]) == 0
    said = capsys.readouterr()
    assert f"{path}:2: registries[0].prefix: registry.corp is not the host of api_url, api.corp" in said.out
    assert "no problems" in said.err
    assert run_cli(["validate", "-o", "json", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["remarks"][0]["code"] == "registry-prefix"


def test_the_example_of_every_key_is_valid(capsys):
    """What people copy from is taken by the check that the guide names."""
    example = Path(__file__).parents[2] / "config/updater.example.yaml"
    assert run_cli(["validate", str(example)]) == 0, capsys.readouterr().out
