"""What annotations of an ImagePolicy say: ``image-updater.gitops/hold``, ``pin``, ``reject`` and ``readmit``, and its gates.

An annotation that cannot be read holds the policy: nobody knows what it was to stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.documents.members import mapping_in
from updater.errors import ConfigError, UpdaterError
from updater.model.decision import Decision, Hold
from updater.model.problem import Problem
from updater.settings.decisions import ANNOTATION_PREFIX, read_annotation
from updater.settings.gate_annotations import GATE_KEYS, read_gate, with_gates

if TYPE_CHECKING:
    from typing import Any

    from updater.flux.request.reading import FluxObject
    from updater.model.gates import GateRules


def decisions_in(item: FluxObject, key: str) -> tuple[tuple[Decision, ...], tuple[Problem, ...]]:
    """Return the decisions about the subscription *key* that *item* holds, and what is wrong with them."""
    decisions: list[Decision] = []
    problems: list[Problem] = []
    for name, text in mapping_in(item.metadata, "annotations").items():
        if not name.startswith(ANNOTATION_PREFIX) or not isinstance(text, str) or not text.strip():
            continue
        kind = name.removeprefix(ANNOTATION_PREFIX)
        if kind in GATE_KEYS:
            continue
        try:
            decisions += read_annotation(kind, text, key=key, where=f"{item} {name}")
        except ConfigError as error:
            message = f"{name}: {error.message}"
            problems.append(Problem(path="", code=error.code, message=message, hint=error.hint, origin=str(item)))
            decisions.append(Hold(key=key, reason=message, is_unread=True, where=str(item)))
    return tuple(decisions), tuple(problems)


def gates_in(item: FluxObject, key: str, rules: GateRules) -> tuple[GateRules, tuple[Hold, ...], tuple[Problem, ...]]:
    """Return *rules* with the gates that *item* asks for, and a hold and a problem for each that cannot be read."""
    said: dict[str, Any] = {}
    holds: list[Hold] = []
    problems: list[Problem] = []
    for name, text in mapping_in(item.metadata, "annotations").items():
        kind = name.removeprefix(ANNOTATION_PREFIX) if name.startswith(ANNOTATION_PREFIX) else ""
        if kind not in GATE_KEYS or not isinstance(text, str) or not text.strip():
            continue
        try:
            said[kind] = read_gate(kind, text)
        except UpdaterError as error:
            message = f"{name}: {error.message}"
            problems.append(Problem(path="", code=error.code, message=message, hint=error.hint, origin=str(item)))
            holds.append(Hold(key=key, reason=message, is_unread=True, where=str(item)))
    return with_gates(rules, said), tuple(holds), tuple(problems)
