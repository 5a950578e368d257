"""What an ImagePolicy asks for: of which ImageRepository it selects by what.

Source: https://fluxcd.io/flux/components/image/imagepolicies/ and the conditions that its controller gives. Of several kinds of
policy in one object semver counts before alphabetical, and that before numerical.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.documents.members import mapping_in
from updater.errors import UpdaterError
from updater.flux.request.durations import read_duration
from updater.flux.request.reading import FluxObject, ObjectRefused, go_reason, text_in
from updater.flux.request.requests import DigestReflection, ImagePolicyRequest, ObjectFault
from updater.model.subscription import PolicySpec, TagFilter
from updater.policies.filters import LONGEST_EXPRESSION, LONGEST_EXTRACT
from updater.settings import checks

if TYPE_CHECKING:
    from updater.kube.kinds import Key
    from updater.model.image import ImageRef

DIGEST_INTERVAL: Final = 600.0
_INVALID: Final = "InvalidPolicy"
# the names that the original gives the orders of ours
_ORDERED: Final = {"alphabetical": "name", "numerical": "number"}
_NO_INTERVAL: Final = "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'"


def read_image_policy(item: FluxObject, latest: ImageRef | None = None) -> ImagePolicyRequest:
    """Read an ImagePolicy that selected *latest* before; nothing that stands in it makes this raise."""
    reflection = _reflection(item)
    request = ImagePolicyRequest(
        key=item.key,
        repository=_repository(item),
        reflection=reflection,
        is_suspended=item.is_suspended,
        requested_at=item.requested_at,
        latest=latest,
    )
    try:
        interval = _digest_interval(item) if reflection is DigestReflection.ALWAYS else None
        return replace(request, policy=_policy(item), filter=_filter(item), digest_interval=interval)
    except ObjectRefused as refused:
        return replace(request, fault=refused.fault)


def precedes_dependency(fault: ObjectFault) -> bool:
    """Return whether a policy has this condition before its ImageRepository is looked at."""
    return fault.reason == "IntervalNotConfigured"


def _repository(item: FluxObject) -> Key:
    reference = mapping_in(item.spec, "imageRepositoryRef")
    return text_in(reference, "namespace") or item.key[0], text_in(reference, "name")


def _reflection(item: FluxObject) -> DigestReflection:
    """Return when the digest is resolved; with a word that is not known it never is, as with the original."""
    try:
        return DigestReflection(text_in(item.spec, "digestReflectionPolicy"))
    except ValueError:
        return DigestReflection.NEVER


def _digest_interval(item: FluxObject) -> float:
    found = read_duration(item.spec.get("interval"))
    if found is None:
        problem = item.problem(("spec", "interval"), "missing-key", "digestReflectionPolicy: Always needs an interval")
        raise item.refused("IntervalNotConfigured", _NO_INTERVAL, problem, is_stalled=True)
    return found or DIGEST_INTERVAL


def _policy(item: FluxObject) -> PolicySpec:
    choice = mapping_in(item.spec, "policy")
    if isinstance(choice.get("semver"), dict):
        return _semver(item, text_in(choice["semver"], "range"))
    for kind, ours in _ORDERED.items():
        if isinstance(choice.get(kind), dict):
            return _ordered(item, kind, ours)
    problem = item.problem(("spec", "policy"), "policy", "this names none of semver, alphabetical and numerical")
    raise item.refused(_INVALID, "invalid policy: given ImagePolicyChoice object is invalid", problem, is_stalled=True)


def _semver(item: FluxObject, versions: str) -> PolicySpec:
    spec = PolicySpec("semver", {"range": versions})
    try:
        checks.check_policy(spec)
    except UpdaterError as error:
        problem = item.problem(("spec", "policy", "semver", "range"), error.code, error.message, error.hint)
        raise item.refused(_INVALID, f'invalid policy: improper constraint: "{versions}"', problem, is_stalled=True) from None
    return spec


def _ordered(item: FluxObject, kind: str, ours: str) -> PolicySpec:
    order = item.spec["policy"][kind].get("order")
    spec = PolicySpec(ours, {"order": order} if order not in {None, ""} else {}) if isinstance(order, str | None) else None
    try:
        checks.check_policy(spec or PolicySpec(ours, {"order": str(order)}))
    except UpdaterError as error:
        problem = item.problem(("spec", "policy", kind, "order"), error.code, error.message, error.hint)
        said = f"invalid order argument provided: '{str(order).upper()}', must be one of: ASC, DESC"
        raise item.refused(_INVALID, f"invalid policy: {said}", problem, is_stalled=True) from None
    return spec or PolicySpec(ours)


def _filter(item: FluxObject) -> TagFilter:
    tags = mapping_in(item.spec, "filterTags")
    pattern, extract = text_in(tags, "pattern"), text_in(tags, "extract") or None
    # an empty expression matches everything, and what is extracted needs an expression
    allow = pattern or (".*" if extract else None)
    try:
        checks.check_filter(allow=allow)
    except UpdaterError as error:
        problem = item.problem(("spec", "filterTags", "pattern"), error.code, error.message, error.hint)
        shown = pattern if len(pattern) <= LONGEST_EXPRESSION else f"{pattern[:40]}…"
        said = f"invalid regular expression pattern '{shown}': {go_reason(error.message)}"
        raise item.refused(_INVALID, f"failed to filter tags: {said}", problem, is_stalled=True) from None
    if extract is not None and len(extract) > LONGEST_EXTRACT:
        said = f"extract is longer than {LONGEST_EXTRACT} characters"
        problem = item.problem(("spec", "filterTags", "extract"), "policy", said, "write the groups that are compared")
        raise item.refused(_INVALID, f"failed to filter tags: {said}", problem, is_stalled=True)
    return TagFilter(allow=allow, extract=extract)
