"""How everything that Flux users asked for becomes one snapshot, and what each of their objects asks for.

What one object asks for is remembered while the object is the very same and what it depends on is; so one status that moves
costs the translation of one object.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import mapping_in
from updater.flux.kinds import GIT_REPOSITORY, IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION
from updater.flux.request.automations import complete, read_automation
from updater.flux.request.decisions import AnnotatedPolicy, own_annotations
from updater.flux.request.dependencies import dependency_fault
from updater.flux.request.git_repositories import read_git_repository
from updater.flux.request.image_policies import read_image_policy
from updater.flux.request.image_repositories import read_image_repository
from updater.flux.request.memo import Memo, are_same
from updater.flux.request.proposals import NO_DEFAULTS
from updater.flux.request.reading import key_in, read_object
from updater.flux.request.requests import FluxTranslation
from updater.flux.request.subscriptions import subscription_for, with_targets, writer_for
from updater.flux.request.template_trials import TemplateTrials
from updater.model.gates import NO_GATES, GateRules
from updater.model.snapshot import ScanRequest, Snapshot
from updater.settings.annotated import PROPOSAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.flux.request.automations import AutomationDraft, TryTemplate
    from updater.flux.request.decisions import OwnAnnotations
    from updater.flux.request.reading import FluxObject
    from updater.flux.request.requests import (
        AutomationRequest,
        GitRepositoryRequest,
        ImagePolicyRequest,
        ImageRepositoryRequest,
        ObjectFault,
    )
    from updater.kube.kinds import Key
    from updater.model.image import ImageRef
    from updater.model.problem import Problem
    from updater.model.release import DeliveryOptions
    from updater.model.subscription import Subscription, Target
    from updater.settings.proposals import ProposalSettings

    Item = Mapping[str, Any]
    Labels = Mapping[str, str]

_NO_LABELS: Final[Labels] = {}
_NO_IMAGES: Final[Mapping[Key, ImageRef]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxOptions:
    """What holds for all objects.

    With *crosses_namespaces* a policy may name an ImageRepository, and an automation a GitRepository, of another namespace.
    *try_template* renders the template of a message with its values, and raises `TemplateError` where that fails.
    *proposal* is what holds for pull requests where an annotation asks for one and does not say otherwise, *gates* say when
    images are written.
    """

    crosses_namespaces: bool = True
    try_template: TryTemplate | None = None
    proposal: ProposalSettings = NO_DEFAULTS
    gates: GateRules = NO_GATES
    delivery: DeliveryOptions | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Repository:
    """An ImageRepository; without a scan it is suspended or faulty."""

    request: ImageRepositoryRequest
    scan: ScanRequest | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Policy:
    """An ImagePolicy as far as it is known without its ImageRepository."""

    item: FluxObject
    request: ImagePolicyRequest


@dataclass(frozen=True, slots=True, eq=False)
class _LinkedPolicy:
    """An ImagePolicy with its ImageRepository; *subscription* is without targets, and without what the annotations *own* say."""

    request: ImagePolicyRequest
    subscription: Subscription | None
    own: OwnAnnotations
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _LinkedAutomation:
    """An automation with its GitRepository, and the selector of its policies."""

    draft: AutomationDraft
    request: AutomationRequest
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Where an automation writes, and what its annotations say of the policies that it writes."""

    target: Target
    said: OwnAnnotations


@dataclass(frozen=True, slots=True)
class _WrittenPolicy:
    """The whole subscription of a policy, and what is wrong with the annotations that speak of it."""

    subscription: Subscription
    problems: tuple[Problem, ...]


class FluxTranslator:
    """Translates again and again, and remembers what did not change.

    An object is the same while it is the very same mapping, which must not be changed in place. Where nothing that matters
    changed, the very same `Snapshot` and `Subscription` objects are given.
    """

    def __init__(self, options: FluxOptions | None = None) -> None:
        self._options = options or FluxOptions()
        trial = self._options.try_template
        self._try_template = TemplateTrials(trial) if trial is not None else None
        self._repositories: Memo[_Repository] = Memo()
        self._sources: Memo[GitRepositoryRequest] = Memo()
        self._policies: Memo[_Policy] = Memo()
        self._drafts: Memo[AutomationDraft] = Memo()
        self._linked: Memo[_LinkedPolicy] = Memo()
        self._completed: Memo[_LinkedAutomation] = Memo()
        self._selected: Memo[AutomationRequest] = Memo()
        self._writers: Memo[_Writer | None] = Memo()
        self._written: Memo[_WrittenPolicy] = Memo()
        self._astray: Memo[tuple[Problem, ...]] = Memo()
        self._labels: dict[str, Labels] = {}
        self._latest: Mapping[Key, ImageRef] = _NO_IMAGES
        self._members: dict[str, tuple[tuple[Key, Item], ...]] = {}
        self._given: tuple[tuple[object, ...], ...] = ()
        self._last = FluxTranslation()

    def __call__(
        self,
        image_repositories: Iterable[Item],
        image_policies: Iterable[Item],
        automations: Iterable[Item],
        git_repositories: Iterable[Item],
        namespaces: Mapping[str, Labels],
        *,
        latest: Mapping[Key, ImageRef] = _NO_IMAGES,
    ) -> FluxTranslation:
        """Return the whole translation; nothing that stands in an object makes it raise.

        *namespaces* has the labels of each namespace by its name, *latest* what each policy selected last.
        """
        kinds = [tuple(kind) for kind in (image_repositories, image_policies, automations, git_repositories)]
        self._renew_labels(namespaces)
        self._latest = latest if latest != self._latest else self._latest
        given = ((self._labels, self._latest), *kinds)
        if self._given and all(map(are_same, self._given, given)):
            return self._last
        scanned, chosen, writers, sources = map(_by_key, kinds)
        repositories = self._repositories.renew(scanned, _read_repository)
        read = self._policies.renew({key: (item, latest.get(key)) for key, (item,) in chosen.items()}, _read_policy)
        policies = self._link(read, repositories)
        drafts = self._drafts.renew(writers, self._read_draft)
        known = self._sources.renew(sources, _read_source)
        completed = self._complete(drafts, known)
        selected = self._select(completed, self._policies_by_namespace(chosen))
        written = self._subscribe(policies, selected, completed)
        wanted: dict[Key, tuple[object, ...]] = {key: (completed[key], each) for key, each in selected.items()}
        astray = self._astray.renew(wanted, _astray)
        subscriptions = {key: each.subscription for key, each in written.items()}
        of_objects = [each.problems for kind in (repositories, policies, completed, written) for each in kind.values()]
        self._given = given
        self._last = FluxTranslation(
            repositories={key: each.request for key, each in repositories.items()},
            policies={key: each.request for key, each in policies.items()},
            automations=selected,
            sources=known,
            subscriptions=subscriptions,
            snapshot=self._snapshot(subscriptions, repositories, (*of_objects, *astray.values())),
        )
        return self._last

    def _renew_labels(self, namespaces: Mapping[str, Labels]) -> None:
        """Keep the labels of each namespace as the object that they were while they are equal."""
        before = self._labels
        if namespaces != before:
            self._labels = {
                name: before[name] if before.get(name) == labels else dict(labels) for name, labels in namespaces.items()
            }

    def _read_draft(self, item: Item) -> AutomationDraft:
        options = self._options
        return read_automation(
            read_object(IMAGE_UPDATE_AUTOMATION.name, item),
            crosses_namespaces=options.crosses_namespaces,
            try_template=self._try_template,
            proposal_defaults=options.proposal,
        )

    def _link(self, policies: Mapping[Key, _Policy], repositories: Mapping[Key, _Repository]) -> dict[Key, _LinkedPolicy]:
        """Return each policy with what its ImageRepository means for it."""
        wanted: dict[Key, tuple[object, ...]] = {
            key: (policy, repositories.get(policy.request.repository), self._labels.get(key[0], _NO_LABELS))
            for key, policy in policies.items()
        }
        return self._linked.renew(wanted, self._linked_policy)

    def _linked_policy(self, policy: _Policy, repository: _Repository | None, labels: Labels) -> _LinkedPolicy:
        asked = repository.request if repository else None
        crosses = self._options.crosses_namespaces
        fault = dependency_fault(policy.item, policy.request, asked, labels, crosses_namespaces=crosses)
        request = replace(policy.request, fault=fault)
        subscription = subscription_for(request, asked, since=policy.item.since)
        return _LinkedPolicy(request, subscription, own_annotations(policy.item), _problems(policy.item, fault))

    def _complete(
        self, drafts: Mapping[Key, AutomationDraft], sources: Mapping[Key, GitRepositoryRequest]
    ) -> dict[Key, _LinkedAutomation]:
        """Return each automation with what its GitRepository means for it."""
        wanted = {key: (draft, sources.get(draft.source)) for key, draft in drafts.items()}
        return self._completed.renew(wanted, _linked_automation)

    def _policies_by_namespace(self, policies: Mapping[Key, tuple[Item]]) -> dict[str, tuple[tuple[Key, Item], ...]]:
        """Return the policies of each namespace with their labels, as the object that it was while it is equal."""
        found: dict[str, list[tuple[Key, Item]]] = defaultdict(list)
        for key, (item,) in policies.items():
            found[key[0]].append((key, mapping_in(mapping_in(item, "metadata"), "labels")))
        before, now = self._members, {namespace: tuple(members) for namespace, members in found.items()}
        self._members = {name: before[name] if before.get(name) == members else members for name, members in now.items()}
        return self._members

    def _select(
        self, automations: Mapping[Key, _LinkedAutomation], members: Mapping[str, tuple[tuple[Key, Item], ...]]
    ) -> dict[Key, AutomationRequest]:
        """Return each automation with the policies of its namespace that it selects."""
        wanted: dict[Key, tuple[object, ...]] = {
            key: (automation, members.get(key[0], ())) for key, automation in automations.items()
        }
        return self._selected.renew(wanted, _selected_automation)

    def _subscribe(
        self,
        policies: Mapping[Key, _LinkedPolicy],
        automations: Mapping[Key, AutomationRequest],
        completed: Mapping[Key, _LinkedAutomation],
    ) -> dict[Key, _WrittenPolicy]:
        """Return the subscription of each policy that has one, with a target for each automation that writes it."""
        writers: dict[Key, list[_Writer]] = defaultdict(list)
        asked: dict[Key, tuple[object, ...]] = {key: (each, completed[key]) for key, each in automations.items()}
        for key, writer in self._writers.renew(asked, _writer).items():
            if writer is not None:
                for policy_key in automations[key].policies:
                    writers[policy_key].append(writer)
        wanted: dict[Key, tuple[object, ...]] = {
            key: (policy, *writers.get(key, ())) for key, policy in policies.items() if policy.subscription is not None
        }
        return self._written.renew(wanted, self._written_policy)

    def _written_policy(self, policy: _LinkedPolicy, *writers: _Writer) -> _WrittenPolicy:
        asked = policy.subscription
        assert asked is not None  # noqa: S101 - only those that have one are written
        annotated = AnnotatedPolicy(asked.key, policy.own, [each.said for each in writers])
        decided, problems = annotated.subscription(asked, self._options.gates, self._options.delivery)
        return _WrittenPolicy(with_targets(decided, *(each.target for each in writers)), problems)

    def _snapshot(
        self,
        subscriptions: Mapping[Key, Subscription],
        repositories: Mapping[Key, _Repository],
        wrong: Iterable[tuple[Problem, ...]],
    ) -> Snapshot:
        """Return the snapshot, the one before where nothing in it moved."""
        before = self._last.snapshot
        made = Snapshot(
            subscriptions=tuple(subscriptions.values()),
            scans=tuple(each.scan for each in repositories.values() if each.scan),
            problems=tuple(dict.fromkeys(problem for found in wrong for problem in found)),
        )
        return before if made == before else made


def _by_key(items: Iterable[Item]) -> dict[Key, tuple[Item]]:
    """Return objects by their names; one without a name is nobody's."""
    keyed = ((key_in(mapping_in(item, "metadata")), item) for item in items)
    return {key: (item,) for key, item in keyed if key[1]}


def _read_repository(item: Item) -> _Repository:
    read = read_object(IMAGE_REPOSITORY.name, item)
    request = read_image_repository(read)
    listed = None if request.is_suspended else request.scan_key
    scan = ScanRequest(listed=listed, interval=request.interval, timeout=request.timeout) if listed else None
    return _Repository(request, scan, _problems(read, request.fault))


def _read_source(item: Item) -> GitRepositoryRequest:
    return read_git_repository(read_object(GIT_REPOSITORY.name, item))


def _read_policy(item: Item, latest: ImageRef | None) -> _Policy:
    read = read_object(IMAGE_POLICY.name, item)
    return _Policy(read, read_image_policy(read, latest))


def _linked_automation(draft: AutomationDraft, source: GitRepositoryRequest | None) -> _LinkedAutomation:
    request = complete(draft, source)
    return _LinkedAutomation(draft, request, _problems(draft.item, request.fault))


def _writer(automation: AutomationRequest, linked: _LinkedAutomation) -> _Writer | None:
    target = writer_for(automation)
    return None if target is None else _Writer(target, _own(linked.draft))


def _own(draft: AutomationDraft) -> OwnAnnotations:
    return own_annotations(draft.item, except_for=PROPOSAL)


def _astray(linked: _LinkedAutomation, automation: AutomationRequest) -> tuple[Problem, ...]:
    """Return what is wrong with annotations that name no policy of the automation."""
    return tuple(_own(linked.draft).astray({name for _, name in automation.policies}))


def _selected_automation(automation: _LinkedAutomation, members: tuple[tuple[Key, Item], ...]) -> AutomationRequest:
    selector = automation.draft.selector
    is_everything = not selector.requirements
    keys = tuple(key for key, labels in members if is_everything or selector(labels))
    return replace(automation.request, policies=keys)


def _problems(item: FluxObject, fault: ObjectFault | None) -> tuple[Problem, ...]:
    """Return what is wrong with an object, each once."""
    found = (*item.problems, fault.problem) if fault and fault.problem else item.problems
    return tuple(dict.fromkeys(found))
