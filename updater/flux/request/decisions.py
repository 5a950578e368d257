"""What annotations of an ImagePolicy say: ``image-updater.gitops/hold``, ``pin``, ``reject`` and ``readmit``, and its gates.

An annotation that cannot be read holds the policy: nobody knows what it was to stop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.documents.members import mapping_in
from updater.errors import ConfigError, UpdaterError
from updater.model.decision import Decision, Hold
from updater.model.problem import Problem
from updater.settings.decisions import ANNOTATION_PREFIX, read_annotation
from updater.settings.delivery_annotations import DELIVERY_KEYS, read_delivery, with_delivery
from updater.settings.gate_annotations import GATE_KEYS, read_gate, with_gates

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from updater.flux.request.reading import FluxObject
    from updater.model.gates import GateRules
    from updater.model.release import DeliveryOptions

AGENT: Final = "Kustomization"


def decisions_in(item: FluxObject, key: str) -> tuple[tuple[Decision, ...], tuple[Problem, ...]]:
    """Return the decisions about the subscription *key* that *item* holds, and what is wrong with them."""
    decisions: list[Decision] = []
    problems: list[Problem] = []
    for name, text in mapping_in(item.metadata, "annotations").items():
        if not name.startswith(ANNOTATION_PREFIX) or not isinstance(text, str) or not text.strip():
            continue
        kind = name.removeprefix(ANNOTATION_PREFIX)
        if kind in {*GATE_KEYS, *DELIVERY_KEYS}:
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
    said, holds, problems = _read(item, key, (GATE_KEYS, read_gate))
    return with_gates(rules, said), holds, problems


def delivery_in(
    item: FluxObject, key: str, options: DeliveryOptions | None
) -> tuple[DeliveryOptions | None, tuple[Hold, ...], tuple[Problem, ...]]:
    """Return *options* with what *item* says, likewise. What runs the image is found among what Kustomizations applied."""
    said, holds, problems = _read(item, key, (DELIVERY_KEYS, read_delivery))
    found = with_delivery(options, said)
    searched = (AGENT,) if found is not None and found.workload is None else ()
    return (replace(found, searched=searched) if found is not None else None), holds, problems


def _read(
    item: FluxObject, key: str, known: tuple[Collection[str], Callable[[str, str], Any]]
) -> tuple[dict[str, Any], tuple[Hold, ...], tuple[Problem, ...]]:
    """Return the values of the annotations that are *known*, by their names, each read by its reader."""
    names, read = known
    said: dict[str, Any] = {}
    holds: list[Hold] = []
    problems: list[Problem] = []
    for name, text in mapping_in(item.metadata, "annotations").items():
        kind = name.removeprefix(ANNOTATION_PREFIX) if name.startswith(ANNOTATION_PREFIX) else ""
        if kind not in names or not isinstance(text, str) or not text.strip():
            continue
        try:
            said[kind] = read(kind, text)
        except UpdaterError as error:
            message = f"{name}: {error.message}"
            problems.append(Problem(path="", code=error.code, message=message, hint=error.hint, origin=str(item)))
            holds.append(Hold(key=key, reason=message, is_unread=True, where=str(item)))
    return said, tuple(holds), tuple(problems)
