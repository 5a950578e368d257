"""Links from labels: the words of strangers are links only where they are plain."""

from __future__ import annotations

import pytest

from updater.writeback.proposal_links import REVISION, SOURCE, source_links

OLD, NEW = "a" * 40, "b" * 40


def labels(source, revision):
    return {SOURCE: source, REVISION: revision}


@pytest.mark.parametrize(
    ("source", "commit", "compare"),
    [
        ("https://github.com/o/app", f"/commit/{NEW}", f"/compare/{OLD}...{NEW}"),
        ("https://codeberg.org/o/app.git", f"/commit/{NEW}", f"/compare/{OLD}...{NEW}"),
        ("https://gitlab.com/g/sub/app/", f"/-/commit/{NEW}", f"/-/compare/{OLD}...{NEW}"),
        ("https://bitbucket.org/o/app", f"/commits/{NEW}", f"/branches/compare/{NEW}..{OLD}"),
    ],
)
def test_each_forge_is_linked_by_its_own_addresses(source, commit, compare):
    found = source_links(labels(source, OLD), labels(source, NEW))
    home = source.rstrip("/").removesuffix(".git")
    assert (found.commit, found.compare) == (f"{home}{commit}", f"{home}{compare}")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "git@github.com:o/app.git",
        "http://github.com/o/app",
        "https://github.com",
        "https://github.com/o",
        "https://user:pass@github.com/o/app",
        "https://github.com/o/app)[x](https://evil.example.org/a/b",
        "https://github.com/o/app?tab=<b>",
        "https://github.com/o/app#x",
        "https://github.com/o/../app",
        "https://github.com/o/app/pull/1",
        "https://github.com/o/app/issues/1",
        "https://gitlab.com/o/app/-/merge_requests/1",
        "https://github.com/o/app\n/close",
        "https://" + "a" * 300 + "/o/app",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_plain_address_of_a_repository_is_no_link(source):
    assert str(source_links({}, labels(source, NEW))) == ""


@pytest.mark.parametrize("revision", ["", "main", "HEAD", "../x", "a" * 65, "abc)", "@everyone"])
def test_what_is_no_revision_links_to_the_repository_alone(revision):
    found = source_links({}, labels("https://github.com/o/app", revision))
    assert (found.commit, found.compare) == ("https://github.com/o/app", "")


def test_nothing_is_compared_across_repositories():
    found = source_links(labels("https://github.com/o/fork", OLD), labels("https://github.com/o/app", NEW))
    assert (bool(found.commit), found.compare) == (True, "")
