"""How far a Rollout or Canary has come: which of their fields are kept for it, and what those say. Pure.

https://argo-rollouts.readthedocs.io/en/stable/features/specification/ and https://docs.flagger.app/usage/how-it-works
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.delivery.state import number_in, text_in
from updater.documents.members import list_in, mapping_in
from updater.model.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: of steps; more are counted, and not shown one by one
MOST_SHOWN: Final = 50
_MOST_STEPS: Final = 1000
_WHOLE: Final = 100
_PAUSE: Final = "pause"
_WEIGHT: Final = "setWeight"
_STEP_WORDS: Final = {
    "analysis": "analysis",
    "experiment": "experiment",
    "setCanaryScale": "scale",
    "setHeaderRoute": "header route",
    "setMirrorRoute": "mirror route",
    "plugin": "plugin",
}
_PAUSED_AT_STEP: Final = "CanaryPauseStep"
_NUMBERS: Final = ("iterations", "maxWeight", "stepWeight", "threshold")
#: the phases of Flagger in which its steps count; later the traffic goes back to the primary
_STEPPING: Final = frozenset({"Progressing", "WaitingPromotion"})


def prune_strategy(strategy: Mapping[str, Any]) -> dict[str, Any]:
    """Return of the strategy of a Rollout what its steps are."""
    canary = mapping_in(strategy, "canary")
    if not canary:
        return {}
    steps = [_pruned_step(item) for item in list_in(canary, "steps")[:_MOST_STEPS]]
    most = number_in(mapping_in(canary, "trafficRouting"), "maxTrafficWeight")
    return {"canary": {"steps": steps, **({} if most is None else {"trafficRouting": {"maxTrafficWeight": most}})}}


def _pruned_step(step: Any) -> dict[str, Any]:
    if not isinstance(step, dict):
        return {}
    weight = number_in(step, _WEIGHT)
    if weight is not None:
        return {_WEIGHT: weight}
    if _PAUSE in step:
        duration = _duration(step)
        return {_PAUSE: {"duration": duration} if duration else {}}
    return next(({name: {}} for name in _STEP_WORDS if name in step), {})


def prune_weights(canary: Mapping[str, Any]) -> dict[str, Any]:
    """Return of ``status.canary`` of a Rollout the share of traffic that its canary has."""
    weight = number_in(mapping_in(mapping_in(canary, "weights"), "canary"), "weight")
    return {} if weight is None else {"weights": {"canary": {"weight": weight}}}


def prune_analysis(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """Return of the analysis of a Canary what its steps are, and how many checks may fail."""
    kept: dict[str, Any] = {name: number for name in _NUMBERS if (number := number_in(analysis, name)) is not None}
    weights = [
        item for item in list_in(analysis, "stepWeights")[:_MOST_STEPS] if isinstance(item, int) and not isinstance(item, bool)
    ]
    return {**kept, "stepWeights": weights} if weights else kept


def progress_of_rollout(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    """Return how far a Rollout has come whose status is that of its spec, and which is neither healthy nor bad."""
    canary = mapping_in(mapping_in(spec, "strategy"), "canary")
    steps = [item for item in list_in(canary, "steps") if isinstance(item, dict)]
    index = number_in(status, "currentStepIndex")
    if not steps or index is None or index < 0:
        return Progress(weight=_weight(canary, status, None), words=_rollout_words(spec, status, None))
    under_way = steps[index] if index < len(steps) else None
    return Progress(
        step=min(index + 1, len(steps)),
        steps=len(steps),
        weight=_weight(canary, status, steps[: index + 1] if under_way is not None else None),
        words=_rollout_words(spec, status, under_way) if under_way is not None else "every step is done",
        plan=tuple(map(_step_words, steps)) if len(steps) <= MOST_SHOWN else (),
    )


def _weight(canary: Mapping[str, Any], status: Mapping[str, Any], done: Sequence[Mapping[str, Any]] | None) -> int | None:
    """Return the share of traffic: as a router has it, else as the steps up to the one under way ask for it."""
    whole = number_in(mapping_in(canary, "trafficRouting"), "maxTrafficWeight") or _WHOLE
    routed = number_in(mapping_in(mapping_in(mapping_in(status, "canary"), "weights"), "canary"), "weight")
    asked = [weight for step in done or () if (weight := number_in(step, _WEIGHT)) is not None]
    if routed is None and done is None:
        return None
    weight = routed if routed is not None else asked[-1] if asked else 0
    return max(0, min(_WHOLE, weight * _WHOLE // whole))


def _rollout_words(spec: Mapping[str, Any], status: Mapping[str, Any], step: Mapping[str, Any] | None) -> str:
    """Return what Argo Rollouts does or waits for."""
    if text_in(status, "phase") != "Paused":
        return _step_words(step) if step is not None else ""
    if spec.get("paused") is True:
        return "paused by a person"
    reasons = [text_in(item, "reason") for item in list_in(status, "pauseConditions")[:1] if isinstance(item, dict)]
    if reasons and reasons[0] not in {"", _PAUSED_AT_STEP}:
        return f"paused: {reasons[0]}"
    duration = _duration(step or {})
    return f"paused for {duration}" if duration else "paused until somebody promotes it"


def _step_words(step: Mapping[str, Any]) -> str:
    weight = number_in(step, _WEIGHT)
    if weight is not None:
        return f"set weight {weight}"
    if _PAUSE in step:
        duration = _duration(step)
        return f"pause {duration}" if duration else "pause until promoted"
    return next((words for name, words in _STEP_WORDS.items() if name in step), "a step of another kind")


def _duration(step: Mapping[str, Any]) -> str:
    """Return for how long a step pauses; "" where a person ends it. Argo Rollouts reads a bare number as seconds."""
    pause = mapping_in(step, _PAUSE)
    seconds = number_in(pause, "duration")
    text = str(seconds) if seconds is not None else text_in(pause, "duration")
    return f"{text[:30]}s" if text.isdecimal() else text[:30]


def progress_of_canary(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    """Return how far a Canary has come on which Flagger works."""
    analysis = mapping_in(spec, "analysis") or mapping_in(spec, "canaryAnalysis")
    phase, weight = text_in(status, "phase"), number_in(status, "canaryWeight")
    step, plan = _flagger_step(analysis, status) if phase in _STEPPING else (None, ())
    failed = number_in(status, "failedChecks") or 0
    most = max(1, number_in(analysis, "threshold") or 0)
    checks = f"{failed} of {most} failed checks" if failed > 0 else ""
    iterations = max(0, number_in(analysis, "iterations") or 0)
    return Progress(
        step=step,
        steps=(iterations or len(plan)) if step is not None else None,
        weight=weight,
        words=", ".join(part for part in (phase, checks) if part),
        plan=plan if len(plan) <= MOST_SHOWN else (),
    )


def _flagger_step(analysis: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[int | None, tuple[str, ...]]:
    """Return which step is under way, and all of them in words; iterations have none."""
    iterations = number_in(analysis, "iterations") or 0
    if iterations > 0:
        return max(1, min(iterations, number_in(status, "iterations") or 0)), ()
    weights = _flagger_weights(analysis)
    if not weights:
        return None, ()
    reached = sum(weight <= (number_in(status, "canaryWeight") or 0) for weight in weights)
    return max(1, reached), tuple(f"weight {weight}" for weight in weights)


def _flagger_weights(analysis: Mapping[str, Any]) -> Sequence[int]:
    """Return the share of traffic at each step: one step after another, or as they are listed."""
    step, most = number_in(analysis, "stepWeight") or 0, number_in(analysis, "maxWeight") or 0
    if step > 0:
        most = most if 0 < most <= _WHOLE else _WHOLE
        return [*range(step, most, step), min(_WHOLE, -(-most // step) * step)]
    return [item for item in list_in(analysis, "stepWeights") if isinstance(item, int) and not isinstance(item, bool)]
