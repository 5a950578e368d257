"""Two Applications that write one file, however each of them spells the repository."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, application, codes, run

SHARED = {"image-list": "web=ghcr.io/o/web:^1.0", "write-back-target": "kustomization:/base"} | GIT


@pytest.mark.parametrize("url", ["https://git.test/fleet", "https://GIT.test/fleet.git", "https://git.test/fleet.git/"])
def test_one_of_two_writes_where_they_want_the_same(url):
    found = run(application(SHARED, name="a"), application(SHARED, name="b", source={"repoURL": url}))
    assert [item.key for item in found.snapshot.subscriptions] == ["argocd/a/web"]
    assert ([answer.code for answer in found.answers], codes(found)) == ([None, "shared"], [])


@pytest.mark.parametrize("url", ["https://git.test/fleet", "https://git.test/fleet.git"])
def test_neither_writes_where_they_want_different_things_and_both_are_told(url):
    other = SHARED | {"image-list": "web=ghcr.io/o/web:^2.0"}
    found = run(application(SHARED, name="a"), application(other, name="b", source={"repoURL": url}))
    assert (found.snapshot.subscriptions, codes(found)) == ((), ["conflict", "conflict"])
    assert {problem.origin for problem in found.snapshot.problems} == {"Application argocd/a", "Application argocd/b"}
