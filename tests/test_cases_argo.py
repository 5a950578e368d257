"""Every known fact about Argo CD Image Updater is restated by a test, stands among the differences, or says what brings it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASE = re.compile(r"argo[-_]([0-9]{3})")
FACTS = {f"{number:03}" for number in range(187)}
LATER = {
    **dict.fromkeys(("154", "155", "176", "177", "178", "179"), "webhooks of registries"),
}


def named(paths):
    return {case for path in paths if path != Path(__file__) for case in CASE.findall(path.read_text(encoding="utf-8"))}


TESTED = named(path for suffix in ("py", "json") for path in (ROOT / "tests").rglob(f"*.{suffix}"))
DIFFERENT = named((ROOT / "docs/reference/differences").glob("*.md"))


def test_every_fact_is_answered():
    assert FACTS - TESTED - DIFFERENT - set(LATER) == set()


def test_no_fact_is_made_up():
    assert TESTED | DIFFERENT <= FACTS


def test_what_is_there_is_not_put_off():
    assert set(LATER) & (TESTED | DIFFERENT) == set()
