"""Knows how the settings look as a JSON Schema, for editors."""

from __future__ import annotations

from typing import Any, Final

from updater.settings.tree import Settings

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of a configuration file."""
    made = Settings.model_json_schema()
    return {"$schema": DIALECT, **made, "title": "updater.yaml"}
