"""The configuration file becomes subscriptions, and changes of it are seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.engine.making import git_branch
from updater.errors import ConfigError
from updater.model.subscription import Downgrade, Form, GitBranch, LiveApplication, Locator, Variant
from updater.sources.file import WatchedFiles, load, problems_of

if TYPE_CHECKING:
    from pathlib import Path

FULL = """\
interval: 3m
git: {author: {name: me, email: me@example.org}, message: "m", signing: {key: "file:/k"}}
subscriptions:
  - key: a
    image: ghcr.io/org/a
    policy: {semver: {range: ">=1"}}
    filter: {allow: "^v", ignore: ["x*"]}
    platforms: [linux/amd64]
    variant: any
    allow_downgrade: true
    form: digest
    interval: 10s
    targets:
      - git: {url: /srv/fleet.git, branch: main, push: updates, path: apps}
        marker: flux-system:a
      - git: {url: /srv/fleet.git, path: apps}
        kustomize: {path: prod}
        form: tag
      - git: {url: /srv/other.git, branch: dev}
        kustomize: {path: prod, name: thing}
      - git: {url: /srv/fleet.git, path: charts}
        helm: {file: ./values.yaml, tag: image.tag}
"""
LIVE = """\
subscriptions:
  - key: live
    image: ghcr.io/org/a
    policy: {latest: {}}
    targets:
      - argocd: {application: argocd/live}
      - argocd: {application: argocd/live}
        kustomize: {name: web}
        form: tag@digest
      - argocd: {application: argocd/live}
        kustomize: {}
      - argocd: {application: argocd/live}
        helm: {name: a.name, tag: a.tag}
      - argocd: {application: argocd/live}
        helm: {spec: a.image}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "updater.yaml"
    path.write_text(text)
    return path


def test_a_subscription_holds_everything_that_was_written(tmp_path):
    path = write(tmp_path, FULL)
    (item,) = load([path], {}).snapshot.subscriptions
    assert (item.key, str(item.image), item.policy.kind, dict(item.policy.options)) == (
        "a",
        "ghcr.io/org/a",
        "semver",
        {"range": ">=1"},
    )
    assert (item.filter.allow, item.filter.ignore, item.filter.extract) == ("^v", ("x*",), None)
    assert [str(platform) for platform in item.platforms] == ["linux/amd64"]
    assert (item.variant, item.downgrade, item.interval) == (Variant.ANY, Downgrade.ALWAYS, 10.0)
    (spec,) = {target.commit_spec for target in item.targets}
    assert (spec.name, spec.email, spec.message, spec.signing) == ("me", "me@example.org", "m", "file:/k")
    assert {target.interval for target in item.targets} == {10.0}
    assert (item.origin.kind, item.origin.name, item.origin.line) == ("file", str(path), 4)


def test_targets_say_editor_place_form_and_destination(tmp_path):
    (item,) = load([write(tmp_path, FULL)], {}).snapshot.subscriptions
    main = GitBranch(url="/srv/fleet.git", branch="main")
    beside = git_branch("/srv/fleet.git", push="updates")
    assert [(target.editor, target.locator, target.form, target.destination) for target in item.targets] == [
        (
            "marker",
            Locator(path="apps", name="flux-system:a"),
            Form.DIGEST,
            beside,
        ),
        ("kustomize", Locator(path="apps/prod", name="ghcr.io/org/a"), Form.TAG, main),
        ("kustomize", Locator(path="prod", name="thing"), Form.DIGEST, GitBranch(url="/srv/other.git", branch="dev")),
        ("helm", Locator(path="charts/values.yaml", tag="image.tag"), Form.DIGEST, main),
    ]


AUTHOR = "git: {author: {name: n, email: n@x}}\n"
WRITES = "subscriptions: [{key: a, image: a, policy: {latest: }, targets: [{git: {url: /f}, marker: 'n:a'}]}]\n"


def test_who_writes_to_git_says_who_commits(tmp_path):
    with pytest.raises(ConfigError) as refused:
        load([write(tmp_path, WRITES)], {})
    assert refused.value.code == "no-author"
    assert refused.value.message == "git.author.name and git.author.email must be set: subscription 'a' writes to Git"
    with pytest.raises(ConfigError, match=r"git\.author\.email must be set"):
        load([write(tmp_path, WRITES + "git: {author: {name: n}}\n")], {})
    load([write(tmp_path, WRITES + AUTHOR)], {})
    load([write(tmp_path, WRITES)], {"UPDATER_GIT__AUTHOR__NAME": "n", "UPDATER_GIT__AUTHOR__EMAIL": "n@x"})
    load([write(tmp_path, WRITES + "sources: [{applications: {}}]\n")], {})  # the cluster may know who commits


def test_defaults_fill_what_was_not_written(tmp_path):
    text = "subscriptions: [{key: a, image: a, policy: {latest: }, targets: [{git: {url: /f}, marker: 'n:a'}]}]\ninterval: 7m\n"
    loaded = load([write(tmp_path, text + AUTHOR)], {})
    (item,) = loaded.snapshot.subscriptions
    assert (item.interval, item.variant, item.downgrade) == (420.0, Variant.LOCK, Downgrade.NEVER)
    assert item.targets[0].locator == Locator(path=".", name="n:a")
    assert item.targets[0].form is Form.TAG
    spec = item.targets[0].commit_spec
    assert (spec.message, spec.signing, item.targets[0].interval) == ("", "", 420.0)
    assert loaded.snapshot.complete
    assert not loaded.snapshot.problems


def test_a_live_application_is_written_at_the_source_that_it_says_itself(tmp_path):
    snapshot = load([write(tmp_path, LIVE)], {}).snapshot
    assert snapshot.problems == ()
    targets = snapshot.subscriptions[0].targets
    assert {(target.destination, target.editor) for target in targets} == {
        (LiveApplication(namespace="argocd", name="live"), "application")
    }
    assert [target.locator for target in targets] == [
        Locator(path="spec", spec="ghcr.io/org/a"),
        Locator(path="spec", name="web", spec="ghcr.io/org/a", section="kustomize"),
        Locator(path="spec", spec="ghcr.io/org/a", section="kustomize"),
        Locator(path="spec", name="a.name", tag="a.tag", section="helm"),
        Locator(path="spec", spec="a.image", section="helm"),
    ]
    assert [target.form for target in targets] == [Form.TAG, Form.TAG_AND_DIGEST, Form.TAG, Form.TAG, Form.TAG]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("argocd: {application: argocd/a}, marker: 'n:a'", "target"),
        ("argocd: {application: argocd/a}, helm: {file: values.yaml, tag: t}", "target"),
        ("argocd: {application: argocd/a}, helm: {name: a}", "helm-keys"),
        ("argocd: {application: argocd/a}, helm: {tag: a, digest: b}", "target"),
        ("argocd: {application: argocd/a}, kustomize: {path: overlays}", "target"),
        ("argocd: {application: argocd/a}, helm: {tag: t}, kustomize: {}", "target"),
        ("git: {url: /f}, helm: {tag: t}", "missing-key"),
    ],
)
def test_what_belongs_to_the_other_kind_of_destination_is_refused(tmp_path, target, code):
    text = f"subscriptions: [{{key: a, image: a, policy: {{latest: }}, targets: [{{{target}}}]}}]\n"
    with pytest.raises(ConfigError) as wrong:
        load([write(tmp_path, text)], {})
    assert [(problem.code, bool(problem.hint)) for problem in wrong.value.problems] == [(code, True)]


def test_a_touched_file_is_no_change_and_a_new_content_is(tmp_path):
    path = write(tmp_path, "interval: 1m\n")
    watched = WatchedFiles([str(path), str(tmp_path / "later")])
    assert not watched.changed()
    os.utime(path, ns=(1, 1))
    assert not watched.changed()
    path.write_text("interval: 2m\n")
    assert watched.changed()
    assert not watched.changed()
    (tmp_path / "later").write_text("x")
    assert watched.changed()
    path.unlink()
    assert watched.changed()
    assert not watched.changed()


def test_the_swap_of_a_config_map_is_a_change(tmp_path):
    """Kubernetes renames a symlink to a new folder; the file's own path stays a symlink through it."""
    for name, text in (("one", "interval: 1m\n"), ("two", "interval: 2m\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "updater.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "updater.yaml").symlink_to("..data/updater.yaml")
    watched = WatchedFiles([str(tmp_path / "updater.yaml")])
    (tmp_path / "..next").symlink_to("two")
    (tmp_path / "..next").rename(tmp_path / "..data")
    assert watched.changed()


def test_a_file_that_lost_its_content_is_named_and_one_that_was_empty_is_not(tmp_path):
    full, empty = write(tmp_path, "interval: 1m\n"), tmp_path / "empty"
    empty.touch()
    names = [str(full), str(empty)]
    before = WatchedFiles(names)
    full.write_text("")
    assert before.changed()
    assert WatchedFiles(names).emptied_since(before) == [str(full)]
    full.write_text("{}")
    assert WatchedFiles(names).emptied_since(before) == []


def test_an_error_without_problems_is_one_problem():
    (problem,) = problems_of(ConfigError("gone", hint="look", path="f", code="c"))
    assert (problem.path, problem.code, problem.message, problem.hint) == ("f", "c", "gone", "look")
