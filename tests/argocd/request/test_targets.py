"""Where the peer writes, as targets: files of overrides, kustomizations, values files, and the Application itself."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, REPOSITORY, application, codes, image, one, reference, run, updater
from tests.engine.making import git_branch, ref
from updater.model.subscription import Form, GitBranch, LiveApplication, Locator

LIST = {"image-list": "web=ghcr.io/o/web:^1.0"}
HELM = {"kind": "Helm"}


def target(annotations=None, **options):
    return one(application(LIST | (annotations or {}), **options)).targets[0]


def located(annotations, **options):
    found = target(annotations, **options)
    return found.editor, found.locator


@pytest.mark.parametrize(
    ("text", "path", "folder"),
    [
        pytest.param("kustomization", "foo/bar", "foo/bar", id="argo-111"),
        pytest.param("kustomization:/foo", "bar", "foo", id="argo-112"),
        pytest.param("kustomization:foo", "bar", "bar/foo", id="argo-113"),
        ("kustomization:../baz", "foo/bar", "foo/baz"),
        ("kustomization", ".", "."),
        ("kustomization:/", "foo", "."),
    ],
)
def test_a_kustomization_is_found_from_the_path_of_the_source(text, path, folder):
    found = located(GIT | {"write-back-target": text}, source={"path": path}, kind="Directory")
    assert found == ("kustomize", Locator(path=folder, name="ghcr.io/o/web"))


@pytest.mark.parametrize(
    ("text", "path", "file"),
    [
        ("helmvalues", "foo/bar", "foo/bar/values.yaml"),
        pytest.param("helmvalues:/foo/app-values.yaml", "bar", "foo/app-values.yaml", id="argo-114"),
        pytest.param("helmvalues:foo/app-values.yaml", "bar", "bar/foo/app-values.yaml", id="argo-115"),
        pytest.param("helmvalues:another/values.yaml", "some/path", "some/path/another/values.yaml", id="argo-142"),
        ("values-prod.yml", "foo", "foo/values-prod.yml"),
    ],
)
def test_a_values_file_is_found_from_the_path_of_the_source(text, path, file):
    found = located(GIT | {"write-back-target": text, "web.helm.image-tag": "web.tag"}, source={"path": path})
    assert found == ("helm", Locator(path=file, tag="web.tag"))


@pytest.mark.parametrize(
    ("keys", "locator"),
    [
        pytest.param({"tag": "image.tag"}, {"name": "image.name", "tag": "image.tag"}, id="argo-152"),
        ({}, {"name": "image.name", "tag": "image.tag"}),
        ({"name": "web.repo"}, {"name": "web.repo", "tag": "image.tag"}),
        ({"name": "web.repo", "tag": "web.tag", "spec": " web.image "}, {"spec": "web.image"}),
    ],
)
def test_parameters_of_helm_have_the_names_that_are_written_or_the_defaults(keys, locator):
    annotations = {f"web.helm.image-{key}": text for key, text in keys.items()}
    expected = ("argocd_source", Locator(path="apps/web/.argocd-source-web.yaml", section="helm", **locator))
    assert located(annotations | GIT, **HELM) == expected


def test_in_a_values_file_nobody_makes_up_a_key_of_the_name():
    assert located(GIT | {"write-back-target": "helmvalues"}) == ("helm", Locator(path="apps/web/values.yaml", tag="image.tag"))


def test_images_that_would_share_the_default_name_leave_it_alone():
    listed = {"image-list": "a=ghcr.io/o/web, b=ghcr.io/o/db", "a.helm.image-tag": "a.tag", "b.helm.image-tag": "b.tag"}
    found = run(application(listed | GIT, images=["ghcr.io/o/web:1", "ghcr.io/o/db:1"], **HELM))
    assert [item.targets[0].locator.name for item in found.snapshot.subscriptions] == [None, None]
    assert [item.targets[0].locator.tag for item in found.snapshot.subscriptions] == ["a.tag", "b.tag"]


def test_two_images_for_one_parameter_are_both_refused():
    listed = {"image-list": "a=ghcr.io/o/web, b=ghcr.io/o/db", "a.helm.image-tag": "tag", "b.helm.image-tag": "tag"}
    found = run(application(listed | GIT, images=["ghcr.io/o/web:1", "ghcr.io/o/db:1"], **HELM))
    assert (codes(found), found.snapshot.subscriptions) == (["conflict", "conflict"], ())


def test_an_image_without_alias_has_no_values_of_its_own():
    found = run(application({"image-list": "ghcr.io/o/web", "write-back-target": "helmvalues"} | GIT))
    assert codes(found) == ["target"]


def test_argo_096_helm_and_kustomize_for_one_alias_are_refused():
    both = {"web.helm.image-name": "a", "web.kustomize.image-name": "b"}
    assert codes(run(application(LIST | both))) == ["target"]


@pytest.mark.parametrize(
    ("namespace", "controller", "file"),
    [
        ("argocd", "argocd", ".argocd-source-web.yaml"),
        ("team", "argocd", ".argocd-source-team_web.yaml"),
        ("team", "default", ".argocd-source-team_web.yaml"),
        ("default", "default", ".argocd-source-web.yaml"),
    ],
)
def test_the_file_of_overrides_is_named_as_argo_cd_reads_it(namespace, controller, file):
    found = one(application(LIST | GIT, namespace=namespace), namespace=controller)
    assert found.targets[0].locator.path == f"apps/web/{file}"


def test_a_file_of_overrides_may_be_named():
    found = located(GIT | {"write-back-target": "/all/.argocd-source-web.yaml"}, **HELM)
    assert (found[0], found[1].path) == ("argocd_source", "all/.argocd-source-web.yaml")


@pytest.mark.parametrize("text", ["kustomisation:../x", "notes.txt", "helmvalue:x.yaml", "kustomization.yml"])
def test_any_other_target_is_refused(text):
    found = run(application(LIST | GIT | {"write-back-target": text}))
    assert (codes(found), found.snapshot.subscriptions) == (["write-back"], ())


def test_a_path_out_of_the_repository_is_refused():
    assert codes(run(application(LIST | GIT | {"write-back-target": "kustomization:../../../x"}))) == ["path"]


@pytest.mark.parametrize(
    ("branch", "base", "push"),
    [
        ("", "main", "main"),
        ("release", "release", "release"),
        pytest.param("main:feature-branch", "main", "feature-branch", id="argo-144"),
        (":updates", "main", "updates"),
        ("main:main", "main", "main"),
        ("release:", "release", "release"),
    ],
)
def test_git_branch_names_the_branch_to_read_and_the_one_to_write(branch, base, push):
    assert target(GIT | {"git-branch": branch}).destination == git_branch(REPOSITORY, base, push)


@pytest.mark.parametrize("revision", ["HEAD", ""])
def test_head_is_the_servers_default_branch(revision):
    found = target(GIT, source={"targetRevision": revision}).destination
    assert found == GitBranch(url=REPOSITORY, branch="")
    assert str(found) == f"{REPOSITORY}#HEAD"
    assert target(GIT | {"git-branch": "HEAD:updates"}, source={"targetRevision": "v1"}).destination.branch == "v1"


def test_a_template_of_a_branch_is_kept_and_never_falls_back_to_the_base():
    text = 'main:up-{{.SHA256}}-{{printf "%s:%s" .AppName .AppNamespace}}'
    first, second = (
        one(application(LIST | GIT | {"git-branch": text}, name=name)).targets[0].destination for name in ("one", "two")
    )
    assert first.publishing.template == text.partition(":")[2]
    assert first.branch == "main"
    assert first.push not in {"main", second.push}
    assert str(first).endswith(first.publishing.template)


@pytest.mark.parametrize(
    ("branch", "code"),
    [("a:b:c", "write-back"), ("{{.SHA256}}", "write-back"), ("main:{{ .X", "template"), ("main:{{ nope }}", None)],
)
def test_branches_that_cannot_be_read_are_refused(branch, code):
    found = run(application(LIST | GIT | {"git-branch": branch}))
    assert found.snapshot.subscriptions == ()
    assert len(found.snapshot.problems) == 1
    assert code is None or codes(found) == [code]


@pytest.mark.parametrize(
    ("source", "extra", "code"),
    [
        ({"targetRevision": "a" * 40}, {}, "git-branch"),
        ({"chart": "web", "targetRevision": "1.2.3"}, {}, "git-url"),
        ({"chart": "web", "targetRevision": "1.2.3"}, {"git-repository": REPOSITORY}, "git-branch"),
        ({"repoURL": "ghcr.io/charts"}, {}, "git-url"),
        ({"repoURL": ""}, {}, "git-url"),
        pytest.param({"repoURL": "unknown://git.test/x"}, {}, "git-url", id="argo-166"),
    ],
)
def test_what_has_no_branch_to_write_is_refused_with_what_to_name(source, extra, code):
    found = run(application(LIST | GIT | extra, source=source, kind="Helm"))
    assert (codes(found), found.snapshot.subscriptions) == ([code], ())


def test_values_of_a_chart_are_written_where_git_repository_says():
    annotations = GIT | {
        "git-repository": "git@git.test:values.git",
        "git-branch": "main",
        "write-back-target": "helmvalues:/web.yaml",
    }
    found = target(annotations, source={"chart": "web", "targetRevision": "1.2.3"}, kind="Helm")
    assert found.destination == GitBranch(url="git@git.test:values.git", branch="main")
    assert found.locator.path == "web.yaml"


@pytest.mark.parametrize(
    ("method", "credential"),
    [
        ("git", ""),
        ("git:repocreds", ""),
        pytest.param("git:secret:bar", "secret:foo/bar", id="argo-163"),
        ("git:secret:foo/bar", "secret:foo/bar"),
    ],
)
def test_the_secret_for_git_is_one_of_the_applications_namespace(method, credential):
    found = one(application(LIST | {"write-back-method": method}, namespace="foo"))
    assert found.targets[0].destination.credential == ref(credential)


@pytest.mark.parametrize(
    ("method", "code"),
    [
        pytest.param("git:secret:team-b/bar", "secret-namespace", id="argo-164"),
        pytest.param("git:token", "credential-ref", id="argo-168"),
        ("git:secret:", "credential-ref"),
        ("git:", "write-back"),
        ("argocd:x", "write-back"),
    ],
)
def test_credentials_for_git_of_any_other_form_are_refused(method, code):
    found = run(application(LIST | {"write-back-method": method}, namespace="team-a"))
    assert (codes(found), found.snapshot.subscriptions) == ([code], ())


def test_without_a_method_the_application_itself_is_written():
    found = target(**HELM)
    assert found.destination == LiveApplication(namespace="argocd", name="web")
    locator = Locator(path="spec.source", name="image.name", tag="image.tag", section="helm")
    assert (found.editor, found.locator, found.form) == ("application", locator, Form.TAG)


def test_argo_153_a_kustomize_image_has_the_name_that_it_replaces():
    found = located({"web.kustomize.image-name": "foobar"})
    assert found == ("application", Locator(path="spec.source", name="foobar", spec="ghcr.io/o/web", section="kustomize"))


def test_an_application_that_a_generator_would_undo_is_written_in_git_alone():
    found = run(application(LIST, owner="fleet"))
    assert (codes(found), found.snapshot.subscriptions) == (["application-set"], ())
    assert "fleet" in found.snapshot.problems[0].message
    assert target(GIT, owner="fleet").editor == "argocd_source"


SOURCES = [
    {"repoURL": "https://charts.test", "chart": "web", "targetRevision": "1.0.0"},
    {"repoURL": REPOSITORY, "path": "values", "targetRevision": "main", "ref": "values"},
]


def test_of_several_sources_the_one_of_the_type_is_written():
    found = target(types=["Directory", "Kustomize"], sources=[{"repoURL": "https://a.test/x", "path": "a"}, SOURCES[1]])
    assert found.locator.path == "spec.sources[1]"
    first = [{"repoURL": REPOSITORY, "path": "a", "helm": {}}, SOURCES[1]]
    assert target(types=["Helm", "Kustomize"], sources=first).locator == Locator(
        path="spec.sources[0]", name="image.name", tag="image.tag", section="helm"
    )


def test_a_block_wins_over_what_the_status_says():
    sources = [{"repoURL": REPOSITORY, "path": "a"}, {"repoURL": REPOSITORY, "path": "b", "kustomize": {}}]
    assert target(types=["Kustomize", "Directory"], sources=sources).locator.path == "spec.sources[1]"


def test_values_of_a_multi_source_chart_go_to_the_repository_that_is_named():
    annotations = GIT | {"write-back-target": "helmvalues:/v.yaml", "git-repository": REPOSITORY}
    found = target(annotations, types=["Helm", ""], sources=SOURCES)
    assert found.destination == GitBranch(url=REPOSITORY, branch="main")


def test_a_hydrated_application_is_written_at_its_dry_source():
    dry = {"repoURL": REPOSITORY, "path": "dry", "targetRevision": "trunk"}
    spec = {"sourceHydrator": {"drySource": dry, "syncSource": {"targetBranch": "env/prod", "path": "x"}}}
    assert target(spec=spec).locator.path == "spec.sourceHydrator.drySource"
    found = target(GIT, spec=spec)
    assert (found.destination.branch, found.locator.path) == ("trunk", "dry/.argocd-source-web.yaml")


@pytest.mark.parametrize("kind", ["Directory", "", None])
def test_plain_manifests_and_unknown_types_have_nothing_to_override(kind):
    found = run(application(LIST | GIT, kind=kind))
    assert (codes(found), found.snapshot.subscriptions) == (["application-type"], ())


@pytest.mark.parametrize(("block", "section"), [("kustomize", "kustomize"), ("helm", "helm")])
def test_without_a_status_the_blocks_say_the_type(block, section):
    spec = {"source": {"repoURL": REPOSITORY, "path": ".", block: {}}}
    assert target(spec=spec, status=None).locator.section == section


def test_an_application_without_source_is_refused():
    assert codes(run(application(LIST, spec={}))) == ["no-source"]


def test_a_plugin_gets_no_parameters_of_helm_since_argo_cd_refuses_a_source_of_two_types():
    assert codes(run(application(LIST | GIT, kind="Plugin"))) == ["target"]
    assert codes(run(application(LIST, kind="Plugin"))) == ["target"]
    assert target(GIT | {"write-back-target": "helmvalues"}, kind="Plugin").editor == "helm"


def test_overrides_beside_no_manifests_are_refused_since_argo_cd_never_reads_them():
    chart = {"chart": "web", "targetRevision": "1.2.3"}
    where = {"git-repository": REPOSITORY, "git-branch": "main"}
    assert codes(run(application(LIST | GIT | where, source=chart, kind="Helm"))) == ["target"]


PLUGIN = image(manifestTargets={"plugin": {"name": "IMAGE", "tag": "TAG"}})


def test_an_image_may_go_to_the_environment_of_a_plugin():
    asked = updater(reference("web", PLUGIN), writeBackConfig={"method": "git"})
    found = one(application(kind="Plugin"), updaters=[asked]).targets[0]
    assert found.locator == Locator(path="apps/web/.argocd-source-web.yaml", name="IMAGE", tag="TAG", section="plugin")
    spec = updater(reference("web", image(manifestTargets={"plugin": {"spec": "REF"}})))
    assert one(application(kind="Plugin"), updaters=[spec]).targets[0].locator == Locator(
        path="spec.source", spec="REF", section="plugin"
    )


def test_a_plugins_variable_is_nothing_to_another_type():
    assert codes(run(application(kind="Helm"), updaters=[updater(reference("web", PLUGIN))])) == ["target"]
