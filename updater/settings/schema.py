"""The JSON Schema of the settings."""

from __future__ import annotations

from typing import Any, Final

from updater.settings.tree import Settings

#: a name, not a place: nothing is fetched to check a file
IDENTITY: Final = "urn:gitops-image-updater:configuration"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a configuration file."""
    made = _untitled(Settings.model_json_schema())
    return {"$schema": DIALECT, "$id": IDENTITY, "title": "updater.yaml", **made}


def _untitled(value: Any) -> Any:
    """Drop the titles that repeat a key: an editor would show them instead of the description."""
    if isinstance(value, dict):
        return {key: _untitled(item) for key, item in value.items() if not (key == "title" and isinstance(item, str))}
    return [_untitled(item) for item in value] if isinstance(value, list) else value
