# ruff: noqa: INP001 - a script
"""Writes the pages that are generated from code; with --check, says which of them are stale.

A page is one function that gives its text, entered in PAGES under its path in the checkout.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pages.annotations import annotations_page
from pages.api import api_document
from pages.chart import chart_copies, chart_readme, chart_schema
from pages.commands import commands_page
from pages.differences import differences_page
from pages.errors import errors_page
from pages.metrics import metrics_page
from pages.settings import settings_page, settings_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT: Final = Path(__file__).resolve().parent.parent

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "config/updater.schema.json": settings_schema,
    "docs/reference/settings.md": settings_page,
    "docs/reference/openapi.json": api_document,
    "charts/updater/values.schema.json": chart_schema,
    "charts/updater/README.md": chart_readme,
    **{copy: partial(source.read_text, encoding="utf-8") for copy, source in chart_copies().items()},
    "docs/reference/annotations.md": annotations_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/metrics.md": metrics_page,
    "docs/reference/errors.md": errors_page,
    "docs/reference/differences.md": differences_page,
}


def main(arguments: list[str]) -> int:
    """Write every page, or with --check compare; returns the exit code."""
    stale = []
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'stale; run make docs' if '--check' in arguments else 'written'}")  # noqa: T201 - a script that says what it did
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
