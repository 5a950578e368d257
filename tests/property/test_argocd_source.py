"""Laws of files of overrides: what is written reads back, twice is once, and other entries stay."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.editors.parts import edit_all
from updater.editors.argocd_source import ArgocdSourceEditor
from updater.model.subscription import Locator

PATH = ".argocd-source-web.yaml"
EDITOR = ArgocdSourceEditor()
TAGS = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,12}\Z")
NAMES = st.lists(st.from_regex(r"\A[a-z]{1,4}(\.[a-z]{1,4}){0,2}\Z"), unique=True, max_size=4)
SECTIONS = {"helm": "parameters", "plugin": "env"}


def document(section: str, names: list[str], value: str, *, flow: bool) -> str:
    held = {section: {SECTIONS[section]: [{"name": name, "value": value} for name in names]}, "other": {"kept": [1, None]}}
    return str(yaml.safe_dump(held, default_flow_style=flow, sort_keys=False))


@settings(max_examples=80, deadline=None)
@given(names=NAMES, tag=TAGS, value=TAGS, section=st.sampled_from(sorted(SECTIONS)), flow=st.booleans(), is_there=st.booleans())
def test_what_is_written_reads_back_and_nothing_else_moves(names, tag, value, section, flow, is_there):
    wanted = names[0] if names and is_there else "image.tag"
    locator = Locator(path=PATH, section=section, tag=wanted)
    text = document(section, names, value, flow=flow)
    edit, problems = edit_all(EDITOR, PATH, text, (locator, f"ghcr.io/o/app:{tag}"))
    assert problems == []
    before, after = yaml.safe_load(text), yaml.safe_load(edit.after)
    entries = {entry["name"]: entry["value"] for entry in after[section].pop(SECTIONS[section])}
    assert entries == {item["name"]: item["value"] for item in before[section].pop(SECTIONS[section])} | {wanted: tag}
    assert after == before
    (reading,) = EDITOR.read(PATH, edit.after, locator).readings
    assert (reading.written.tag, reading.is_missing) == (tag, False)
    again, _ = edit_all(EDITOR, PATH, edit.after, (locator, f"ghcr.io/o/app:{tag}"))
    assert (again.after, again.changes) == (edit.after, ())


@settings(max_examples=80, deadline=None)
@given(names=st.lists(st.from_regex(r"\A[a-z]{1,6}\Z"), unique=True, max_size=4), tag=TAGS, flow=st.booleans())
def test_images_of_kustomize_read_back_and_the_others_stay(names, tag, flow):
    text = str(yaml.safe_dump({"kustomize": {"images": [f"{name}:1.0" for name in names]}}, default_flow_style=flow))
    locator = Locator(path=PATH, section="kustomize", spec="app")
    edit, problems = edit_all(EDITOR, PATH, text, (locator, f"app:{tag}"))
    assert problems == []
    images = yaml.safe_load(edit.after)["kustomize"]["images"]
    assert [image for image in images if not image.startswith("app:")] == [f"{name}:1.0" for name in names if name != "app"]
    assert [image for image in images if image.startswith("app:")] == [f"app:{tag}"]
