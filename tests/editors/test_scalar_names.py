"""Each physical scalar of a file has one name, by whatever key path, alias or editor it is reached."""

from __future__ import annotations

from contextlib import suppress

import pytest

from updater.editors import outline, scalars
from updater.editors.argocd_source import ArgocdSourceEditor
from updater.editors.helm import HelmEditor
from updater.editors.kustomize import KustomizeEditor
from updater.editors.marker import MarkerEditor
from updater.errors import EditError
from updater.model.subscription import Locator

MARKER = '# {"$imagepolicy": "ns:app:tag"}'


def names(editor, path, text, locator):
    found = editor.read(path, text.encode(), locator)
    assert not found.problems
    return [part.scalar for reading in found.readings for part in reading.parts]


def of_key(text, key):
    return names(HelmEditor(), "values.yaml", text, Locator(tag=key))


@pytest.mark.parametrize(
    ("text", "keys", "name"),
    [
        pytest.param("a: {tag: &v 1.0.0}\nb: {tag: *v}\n", ("a.tag", "b.tag"), "a.tag", id="scalar-anchor"),
        pytest.param("a: &m\n  tag: v1\nb: *m\n", ("a.tag", "b.tag"), "a.tag", id="mapping-anchor"),
        pytest.param("a: &m\n  tag: v1\nb:\n  <<: *m\n", ("a.tag", "b.tag"), "a.tag", id="merge-key"),
        pytest.param("image:\n  tag: v1\n", ("image.tag", '"image".tag', 'image."tag"'), "image.tag", id="quotes"),
        pytest.param("image.tag: v1\n", ("image.tag", '"image.tag"'), '"image.tag"', id="dotted-key"),
        pytest.param("a: [{tag: v1}]\n", ("a[0].tag", '"a"[00].tag'), "a[0].tag", id="list-item"),
        pytest.param("x: 1\n---\na: v1\n", ("a", '"a"'), "---[1].a", id="second-document"),
    ],
)
def test_every_spelling_and_alias_of_one_scalar_has_one_name(text, keys, name):
    assert [of_key(text, key) for key in keys] == [[name]] * len(keys)


def test_two_scalars_that_say_the_same_have_two_names():
    text = "a: {tag: v1}\nb: {tag: v1}\na.tag: v1\n"
    assert len({of_key(text, key)[0] for key in ("a.tag", "b.tag", '"a.tag"')}) == 3


def test_the_marker_and_the_values_key_of_one_scalar_have_one_name():
    text = f"image:\n  tag: v1 {MARKER}\nother: 1\n"
    assert names(MarkerEditor(), "values.yaml", text, Locator(name="ns:app")) == of_key(text, '"image".tag') == ["image.tag"]


def test_a_marked_anchor_and_the_values_key_of_its_alias_have_one_name():
    text = f"v: &v v1 {MARKER}\nimage:\n  tag: *v\n"
    assert names(MarkerEditor(), "values.yaml", text, Locator(name="ns:app")) == of_key(text, "image.tag") == ["v"]


def test_the_marker_and_the_kustomize_entry_of_one_scalar_have_one_name():
    text = f"images:\n- name: x\n  newTag: v1 {MARKER}\n"
    marked = names(MarkerEditor(), "kustomization.yaml", text, Locator(name="ns:app"))
    assert marked == names(KustomizeEditor(), "kustomization.yaml", text, Locator(name="x")) == ["images[0].newTag"]


def test_kustomize_entries_that_share_an_anchor_have_one_name():
    text = "images:\n- name: x\n  newTag: &v v1\n- name: y\n  newTag: *v\n"
    read = [names(KustomizeEditor(), "kustomization.yaml", text, Locator(name=name)) for name in "xy"]
    assert read == [["images[0].newTag"]] * 2


def test_the_marker_and_the_override_of_one_scalar_have_one_name():
    text = f"helm:\n  parameters:\n  - name: image.tag\n    value: v1 {MARKER}\n"
    marked = names(MarkerEditor(), ".argocd-source.yaml", text, Locator(name="ns:app"))
    found = names(ArgocdSourceEditor(), ".argocd-source.yaml", text, Locator(section="helm", tag="image.tag"))
    assert found == marked == ["helm.parameters[0].value"]


def test_an_override_without_a_value_has_no_scalar():
    text = "helm:\n  parameters:\n  - name: image.tag\n"
    assert names(ArgocdSourceEditor(), ".argocd-source.yaml", text, Locator(section="helm", tag="image.tag")) == [""]


def test_a_line_of_a_plain_text_has_no_scalar():
    editor = MarkerEditor(("*.env",))
    assert names(editor, "a.env", f"TAG=v1 {MARKER}\n", Locator(name="ns:app")) == [""]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: v1\na: v1\n", id="doubled-key"),
        pytest.param("? [x]\n: v1\n? [y]\n: v1\n", id="key-that-is-no-text"),
        pytest.param("&k v1: v1\nb: v1\n", id="key-itself"),
        pytest.param("- v1\n- [v1]\n- {a: v1}\n---\n- v1\n--- v1\n--- {'---[2]': v1, '.': v1}\n", id="shapes"),
        pytest.param("'?': v1\n? [x]\n: v1\n", id="key-that-is-a-question-mark"),
        pytest.param("a b: v1\na: {b: v1}\na.b: v1\n'a[0]': v1\n'': v1\n", id="odd-keys"),
    ],
)
@pytest.mark.parametrize("is_shown", [False, True])
def test_no_two_scalars_share_a_name(text, is_shown):
    parsed = scalars.parse(text.encode(), "a.yaml")
    found = [index for index, event in enumerate(parsed.events) if getattr(event, "value", None) == "v1"]
    for index in found if is_shown else ():
        if not outline.is_key(parsed, index):
            with suppress(EditError):
                outline.where(parsed, index)
    names_of = [outline.scalar_name(parsed, index) for index in found]
    assert "" not in names_of
    assert len(set(names_of)) == len(found)


def test_a_collection_has_no_name_as_a_scalar():
    parsed = scalars.parse(b"a: [v1]\n", "a.yaml")
    assert outline.scalar_name(parsed, parsed.children[parsed.children[-1][0]][1]) == ""
