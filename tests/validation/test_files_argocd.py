"""Exported Applications and ImageUpdaters are linted by line, and answered image by image."""

from __future__ import annotations

import pytest

from updater.validation.files import lint

WEB = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  namespace: argocd
  annotations:
    argocd-image-updater.argoproj.io/image-list: web=ghcr.io/o/web:^1.0, db=redis
    argocd-image-updater.argoproj.io/web.update-stratgy: semver
    argocd-image-updater.argoproj.io/write-back-method: git
spec:
  source: {repoURL: https://git.test/fleet.git, path: apps/web, targetRevision: main}
status:
  sourceType: Kustomize
  summary: {images: ["ghcr.io/o/web:1.0.0"]}
"""
PLAIN = WEB.replace("    argocd-image", "    other").replace("name: web", "name: plain", 1)
UPDATER = """\
apiVersion: argocd-image-updater.argoproj.io/v1alpha1
kind: ImageUpdater
metadata: {name: all, namespace: argocd}
spec:
  applicationRefs:
    - namePattern: plain
      imgaes: []
      images:
        - {alias: web, imageName: "ghcr.io/o/web:~1.1"}
        - {alias: bad, imageName: "ghcr.io/o/web:stable"}
"""


@pytest.fixture
def tree(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def said(report):
    return [(item.path.rpartition("/")[2], item.line, item.code) for item in report.problems]


def answered(report):
    return [(answer.application, answer.alias, answer.code) for answer in report.answers]


def test_every_listed_image_is_answered_and_what_is_wrong_has_its_line(tree):
    report = lint([tree(web_yaml=WEB)])
    assert said(report) == [("web.yaml", 8, "unknown-key")]
    assert answered(report) == [("argocd/web", "web", None), ("argocd/web", "db", "not-live")]
    assert report.answers[0].subscription.key == "argocd/web/web"


def test_image_updaters_and_applications_of_several_files_are_read_together(tree):
    report = lint([tree(apps__plain_yaml=PLAIN, updaters__all_yaml=UPDATER)])
    assert said(report) == [("all.yaml", 7, "unknown-key"), ("all.yaml", 10, "policy")]
    assert answered(report)[0] == ("argocd/plain", "web", None)


def test_a_list_as_kubectl_exports_it_is_read(tree):
    items = "\n".join("  " + line for line in WEB.splitlines())
    text = f"apiVersion: v1\nkind: List\nitems:\n- {items.lstrip()}\n"
    report = lint([tree(export_yaml=text)])
    assert said(report) == [("export.yaml", 11, "unknown-key")]
    assert len(report.answers) == 2


def test_applications_of_one_name_in_several_folders_are_told_apart(tree):
    report = lint([tree(eu__web_yaml=WEB, us__web_yaml=WEB.replace("^1.0", "nonsense"))])
    assert [path for path, _, code in said(report) if code == "policy"] == ["web.yaml"]
    assert len(report.answers) == 4


def test_a_manifest_from_git_without_status_is_nothing_wrong(tree):
    report = lint([tree(web_yaml=WEB.partition("status:")[0].replace("stratgy", "strategy"))])
    assert said(report) == []
    assert answered(report) == [("argocd/web", "web", "not-known"), ("argocd/web", "db", "not-known")]


def test_other_objects_of_the_group_are_nobodys_business(tree):
    rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: x}\n"
    report = lint([tree(rollout_yaml=rollout, template_yaml="apiVersion: argoproj.io/v1alpha1\n{{ if x }}\n")])
    assert (said(report), report.answers) == ([], ())
