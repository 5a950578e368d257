"""Generate parts of the chart: the schema of `config`, the table of values, alerts and dashboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from pages.settings import settings_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent.parent
CHART: Final = ROOT / "charts/updater"
_BEGIN: Final = "<!-- values: written by docs/generate.py from values.yaml and values.schema.json -->\n"
_END: Final = "<!-- end of values -->\n"
_HERE: Final = "#/$defs/settings"


def chart_schema() -> str:
    """Return values.schema.json: written by hand except `config`, which is the schema of updater.yaml."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    settings = _moved(json.loads(settings_schema()))
    for name in ("$schema", "$id", "title"):  # an identity of its own would change the base of its references
        settings.pop(name, None)
    schema["$defs"]["settings"] = settings
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def chart_readme() -> str:
    """Return README.md of the chart: written by hand except the table of values."""
    text = (CHART / "README.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    rows = "".join(f"| `{place}` | {default} | {text} |\n" for place, default, text in _rows(schema["properties"], values))
    return f"{before}{_BEGIN}\n| value | default | meaning |\n|---|---|---|\n{rows}\n{_END}{after}"


def chart_copies() -> dict[str, Path]:
    """Return the files that the chart has copies of, by the path of the copy: a chart reads nothing outside its folder."""
    found = {
        "charts/updater/files/alerts.yaml": ROOT / "config/prometheus/alerts.yaml",
        "charts/updater/files/dashboard.json": ROOT / "config/grafana/dashboard.json",
    }
    return {copy: source for copy, source in found.items() if source.exists()}


def _moved(node: Any) -> Any:
    """Return the schema of settings with its references moved to its place in the schema of values."""
    if isinstance(node, list):
        return [_moved(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {name: f"{_HERE}{value[1:]}" if name == "$ref" else _moved(value) for name, value in node.items()}


def _rows(properties: dict[str, Any], values: dict[str, Any], above: str = "") -> Iterator[tuple[str, str, str]]:
    for name, rule in properties.items():
        place, value = f"{above}{name}", values.get(name)
        if "properties" in rule and name in values:
            yield from _rows(rule["properties"], value or {}, f"{place}.")
        elif name in values:
            shown = "see values.yaml" if isinstance(value, dict) and value else f"`{json.dumps(value, ensure_ascii=False)}`"
            yield place, shown, rule["description"]
