"""What only kustomize, Helm, a substitution or the cluster decides is not known here: no verdict, and no fault is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from updater.validation.files import lint
from updater.writeback.message_trial import try_message

if TYPE_CHECKING:
    from pathlib import Path

FLUX = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
REPOSITORY = FLUX.format(kind="ImageRepository", name="web") + "  image: ghcr.io/o/web\n"
POLICY = FLUX.format(kind="ImagePolicy", name="web") + "  imageRepositoryRef: {name: web}\n"
PATCH = FLUX.format(kind="ImageRepository", name="x") + "  interval: 5m\n"
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  namespace: argocd
  annotations:
    argocd-image-updater.argoproj.io/image-list: web=ghcr.io/o/web
    argocd-image-updater.argoproj.io/write-back-method: git
spec: {source: {repoURL: "https://git.test/a.git", path: k, kustomize: {}}}
"""
AUTOMATION = FLUX.format(kind="ImageUpdateAutomation", name="all") + (
    "  interval: 5m\n  sourceRef: {kind: GitRepository, name: a}\n  git:\n    commit:\n      author: {email: a@b.c}\n"
    "      messageTemplate: 'TEXT'\n"
)


@pytest.fixture
def tree(tmp_path: Path):
    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def said(problems) -> list[tuple[str, int | None, str]]:
    return [(item.path.rpartition("/")[2], item.line, item.code) for item in problems]


@pytest.mark.parametrize(
    "patches",
    [
        pytest.param("patches: [{path: patch.yaml, target: {kind: ImageRepository}}]", id="a file"),
        pytest.param("patchesStrategicMerge: [patch.yaml]", id="the old word"),
        pytest.param("patches:\n  - patch: |-\n      - {op: add, path: /spec/interval, value: 5m}\n", id="json 6902 inline"),
        pytest.param("patches:\n  - patch: |-\n" + "".join(f"      {x}\n" for x in PATCH.splitlines()), id="inline"),
        pytest.param("components: [../part]", id="a component"),
        pytest.param("components: ['../elsewhere']", id="a component that is not here"),
        pytest.param("replacements: [{path: r.yaml}]", id="replacements"),
    ],
)
def test_a_field_that_a_patch_may_bring_is_not_known_to_be_missing(tree, patches):
    part = "kind: Component\npatches: [{path: ../prod/patch.yaml}]\n"
    folder = tree(
        {
            "base/repo.yaml": REPOSITORY,
            "base/kustomization.yaml": "resources: [repo.yaml]\n",
            "prod/kustomization.yaml": f"resources: [../base]\n{patches}\n",
            "prod/patch.yaml": PATCH if "patch.yaml" in patches or "../part" in patches else "",
            "part/kustomization.yaml": part if "../part" in patches else "",
        }
    )
    report = lint([folder])
    assert said(report.problems) == []
    assert ("repo.yaml", 4, "missing-key") in said(report.unknown)


def test_what_no_patch_touches_is_a_fault_as_ever(tree):
    text = POLICY + '  policy: {semver: {range: ">=1.0.0"}}\n  digestReflection: Never\n  filterTags: {pattern: "("}\n'
    folder = tree(
        {
            "repo.yaml": REPOSITORY + "  interval: 5 minutes\n",
            "policy.yaml": text,
            "kustomization.yaml": "resources: [repo.yaml, policy.yaml]\npatches: [{path: patch.yaml}]\n",
            "patch.yaml": PATCH,
        }
    )
    report = lint([folder])
    assert said(report.problems) == [("policy.yaml", 7, "unknown-key"), ("policy.yaml", 8, "policy")]
    assert ("repo.yaml", 6, "duration") in said(report.unknown)


def test_an_object_that_nobody_patches_must_be_whole(tree):
    files = {"repo.yaml": REPOSITORY, "kustomization.yaml": "resources: [repo.yaml]\nnamespace: x\n"}
    assert said(lint([tree(files)]).problems) == [("repo.yaml", 4, "missing-key")]


def test_names_that_a_kustomization_gives_are_names_of_policies(tree):
    marked = 'a: ghcr.io/o/web:1 # {"$imagepolicy": "prod:blue-web-eu"}\nb: ghcr.io/o/web:1 # {"$imagepolicy": "prod:blau-web"}\n'
    policy = POLICY + '  policy: {semver: {range: ">=1.0.0"}}\n'
    kustomization = "resources: [policy.yaml]\nnamespace: prod\nnamePrefix: blue-\nnameSuffix: -eu\n"
    folder = tree(
        {"policy.yaml": policy.replace("web}", "web, namespace: x}", 1), "kustomization.yaml": kustomization, "a.yaml": marked}
    )
    assert said(lint([folder]).problems) == [("a.yaml", 2, "marker-policy")]


def test_a_template_of_a_chart_is_passed_over_with_one_note(tree):
    text = "{{- if .Values.x }}\napiVersion: image.toolkit.fluxcd.io/v1\nkind: {{ .Values.kind }}\n{{- end }}\n"
    flux = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nspec: {a: 1, b: 2}\n"
    folder = tree({"c/Chart.yaml": "name: c\n", "c/templates/sub/a.yaml": text, "c/templates/b.yaml": flux, "loose.yaml": text})
    report = lint([folder])
    assert (said(report.problems), len(report.unknown)) == ([], 3)
    assert all("template" in item.message for item in report.unknown)


@pytest.mark.parametrize("placeholder", ["${VAR}", "${VAR:=x y}", "${VAR:-default}", "${VAR/a/b}"])
def test_a_value_that_a_substitution_fills_in_has_no_verdict(tree, placeholder):
    policy = POLICY + f'  policy: {{semver: {{range: "{placeholder}"}}}}\n'
    folder = tree(
        {
            "policy.yaml": policy,
            "repo.yaml": REPOSITORY.replace("ghcr.io", f'"{placeholder}').replace("/o/web\n", '/o/web"\n') + "  intervall: x\n",
            "app.yaml": APPLICATION.replace("web=ghcr.io/o/web", f'"web={placeholder}"'),
        }
    )
    report = lint([folder])
    assert said(report.problems) == [("repo.yaml", 4, "missing-key"), ("repo.yaml", 6, "unknown-key")]
    assert {"policy.yaml", "repo.yaml", "app.yaml"} == {name for name, *_ in said(report.unknown)}
    assert {answer.code for answer in report.answers} == {"not-known"}


def test_the_name_of_a_group_is_no_placeholder(tree):
    text = POLICY + "  policy: {numerical: {order: asc}}\n  filterTags: {pattern: '(?P<n>.*)', extract: '${m}'}\n"
    assert said(lint([tree({"p.yaml": text})]).problems) == [("p.yaml", 7, "policy")]


def test_a_patch_of_an_application_is_no_application(tree):
    patch = APPLICATION.partition("spec:")[0]
    files = {
        "patch.yaml": patch,
        "app.yaml": APPLICATION,
        "kustomization.yaml": "resources: [app.yaml]\npatches: [{path: patch.yaml}]\n",
    }
    assert said(lint([tree(files)]).problems) == []


def test_the_type_of_a_manifest_is_not_known_and_a_misspelt_annotation_of_it_is_said(tree):
    text = APPLICATION.replace(", kustomize: {}", "").replace("write-back-method", "write-back-metod")
    report = lint([tree({"app.yaml": text})])
    assert said(report.problems) == [("app.yaml", 8, "unknown-key")]
    live = lint([tree({"app.yaml": text + 'status: {sourceType: Directory, summary: {images: ["ghcr.io/o/web:1.0.0"]}}\n'})])
    assert "application-type" in {item.code for item in live.problems}
    assert {answer.code for answer in live.answers} == {"application-type"}


def test_an_image_that_does_not_run_is_known_not_to(tree):
    text = APPLICATION + "status: {sourceType: Kustomize, summary: {images: []}}\n"
    assert {answer.code for answer in lint([tree({"a.yaml": text})]).answers} == {"not-live"}


@pytest.mark.parametrize(
    ("template", "codes"),
    [
        ("{{range .Updated.Images}}{{println .}}{{end}}", ["template-removed-field"]),
        ("{{range .Changed.Chnges}}{{println .}}{{end}}", ["template-data"]),
        ("{{range .Changed.Changes}}{{.OldValue}} -> {{.NewValue}}{{end}}", []),
        ("{{range", ["template"]),
    ],
)
def test_a_template_is_tried_so_that_a_field_that_is_not_there_is_said_before_the_first_commit(tree, template, codes):
    folder = tree({"auto.yaml": AUTOMATION.replace("TEXT", template), "updater.yaml": f"git: {{message: '{template}'}}\n"})
    report = lint([folder], try_template=try_message)
    assert [item.code for item in report.problems] == codes * 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    metadata:\n      annotations:\n        KEY: a\n", 7),
        ("apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  annotations:\n    KEY: a\n", 5),
        ("apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Pod\n    metadata: {annotations: {KEY: a}}\n", 6),
        ("apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a, annotations: {KEY: a}}\n", 3),
    ],
)
@pytest.mark.parametrize("key", ["argocd-image-updater.argoproj.io/image-list", "image-updater.gitops/web.variant"])
def test_annotations_for_images_on_anything_but_an_application_are_said(tree, text, line, key):
    assert said(lint([tree({"a.yaml": text.replace("KEY", key)})]).problems) == [("a.yaml", line, "misplaced-annotation")]


def test_a_marker_in_a_file_that_nothing_covers_is_said_and_a_page_that_speaks_of_one_is_not(tree):
    marker = 'FROM ghcr.io/o/web:1.0.0 # {"$imagepolicy": "flux-system:web"}\n'
    policy = POLICY.replace("name: web}", "name: web, namespace: flux-system}", 1) + "  policy: {semver: {range: '*'}}\n"
    files = {"policy.yaml": policy, "Dockerfile": marker, "README.md": marker, "other.tf": marker.replace(":web", ":else")}
    assert said(lint([tree(files)]).problems) == [("Dockerfile", 1, "marker-file")]
    folder = tree({"updater.yaml": 'text_markers: ["Dockerfile"]\n'})
    assert said(lint([folder]).problems) == []


def test_what_the_operator_lists_is_known_only_where_the_configuration_is_named(tree):
    text = APPLICATION.replace(
        "    argocd-image-updater.argoproj.io/write-back-method: git\n",
        "    argocd-image-updater.argoproj.io/web.pull-secret: ext:/scripts/ecr.sh\n",
    )
    config = "sources: [{applications: {CREDENTIALS}}]\n"
    folder = tree(
        {
            "apps/app.yaml": text,
            "none.yaml": config.replace("CREDENTIALS", ""),
            "some.yaml": config.replace("CREDENTIALS", "credentials: ['ext:/scripts/ecr.sh']"),
        }
    )
    assert said(lint([folder / "apps"]).problems) == []
    assert said(lint([folder / "apps"], configurations=[folder / "none.yaml"]).problems) == [
        ("app.yaml", 8, "credential-refused")
    ]
    assert said(lint([folder / "apps"], configurations=[folder / "some.yaml"]).problems) == []


@pytest.mark.parametrize(
    "files",
    [
        {"p.yaml": POLICY.replace("name: web}", "name: '${NAME}'}", 1) + "  policy: {semver: {range: '*'}}\n"},
        {"c/Chart.yaml": "name: c\n", "c/templates/p.yaml": POLICY.replace("name: web}", "name: {{ .Release.Name }}}", 1)},
    ],
    ids=["a substitution", "a chart"],
)
def test_where_a_template_names_policies_no_marker_is_known_to_be_wrong(tree, files):
    folder = tree({**files, "a.yaml": 'a: ghcr.io/o/web:1 # {"$imagepolicy": "x:prod-web"}\n'})
    report = lint([folder])
    assert said(report.problems) == []
    assert ("a.yaml", 1, "marker-policy") in said(report.unknown)


def test_patches_of_a_kustomization_of_flux_count_below_its_path(tree):
    deployed = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec:\n  path: ./apps/prod\n"
    )
    patches = "  patches:\n    - patch: |-\n        - {op: add, path: /spec/interval, value: 5m}\n"
    folder = tree(
        {"flux/a.yaml": deployed + patches, "apps/prod/in/repo.yaml": REPOSITORY, "apps/production/out.yaml": REPOSITORY}
    )
    report = lint([folder])
    assert said(report.problems) == [("out.yaml", 4, "missing-key")]
    assert said(report.unknown) == [("repo.yaml", 4, "missing-key")]
