"""Which labels a label selector of Kubernetes takes, and in whose words one that is none is refused.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/, "Syntax and character set", and how
apimachinery says that a selector cannot be read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import list_in
from updater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST: Final = 63
_LONGEST_PREFIX: Final = 253
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PREFIX: Final = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_BAD_VALUE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_BAD_KEY: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")
_WITH_VALUES: Final = ("In", "NotIn")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a selector asks of a label."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, Any]) -> bool:
        """Return whether labels satisfy it."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case operator:
                return (self.key in labels) is (operator == "Exists")


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A selector that was read: all of its requirements must hold; without one it takes everything."""

    requirements: tuple[Requirement, ...] = ()

    def __call__(self, labels: Mapping[str, Any]) -> bool:
        """Return whether it takes what has these labels."""
        return all(requirement.holds(labels) for requirement in self.requirements)


def read_selector(value: Any) -> LabelSelector:
    """Read a selector, None for one that takes everything; raise `ConfigError` in the words of apimachinery."""
    if value is None:
        return LabelSelector()
    if not isinstance(value, dict):
        raise _wrong("a selector is a mapping", "write matchLabels or matchExpressions")
    wanted = value.get("matchLabels")
    if not isinstance(wanted, dict | None):
        raise _wrong("matchLabels is not a mapping", "write label: value")
    if not isinstance(value.get("matchExpressions"), list | None):
        raise _wrong("matchExpressions is not a list", "write a list of key, operator and values")
    found = [_requirement(key, "In", [label]) for key, label in (wanted or {}).items()]
    found += [_expression(rule) for rule in list_in(value, "matchExpressions")]
    return LabelSelector(tuple(found))


def _expression(rule: Any) -> Requirement:
    if not isinstance(rule, dict) or not isinstance(rule.get("key"), str):
        raise _wrong("an expression names no label", "write key, operator and values")
    operator, values = rule.get("operator"), list_in(rule, "values")
    if operator not in _OPERATORS:
        message = f"{json.dumps(operator)} is not a valid label selector operator"
        raise _wrong(message, f"write one of {', '.join(_OPERATORS)}")
    if operator in _WITH_VALUES and not values:
        message = "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
        raise _wrong(message, "write at least one value, or the operator Exists")
    if operator not in _WITH_VALUES and values:
        message = f"values: Invalid value: {json.dumps(values)}: values set must be empty for exists and does not exist"
        raise _wrong(message, "take the values out, or write the operator In")
    return _requirement(rule["key"], operator, values)


def _requirement(key: str, operator: str, values: list[Any]) -> Requirement:
    prefix, slash, name = key.rpartition("/")
    is_prefix = not slash or (len(prefix) <= _LONGEST_PREFIX and _PREFIX.fullmatch(prefix))
    if not is_prefix or len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise _wrong(f"key: Invalid value: {json.dumps(key)}: {_BAD_KEY}", "write a key such as app or example.org/team")
    for index, value in enumerate(values):
        if not isinstance(value, str) or len(value) > _LONGEST or (value and not _NAME.fullmatch(value)):
            message = f"values[{index}][{key}]: Invalid value: {json.dumps(value)}: {_BAD_VALUE}"
            raise _wrong(message, "a label has letters, digits, '-', '_' and '.', at most 63 characters")
    return Requirement(key, operator, frozenset(values))


def _wrong(message: str, hint: str) -> ConfigError:
    return ConfigError(message, hint=hint, code="selector")
