"""Files of overrides: the peer's cases under their ids, what moved meanwhile, and shapes that are refused."""

from __future__ import annotations

import pytest

from tests.editors.parts import DIGEST, edit_all
from updater.editors import make_editor
from updater.editors.argocd_source import ArgocdSourceEditor
from updater.editors.base import creates
from updater.model.image import parse_ref
from updater.model.subscription import Locator
from updater.model.update import EditRequest
from updater.model.view import PartKind
from updater.model.written import Written

PATH = "apps/.argocd-source-web.yaml"
EDITOR = ArgocdSourceEditor()
WRITTEN = "helm:\n  parameters:\n  - {name: image.name, value: ghcr.io/o/web}\n  - {name: image.tag, value: a}\n"
HELM = Locator(path=PATH, section="helm", name="image.name", tag="image.tag")


def kustomize(before, *refs, name=None):
    """Write images into a kustomize section; gives its images and the codes of what was refused."""
    head = "kustomize:\n  images:\n"
    text = head + "".join(f"  - {image}\n" for image in before)
    asked = [(Locator(path=PATH, section="kustomize", name=name, spec=parse_ref(ref).name.spelled), ref) for ref in refs]
    edit, problems = edit_all(EDITOR, PATH, text, *asked)
    after = edit.after.decode().removeprefix(head)
    return [line.removeprefix("  - ") for line in after.splitlines()], [problem.code for problem in problems]


@pytest.mark.parametrize(
    ("before", "refs", "after"),
    [
        pytest.param(["nginx:latest"], [f"nginx:latest@{DIGEST}"], [f"nginx:latest@{DIGEST}"], id="argo-106"),
        pytest.param(
            ["quay.io/nginx:a"],
            ["docker.io/nginx:a"],
            ["quay.io/nginx:a", "docker.io/nginx:a"],
            id="argo-107",
        ),
        pytest.param(
            ["docker.io/jannfis/foobar:1.0.0"], ["jannfis/foobar:1.0.1"], ["docker.io/jannfis/foobar:1.0.1"], id="argo-108"
        ),
        pytest.param(["baz"], ["foo", "bar"], ["baz", "foo", "bar"], id="argo-109"),
        pytest.param(
            ["existing:a", "updated:old"],
            ["new", "updated:a"],
            ["existing:a", "updated:a", "new"],
            id="argo-110",
        ),
        (["nginx"], ["nginx:foo"], ["nginx:foo"]),
        (["nginx:foo"], ["nginx:foo"], ["nginx:foo"]),
        (["old=nginx:1"], ["nginx:2"], ["old=nginx:2"]),
        (["nginx:1"], [f"nginx@{DIGEST}"], [f"nginx@{DIGEST}"]),
    ],
)
def test_images_merge_by_the_name_that_they_replace(before, refs, after):
    assert kustomize(before, *refs) == (after, [])


def test_argo_153_an_image_gets_the_name_that_it_replaces():
    assert kustomize(["jannfis/foobar:1.0.0"], "jannfis/foobar:1.0.1", name="foobar") == (["foobar=jannfis/foobar:1.0.1"], [])


def test_an_image_that_replaces_another_name_is_not_touched():
    assert kustomize(["one=r/app:1"], "r/app:2", name="two") == (["one=r/app:1", "two=r/app:2"], [])


def test_a_new_registry_keeps_the_name_that_the_manifests_have():
    assert kustomize(["app:1"], "ghcr.io/o/app:2", name="app") == (["app=ghcr.io/o/app:2"], [])


def test_argo_140_parameters_of_people_stay_where_they_are():
    text = "helm:\n  parameters:\n  - name: foo\n    value: mine\n"
    edit, problems = edit_all(EDITOR, PATH, text, (HELM, "ghcr.io/o/web:1.2.3"))
    names = [line.partition(": ")[2] for line in edit.after.decode().splitlines() if "name:" in line]
    assert (names, problems) == (["foo", "image.name", "image.tag"], [])
    assert edit.after.decode().startswith(text)


def test_argo_141_a_file_of_another_shape_is_never_made_anew():
    edit, problems = edit_all(EDITOR, PATH, "just text\n", (HELM, "ghcr.io/o/web:1.2.3"))
    assert (edit.after, [problem.code for problem in problems]) == (b"just text\n", ["not-a-mapping"])


def test_what_is_written_is_read_with_every_part():
    text = "helm:\n  parameters:\n  - {name: image.tag, value: '1.0'}\n  - {name: image.name, value: ghcr.io/o/web}\n"
    (reading,) = EDITOR.read(PATH, text.encode(), HELM).readings
    assert reading.written == Written(name="ghcr.io/o/web", tag="1.0")
    assert [(part.kind, part.where, part.line) for part in reading.parts] == [
        (PartKind.NAME, "helm.parameters[image.name]", 4),
        (PartKind.TAG, "helm.parameters[image.tag]", 3),
    ]
    assert (reading.where, reading.setter, reading.is_missing) == ("helm.parameters[image.tag]", "image.tag", False)


def test_a_file_that_is_not_there_is_a_missing_place():
    (reading,) = EDITOR.read(PATH, b"", HELM).readings
    assert (reading.is_missing, reading.written, reading.line) == (True, Written(), 1)
    assert creates(EDITOR)
    assert not creates(make_editor("helm"))


def test_nothing_is_found_without_a_locator_and_files_have_the_names_that_argo_cd_reads():
    assert EDITOR.read(PATH, b"helm: {}\n").readings == ()
    assert EDITOR.files(HELM) == (PATH,)
    assert [EDITOR.wants(name) for name in (PATH, ".argocd-source.yaml", "values.yaml")] == [True, True, False]


@pytest.mark.parametrize(
    ("before", "now", "code"),
    [
        (WRITTEN, WRITTEN.replace("value: a}", "value: b}"), "moved"),
        ("", "helm:\n  parameters:\n  - {name: image.tag, value: pinned}\n", "moved"),
        (WRITTEN, "", "moved"),
    ],
)
def test_a_place_that_changed_since_it_was_read_is_refused(before, now, code):
    (reading,) = EDITOR.read(PATH, before.encode(), HELM).readings
    edit = EDITOR.edit(PATH, now.encode(), [EditRequest(locator=HELM, reading=reading, image=parse_ref("ghcr.io/o/web:c"))])
    assert (edit.after, [problem.code for problem in edit.refused]) == (now.encode(), [code])


def test_what_somebody_else_wrote_meanwhile_and_is_right_is_no_conflict():
    (reading,) = EDITOR.read(PATH, b"", HELM).readings
    now = b"helm:\n  parameters:\n  - {name: image.name, value: ghcr.io/o/web}\n  - {name: image.tag, value: c}\n"
    edit = EDITOR.edit(PATH, now, [EditRequest(locator=HELM, reading=reading, image=parse_ref("ghcr.io/o/web:c"))])
    assert (edit.after, edit.refused, edit.changes) == (now, (), ())


def test_each_change_has_its_line_in_the_result():
    text = "kustomize:\n  images: []\nhelm:\n  parameters:\n  - name: image.tag\n    value: a\n"
    images = Locator(path=PATH, section="kustomize", spec="redis")
    edit, _ = edit_all(EDITOR, PATH, text, (HELM, "ghcr.io/o/web:b"), (images, "redis:7"))
    lines = edit.after.decode().splitlines()
    for change in edit.changes:
        assert change.new in lines[change.line - 1]
    assert {(change.where, change.old, change.new) for change in edit.changes} == {
        ("helm.parameters[image.tag]", "a", "b"),
        ("helm.parameters[image.name]", "", "ghcr.io/o/web"),
        ("kustomize.images[redis]", "", "redis:7"),
    }


@pytest.mark.parametrize(
    ("text", "locator", "code"),
    [
        ("helm: {}\n", Locator(path=PATH, tag="t"), "section"),
        ("helm: {}\n", Locator(path=PATH, section="helmet", tag="t"), "section"),
        ("helm: {}\n", Locator(path=PATH, section="helm"), "no-such-key"),
        ("a: 1\n---\nb: 2\n", HELM, "several-documents"),
        ("helm: 3\n", HELM, "not-a-mapping"),
        ("helm:\n  parameters: 3\n", HELM, "not-a-list"),
        ("helm:\n  parameters: [3]\n", HELM, "not-a-mapping"),
        ("helm:\n  parameters: [{name: [a]}]\n", HELM, "not-a-scalar"),
        ("kustomize:\n  images: [{name: a}]\n", Locator(path=PATH, section="kustomize", spec="a"), "not-a-scalar"),
        (
            "kustomize:\n  images: [a, docker.io/a]\n",
            Locator(path=PATH, section="kustomize", spec="library/a"),
            "ambiguous",
        ),
        ("helm: {}\nhelm: {}\n", HELM, "duplicate-key"),
    ],
)
def test_what_cannot_be_read_is_one_problem_with_a_hint(text, locator, code):
    found = EDITOR.read(PATH, text.encode(), locator)
    assert found.readings == ()
    assert [problem.code for problem in found.problems] == [code]
    assert found.problems[0].hint


def test_a_place_that_wants_a_tag_gets_none_from_a_digest_alone():
    edit, problems = edit_all(EDITOR, PATH, "", (HELM, f"ghcr.io/o/web@{DIGEST}"))
    assert (edit.after, [problem.code for problem in problems]) == (b"", ["no-tag"])
