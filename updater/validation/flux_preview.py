"""What would become of each ImagePolicy of a cluster, and of each marker in files, by what the policies selected last.

No registry and no Git server is asked: what a policy selected last stands in its status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from updater.engine.place_image import differs, wanted_image
from updater.flux.request.requests import FluxTranslation
from updater.model.candidate import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from updater.flux.request.requests import ImagePolicyRequest
    from updater.kube.kinds import Key
    from updater.model.image import ImageRef
    from updater.model.subscription import Subscription
    from updater.model.view import Reading

NO_AUTOMATION = "no-automation"
NO_DIGEST = "no-digest"
UNKNOWN = FluxTranslation()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxAnswer:
    """What would become of *subject*, a policy or the place of a marker; *code* says why nothing would be written, else None."""

    subject: str
    sentence: str
    code: str | None = None


def policy_answers(translation: FluxTranslation) -> Iterator[FluxAnswer]:
    """Yield the answer of each policy, in the order of their names."""
    for key in sorted(translation.policies):
        yield _of_policy(key, translation.policies[key], translation)


def marker_answers(readings: Iterable[Reading], translation: FluxTranslation) -> Iterator[FluxAnswer]:
    """Yield the answer of each of *readings*, markers in files, that names a policy which is known."""
    for reading in readings:
        namespace, _, name = reading.setter.partition(":")
        policy = translation.policies.get((namespace, name))
        if policy is not None:
            yield _of_marker(reading, policy, translation.subscriptions.get((namespace, name)))


def _of_policy(key: Key, policy: ImagePolicyRequest, translation: FluxTranslation) -> FluxAnswer:
    subject = f"ImagePolicy {key[0]}/{key[1]}"
    subscription = translation.subscriptions.get(key)
    if subscription is None:
        return FluxAnswer(subject=subject, sentence=_why_not(policy), code=_code_of(policy))
    selected = _shown(policy.latest) if policy.latest else "nothing yet"
    what = f"{subscription.image} {subscription.policy}" if not subscription.is_fixed else f"{subscription.image}, suspended"
    writers = [f"{target.destination} {target.locator.path}" for target in subscription.targets]
    nobody = "written by no automation that is ready" if _is_selected(key, translation) else "written by no automation"
    written = f"written to {', '.join(dict.fromkeys(writers))}" if writers else nobody
    return FluxAnswer(subject=subject, sentence=f"{what}; selected last: {selected}; {written}")


def _is_selected(key: Key, translation: FluxTranslation) -> bool:
    """Return whether an automation selects a policy, be it suspended or at fault."""
    return any(key in automation.policies for automation in translation.automations.values())


def _of_marker(reading: Reading, policy: ImagePolicyRequest, subscription: Subscription | None) -> FluxAnswer:
    subject = f"{reading.path}:{reading.line}: {reading.setter}"
    if subscription is None:
        return FluxAnswer(subject=subject, sentence=_why_not(policy), code=_code_of(policy))
    if not subscription.targets:
        return FluxAnswer(subject=subject, sentence="no automation of its namespace writes this policy", code=NO_AUTOMATION)
    if policy.latest is None or policy.latest.tag is None:
        return FluxAnswer(subject=subject, sentence=f"{reading.written}: decided once the registry was asked")
    candidate = Candidate(tag=policy.latest.tag, digest=policy.latest.digest)
    image = wanted_image(subscription, subscription.targets[0], reading, candidate)
    if not differs(reading, image):
        return FluxAnswer(subject=subject, sentence=f"{reading.written} stays")
    if any(part.kind == "digest" for part in reading.parts) and image.digest is None:
        hint = "set digestReflectionPolicy of the ImagePolicy"
        return FluxAnswer(subject=subject, sentence=f"the policy has no digest; {hint}", code=NO_DIGEST)
    return FluxAnswer(subject=subject, sentence=f"{reading.written} → {_reduced(reading, image)}")


def _why_not(policy: ImagePolicyRequest) -> str:
    return policy.fault.message if policy.fault else "it is suspended, and selected nothing before"


def _code_of(policy: ImagePolicyRequest) -> str:
    return policy.fault.problem.code if policy.fault and policy.fault.problem else "suspended"


def _shown(image: ImageRef) -> str:
    return f"{image.tag or ''}{f'@{image.digest}' if image.digest else ''}"


def _reduced(reading: Reading, image: ImageRef) -> str:
    """Return an image as it would stand at a place: whole, or only the part that the place holds."""
    return str(image) if reading.written.name else _shown(image)
