"""The annotations by which an object in a cluster asks for gates: their names, and how their texts are read.

They mean the keys of `gates` in the settings and are read by the same readers: ``min-age``, ``window`` (one window or a list, as
YAML or JSON in a line), ``max-changes`` and ``coalesce``. The word ``none`` takes a default away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from updater.documents import read_yaml
from updater.documents.base import DocumentLimits
from updater.errors import ConfigError
from updater.model.gates import UpdateWindow
from updater.settings.fields import NOT_YET
from updater.settings.gates import WindowSettings
from updater.settings.problems import problems_of
from updater.settings.values import read_changes, read_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.gates import GateRules

GROUP: Final = "group"
#: by annotation, the field of `GateRules`
_FIELDS: Final = {"min-age": "min_age", "window": "windows", "max-changes": "max_changes", "coalesce": "coalesce"}
GATE_KEYS: Final = (*_FIELDS, GROUP)
LONGEST: Final = 16 * 1024
MOST_WINDOWS: Final = 50
_NONE: Final = "none"
_LIMITS: Final = DocumentLimits(size=LONGEST, depth=6, nodes=2000)
_WINDOW_HINT: Final = 'write {kind: deny, schedule: "0 12 * * 5", duration: 60h, time_zone: Europe/Berlin}, or a list of such'
_GROUP_HINT: Final = "list the images of the group as subscriptions of the configuration file"


def read_gate(name: str, text: str) -> Any:
    """Return the value of one annotation, as the rules have it; raise `ConfigError`."""
    text = text.strip()
    if name == GROUP:
        raise ConfigError("groups of objects in a cluster are not in this version", hint=_GROUP_HINT, code=NOT_YET)
    if text.lower() == _NONE:
        return () if name == "window" else None
    if name == "window":
        return _windows(text)
    return read_changes(text) if name == "max-changes" else read_duration(text)


def with_gates(rules: GateRules, values: Mapping[str, Any]) -> GateRules:
    """Return *rules* with what annotations say, by their names, in place of what is the default."""
    return replace(rules, **{_FIELDS[name]: value for name, value in values.items()}) if values else rules


def _windows(text: str) -> tuple[UpdateWindow, ...]:
    if len(text) > LONGEST:
        raise ConfigError(f"longer than {LONGEST} characters", hint=_WINDOW_HINT, code="too-large")
    found = read_yaml("window", text.encode("utf-8", "surrogatepass"), caps=_LIMITS)
    value = found.documents[0].value if len(found.documents) == 1 and not found.problems else None
    listed = value if isinstance(value, list) else [value]
    entries = [entry for entry in listed if isinstance(entry, dict)]
    if len(entries) < len(listed) or len(entries) > MOST_WINDOWS:
        raise ConfigError(f"expected a window, or a list of at most {MOST_WINDOWS}", hint=_WINDOW_HINT, code="wrong-type")
    return tuple(_window(entry, found.documents[0].mark) for entry in entries)


def _window(entry: dict[str, Any], mark: Any) -> UpdateWindow:
    try:
        made = WindowSettings.model_validate(entry)
    except ValidationError as error:
        first = problems_of(error, mark, WindowSettings)[0]
        raise ConfigError(first.message, hint=first.hint or _WINDOW_HINT, code=first.code) from None
    return UpdateWindow(kind=made.kind, schedule=made.schedule, duration=made.duration, time_zone=made.time_zone)
