"""The JSON Schema of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.settings.node import descriptions
from updater.settings.problems import trees_of
from updater.settings.tree import Settings

if TYPE_CHECKING:
    from pydantic import BaseModel

#: a name, not a place: nothing is fetched to check a file
IDENTITY: Final = "urn:gitops-image-updater:configuration"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a configuration file."""
    made = _untitled(_described(Settings.model_json_schema(), Settings))
    return {"$schema": DIALECT, "$id": IDENTITY, "title": "updater.yaml", **made}


def _described(made: dict[str, Any], tree: type[BaseModel]) -> dict[str, Any]:
    """Put the docstring of each field beside its rule; in place."""
    todo, rules = [tree], {tree.__name__: made, **made["$defs"]}
    while todo:
        part = todo.pop()
        for name, text in descriptions(part).items():
            properties = rules[part.__name__]["properties"]
            below = rules.get(properties[name].get("$ref", "").rpartition("/")[2], {})
            if below.get("description") != text:  # once is enough for an editor
                properties[name] = dict(sorted({**properties[name], "description": text}.items()))
        todo += [inner for field in part.model_fields.values() for inner in trees_of(field.annotation)]
    return made


def _untitled(value: Any) -> Any:
    """Drop the titles that repeat a key: an editor would show them instead of the description."""
    if isinstance(value, dict):
        return {key: _untitled(item) for key, item in value.items() if not (key == "title" and isinstance(item, str))}
    return [_untitled(item) for item in value] if isinstance(value, list) else value
