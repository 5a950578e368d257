"""Generate the page of settings and their JSON Schema from the settings tree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pages.prose import laid_out
from updater.settings import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def settings_schema() -> str:
    """Return the JSON Schema of a configuration file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def settings_page() -> str:
    """Return the reference of all settings, a heading each."""
    tree = schema()
    lines = [_SETTINGS_HEAD]
    for place, rule, is_required in _settings(tree, tree, ""):
        default = "; required" if is_required else "" if rule.get("properties") else f"; default `{_shown(rule.get('default'))}`"
        lines += [f"## `{place}`", "", laid_out(rule.get("description", "")), "", f"{_kind(rule, tree)}{default}.", ""]
    return "\n".join(lines).rstrip() + "\n"


_SETTINGS_HEAD: Final = """# Settings

Generated from the code by `docs/generate.py`. `config/updater.example.yaml` shows all settings in one file, and
`config/updater.schema.json` is their JSON Schema.

A configuration is read from the files named with `-c` (mappings are merged deeply, lists are replaced). Without `-c` it
is read from `./updater.yaml`, then from `/etc/updater/updater.yaml`. Unknown keys are errors; all problems of a file
are reported at once. A relative path is relative to the folder of the file that contains it.

An environment variable overrides a setting: `UPDATER_GIT__AUTHOR__NAME` is `git.author.name`. A name with `__` must be
the path of a setting. A name without it counts only if it is a top-level key that is not a mapping (`UPDATER_INTERVAL`,
`UPDATER_STATE`); other variables are ignored. Entries of lists must be written in a file, but a list of texts may be a
variable, such as `["*.env", "*.tf"]`.

Durations are written as `90s`, `2m`, `1h30m` or `1d`, rates as `50/s`, `100/m` or `1000/h`, sizes
as `512KiB`, `8MiB` or `1GiB`. A credential is a reference, never the secret itself: `env:VARIABLE`, `file:/path`,
`ext:/program`, `secret:namespace/name#field`, `pullsecret:namespace/name`.
"""


def _settings(node: Mapping[str, Any], tree: Mapping[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield each setting below *node* with its path, its rule and whether it is required."""
    for name, rule in node.get("properties", {}).items():
        below = _resolved(rule, tree)
        here = f"{place}.{name}" if place else name
        yield (
            here,
            {**below, **{key: rule[key] for key in ("description", "default") if key in rule}},
            name in node.get("required", ()),
        )
        inner = _resolved(below.get("items", below), tree)
        yield from _settings(inner, tree, f"{here}[]" if "items" in below else here)


def _resolved(rule: Mapping[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a reference, and skip the null of an optional setting."""
    choices = [item for item in rule.get("anyOf", ()) if item.get("type") != "null"]
    if choices:
        rule = {**choices[0], **{key: rule[key] for key in rule if key != "anyOf"}}
    if "$ref" in rule:
        found = tree["$defs"][rule["$ref"].rpartition("/")[2]]
        rule = {**found, **{key: rule[key] for key in rule if key != "$ref"}}
    return dict(rule)


def _kind(rule: Mapping[str, Any], tree: Mapping[str, Any]) -> str:
    if "enum" in rule:
        return " or ".join(f"`{value}`" for value in rule["enum"])
    if "const" in rule:
        return f"`{rule['const']}`"
    if "items" in rule:
        return f"List of {_kind(_resolved(rule['items'], tree), tree).lower()}"
    kinds = {"string": "Text", "boolean": "True or false", "integer": "Whole number", "object": "Mapping"}
    example = f", such as `{rule['examples'][0]}`" if rule.get("examples") else ""
    named = rule.get("type", "")
    kind = kinds.get(named if isinstance(named, str) else named[0], "Value")
    return f"{kind}{example}"


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
