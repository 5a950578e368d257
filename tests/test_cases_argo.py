"""Every known fact about Argo CD Image Updater is restated by a test or stands among the differences."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASE = re.compile(r"argo[-_]([0-9]{3})")
FACTS = {f"{number:03}" for number in range(187)}


def named(paths):
    return {case for path in paths if path != Path(__file__) for case in CASE.findall(path.read_text(encoding="utf-8"))}


TESTED = named(path for suffix in ("py", "json") for path in (ROOT / "tests").rglob(f"*.{suffix}"))
DIFFERENT = named((ROOT / "docs/reference/differences").glob("*.md"))


def test_every_fact_is_answered():
    assert set() == FACTS - TESTED - DIFFERENT


def test_no_fact_is_made_up():
    assert TESTED | DIFFERENT <= FACTS
