"""What an editor refuses, and that one refused place never stops the others."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

import pytest

from tests.editors.parts import DIGEST, edit_all, edit_markers, wishes_for
from updater.editors import EDITORS, keypaths, make_editor, make_editors, plans, scalars
from updater.editors.helm import HelmEditor, set_values
from updater.editors.kustomize import KustomizeEditor
from updater.editors.marker import MarkerEditor
from updater.editors.plans import EditPlan
from updater.errors import ConfigError, EditError
from updater.model.image import parse_ref
from updater.model.subscription import Locator
from updater.model.update import EditRequest
from updater.model.view import PartKind
from updater.model.written import Written

TWO = 'a: x:1 # {"$imagepolicy": "ns:a"}\nb: x:1 # {"$imagepolicy": "ns:b"}\n'
DOCKERFILE = 'FROM x:1 # {"$imagepolicy": "ns:a"}\nARG T=1 # {"$imagepolicy": "ns:b:tag"}\n'
CASES = [
    pytest.param(MarkerEditor(), "a.yaml", TWO, Locator(name="ns:a"), id="marker"),
    pytest.param(MarkerEditor(("Dockerfile",)), "Dockerfile", DOCKERFILE, Locator(name="ns:a"), id="text"),
    pytest.param(
        KustomizeEditor(), "kustomization.yaml", "images:\n- name: x\n  newTag: v1\n", Locator(name="x"), id="kustomize"
    ),
    pytest.param(HelmEditor(), "values.yaml", "tag: v1\n", Locator(path="values.yaml", tag="tag"), id="helm"),
]


@pytest.mark.parametrize(("editor", "path", "text", "locator"), CASES)
def test_a_place_that_says_something_else_than_when_it_was_read_is_refused(editor, path, text, locator):
    requests, _ = wishes_for(editor, path, text.encode(), locator, "x:7.7.7")
    stale = [replace(request, reading=replace(request.reading, written=Written(name="x", tag="other"))) for request in requests]
    edit = editor.edit(path, text.encode(), stale)
    assert edit.after == text.encode()
    assert [problem.code for problem in edit.refused] == ["moved"]
    assert all(problem.line and problem.path == path for problem in edit.refused)


@pytest.mark.parametrize(("editor", "path", "text", "locator"), CASES)
def test_writing_twice_changes_nothing_the_second_time_and_refuses_nothing(editor, path, text, locator):
    requests, _ = wishes_for(editor, path, text.encode(), locator, "x:7.7.7")
    first = editor.edit(path, text.encode(), requests)
    second = editor.edit(path, first.after, requests)
    assert first.changes
    assert (second.after, second.changes, second.refused) == (first.after, (), ())


@pytest.mark.parametrize(("editor", "path", "text", "locator"), CASES)
def test_two_wishes_for_one_place_must_agree(editor, path, text, locator):
    one, _ = wishes_for(editor, path, text.encode(), locator, "x:7.7.7")
    other, _ = wishes_for(editor, path, text.encode(), locator, "x:8.8.8")
    edit = editor.edit(path, text.encode(), [*one, *one, *other])
    assert edit.after == editor.edit(path, text.encode(), one).after
    assert [problem.code for problem in edit.refused] == ["conflict"]


@pytest.mark.parametrize(("editor", "path", "text", "locator"), CASES)
def test_a_file_that_became_unreadable_refuses_every_wish(editor, path, text, locator):
    requests, _ = wishes_for(editor, path, text.encode(), locator, "x:7.7.7")
    edit = editor.edit(path, b"\xff\xfe", requests)
    assert edit.after == b"\xff\xfe"
    assert {problem.code for problem in edit.refused} == {"not-utf8"}


@pytest.mark.parametrize(("editor", "path", "text", "locator"), CASES[:2])
def test_a_place_that_is_gone_is_refused(editor, path, text, locator):
    requests, _ = wishes_for(editor, path, text.encode(), locator, "x:7.7.7")
    edit = editor.edit(path, b"c: 1\n", requests)
    assert [problem.code for problem in edit.refused] == ["moved"]


def test_a_kustomize_entry_that_is_gone_is_refused_not_added_again():
    requests, _ = wishes_for(
        KustomizeEditor(), "kustomization.yaml", b"images:\n- name: x\n  newTag: v1\n", Locator(name="x"), "x:2"
    )
    edit = KustomizeEditor().edit("kustomization.yaml", b"images:\n- name: y\n", requests)
    assert [problem.code for problem in edit.refused] == ["moved"]


def test_an_entry_that_somebody_added_meanwhile_is_decided_again():
    requests, _ = wishes_for(KustomizeEditor(), "kustomization.yaml", b"kind: Kustomization\n", Locator(name="x"), "x:2")
    edit = KustomizeEditor().edit("kustomization.yaml", b"images:\n- name: x\n  newTag: v9\n", requests)
    assert [problem.code for problem in edit.refused] == ["moved"]


def test_one_place_that_cannot_be_proved_does_not_stop_the_others():
    text = 'a: "x:1" # {"$imagepolicy": "ns:a"}\nb: # {"$imagepolicy": "ns:c"}\n  c: d\nc: x:1 # {"$imagepolicy": "ns:b"}\n'
    edit, problems = edit_markers(MarkerEditor(), "a.yaml", text, {"ns:a": "x:2", "ns:b": "x:3", "ns:c": "x:4"})
    assert edit.after.decode() == text.replace('"x:1"', '"x:2"').replace("c: x:1", "c: x:3")
    assert [(problem.line, problem.code) for problem in problems] == [(2, "marker-place")]


@pytest.mark.parametrize(
    ("ref", "code"),
    [pytest.param("x@" + DIGEST, "no-tag", id="digest-for-a-tag"), pytest.param("x", "no-tag", id="nothing-for-a-tag")],
)
def test_a_tag_is_never_erased(ref, code):
    text = 'a: v1 # {"$imagepolicy": "ns:a:tag"}\n'
    edit, problems = edit_markers(MarkerEditor(), "a.yaml", text, {"ns:a": ref})
    assert (edit.after.decode(), [problem.code for problem in problems]) == (text, [code])
    edit, problems = edit_all(HelmEditor(), "v.yaml", "tag: v1\n", (Locator(path="v.yaml", tag="tag"), ref))
    assert (edit.after, [problem.code for problem in problems]) == (b"tag: v1\n", [code])


@pytest.mark.parametrize(
    ("comment", "hint"),
    [
        ('# {"$imagepolicy": "ns:p:tags"}', "did you mean :tag?"),
        ('# {"$imagepolicy": "ns/p"}', 'write "ns:p"'),
        ('# {"$imagepolicy": " ns:p"}', 'write "ns:p"'),
        ("# {'$imagepolicy': 'ns:p'}", 'write # {"$imagepolicy": "ns:p"}'),
        ('# {$imagepolicy: "ns:p"}', 'write # {"$imagepolicy": "ns:p"}'),
        ('# old {"$imagepolicy": "ns:p"}', 'write # {"$imagepolicy": "ns:p"}'),
        ('# [{"$imagepolicy": "ns:p"}]', 'write # {"$imagepolicy": "ns:p"}'),
        ('# {"$imagepolicy": "ns:p:tag:x"}', "namespace:policy"),
    ],
)
def test_a_marker_that_is_not_understood_says_what_was_meant(comment, hint):
    found = MarkerEditor().read("a.yaml", f"a: x:1 {comment}\n".encode())
    assert [problem.code for problem in found.problems] == ["marker-syntax"]
    assert hint in found.problems[0].hint


@pytest.mark.parametrize(
    "comment",
    ["# see $imagepolicy in the docs", '# {"$ref": "#/definitions/io.k8s.cli.setters.replicas"}', '# {"$kpt-set": "x"}'],
)
def test_comments_of_others_are_none_of_ours(comment):
    found = MarkerEditor().read("a.yaml", f"a: x:1 {comment}\n".encode())
    assert (found.readings, found.problems) == ((), ())


def test_two_markers_of_one_value_are_refused():
    text = '- a\n# {"$imagepolicy": "ns:a"}\n- x:1 # {"$imagepolicy": "ns:a"}\n'
    assert [problem.code for problem in MarkerEditor().read("a.yaml", text.encode()).problems] == ["marker-place"]
    text = '# {"$imagepolicy": "ns:a"}\nFROM x:1 # {"$imagepolicy": "ns:a"}\n'
    assert [problem.code for problem in MarkerEditor(("D",)).read("D", text.encode()).problems] == ["marker-place"]


@pytest.mark.parametrize(
    "text",
    [
        '? x:1 # {"$imagepolicy": "ns:a"}\n: v\n',
        '--- # {"$imagepolicy": "ns:a"}\na: 1\n',
        'a: { # {"$imagepolicy": "ns:a"}\n  b: c }\n',
        '# {"$imagepolicy": "ns:a"}\n- name: x:1\n',
        '# {"$imagepolicy": "ns:a"}\n\n- x:1\n',
        'a: 1\n# {"$imagepolicy": "ns:a"}',
    ],
)
def test_a_marker_in_an_impossible_place_is_said(text):
    found = MarkerEditor().read("a.yaml", text.encode())
    assert found.readings == ()
    assert [problem.code for problem in found.problems] == ["marker-place"]
    assert found.problems[0].hint


def test_a_question_about_one_policy_hears_nothing_of_the_others():
    text = 'a: # {"$imagepolicy": "ns:a"}\nb:\n  x: v1 # {"$imagepolicy": "ns:b:tag"}\n  x: v2\n'
    editor = MarkerEditor()
    assert {problem.code for problem in editor.read("a.yaml", text.encode()).problems} == {"empty-value", "duplicate-key"}
    assert editor.read("a.yaml", text.encode(), Locator(name="ns:c")).readings == ()
    assert editor.read("a.yaml", b'{{ # {"$imagepolicy": "ns:b"}', Locator(name="ns:c")).problems == ()
    assert editor.read("a.yaml", b'{{ # {"$imagepolicy": "ns:c"}', Locator(name="ns:c")).problems != ()


def test_parts_of_one_image_in_one_mapping_are_one_place():
    text = 'kind: Pod\nimage:\n  n: x # {"$imagepolicy": "ns:a:name"}\n  t: v1 # {"$imagepolicy": "ns:a:tag"}\n'
    text += '  t2: v1 # {"$imagepolicy": "ns:a:tag"}\nfull: x:v1 # {"$imagepolicy": "ns:a"}\n'
    readings = MarkerEditor().read("a.yaml", text.encode(), Locator(name="ns:a")).readings
    assert [[part.kind for part in reading.parts] for reading in readings] == [
        [PartKind.NAME, PartKind.TAG],
        [PartKind.TAG],
        [PartKind.REFERENCE],
    ]
    assert [reading.where for reading in readings] == ["image.n", "image.t2", "full"]
    assert str(readings[0].written) == "x:v1"


def test_a_change_names_line_key_setter_and_object():
    text = "---\n{}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: prod}\nspec:\n  containers:\n"
    text += '  - image: x:1 # {"$imagepolicy": "ns:a"}\n    "odd.key": v1 # {"$imagepolicy": "ns:a:tag"}\n'
    edit, _ = edit_markers(MarkerEditor(), "a.yaml", text, {"ns:a": "x:2"})
    assert [(change.line, change.where, change.old, change.new, change.setter) for change in edit.changes] == [
        (9, "---[1].spec.containers[0].image", "x:1", "x:2", "ns:a"),
        (10, '---[1].spec.containers[0]."odd.key"', "v1", "2", "ns:a:tag"),
    ]
    assert {change.object_id for change in edit.changes} == {("v1", "Pod", "prod", "web")}


def test_an_image_on_another_registry_than_the_one_beside_it_is_refused():
    text = "image:\n  registry: quay.io\n  repository: o/app\n  tag: v1\n"
    locator = Locator(path="v.yaml", name="image.repository", tag="image.tag")
    edit, problems = edit_all(HelmEditor(), "v.yaml", text, (locator, "ghcr.io/o/app:v2"))
    assert (edit.after.decode(), [problem.code for problem in problems]) == (text, ["registry"])
    edit, problems = edit_all(HelmEditor(), "v.yaml", text, (locator, "quay.io/o/next:v2"))
    assert (edit.after.decode(), problems) == (text.replace("o/app", "o/next").replace("v1", "v2"), [])
    own = text.replace("o/app", "quay.io/o/app")
    edit, problems = edit_all(HelmEditor(), "v.yaml", own, (locator, "quay.io/o/app:v2"))
    assert (edit.after.decode(), problems) == (own.replace("v1", "v2"), [])


@pytest.mark.parametrize(
    ("text", "key", "code", "hint"),
    [
        ("image:\n  tag: v1\n", "image.tga", "no-such-key", "did you mean image.tag?"),
        ("image: {}\n", "image.tag", "no-such-key", "keys are never made up"),
        ("image:\n  a: 1\n", "image.zzz", "no-such-key", "there are a"),
        ("a: []\n", "a[0]", "no-such-key", "the list is empty"),
        ("a: [x]\n", "a", "not-a-scalar", "a[0]"),
        ("a: {b: x}\n", "a", "not-a-scalar", "a.b"),
        ("a: x\n", "a[0]", "no-such-key", "it has no keys below"),
        ("a: {b: 1}\n", "a[0]", "no-such-key", "there are b"),
        ("a: 1\n---\na: 2\n", "a", "ambiguous", "one document"),
        ("# nothing\n", "a", "no-such-key", "once"),
        ("a: *gone\n", "a", "no-anchor", "&gone"),
        ("a: 1\n", "a..b", "key-path", "dots"),
        ("a: 1\n", "a[0", "key-path", "dots"),
        ("a: 1\n", "a[0]b", "key-path", "dots"),
        ("a: 1\n", 'a."b', "key-path", "dots"),
        ("a: 1\n", "", "key-path", "dots"),
        ("b: [1, 2]\n", "b[2]", "no-such-key", "[0] to [1]"),
        ("[\n", "a", "not-yaml", "correct"),
        ("a: {{ x\n", "a", "not-yaml", "Helm template"),
    ],
)
def test_a_key_that_is_not_there_says_how_far_the_path_went(text, key, code, hint):
    edit = set_values("v.yaml", text.encode(), [(key, "v2")])
    assert edit.after == text.encode()
    assert [problem.code for problem in edit.refused] == [code]
    assert hint in edit.refused[0].hint


def test_a_merge_key_that_leads_in_circles_ends():
    text = "a: &a\n  <<: *a\n  b: 1\nc:\n  <<: [*a, *a, {d: 2}]\n"
    assert set_values("v.yaml", text.encode(), [("c.zz", "x")]).refused[0].code == "no-such-key"
    assert set_values("v.yaml", text.encode(), [("c.d", "x")]).after.decode() == text.replace("d: 2", "d: x")


def test_a_helm_target_without_a_key_is_a_problem_and_without_a_locator_nothing():
    found = HelmEditor().read("v.yaml", b"a: 1\n", Locator(path="v.yaml"))
    assert [problem.code for problem in found.problems] == ["no-such-key"]
    assert HelmEditor().read("v.yaml", b"a: 1\n").readings == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- a\n", "not-a-mapping"),
        ("images: x\n", "not-a-list"),
        ("a: &a []\nimages: *a\n", "not-a-list"),
        ("x: &x {name: x}\nimages:\n- *x\n", "not-a-mapping"),
        ("images:\n- x\n", "not-a-mapping"),
        ("images:\n- name: x\n  newTag: [1]\n", "not-a-scalar"),
        ("images:\n- name: x\n  newTag: a\n  newTag: b\n", "duplicate-key"),
        ("images: []\nimages: []\n", "duplicate-key"),
    ],
)
def test_a_kustomization_that_cannot_be_edited_safely_is_a_problem(text, code):
    found = KustomizeEditor().read("kustomization.yaml", text.encode(), Locator(name="x"))
    assert [problem.code for problem in found.problems] == [code]
    assert found.problems[0].line


def test_a_comment_between_a_pin_behind_the_dash_and_its_neighbour_is_not_lost():
    text = f"images:\n- digest: {DIGEST}\n  # why\n  name: x\n"
    edit, problems = edit_all(KustomizeEditor(), "kustomization.yaml", text, (Locator(name="x"), "x:2"))
    assert (edit.after.decode(), [problem.code for problem in problems]) == (text, ["comment-in-way"])


@pytest.mark.parametrize(
    ("lines", "ref"),
    [
        pytest.param("- name: x\n  newTag: v1 # until the release\n", f"x@{DIGEST}", id="tag"),
        pytest.param(f"- name: x\n  digest: {DIGEST} # pinned by Ann\n", "x:v2", id="digest"),
        pytest.param("- newTag: v1 # why\n  name: x\n", f"x@{DIGEST}", id="behind-the-dash"),
        pytest.param("- name: x\n  newTag: # why\n    v1\n", f"x@{DIGEST}", id="before-the-value"),
        pytest.param("- name: x\n  newTag: | # why\n    v1\n", f"x@{DIGEST}", id="block-header"),
        pytest.param("- name: x\n  newTag: !!str # why\n    v1\n", f"x@{DIGEST}", id="behind-a-tag"),
        pytest.param("- {name: x, # why\n   newTag: v1}\n", f"x@{DIGEST}", id="flow"),
        pytest.param('- {name: x, # {"$imagepolicy": "a:b:name"}\n   newTag: v1}\n', f"x@{DIGEST}", id="flow-marker-of-another"),
        pytest.param('- name: x\n  newTag: v1 # {"$imagepolicy": "a:b:tga"}\n', f"x@{DIGEST}", id="misspelt-marker"),
        pytest.param('- name: x\n  newTag: v1 # why {"$imagepolicy": "a:b:tag"}\n', f"x@{DIGEST}", id="words-and-marker"),
    ],
)
def test_a_comment_on_the_line_of_a_key_that_must_go_is_not_deleted(lines, ref):
    text = f"images:\n{lines}"
    edit, problems = edit_all(KustomizeEditor(), "kustomization.yaml", text, (Locator(name="x"), ref))
    assert (edit.after.decode(), [problem.code for problem in problems]) == (text, ["comment-in-way"])
    assert problems[0].line
    assert "by hand" in problems[0].hint


@pytest.mark.parametrize(
    ("lines", "after"),
    [
        pytest.param('  newTag: v1 # {"$imagepolicy": "a:b:tag"}\n', "", id="marker"),
        pytest.param("  newTag: v1#2\n", "", id="no-comment"),
        pytest.param("  newTag: 'v1 # 2'\n", "", id="in-quotes"),
        pytest.param("  newTag: |\n    v1\n  # below\n", "  # below\n", id="below-a-block"),
        pytest.param("  newTag: &a v1\n  # below\n", "  # below\n", id="anchor"),
    ],
)
def test_a_marker_goes_with_its_value_and_comments_on_other_lines_stay(lines, after):
    text = f"images:\n- name: x # mine\n{lines}"
    edit, problems = edit_all(KustomizeEditor(), "kustomization.yaml", text, (Locator(name="x"), f"x@{DIGEST}"))
    assert not problems
    assert edit.after.decode() == f"images:\n- name: x # mine\n  digest: {DIGEST}\n{after}"


def test_without_a_locator_every_entry_is_read():
    text = b"images:\n- name: x\n  newTag: v1\n- name: y\n  newName: z\n- newTag: lost\n"
    readings = KustomizeEditor().read("kustomization.yaml", text).readings
    assert [(reading.setter, str(reading.written)) for reading in readings] == [("x", "x:v1"), ("y", "z")]


def test_a_name_is_kept_in_another_spelling_unless_it_is_wanted_as_spelled():
    text = "images:\n- name: nginx\n  newTag: v1\n"
    asked = (Locator(name="nginx"), "docker.io/library/nginx:v2")
    kept, _ = edit_all(KustomizeEditor(), "kustomization.yaml", text, asked)
    spelled, _ = edit_all(KustomizeEditor(is_as_spelled=True), "kustomization.yaml", text, asked)
    assert kept.after.decode() == "images:\n- name: nginx\n  newTag: v2\n"
    assert spelled.after.decode() == "images:\n- name: nginx\n  newName: docker.io/library/nginx\n  newTag: v2\n"


@pytest.mark.parametrize(
    ("path", "files"),
    [
        (".", ("kustomization.yaml", "kustomization.yml", "Kustomization")),
        ("a/b/", ("a/b/kustomization.yaml", "a/b/kustomization.yml", "a/b/Kustomization")),
        ("a/kustomization.yml", ("a/kustomization.yml",)),
    ],
)
def test_a_kustomization_is_sought_by_its_three_names(path, files):
    assert KustomizeEditor().files(Locator(path=path)) == files


def test_which_files_each_editor_wants():
    marker = MarkerEditor(("Dockerfile*", "infra/*.tf"))
    wanted = ["a.yaml", "a.YML", "x/Kustomization", "Dockerfile.prod", "infra/a.tf", ".yaml"]
    assert [path for path in [*wanted, "a.json", "kustomization", "a.tf", "x.txt"] if marker.wants(path)] == wanted
    assert marker.files(Locator()) is None
    assert HelmEditor().files(Locator(path="a/v.yaml")) == ("a/v.yaml",)
    assert HelmEditor().wants("anything")
    assert not KustomizeEditor().wants("a.yaml")


def test_paths_are_shown_as_they_are_read():
    for steps in [("a", 0, "b"), ("a.b", "c d", '"'), (0, 1), ("---", "a=b"), ("",)]:
        assert keypaths.parse(keypaths.show(steps)) == steps
    assert keypaths.show(()) == "."


def test_a_key_ends_at_the_first_sign_outside_quotes_and_brackets():
    assert keypaths.split('a."b=c\\"=".d[0]=e=f', "=") == ('a."b=c\\"=".d[0]', "e=f")
    assert keypaths.split("a.b", "=") is None


class _Point:
    name = "mine"
    value = "mine:Editor"

    def __init__(self, made):
        self._made = made

    def load(self):
        return self._made


def test_another_package_may_bring_an_editor(monkeypatch):
    monkeypatch.setattr(metadata, "entry_points", lambda group: [_Point(HelmEditor)])
    assert make_editor("mine").name == "helm"
    assert set(make_editors(("*.env",))) == {*EDITORS, "mine"}


def test_an_editor_that_does_not_load_is_a_configuration_error(monkeypatch):
    monkeypatch.setattr(metadata, "entry_points", lambda group: [_Point(None)])
    with pytest.raises(ConfigError, match="does not load") as caught:
        make_editor("mine")
    assert caught.value.code == "editor"


def test_an_unknown_editor_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        make_editor("kustomise")
    assert "kustomize" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        make_editor("zzz")
    assert "marker" in caught.value.hint


def test_a_wish_for_a_place_without_a_tag_or_digest_changes_the_name_alone():
    edit, _ = edit_all(KustomizeEditor(), "kustomization.yaml", "images:\n- name: x\n  newTag: v1\n", (Locator(name="x"), "w"))
    assert edit.after == b"images:\n- name: x\n  newName: w\n  newTag: v1\n"


def test_errors_of_the_yaml_library_never_leave():
    for data in (b"[", b"a: \x00", b"%YAML 9.9\n---\n", b"&a &b c", b"a: 'x", b"\t- a"):
        request = EditRequest(locator=Locator(tag="a"), reading=None, image=parse_ref("x:1"))
        assert HelmEditor().read("a.yaml", data, request.locator).problems
        with pytest.raises(EditError):
            keypaths.parse("[")


def test_plans_that_fail_together_are_proved_one_by_one():
    parsed = scalars.parse(b"a: x\nb: y\n", "a.yaml")
    at = {event.value: index for index, event in enumerate(parsed.events) if hasattr(event, "value")}
    good = EditPlan(line=1, steps=((scalars.replacement(parsed, at["x"], "z", "a.yaml"), None),))
    bad = EditPlan(line=2, steps=((scalars.Splice(start=8, end=9, text="q\nc: d", at=at["y"], value="q"), None),))
    edit = plans.write("a.yaml", b"a: x\nb: y\n", parsed, [bad, good], [])
    assert edit.after == b"a: z\nb: y\n"
    assert [(problem.code, problem.line) for problem in edit.refused] == [("unproved", 2)]
    edit = plans.write("a.yaml", b"a: x\nb: y\n", parsed, [bad], [])
    assert (edit.after, [problem.code for problem in edit.refused]) == (b"a: x\nb: y\n", ["unproved"])


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("IMAGE= #", "", "empty-value"),
        ('TAG="" #', ":tag", "empty-value"),
        ("FROM a/b #", ":tag", "empty-value"),
        ("X = 1 2 #", ":tag", "ambiguous"),
        ("x #", ":digest", "empty-value"),
        ("ENV T 1", ":tag", "marker-syntax"),
    ],
)
def test_a_line_of_a_text_that_names_no_single_value_is_said(line, kind, said):
    text = f'{line} {{"$imagepolicy": "ns:a{kind}"}}\n'
    found = MarkerEditor(("D",)).read("D", text.encode())
    assert found.readings == ()
    assert [problem.code for problem in found.problems] == [said]


@pytest.mark.parametrize(
    ("line", "kind", "value"),
    [
        ("FROM ghcr.io/o/app #", "", "ghcr.io/o/app"),
        ("FROM ghcr.io/o/app:1 #", ":name", "ghcr.io/o/app"),
        ("FROM ghcr.io/o/app:1 AS x #", ":tag", "1"),
        ("version := '1.2' --", ":tag", "1.2"),
        ("name = nginx ;", ":name", "nginx"),
        (f"d = {DIGEST} //", ":digest", DIGEST),
        ("\tENV T 1 #", ":tag", "1"),
        ("IMG ?= a:1 #", "", "a:1"),
    ],
)
def test_the_one_value_of_a_line_is_found_by_its_form(line, kind, value):
    text = f'{line} {{"$imagepolicy": "ns:a{kind}"}}\n'
    readings = MarkerEditor(("D",)).read("D", text.encode(), Locator(name="ns:a")).readings
    assert [reading.parts[0].text for reading in readings] == [value]


@pytest.mark.parametrize(
    "comment", ['# {"$ref": "#/definitions/io.k8s.cli.setters.x"}', "# $imagepolicy", '// {"a": "$imagepolicy"}']
)
def test_comments_of_others_in_a_text_are_none_of_ours(comment):
    found = MarkerEditor(("D",)).read("D", f"FROM x:1 {comment}\n".encode())
    assert (found.readings, found.problems) == ((), ())


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("{kind: K, images: []}", "{kind: K, images: [{name: x, newTag: v2}]}"),
        ("{kind: K, images: null}", "{kind: K, images: [{name: x, newTag: v2}]}"),
        ("{kind: K, images: }", "{kind: K, images: [{name: x, newTag: v2}]}"),
        ("kind: K\nimages:\n  []\n", "kind: K\nimages:\n  [{name: x, newTag: v2}]\n"),
        ("images: [{newTag: v1, name: x}]\n", "images: [{newTag: v2, name: x}]\n"),
        (f"images: [{{digest: {DIGEST}, name: x}}]\n", "images: [{name: x, newTag: v2}]\n"),
        (f"images:\n- name: x\n  digest: {DIGEST}", "images:\n- name: x\n  newTag: v2"),
        (f"images:\r\n- name: x\r\n  digest: {DIGEST}", "images:\r\n- name: x\r\n  newTag: v2"),
        ("images:\n-\n  name: y\n", "images:\n-\n  name: y\n- name: x\n  newTag: v2\n"),
        ("images: &i\n  - &y {name: y}\n", "images: &i\n  - &y {name: y}\n  - name: x\n    newTag: v2\n"),
    ],
)
def test_every_shape_of_images_takes_an_entry(text, after):
    edit, problems = edit_all(KustomizeEditor(), "kustomization.yaml", text, (Locator(name="x"), "x:v2"))
    assert (edit.after.decode(), problems) == (after, [])
