"""Values of charts as people and the peer wrote them: what a chart puts together is not pulled apart."""

from __future__ import annotations

import pytest

from updater.editors import make_editor
from updater.model.image import parse_ref
from updater.model.subscription import Locator
from updater.model.update import EditRequest

EDITOR = make_editor("helm")
PAIR = Locator(path="values.yaml", name="image.repository", tag="image.tag")
SPEC = Locator(path="values.yaml", spec="image")


def edited(text, locator, image):
    (reading,) = EDITOR.read("values.yaml", text.encode(), locator).readings
    edit = EDITOR.edit("values.yaml", text.encode(), [EditRequest(locator=locator, reading=reading, image=parse_ref(image))])
    assert edit.refused == ()
    return edit.after.decode()


@pytest.mark.parametrize("tag", ["1.0", "1.1"])
@pytest.mark.parametrize(
    ("before", "locator"),
    [
        ('global: {imageRegistry: ghcr.io}\nimage: {repository: o/app, tag: "1.0"}\n', PAIR),
        ('registry: ghcr.io\nimage:\n  repository: "o/app" # ours\n  tag: "1.0"\n', PAIR),
        ('image: "o/app:1.0"\n', SPEC),
    ],
)
def test_a_name_whose_registry_stands_elsewhere_never_gets_a_second_one(before, locator, tag):
    assert edited(before, locator, f"ghcr.io/o/app:{tag}") == before.replace("1.0", tag)


def test_another_image_on_another_registry_is_written_whole():
    before = 'image: {repository: o/old, tag: "1.0"}\n'
    assert edited(before, PAIR, "ghcr.io/o/app:1.1") == 'image: {repository: ghcr.io/o/app, tag: "1.1"}\n'
