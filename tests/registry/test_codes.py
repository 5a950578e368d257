"""Promises of the reference: every code that these rooms give is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from updater import errors

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r'code="([a-z-]+)"|"((?:registry|manifest|digest|credential)-[a-z-]+)"')


def codes(room: str) -> set[str]:
    found = set()
    for path in sorted((ROOT / "updater" / room).glob("*.py")):
        found |= {one or other for one, other in CODE.findall(path.read_text())}
    return found


@pytest.mark.parametrize(("room", "page"), [("registry", "registries.md"), ("credentials", "credentials.md")])
def test_every_code_has_its_heading(room, page):
    headings = set(re.findall(r"^### `([a-z-]+)`$", (ROOT / "docs" / "reference" / page).read_text(), re.MULTILINE))
    if room == "registry":
        kinds = [
            errors.RegistryUnavailable,
            errors.RateLimited,
            errors.RegistryDenied,
            errors.ImageNotFound,
            errors.RegistryProtocolError,
        ]
        assert {kind.default_code for kind in kinds} <= headings
    assert codes(room)
    assert codes(room) <= headings


def test_no_heading_explains_a_code_that_is_never_given():
    source = "".join(path.read_text() for path in sorted((ROOT / "updater").rglob("*.py")))
    for page in ("registries.md", "credentials.md"):
        for heading in re.findall(r"^### `([a-z-]+)`$", (ROOT / "docs" / "reference" / page).read_text(), re.MULTILINE):
            assert f'"{heading}"' in source, heading
