"""Which Applications a reference of an ImageUpdater means, and which of two references means one more exactly.

Names match as in Go's `filepath.Match`, labels as in Kubernetes. Source: the peer's reference of `applicationRefs`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXACT: Final = 1_000_000
SELECTED: Final = 10_000
PER_LABEL: Final = 100
OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")
_GLOB: Final = re.compile(r"[*?\[\]]")


def specificity(pattern: str, *, labels: int | None = None) -> int:
    """Return how exact a reference is: *labels* counts what its selector asks for, None without a selector."""
    literal = len(_GLOB.sub("", _without_sets(pattern)))
    exact = 0 if _GLOB.search(pattern) else EXACT
    return exact + literal + (0 if labels is None else SELECTED + PER_LABEL * labels)


def _without_sets(pattern: str) -> str:
    """Drop each set of characters, ``[a-z]``."""
    pieces, position = [], 0
    while (start := pattern.find("[", position)) >= 0 and (end := pattern.find("]", start)) >= 0:
        pieces.append(pattern[position:start])
        position = end + 1
    return "".join((*pieces, pattern[position:]))


def check_selector(selector: Any) -> None:
    """Raise `ConfigError` where a label selector is none of Kubernetes."""
    if not isinstance(selector, dict):
        raise ConfigError("a selector is a mapping", hint="write matchLabels or matchExpressions", code="wrong-type")
    if not isinstance(selector.get("matchLabels", {}), dict | None):
        raise ConfigError("matchLabels is not a mapping", hint="write label: value", code="wrong-type")
    for rule in _rules(selector):
        if not isinstance(rule, dict) or not isinstance(rule.get("key"), str):
            raise ConfigError("an expression names no label", hint="write key, operator and values", code="wrong-type")
        if rule.get("operator") not in OPERATORS:
            hint = f"write one of {', '.join(OPERATORS)}"
            raise ConfigError(f"{rule.get('operator')!r} is not an operator of a selector", hint=hint, code="selector")
        if (rule["operator"] in {"In", "NotIn"}) != bool(_values(rule)):
            hint = "In and NotIn want values, the others want none"
            raise ConfigError(f"{rule['operator']} has the wrong values", hint=hint, code="selector")


def is_selected(labels: Mapping[str, Any], selector: Mapping[str, Any]) -> bool:
    """Return whether labels satisfy a selector that was checked; an empty selector takes everything."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(labels, rule) for rule in _rules(selector)
    )


def label_count(selector: Mapping[str, Any]) -> int:
    """Count what a selector asks for."""
    return len(selector.get("matchLabels") or {}) + len(_rules(selector))


def _rules(selector: Mapping[str, Any]) -> Sequence[Any]:
    rules = selector.get("matchExpressions")
    if not isinstance(rules, list | None):
        raise ConfigError("matchExpressions is not a list", hint="write a list of key, operator and values", code="wrong-type")
    return rules or []


def _values(rule: Mapping[str, Any]) -> list[Any]:
    found = rule.get("values") or []
    return found if isinstance(found, list) else []


def _holds(labels: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    key, operator = rule["key"], rule["operator"]
    if operator == "In":
        return labels.get(key) in _values(rule)
    if operator == "NotIn":
        return labels.get(key) not in _values(rule)
    return (key in labels) is (operator == "Exists")
