"""What cannot be proposed together is refused at load, with file, line and what to do."""

from __future__ import annotations

import pytest

from updater.errors import ConfigError
from updater.sources.file import load


def asked(*those):
    """A configuration whose subscriptions propose: pairs of key and proposal, or a third, the branch."""
    parts = ["git: {author: {name: a, email: a@example.org}}\nsubscriptions:"]
    for key, proposal, *branch in those:
        parts.append(f"""\
  - key: {key}
    image: ghcr.io/o/app
    policy: {{semver: {{range: ">=1.0.0"}}}}
    targets:
      - git: {{url: "https://github.com/o/fleet.git", branch: {branch[0] if branch else "main"}{proposal}}}
        marker: ns:app""")
    return "\n".join(parts)


def loaded(tmp_path, *those):
    path = tmp_path / "updater.yaml"
    path.write_text(asked(*those))
    return load([path], {})


def test_each_subscription_has_a_pull_request_of_its_own(tmp_path):
    found = loaded(tmp_path, ("a", ", proposal: {}"), ("b", ", proposal: {}"), ("c", ", proposal: {}", "stable"))
    branches = [target.destination.push for item in found.snapshot.subscriptions for target in item.targets]
    assert branches == ["updater/main/a", "updater/main/b", "updater/stable/c"]


def test_a_group_shares_one_destination(tmp_path):
    text = ", proposal: {per: group, group: shop, labels: [a]}"
    found = loaded(tmp_path, ("a", text), ("b", text))
    assert len({target.destination for item in found.snapshot.subscriptions for target in item.targets}) == 1


@pytest.mark.parametrize(
    ("those", "code", "words"),
    [
        ([("a-b", ", proposal: {}"), ("a/b", ", proposal: {}")], "proposal-branch", "that of subscription a-b"),
        (
            [("a", ", proposal: {branch: bump}"), ("b", ", proposal: {branch: bump}")],
            "proposal-branch",
            "b proposes from the branch bump",
        ),
        (
            [("a", ", proposal: {group: g}"), ("b", ", proposal: {group: g, draft: true, limit: 2}")],
            "proposal-options",
            "differ in draft, limit",
        ),
        ([("a", ", proposal: {per: destination}"), ("b", ", proposal: {}")], "proposal-branch", "Git cannot hold both"),
        ([("a", ", proposal: {branch: main/x}")], "proposal-branch", "Git cannot hold both"),
        ([("a", ", proposal: {branch: up/x}"), ("b", ", push: up")], "proposal-branch", "Git cannot hold both"),
        ([("a", ", proposal: {branch: x}"), ("b", ", proposal: {branch: x}", "stable")], "push-branch", "over stable"),
        ([("a", ", proposal: {branch: x}"), ("b", "", "x")], "push-branch", "b writes x over x"),
        ([("a", ", proposal: {per: group}")], "proposal-group", "a: per: group needs the name of the group"),
    ],
)
def test_two_ways_to_propose_one_thing_are_refused_with_line_and_hint(tmp_path, those, code, words):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, *those)
    problem = next(item for item in caught.value.problems if item.code == code)
    assert words in problem.message
    assert (problem.line is not None, bool(problem.hint)) == (True, True)
    assert problem.path.endswith("updater.yaml")
