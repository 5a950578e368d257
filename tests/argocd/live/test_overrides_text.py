"""Laws of the patch of one source: what was not asked for stays, whatever stands there."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.kube import patched
from updater.argocd.live.overrides_text import overridden, read_text, steps_for, wanted_after, write_text
from updater.editors.argocd_source import ArgocdSourceEditor
from updater.errors import EditError
from updater.model.image import parse_ref
from updater.model.subscription import Locator
from updater.model.update import EditRequest

EDITOR = ArgocdSourceEditor()
PLACE = ("spec", "source")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=12)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(10**6), 10**6))
NAMED = st.fixed_dictionaries(
    {"name": TEXTS.filter(lambda name: name.strip() != "tag"), "value": SCALARS}, optional={"forceString": st.booleans()}
)
SOURCES = st.fixed_dictionaries(
    {"repoURL": TEXTS},
    optional={
        "helm": st.fixed_dictionaries({}, optional={"parameters": st.none() | st.lists(NAMED, max_size=4), "values": TEXTS}),
        "plugin": st.fixed_dictionaries({"name": TEXTS}, optional={"env": st.lists(NAMED, max_size=3)}),
        "kustomize": st.fixed_dictionaries({"images": st.lists(TEXTS, max_size=3)}, optional={"namePrefix": TEXTS}),
    },
)


def write(source, locator, ref="ghcr.io/o/app:1.20"):
    """Write one image to *source* as the writer does; gives the source after the patch, and the operations."""
    before = overridden(source)
    text = write_text(before)
    found = EDITOR.read("s", text, locator)
    assert found.problems == ()
    edit = EDITOR.edit("s", text, [EditRequest(locator=locator, reading=found.readings[0], image=parse_ref(ref))])
    assert edit.refused == ()
    steps = steps_for(PLACE, source, wanted_after(before, text, edit.after))
    whole = patched({"spec": {"source": copy.deepcopy(source)}}, steps, "application/json-patch+json")
    return whole["spec"]["source"], steps


@given(SOURCES, st.sampled_from(["helm", "plugin"]))
def test_a_patch_adds_our_value_and_leaves_all_others(source, section):
    key = {"helm": "parameters", "plugin": "env"}[section]
    after, steps = write(source, Locator(tag="tag", section=section))
    entry = {"name": "tag", "value": "1.20", **({"forceString": True} if section == "helm" else {})}
    assert len(steps) == 1
    assert after[section][key].pop() == entry
    if source.get(section, {}).get(key) is None:
        assert after[section].pop(key) == []
    if after[section] == {} and not source.get(section):
        after[section] = source.get(section)
    expected = copy.deepcopy(source)
    if section in expected and expected[section].get(key, 0) is None:
        expected[section].pop(key)
    assert {name: value for name, value in after.items() if value is not None} == expected


@given(SOURCES)
def test_the_text_of_overrides_reads_back_as_the_overrides(source):
    before = overridden(source)
    assert (read_text(write_text(before)) if before else {}) == before


@pytest.mark.parametrize("text", [b"- a\n", b"a: 1\n---\nb: 1\n", b"a: [\n", b""])
def test_a_text_that_is_no_map_of_overrides_is_no_proof(text):
    with pytest.raises(EditError) as refused:
        read_text(text)
    assert refused.value.code == "unproved"


def test_a_text_that_says_something_else_than_the_source_is_no_proof():
    with pytest.raises(EditError) as refused:
        wanted_after({"helm": {"parameters": []}}, b"helm:\n  parameters: [a]\n", b"helm:\n  parameters: [a]\n")
    assert refused.value.code == "unproved"


def test_values_nested_without_end_are_refused():
    nested: list = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(EditError) as refused:
        write_text({"kustomize": {"images": [nested]}})
    assert refused.value.code == "too-deep"


def test_names_in_a_pointer_are_escaped():
    before = {"parameters": [{"name": "x", "value": "1"}]}
    wanted = {"helm": {"parameters": [{"name": "x", "value": "1", "a/b~c": "2"}]}}
    (step,) = steps_for(PLACE, {"helm": before}, wanted)
    assert step == {"op": "add", "path": "/spec/source/helm/parameters/0/a~1b~0c", "value": "2"}
