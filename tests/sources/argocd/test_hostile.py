"""Promises against who may write an Application, and nothing else, and wants more than that."""

from __future__ import annotations

import pytest

from tests.sources.argocd.making import GIT, application, codes, run

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
