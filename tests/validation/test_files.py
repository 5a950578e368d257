"""A folder is linted by what stands in its files."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.settings.making import SUBSCRIPTION
from updater.errors import ConfigError
from updater.validation.files import lint

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: ">=1.0.0"}}
"""
AUTHOR = "git: {author: {name: images, email: images@example.org}}\n"
MARKED = 'spec:\n  image: ghcr.io/org/app:1.0.0 # {"$imagepolicy": "flux-system:app"}\n'


@pytest.fixture
def tree(tmp_path: Path):
    def write(**texts: str) -> Path:
        for name, text in texts.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def said(report) -> list[tuple[str, int | None, str]]:
    return [(item.path.rpartition("/")[2], item.line, item.code) for item in report.problems]


def test_a_clean_tree_is_clean(tree):
    folder = tree(
        policy_yaml=POLICY,
        apps__a_yaml=MARKED,
        updater_yaml=AUTHOR + SUBSCRIPTION,
        README_md="x",
        values_yaml="log: {a: b}\nstate: x\n",
    )
    report = lint([folder])
    assert (said(report), report.files) == ([], 4)


def test_an_author_has_a_name_and_an_email_in_whichever_files_they_stand(tree):
    folder = tree(updater_yaml="git: {author: {email: images@example.org}}\n" + SUBSCRIPTION)
    report = lint([folder])
    assert said(report) == [("updater.yaml", None, "no-author")]
    assert report.problems[0].message.startswith("git.author.name must be set")
    (folder / "conf").mkdir()
    (folder / "conf/updater.yaml").write_text("git: {author: {name: images}}\n")
    assert said(lint([folder])) == []


def test_a_marker_that_no_policy_answers_is_said_with_the_nearest(tree):
    report = lint([tree(policy_yaml=POLICY, a_yaml=MARKED.replace(":app", ":ap"))])
    assert said(report) == [("a.yaml", 2, "marker-policy")]
    assert report.problems[0].hint == "did you mean 'flux-system:app'?"


def test_objects_in_a_list_as_kubectl_writes_it_count_and_are_checked(tree):
    """What `kubectl get -o yaml` printed is a List: its policies answer markers, its objects are checked at their lines."""
    item = POLICY.replace(">=1.0.0", "1.z").replace("\n", "\n  ").rstrip()
    listed = (
        f"apiVersion: v1\nitems:\n- {item}\n  status: {{observedGeneration: 1}}\nkind: List\nmetadata: {{resourceVersion: ''}}\n"
    )
    report = lint([tree(flux_yaml=listed, a_yaml=MARKED)])
    assert said(report) == [("flux.yaml", 8, "policy")]


def test_without_any_policy_the_hint_asks_for_them(tree):
    (problem,) = lint([tree(a_yaml=MARKED)]).problems
    assert "ImagePolicy" in problem.hint


def test_marker_targets_of_a_configuration_are_policies_too(tree):
    marked = MARKED.replace(":app", ":myapp")
    folder = tree(apps__a_yaml=marked, updater_yaml=AUTHOR + SUBSCRIPTION)
    assert lint([folder / "apps"]).problems
    assert not lint([folder]).problems
    assert not lint([folder / "apps"], configurations=[folder / "updater.yaml"]).problems


def test_a_policy_without_namespace_may_be_of_any(tree):
    assert not lint([tree(p_yaml=POLICY.replace(", namespace: flux-system", ""), a_yaml=MARKED)]).problems


def test_a_misspelt_marker_is_a_problem(tree):
    report = lint([tree(policy_yaml=POLICY, a_yaml=MARKED.replace(":app", ":app:tagg"))])
    assert [(name, line) for name, line, _ in said(report)] == [("a.yaml", 2)]


def test_text_markers_of_the_configuration_decide_which_texts_count(tree):
    folder = tree(
        mine_yaml='text_markers: ["Dockerfile*"]',
        apps__Dockerfile='FROM ghcr.io/org/app:1.0.0 # {"$imagepolicy": "flux-system:app"}\n',
    )
    assert not lint([folder / "apps"]).problems
    assert said(lint([folder / "apps"], configurations=[folder / "mine.yaml"])) == [("Dockerfile", 1, "marker-policy")]


def test_every_kind_in_one_file_is_checked(tree):
    text = (
        POLICY.replace("range", "rnge")
        + "---\n"
        + MARKED
        + "---\n"
        + (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: x\n  annotations:\n"
            "    argocd-image-updater.argoproj.io/image-lst: a\n"
        )
    )
    assert said(lint([tree(all_yaml=text)])) == [
        ("all.yaml", 6, "unknown-key"),
        ("all.yaml", 6, "missing-key"),
        ("all.yaml", 15, "image-list"),
        ("all.yaml", 16, "unknown-key"),
    ]


def test_a_broken_configuration_gives_all_its_problems_and_what_needs_a_cluster(tree):
    assert said(lint([tree(updater_yaml="intervall: 1\ninterval: x\n")])) == [
        ("updater.yaml", 1, "unknown-key"),
        ("updater.yaml", 2, "duration"),
    ]
    assert said(lint([tree(updater_yaml='web: {users: "file:/x"}\n')])) == [("updater.yaml", 1, "conflict")]


def test_what_the_daemon_does_not_take_is_told_before_it_starts(tree):
    alone = (
        "subscriptions:\n- key: app\n  image: ghcr.io/o/app\n  policy: {semver: {}}\n  gates: {group: shop}\n"
        "  targets: [{git: {url: 'https://git.test/fleet.git'}, marker: 'ns:app'}]\n"
    )
    assert said(lint([tree(updater_yaml=alone + AUTHOR)])) == [("updater.yaml", 2, "group")]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("subscriptions: 3\n", 1),
        ("registries: [{prefix: a.b, x: 1}]\n", 1),
        ("registries: [{name: a, api_url: 'https://a.b', x: 1}]\n", 1),
        ("registries: [a]\n", 0),
        ("a: [\n", 0),
        ("kind: x\nsubscriptions: 3\n", 0),
        ("- subscriptions\n", 0),
    ],
)
def test_a_configuration_is_known_by_its_content(tree, text, count):
    assert len(lint([tree(some_yaml=text)]).problems) == count


def test_a_file_that_is_named_is_always_looked_at(tree):
    folder = tree(some_yaml="a: [\n", note_txt="a: [\n", updater_yaml="- a\n", empty_yaml="")
    assert said(lint([folder / "some.yaml"])) == [("some.yaml", 2, "not-yaml")]
    assert said(lint([folder / "note.txt", folder / "empty.yaml"])) == []
    assert said(lint([folder / "updater.yaml"])) == [("updater.yaml", 1, "wrong-type")]


def test_a_file_that_names_a_peer_and_is_no_yaml_is_said(tree):
    assert said(lint([tree(t_yaml="apiVersion: image.toolkit.fluxcd.io/v1\nspec:\n  a: [\n")]))[0][2] == "not-yaml"


def test_the_store_of_git_is_not_entered_and_symlinks_are_not_followed(tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "bad.yaml").write_text(MARKED)
    folder = tree(**{".git__bad_yaml": MARKED})
    (folder / "link.yaml").symlink_to(outside / "bad.yaml")
    (folder / "folder").symlink_to(outside)
    report = lint([folder])
    assert (report.problems, report.files) == ((), 0)


def test_a_path_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file or folder"):
        lint([tmp_path / "absent"])


def test_a_file_that_cannot_be_read_is_a_problem_and_others_are_checked(tree, monkeypatch):
    """A socket is a name that nobody may open as a file, not even root."""
    folder = tree(b_yaml="subscriptions: 7\n", updater_yaml="intervall: 1m\n")
    monkeypatch.chdir(folder)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("a.yaml")
        report = lint([folder / "a.yaml", folder / "updater.yaml"])
    assert said(report) == [("a.yaml", None, "unreadable"), ("updater.yaml", 1, "unknown-key")]


def test_a_file_named_twice_is_looked_at_once(tree):
    folder = tree(a_yaml=MARKED)
    assert len(lint([folder, folder / "a.yaml"]).problems) == 1


def test_a_hint_names_a_few_of_many_policies_and_never_an_empty_namespace(tree):
    policies = "---\n".join(POLICY.replace("name: app, namespace: flux-system", f"name: other-{n}") for n in range(120))
    (problem,) = lint([tree(policy_yaml=policies, a_yaml=MARKED)]).problems
    assert problem.hint == "known are other-0, other-1, other-10, other-100, other-101 and 115 more"


def test_a_marker_of_a_tag_on_a_full_reference_and_a_misspelt_key_are_problems(tree):
    text = MARKED.replace("system:app", "system:app:tag") + MARKED.replace("$imagepolicy", "$imagePolicy").replace("spec", "more")
    report = lint([tree(policy_yaml=POLICY, a_yaml=text)])
    assert said(report) == [("a.yaml", 2, "misfit"), ("a.yaml", 4, "marker-syntax")]
    assert [problem.hint for problem in report.problems] == [
        'write "flux-system:app" to mark the full reference',
        'write # {"$imagepolicy": "flux-system:app"}',
    ]


def test_an_automation_of_the_first_version_is_told_where_its_fields_went(tree):
    text = "apiVersion: image.toolkit.fluxcd.io/v1alpha1\nkind: ImageUpdateAutomation\nmetadata: {name: a}\nspec: {}\n"
    hints = [problem.hint for problem in lint([tree(a_yaml=text)]).problems if problem.code == "api-version"]
    assert hints
    assert "spec.checkout is now spec.sourceRef and spec.git.checkout" in hints[0]
