"""The document of the API."""

from __future__ import annotations

import json

from updater import __version__
from updater.web.openapi import document


def api_document() -> str:
    """Return the OpenAPI document."""
    return json.dumps(document(__version__), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
