"""Promises against who may write an Application, and nothing else, and wants more than that."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, application, codes, image, reference, run, updater
from tests.engine.making import ref
from updater.argocd.request.annotations import MOST_IMAGES
from updater.argocd.request.applications import AppType
from updater.errors import ConfigError
from updater.model.credential import parse_credential_ref
from updater.model.image import ImageName
from updater.settings import load_settings
from updater.settings.cluster import ApplicationsSettings
from updater.sources.file import problems_of

LIST = {"image-list": "web=ghcr.io/o/web:^1"}


def refused(annotations=None, *, own=None, **options):
    """The codes and the words of a translation that gave no subscription."""
    found = run(application(LIST | (annotations or {}), own=own, **options))
    assert found.snapshot.subscriptions == ()
    return codes(found)


@pytest.mark.parametrize("url", ["file:///var/lib/updater/mirrors/x", "/var/lib/updater/mirrors/x", "ext::sh -c id"])
def test_an_application_never_reaches_the_files_of_the_pod(url):
    assert refused(GIT | {"git-repository": url}) == ["git-url"]
    assert refused(GIT, source={"repoURL": url}) == ["git-url"]


@pytest.mark.parametrize(
    ("annotations", "options"),
    [
        (GIT | {"git-repository": "https://git.test/\nfleet.git"}, {}),
        (GIT | {"git-branch": "main:a\nUpdater-Rejected: x"}, {}),
        (GIT | {"git-branch": "main:a\x00b"}, {}),
        (GIT | {"write-back-target": "helmvalues:/a\x1b[2Jb.yaml", "web.helm.image-tag": "tag"}, {}),
        (GIT | {"write-back-target": "helmvalues:/a.yaml", "web.helm.image-tag": "a\u202eb"}, {}),
        (GIT, {"source": {"repoURL": "https://git.test/\r\nfleet.git"}}),
        (GIT, {"source": {"path": "apps\nweb"}}),
        (GIT, {"source": {"targetRevision": "main\nnext"}}),
        ({"web.kustomize.image-name": "a\nb"}, {}),
    ],
)
def test_what_cannot_be_seen_never_reaches_a_place_a_message_or_a_branch(annotations, options):
    assert set(refused(annotations, **options)) <= {"wrong-type", "path"}


@pytest.mark.parametrize("alias", ["a\x1b[2J", "a\x00b", "a\u202eb", "a\x7fb"])
def test_an_alias_that_cannot_be_seen_is_refused_and_shown_escaped(alias):
    found = run(application({"image-list": f"{alias}=ghcr.io/o/web"}))
    assert (codes(found), found.snapshot.subscriptions) == (["alias"], ())
    assert found.answers[0].image.isprintable()


@pytest.mark.parametrize("path", [".git", ".git/hooks", "apps/.GIT", "apps/../.git", "git~1"])
def test_nothing_is_written_where_git_keeps_its_own(path):
    assert refused(GIT, source={"path": path}) == ["path"]
    assert refused(GIT | {"write-back-target": f"kustomization:/{path}"}) == ["path"]


@pytest.mark.parametrize("interval", ["1ms", "1s", "9s"])
def test_an_object_cannot_drive_registries_and_git_servers_at_its_own_pace(interval):
    assert refused(own={"interval": interval}) == ["duration"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter2@git.test/fleet.git", "https://•••@git.test/fleet.git"),
        ("https://hunter2@git.test/fleet.git", "https://•••@git.test/fleet.git"),
        ("ssh://git:hunter2@git.test/fleet.git", "ssh://•••@git.test/fleet.git"),
        ("ssh://git@git.test/fleet.git", "ssh://git@git.test/fleet.git"),
        ("git@git.test:fleet.git", "git@git.test:fleet.git"),
        ("https://git.test/a@b.git", "https://git.test/a@b.git"),
    ],
)
def test_a_password_in_the_url_of_a_repository_is_used_and_never_shown(url, shown):
    (answer,) = run(application(LIST | GIT, source={"repoURL": url})).answers
    (target,) = answer.subscription.targets
    assert target.destination.url == url
    assert str(target.destination) == f"{shown}#main"
    assert "hunter2" not in f"{target} {answer.sentence}"


@pytest.mark.parametrize("text", ["env:AWS_SECRET_ACCESS_KEY", "ext:/usr/bin/env", "file:/var/run/secrets/token", "cloud:aws"])
def test_an_object_names_no_variable_program_or_file_of_the_pod_that_the_operator_did_not_list(text):
    annotations = {"image-list": "web=evil.test/o/web", "pull-secret": text, "force-update": "true"}
    found = run(application(annotations), credentials=(parse_credential_ref("ext:/scripts/ecr.sh"),))
    assert (codes(found), found.snapshot.subscriptions) == (["credential-refused"], ())
    assert "AWS" not in found.snapshot.problems[0].message


def test_what_the_operator_lists_may_be_named_and_secrets_of_the_namespace_need_no_list():
    listed = (parse_credential_ref("ext:/scripts/ecr.sh"),)
    for text in ("ext:/scripts/ecr.sh", "pullsecret:argocd/login"):
        (item,) = run(application(LIST | {"pull-secret": text}), credentials=listed).snapshot.subscriptions
        assert str(item.credential) == text


@pytest.mark.parametrize(
    ("namespace", "method", "expected"),
    [
        ("team-a", "git", ["credential-refused"]),
        ("team-a", "git:repocreds", ["credential-refused"]),
        ("team-a", "git:secret:own", []),
        ("team-a", "argocd", []),
        ("platform-x", "git", []),
        ("argocd", "git", []),
    ],
)
def test_only_the_namespaces_that_are_named_write_by_the_git_credentials_of_argo_cd(namespace, method, expected):
    annotations = LIST | {"write-back-method": method}
    found = run(application(annotations, namespace=namespace), git_credentials_for=("argocd", "platform-*"))
    assert codes(found) == expected
    assert len(found.snapshot.subscriptions) == (not expected)


def test_a_configuration_says_nothing_of_credentials_for_objects_and_shares_those_of_git():
    settings = ApplicationsSettings()
    assert (settings.credentials, settings.git_credentials_for) == (None, ("*",))


def test_without_a_list_the_objects_of_argo_cds_own_namespace_name_variables_as_with_the_peer():
    annotations = LIST | {"pull-secret": "env:REG_AUTH"}
    (item,) = run(application(annotations)).snapshot.subscriptions
    assert str(item.credential) == "env:REG_AUTH"
    assert codes(run(application(annotations, namespace="team-a"))) == ["credential-refused"]


@pytest.mark.parametrize(
    "text", ["ext:/scripts/ecr.sh", "ext:/usr/bin/env", "file:/proc/self/environ", "file:/etc/passwd", "cloud:aws"]
)
def test_files_and_programs_of_the_pod_are_named_only_where_the_operator_lists_them_in_argo_cds_namespace_too(text):
    annotations = LIST | {"pull-secret": text}
    found = run(application(annotations))
    assert (codes(found), found.snapshot.subscriptions) == (["credential-refused"], ())
    assert text in found.snapshot.problems[0].hint
    (item,) = run(application(annotations), credentials=(parse_credential_ref(text),)).snapshot.subscriptions
    assert str(item.credential) == text


@pytest.mark.parametrize("pattern", ["?" * 200_000, "*a" * 100_000, "[a-z]" * 60_000, "*[^a-z]?" * 128])
def test_a_glob_that_is_too_large_ends_its_own_reference_and_not_the_program(pattern):
    found = run(application(), updaters=[updater(reference(pattern, image()), reference("web", image()))])
    assert set(codes(found)) <= {"policy"}
    assert len(found.snapshot.subscriptions) == 1


@pytest.mark.parametrize("key", ["namespaces", "git_credentials_for"])
def test_a_glob_of_the_configuration_that_cannot_be_read_is_a_problem_of_the_configuration(tmp_path, key):
    path = tmp_path / "updater.yaml"
    path.write_text(f"sources: [{{applications: {{{key}: ['team-[']}}}}]\n")
    with pytest.raises(ConfigError) as caught:
        load_settings([path], {})
    assert [problem.code for problem in problems_of(caught.value)] == ["policy"]


def test_a_list_without_end_is_cut_and_said_in_one_sentence():
    found = run(application({"image-list": ",".join(f"r.test/o/w{number}" for number in range(1200))}))
    assert codes(found) == ["image-list"]
    assert "1200 images" in found.snapshot.problems[0].message
    assert len(found.answers) == MOST_IMAGES + 1


def test_thousands_of_images_that_two_objects_list_are_all_found_and_none_is_compared_with_all_others():
    listed = [image(f"r.test/o/w{number}", f"w{number}") for number in range(3000)]
    found = run(application(), updaters=[updater(reference("*", *listed), name=name) for name in ("a", "b")])
    assert set(codes(found)) == {"conflict"}
    assert (len(found.answers), found.snapshot.subscriptions) == (6000, ())


def test_thousands_of_sources_are_not_looked_through_for_each_image_that_is_listed(monkeypatch):
    asked = 0
    section = AppType.section.fget

    def counting(kind):
        nonlocal asked
        asked += 1
        return section(kind)

    monkeypatch.setattr(AppType, "section", property(counting))
    listed = ",".join(f"r.test/o/w{number}:1.x" for number in range(200))
    sources = [{"repoURL": "https://git.test/fleet.git", "path": f"a{number}"} for number in range(2000)]
    found = run(application(GIT | {"image-list": listed}, sources=sources, types=["Kustomize"] * 2000))
    assert len(found.answers) == 200
    assert asked < 20 * 2200


def test_thousands_of_images_that_run_are_not_compared_with_each_one_that_is_listed(monkeypatch):
    compared = 0
    equal = ImageName.__eq__

    def counting(one, other):
        nonlocal compared
        compared += 1
        return equal(one, other)

    monkeypatch.setattr(ImageName, "__eq__", counting)
    listed = ",".join(f"r.test/o/w{number}:1.x" for number in range(300))
    found = run(application(GIT | {"image-list": listed}, images=[f"r.test/o/w{number}:1.0.0" for number in range(3000)]))
    assert len(found.snapshot.subscriptions) == 300
    assert compared < 20 * 3300


def kustomized(name, version, **options):
    """An Application that writes the overlay of all, at a version of its own."""
    texts = GIT | {"write-back-target": "kustomization", "image-list": f"web=ghcr.io/o/web:{version}"} | options.pop("texts", {})
    return application(texts, name=name, **options)


@pytest.mark.parametrize(
    ("texts", "source"),
    [
        ({"write-back-method": "git:secret:own"}, {}),
        ({}, {"repoURL": "https://somebody@git.test/fleet.git"}),
        ({}, {"repoURL": "ssh://git@git.test/fleet.git"}),
        ({}, {"repoURL": "git@git.test:fleet"}),
        ({"git-repository": "https://GIT.test/fleet/"}, {}),
    ],
)
def test_another_way_to_a_repository_does_not_make_two_places_of_one(texts, source):
    found = run(kustomized("a", "^1"), kustomized("b", "^2", texts=texts, source=source))
    assert (codes(found), found.snapshot.subscriptions) == (["conflict", "conflict"], ())
    agreed = run(kustomized("a", "^1"), kustomized("b", "^1", texts=texts, source=source))
    assert codes(agreed) == []
    assert {answer.code for answer in agreed.answers} <= {None, "shared"}


def test_who_agrees_but_brings_a_secret_of_its_own_writes_by_that_secret():
    found = run(kustomized("a", "^1"), kustomized("b", "^1", texts={"write-back-method": "git:secret:own"}))
    assert [item.targets[0].destination.credential for item in found.snapshot.subscriptions] == [None, ref("secret:argocd/own")]


def test_many_of_one_place_are_told_in_few_words():
    found = run(*(kustomized(f"web-{number}", f"^{number % 2}") for number in range(300)))
    assert found.snapshot.subscriptions == ()
    assert max(len(problem.message) for problem in found.snapshot.problems) < 400
    shared = run(*(kustomized(f"web-{number}", "^1") for number in range(300)))
    assert [item.key for item in shared.snapshot.subscriptions] == ["argocd/web-0/web"]
    assert {answer.writer for answer in shared.answers[1:]} == {"argocd/web-0/web"}


@pytest.mark.parametrize("text", ["pullsecret:argocd/..", "pullsecret:argocd/.", "secret:argocd/..#a", "secret:../argocd#a"])
def test_a_reference_to_a_secret_never_leads_to_another_path_of_the_api(text):
    assert set(refused({"pull-secret": text})) == {"credential-ref"}
