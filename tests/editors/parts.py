"""What the tests of the editors share: reading a text and writing one image at every place found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.model.image import parse_ref
from updater.model.subscription import Locator
from updater.model.update import EditRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.editors.base import Editor
    from updater.model.problem import Problem
    from updater.model.update import Edit

DIGEST = "sha256:6745aaad46d795c9836632e1fb62f24b7e7f4c843144da8e47a5465c411a14be"
OTHER_DIGEST = "sha256:" + "b" * 64


def wishes_for(editor: Editor, path: str, data: bytes, locator: Locator, ref: str) -> tuple[list[EditRequest], list[Problem]]:
    """Wish for *ref* at every place that *locator* finds."""
    found = editor.read(path, data, locator)
    return [EditRequest(locator=locator, reading=reading, image=parse_ref(ref)) for reading in found.readings], list(
        found.problems
    )


def edit_all(editor: Editor, path: str, text: str | bytes, *asked: tuple[Locator, str]) -> tuple[Edit, list[Problem]]:
    """Read by each locator, write its reference; gives the edit, and every problem and refusal."""
    data = text.encode() if isinstance(text, str) else text
    requests: list[EditRequest] = []
    problems: list[Problem] = []
    for locator, ref in asked:
        more, wrong = wishes_for(editor, path, data, locator, ref)
        requests += more
        problems += wrong
    edit = editor.edit(path, data, requests)
    return edit, [*problems, *edit.refused]


def edit_markers(editor: Editor, path: str, text: str | bytes, policies: Mapping[str, str]) -> tuple[Edit, list[Problem]]:
    """Read all markers, write what *policies* names; gives the edit, and every problem and refusal."""
    data = text.encode() if isinstance(text, str) else text
    found = editor.read(path, data)
    requests = [
        EditRequest(locator=Locator(name=reading.setter), reading=reading, image=parse_ref(policies[reading.setter]))
        for reading in found.readings
        if reading.setter in policies
    ]
    edit = editor.edit(path, data, requests)
    return edit, [*found.problems, *edit.refused]
