"""Which of Flux's objects a report is about: ImageRepositories by scan, ImagePolicies by subscription, automations by branch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from updater.flux.cluster.automation_landing import is_same_spec
from updater.flux.request.requests import subscription_key
from updater.model.subscription import GitBranch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.flux.request.requests import AutomationRequest, FluxTranslation
    from updater.kube.kinds import Key
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import CommitSpec

TargetPlace = tuple[GitBranch, str, "CommitSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxIndex:
    """A translation by those who are told of reports. Suspended objects are told of nothing.

    *targets* are the places that any automation writes; *fixed* are ImagePolicies whose last tag is named, because their
    ImageRepository is suspended.
    """

    by_scan: Mapping[ScanKey, tuple[Key, ...]] = field(default_factory=dict)
    by_subscription: Mapping[str, Key] = field(default_factory=dict)
    by_branch: Mapping[GitBranch, tuple[Key, ...]] = field(default_factory=dict)
    targets: frozenset[TargetPlace] = frozenset()
    fixed: frozenset[Key] = frozenset()

    def has_targets(self, request: AutomationRequest) -> bool:
        """Return whether any policy is written by an automation, so that its branch is landed."""
        return any(
            branch == request.branch
            and path == request.path
            and (request.commit_spec is None or is_same_spec(request.commit_spec, spec))
            for branch, path, spec in self.targets
        )


def build_index(translation: FluxTranslation) -> FluxIndex:
    """Return the index of a translation."""
    by_scan: defaultdict[ScanKey, list[Key]] = defaultdict(list)
    for key, repository in translation.repositories.items():
        if repository.scan_key is not None and not repository.is_suspended:
            by_scan[repository.scan_key].append(key)
    by_branch: defaultdict[GitBranch, list[Key]] = defaultdict(list)
    for key, automation in translation.automations.items():
        if automation.branch is not None and automation.fault is None and not automation.is_suspended:
            by_branch[automation.branch].append(key)
    return FluxIndex(
        by_scan={scan: tuple(keys) for scan, keys in by_scan.items()},
        by_subscription={
            subscription_key(key): key
            for key, policy in translation.policies.items()
            if policy.fault is None and not policy.is_suspended
        },
        by_branch={branch: tuple(keys) for branch, keys in by_branch.items()},
        targets=frozenset(
            (target.destination, target.locator.path, target.commit_spec)
            for subscription in translation.subscriptions.values()
            for target in subscription.targets
            if isinstance(target.destination, GitBranch)
        ),
        fixed=frozenset(key for key, item in translation.subscriptions.items() if item.is_fixed),
    )
