"""What people decided in annotations of an ImagePolicy: ``image-updater.gitops/hold``, ``pin``, ``reject`` and ``readmit``.

An annotation that cannot be read holds the policy: nobody knows what it was to stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.documents.members import mapping_in
from updater.errors import ConfigError
from updater.model.decision import Decision, Hold
from updater.model.problem import Problem
from updater.settings.decisions import ANNOTATION_PREFIX, read_annotation

if TYPE_CHECKING:
    from updater.flux.request.reading import FluxObject


def decisions_in(item: FluxObject, key: str) -> tuple[tuple[Decision, ...], tuple[Problem, ...]]:
    """Return the decisions about the subscription *key* that *item* holds, and what is wrong with them."""
    decisions: list[Decision] = []
    problems: list[Problem] = []
    for name, text in mapping_in(item.metadata, "annotations").items():
        if not name.startswith(ANNOTATION_PREFIX) or not isinstance(text, str) or not text.strip():
            continue
        kind = name.removeprefix(ANNOTATION_PREFIX)
        try:
            decisions += read_annotation(kind, text, key=key, where=f"{item} {name}")
        except ConfigError as error:
            message = f"{name}: {error.message}"
            problems.append(Problem(path="", code=error.code, message=message, hint=error.hint, origin=str(item)))
            decisions.append(Hold(key=key, reason=message, is_unread=True, where=str(item)))
    return tuple(decisions), tuple(problems)
