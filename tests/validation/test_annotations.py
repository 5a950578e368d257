"""Every annotation of the peer is checked, and nothing misspelt is passed over."""

from __future__ import annotations

import pytest

from updater.documents import Dialect, read_yaml
from updater.validation.annotations import PREFIX, check_annotations, has_annotations

LIST = {"image-list": "web=ghcr.io/org/web:>=1.0, db=ghcr.io/org/db"}


def document(annotations: dict, *, kind: str = "Application"):
    indent = "    " if kind == "Application" else "        "
    head = (
        "metadata:\n  name: x\n  annotations:\n"
        if kind == "Application"
        else "spec:\n  template:\n    metadata:\n      annotations:\n"
    )
    lines = "".join(f"{indent}{PREFIX}{key}: {value!r}\n" for key, value in annotations.items())
    text = f"apiVersion: argoproj.io/v1alpha1\nkind: {kind}\n{head}{indent}other: x\n{lines}"
    return read_yaml("app.yaml", text.encode(), dialect=Dialect.MANIFEST).documents[0]


def found(annotations: dict, **options):
    return list(check_annotations(document(annotations, **options)))


def test_annotations_as_people_write_them_are_clean():
    assert not found(
        LIST
        | {
            "update-strategy": "semver",
            "web.update-strategy": "Newest-Build",
            "db.update-strategy": "latest",
            "web.allow-tags": "regexp:^v[0-9]+",
            "db.allow-tags": "any",
            "web.pull-secret": "pullsecret:argocd/creds",
            "db.pull-secret": "ghcr.io=secret:argocd/creds#token",
            "web.platforms": "linux/amd64, linux/arm64",
            "web.force-update": "true",
            "web.helm.image-name": "web.image",
            "web.helm.image-tag": "web.tag",
            "db.kustomize.image-name": "org/db",
            "db.tag-match": "any",
            "write-back-method": "git:secret:argocd/git#creds".replace("#creds", ""),
            "write-back-target": "helmvalues:../values.yaml",
            "git-branch": "main:updates-{{.SHA256}}",
            "git-repository": "https://git.example.org/x",
        }
    )


@pytest.mark.parametrize(
    ("annotations", "code", "hint"),
    [
        pytest.param({"image-list": "web="}, "image-syntax", "", id="argo-094"),
        pytest.param({"image-list": "   "}, "image-list", "", id="argo-095"),
        pytest.param(LIST | {"web.helm.image-name": "a", "web.kustomize.image-name": "b"}, "target", "", id="argo-096"),
        pytest.param(LIST | {"write-back-target": "overlays/prod/kustomization.yaml"}, "write-back", "", id="argo-143"),
        pytest.param(LIST | {"write-back-method": "unsupported"}, "write-back", "", id="argo-145"),
        pytest.param(LIST | {"web.allow-tags": "not-regexp:a-z"}, "filter", "regexp:", id="argo-035"),
        pytest.param(LIST | {"web.platforms": "invalid"}, "image-syntax", "", id="argo-074"),
        pytest.param(LIST | {"pull-secret": "=secret:ns/name"}, "credential-ref", "", id="argo-077"),
        pytest.param(LIST | {"pull-secret": "gcr.io=secret:"}, "credential-ref", "", id="argo-078"),
        ({"update-strategy": "semver"}, "image-list", ""),
        (LIST | {"web.update-stratgy": "semver"}, "unknown-key", "web.update-strategy"),
        (LIST | {"update-stratgy": "semver"}, "unknown-key", "update-strategy"),
        (LIST | {"wbe.update-stratgy": "semver"}, "unknown-key", "update-strategy"),
        (LIST | {"platforms": "linux/amd64"}, "unknown-key", ""),
        (LIST | {"wbe.update-strategy": "semver"}, "alias", "did you mean 'web'?"),
        ({"image-list": "a", "x.update-strategy": "semver"}, "alias", ""),
        (LIST | {"update-strategy": "semvr"}, "policy", "did you mean 'semver'?"),
        (LIST | {"force-update": "yes please"}, "wrong-type", ""),
        (LIST | {"force-update": True}, "wrong-type", "quotes"),
        (LIST | {"allow-tags": "regexp:("}, "policy", ""),
        ({"image-list": "web=a:>==1"}, "policy", ""),
        ({"image-list": "web=a", "web.update-strategy": "digest"}, "policy", "a:latest"),
        ({"image-list": "web=Foo_Bar/Baz"}, "image-syntax", ""),
    ],
)
def test_each_fault_is_one_problem_with_its_line(annotations, code, hint):
    (problem,) = found(annotations)
    assert problem.code == code
    assert hint in problem.hint
    assert problem.path == "app.yaml"
    wrong = [key for key in annotations if problem.message.startswith(f"{PREFIX}{key}: ")]
    if wrong:
        assert problem.line == 6 + list(annotations).index(wrong[0]) + 1


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param(LIST | {"ignore-tags": "dev,,test"}, id="argo-093"),
        pytest.param(
            LIST | dict.fromkeys(("write-back-method", "write-back-target", "git-branch", "git-repository"), ""), id="argo-097"
        ),
        pytest.param(LIST | {"web.allow-tags": "ANY"}, id="argo-034"),
        pytest.param(LIST | {"web.allow-tags": "regexp:[aA-zZ]"}, id="argo-036"),
        pytest.param(LIST | {"web.pull-secret": "env:DUMMY_SECRET"}, id="argo-079"),
        pytest.param(LIST | {"git-branch": "main:feature-branch"}, id="argo-144"),
    ],
)
def test_what_the_peer_reads_is_clean(annotations):
    assert not found(annotations)


def test_the_template_of_an_application_set_is_checked_but_not_its_placeholders():
    assert not found({"image-list": "{{ .image }}", "x.update-strategy": "{{ .strategy }}"}, kind="ApplicationSet")
    (problem,) = found(LIST | {"image-lst": "x"}, kind="ApplicationSet")
    assert problem.code == "unknown-key"


@pytest.mark.parametrize(
    "text",
    [
        "a: 1",
        "- a",
        "apiVersion: v1\nkind: Application",
        "apiVersion: argoproj.io/v1\nkind: Application\nmetadata: 3",
        "apiVersion: argoproj.io/v1\nkind: Rollout",
    ],
)
def test_what_is_no_annotated_application_is_nobodys_business(text):
    assert not has_annotations(read_yaml("f", text.encode()).documents[0].value)
    assert not has_annotations(document({}).value)
    assert has_annotations(document(LIST).value)
