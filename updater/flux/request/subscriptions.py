"""The subscription of an ImagePolicy, and the targets that automations give it.

A suspended policy, and one of a suspended ImageRepository, keeps what it selected before: it is written and never chosen anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from updater.flux.request.requests import DigestReflection, subscription_key
from updater.model.subscription import (
    FIXED,
    CommitSpec,
    Downgrade,
    Form,
    Locator,
    Origin,
    PolicySpec,
    Subscription,
    TagFilter,
    Target,
    Variant,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.flux.request.requests import AutomationRequest, ImagePolicyRequest, ImageRepositoryRequest
    from updater.model.image import ImageName

KIND: Final = "ImagePolicy"
EDITOR: Final = "marker"
_UNSCANNED: Final = 60.0
_REGEXP: Final = "regexp:"


def subscription_for(
    request: ImagePolicyRequest, repository: ImageRepositoryRequest | None, *, since: str = ""
) -> Subscription | None:
    """Return what a policy subscribes to, without targets; None where it cannot be written."""
    is_suspended = request.is_suspended or (repository is not None and repository.is_suspended)
    if is_suspended and (request.is_suspended or request.fault is None):
        return _fixed(request, repository, since)
    if repository is None or repository.image is None or request.policy is None or request.fault is not None:
        return None
    ignored = tuple(f"{_REGEXP}{text}" for text in repository.exclusions)
    own = request.filter or TagFilter()
    return Subscription(
        filter=TagFilter(allow=own.allow, extract=own.extract, ignore=ignored),
        is_reflected=True,
        reflects_digest=request.reflection is not DigestReflection.NEVER,
        settled=request.latest if _is_settled(request, repository) else None,
        **_common(request, repository, repository.image, request.policy, since),
    )


def writer_for(automation: AutomationRequest) -> Target | None:
    """Return where an automation writes, before it is known which policy; None where it writes nothing."""
    if automation.branch is None or automation.is_suspended:
        return None
    return Target(
        destination=automation.branch,
        editor=EDITOR,
        locator=Locator(path=automation.path),
        interval=automation.interval,
        commit_spec=automation.commit_spec or CommitSpec(),
        may_be_absent=True,
    )


def with_targets(subscription: Subscription, *writers: Target) -> Subscription:
    """Return a subscription with a target for each of the writers that select it.

    Two that would write the same place in the same way count once: the first of them commits.
    """
    has_digest = subscription.reflects_digest or bool(subscription.policy.options.get("digest"))
    form, name = Form.TAG_AND_DIGEST if has_digest else Form.TAG, subscription.origin.name.replace("/", ":")
    targets = (replace(each, form=form, locator=Locator(path=each.locator.path, name=name)) for each in _distinct(writers))
    return replace(subscription, targets=tuple(targets))


def _distinct(writers: Iterable[Target]) -> Iterable[Target]:
    """Return the first of those that differ at most in whose commits they are."""
    found: dict[Target, Target] = {}
    for each in writers:
        found.setdefault(replace(each, interval=0.0, commit_spec=replace(each.commit_spec, owner="")), each)
    return found.values()


def _fixed(request: ImagePolicyRequest, repository: ImageRepositoryRequest | None, since: str) -> Subscription | None:
    latest = request.latest
    if latest is None or latest.tag is None:
        return None
    options = {"tag": latest.tag, **({"digest": str(latest.digest)} if latest.digest else {})}
    return Subscription(**_common(request, repository, latest.name, PolicySpec(FIXED, options), since))


def _common(
    request: ImagePolicyRequest, repository: ImageRepositoryRequest | None, image: ImageName, policy: PolicySpec, since: str
) -> dict[str, Any]:
    namespace, name = request.key
    return {
        "key": subscription_key(request.key),
        "image": image,
        "policy": policy,
        "variant": Variant.ANY,
        "downgrade": Downgrade.BY_POLICY,
        "is_shape_locked": False,
        "interval": repository.interval if repository else _UNSCANNED,
        "credential": repository.credential if repository else None,
        "origin": Origin(kind=KIND, name=f"{namespace}/{name}", since=since),
    }


def _is_settled(request: ImagePolicyRequest, repository: ImageRepositoryRequest) -> bool:
    """Return whether the digest that was resolved before is kept while tag and spelling of the image are the same."""
    latest = request.latest
    if request.reflection is not DigestReflection.IF_NOT_PRESENT or latest is None:
        return False
    return latest.digest is not None and latest.name.spelled == repository.name
