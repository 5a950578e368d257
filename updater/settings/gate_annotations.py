"""The annotations by which an object in a cluster asks for gates: their names, and how their texts are read.

They mean the keys of `gates` in the settings and are read by the same readers: ``min-age``, ``window`` (one window or a list, as
YAML or JSON in a line), ``max-changes``, ``coalesce``, ``group`` and ``follows`` (a mapping). The word ``none`` takes a default
away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from updater.documents import read_yaml
from updater.documents.base import DocumentLimits
from updater.errors import ConfigError
from updater.model.gates import UpdateWindow
from updater.settings.gates import FollowsSettings, WindowSettings
from updater.settings.node import Node
from updater.settings.problems import problems_of
from updater.settings.values import read_changes, read_duration, read_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.gates import GateRules
    from updater.model.promotion import Follows

_N = TypeVar("_N", bound=Node)
GROUP: Final = "group"
FOLLOWS: Final = "follows"
#: by annotation, the field of `GateRules`
_FIELDS: Final = {
    "min-age": "min_age",
    "window": "windows",
    "max-changes": "max_changes",
    "coalesce": "coalesce",
    "follows": FOLLOWS,
    "group": GROUP,
}
GATE_KEYS: Final = tuple(_FIELDS)
LONGEST: Final = 16 * 1024
MOST_WINDOWS: Final = 50
_NONE: Final = "none"
_LIMITS: Final = DocumentLimits(size=LONGEST, depth=6, nodes=2000)
_WINDOW_HINT: Final = 'write {kind: deny, schedule: "0 12 * * 5", duration: 60h, time_zone: Europe/Berlin}, or a list of such'
_FOLLOWS_HINT: Final = "write {subscription: argocd/shop-staging/web, healthy_for: 2h}"


def read_gate(name: str, text: str) -> Any:
    """Return the value of one annotation, as the rules have it; raise `ConfigError`."""
    text = text.strip()
    if text.lower() == _NONE:
        return () if name == "window" else None
    if name == "window":
        return _windows(text)
    if name == FOLLOWS:
        return _follows(text)
    if name == GROUP:
        return read_group(text)
    return read_changes(text) if name == "max-changes" else read_duration(text)


def with_gates(rules: GateRules, values: Mapping[str, Any]) -> GateRules:
    """Return *rules* with what annotations say, by their names, in place of what is the default."""
    return replace(rules, **{_FIELDS[name]: value for name, value in values.items()}) if values else rules


def _windows(text: str) -> tuple[UpdateWindow, ...]:
    value, mark = _entries(text, "window", _WINDOW_HINT)
    listed = value if isinstance(value, list) else [value]
    entries = [entry for entry in listed if isinstance(entry, dict)]
    if len(entries) < len(listed) or len(entries) > MOST_WINDOWS:
        raise ConfigError(f"expected a window, or a list of at most {MOST_WINDOWS}", hint=_WINDOW_HINT, code="wrong-type")
    return tuple(_window(entry, mark) for entry in entries)


def _follows(text: str) -> Follows:
    value, mark = _entries(text, FOLLOWS, _FOLLOWS_HINT)
    if not isinstance(value, dict):
        raise ConfigError("expected a subscription and a time", hint=_FOLLOWS_HINT, code="wrong-type")
    return _validated(FollowsSettings, value, mark, _FOLLOWS_HINT).follows()


def _entries(text: str, name: str, hint: str) -> tuple[Any, Any]:
    """Return what an annotation holds as data, None where that is no one document, and its mark."""
    if len(text) > LONGEST:
        raise ConfigError(f"longer than {LONGEST} characters", hint=hint, code="too-large")
    found = read_yaml(name, text.encode("utf-8", "surrogatepass"), caps=_LIMITS)
    if len(found.documents) != 1 or found.problems:
        return None, None
    return found.documents[0].value, found.documents[0].mark


def _window(entry: dict[str, Any], mark: Any) -> UpdateWindow:
    made = _validated(WindowSettings, entry, mark, _WINDOW_HINT)
    return UpdateWindow(kind=made.kind, schedule=made.schedule, duration=made.duration, time_zone=made.time_zone)


def _validated(node: type[_N], entry: dict[str, Any], mark: Any, hint: str) -> _N:
    try:
        return node.model_validate(entry)
    except ValidationError as error:
        first = problems_of(error, mark, node)[0]
        raise ConfigError(first.message, hint=first.hint or hint, code=first.code) from None
