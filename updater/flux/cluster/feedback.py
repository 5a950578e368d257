"""What follows from what happened for Flux's image objects: statuses, Events, and what is done out of turn.

What is remembered is the last scan, selection and landing of each object that there is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.controller.objects import Sharing
from updater.controller.status_patch import StatusRules
from updater.controller.status_writer import StatusWriter
from updater.controller.work import bugs_logged
from updater.flux.cluster.automation_status import AutomationFacts, automation_status
from updater.flux.cluster.heard import FluxMemory, FluxState
from updater.flux.cluster.policy_status import PolicyFacts, policy_status
from updater.flux.cluster.pruning import prune_object
from updater.flux.cluster.repository_status import repository_status
from updater.flux.cluster.requested_work import RequestedWork
from updater.flux.cluster.status_fields import VOLATILE
from updater.flux.cluster.telling import FluxEvents
from updater.flux.kinds import FINALIZER, IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION
from updater.flux.request.requests import DigestReflection, subscription_key
from updater.kube.kinds import Ref
from updater.model.report import DestinationLanded, ImageScanned, SelectionReflected, TargetsRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from updater.controller.objects import KeptObject
    from updater.controller.options import ControllerOptions
    from updater.controller.status_patch import StatusDue
    from updater.flux.cluster.automation_landing import AutomationCommit
    from updater.flux.cluster.notifier import Notifier
    from updater.flux.request.requests import FluxTranslation
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key, Kind
    from updater.model.image import ImageRef
    from updater.model.report import Report
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import GitBranch

__all__ = ["FluxFeedback", "FluxHooks", "FluxRequests", "FluxState"]

KINDS: Final = (IMAGE_REPOSITORY, IMAGE_POLICY, IMAGE_UPDATE_AUTOMATION)
_NOT_ANSWERED: Final = "an answer to Flux's objects was not made"
_RIVAL_HINT: Final = (
    "scale image-reflector-controller and image-automation-controller to zero; until then ours is written less and less often"
)


def _nothing(*_arguments: object) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxRequests:
    """What objects ask for out of turn since the last snapshot: scans, selections by subscription key, and landings."""

    scans: tuple[ScanKey, ...] = ()
    reflections: tuple[str, ...] = ()
    landings: tuple[GitBranch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxHooks:
    """Whom feedback tells besides the objects.

    *changed*: an ImagePolicy with a digest, by its key, selects another image; the next translation reads it by
    `FluxFeedback.latest_of`, and where only the digest moved no scan tells of it. *observe*: kind,
    name and namespace of an object, and how many seconds its last scan, selection or landing took. *notifier* posts the Events
    to Flux's notification-controller. *keep* is told kind, name and namespace of every object that there is.
    """

    changed: Callable[[Key], None] = _nothing
    observe: Callable[[str, str, str, float], None] = _nothing
    keep: Callable[[Iterable[tuple[str, str, str]]], None] = _nothing
    notifier: Notifier | None = None


class FluxFeedback:
    """Answers Flux's image objects of one cluster. `know` and `hear` remember and return at once; `run` writes."""

    def __init__(self, client: KubeClient, options: ControllerOptions, hooks: FluxHooks | None = None) -> None:
        self._options = options
        self._hooks = hooks or FluxHooks()
        self._kept: Mapping[Ref, KeptObject] = {}
        self._state = FluxState()
        self._memory = FluxMemory()
        self._requested = RequestedWork()
        self._events = FluxEvents(options, self._hooks.notifier)
        rules: StatusRules[None] = StatusRules(
            make=self._status,
            prune=partial(prune_object, sharing=Sharing()),
            volatile=VOLATILE,
            finalizer=FINALIZER,  # never added here; an object that the original left behind must not hang for ever
            rival_hint=_RIVAL_HINT,
        )
        self._statuses = StatusWriter(client, options, dict.fromkeys(KINDS, rules))
        options.when_leading(self._statuses.wake)

    def latest_of(self, policies: Mapping[Key, KeptObject]) -> Mapping[Key, ImageRef]:
        """Return what each of *policies* selected last: a translation reads it."""
        return self._memory.latest_of(policies)

    def know(self, state: FluxState) -> FluxRequests:
        """Take over what is known now, and forget what is gone; return what is asked for out of turn."""
        now = datetime.fromtimestamp(self._options.surroundings.wall(), UTC)
        before, self._state, self._kept = self._kept, state, state.kept()
        if before.keys() != self._kept.keys():
            self._hooks.keep((ref.kind.name, ref.name, ref.namespace) for ref in self._kept)
        learned = self._memory.know(state, now)
        self._events.know(self._kept)
        new = self._requested.note(_asked(state), now)
        self._statuses.know(self._kept, all_due=False)
        self._statuses.touch(learned.otherwise)
        for ref in learned.otherwise:
            if ref in self._kept:
                self._events.tell(ref, self._kept[ref], self._memory.facts_of(ref, self._kept[ref]))
        return _out_of_turn(state.translation, new, learned.unscanned)

    def rest(self) -> None:
        """Forget everything, and write nothing more until `know` is called: others work on the objects from now on."""
        self._state, self._kept = FluxState(), {}
        self._memory, self._requested = FluxMemory(), RequestedWork()
        self._events.know(self._kept)
        self._statuses.know(self._kept, all_due=False)

    def hear(self, report: Report) -> None:
        """Remember what happened, and set off what follows; what is about others is left out."""
        with bugs_logged(_NOT_ANSWERED):
            if isinstance(report, ImageScanned):
                for ref in self._memory.scanned(report):
                    self._answer(ref, (report.at - report.began).total_seconds())
            elif isinstance(report, SelectionReflected):
                self._hear_selection(report)
            elif isinstance(report, DestinationLanded):
                for ref, landing in self._memory.landed(report).items():
                    self._answer(ref, report.seconds, landing.pushed)
            elif isinstance(report, TargetsRefused):
                for ref in self._memory.refused(report):
                    self._answer(ref, None)

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._events.run(), name="tell Events")
            tasks.create_task(self._statuses.run(), name="write statuses")

    def lead(self) -> None:
        """Write what waited for this replica to lead."""
        self._options.leads()

    async def finish(self) -> None:
        """Write what is due now: the end of a single pass."""
        await self._statuses.finish()
        await self._events.finish()

    def _hear_selection(self, report: SelectionReflected) -> None:
        found = self._memory.reflected(report, self._kept)
        if found is None:
            return
        ref, is_other = found
        self._answer(ref, (report.at - report.began).total_seconds())
        key = (ref.namespace, ref.name)
        policy = self._state.translation.policies.get(key)
        if is_other and policy is not None and policy.reflection is not DigestReflection.NEVER:
            self._hooks.changed(key)

    def _answer(self, ref: Ref, seconds: float | None, pushed: AutomationCommit | None = None) -> None:
        """Let an object be told what was heard of it; *seconds* is how long that took, None where it took no time."""
        kept = self._kept.get(ref)
        if kept is None:
            return
        if seconds is not None:
            self._hooks.observe(ref.kind.name, ref.name, ref.namespace, seconds)
        self._events.tell(ref, kept, self._memory.facts_of(ref, kept), pushed)
        self._statuses.touch([ref], at_once=self._requested.is_open(ref))

    def _status(self, due: StatusDue[None]) -> dict[str, Any] | None:
        """Return the status that is due to an object; None where the present one says the same."""
        facts = self._memory.facts_of(due.ref, due.kept)
        if facts is None:
            return None
        is_handled = self._requested.is_done(due.ref, facts.answers)
        if isinstance(facts, AutomationFacts):
            return automation_status(replace(facts, is_handled=is_handled), due.now)
        if isinstance(facts, PolicyFacts):
            return policy_status(replace(facts, is_handled=is_handled), due.now)
        return repository_status(replace(facts, is_handled=is_handled), due.now)


def _asked(state: FluxState) -> Iterator[tuple[Ref, str, KeptObject]]:
    """Return what objects ask for by their annotation, without those that are suspended."""
    translation = state.translation
    found = (
        (IMAGE_REPOSITORY, translation.repositories, state.repositories),
        (IMAGE_POLICY, translation.policies, state.policies),
        (IMAGE_UPDATE_AUTOMATION, translation.automations, state.automations),
    )
    for kind, requests, objects in found:
        for key, request in requests.items():
            if request.requested_at and not request.is_suspended and key in objects:
                yield Ref(kind, *key), request.requested_at, objects[key]


def _out_of_turn(translation: FluxTranslation, asked: Sequence[Ref], unscanned: Sequence[Key]) -> FluxRequests:
    """Return the work that objects asked for, and scans for ImageRepositories that nothing is known of."""
    keys: dict[Kind, list[Key]] = {kind: [] for kind in KINDS}
    for ref in asked:
        keys[ref.kind].append((ref.namespace, ref.name))
    repositories = [translation.repositories[key] for key in (*keys[IMAGE_REPOSITORY], *unscanned)]
    scans = [item.scan_key for item in repositories if item.scan_key is not None]
    landings = [translation.automations[key].branch for key in keys[IMAGE_UPDATE_AUTOMATION]]
    return FluxRequests(
        scans=tuple(dict.fromkeys(scans)),
        reflections=tuple(subscription_key(key) for key in keys[IMAGE_POLICY] if key in translation.subscriptions),
        landings=tuple(dict.fromkeys(branch for branch in landings if branch is not None)),
    )
