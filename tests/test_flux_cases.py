"""Each case about Flux that was collected is run by a test under its id, or stands among the differences with its principle."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
DIFFERENCES = TESTS.parent / "docs" / "reference" / "differences.md"
#: flux-000 is no case: it is the policies in force for the markers of the others
CASES = {f"flux-{number:03}" for number in range(1, 347)}


def test_each_case_of_flux_is_run_under_its_id_or_is_a_difference():
    """An id is in the table that a test is made of, in the name or the first sentence of a test, or in the id of a parameter."""
    texts = [path.read_text(encoding="utf-8") for kind in ("py", "json") for path in TESTS.rglob(f"*.{kind}")]
    texts.append(DIFFERENCES.read_text(encoding="utf-8"))
    found = {
        f"flux-{number}" for text in texts for number in re.findall(r"\bflux[-_](\d{3})(?!\d)", text.replace("test_flux", "flux"))
    }
    assert sorted(CASES - found) == []
