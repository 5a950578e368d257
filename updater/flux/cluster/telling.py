"""Which Events Flux's image objects are told, each once: on the objects, and to whoever listens at an events address."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from updater.controller.event_queue import EventQueue
from updater.controller.objects import event_subject
from updater.flux.cluster.automation_landing import MOST_PROBLEMS
from updater.flux.cluster.automation_status import AutomationFacts, automation_verdict
from updater.flux.cluster.event_texts import (
    event_on_automation,
    event_on_problem,
    event_on_selection,
    forwarded_annotations,
    said_by_status,
    said_by_verdict,
)
from updater.flux.cluster.policy_status import PolicyFacts, policy_verdict
from updater.flux.cluster.repository_status import repository_verdict
from updater.flux.cluster.status_fields import End

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.controller.objects import KeptObject
    from updater.controller.options import ControllerOptions
    from updater.flux.cluster.automation_landing import AutomationCommit
    from updater.flux.cluster.event_texts import Said
    from updater.flux.cluster.heard import Facts
    from updater.flux.cluster.notifier import Notifier
    from updater.flux.cluster.status_fields import Verdict
    from updater.kube.events import Event
    from updater.kube.kinds import Object, Ref
    from updater.model.problem import Problem


class FluxEvents:
    """Tells objects what changed for them.

    What an object's status says at the start was told before, and so was what it says while another replica leads: whoever
    takes over would tell all that happened since his own start.
    """

    def __init__(self, options: ControllerOptions, notifier: Notifier | None) -> None:
        self._leads = options.may_write
        self._notifier = notifier
        self._kept: Mapping[Ref, KeptObject] = {}
        self._said: dict[Ref, Said] = {}
        self._problems: dict[Ref, tuple[Problem, ...]] = {}
        self._queue: EventQueue[tuple[Ref, Problem]] = EventQueue(options)
        options.when_leading(self._queue.wake)
        if notifier is not None:
            options.when_leading(notifier.wake)

    def know(self, kept: Mapping[Ref, KeptObject]) -> None:
        """Take over the objects that there are, and forget what is gone."""
        self._kept = kept
        told = self._said if self._leads() else {}
        self._said = {ref: told.get(ref) or said_by_status(each.status) for ref, each in kept.items()}
        if not self._problems.keys() <= kept.keys():
            self._problems = {ref: problems for ref, problems in self._problems.items() if ref in kept}
            self._tell_problems()

    def tell(self, ref: Ref, kept: KeptObject, facts: Facts | None, pushed: AutomationCommit | None = None) -> None:
        """Record an Event on an object that stands otherwise than was said last; *pushed* is always told."""
        if facts is None or facts.request.is_suspended:
            return
        before = self._said.get(ref) or said_by_status(kept.status)
        verdict = _verdict(facts)
        if isinstance(facts, AutomationFacts):
            event = event_on_automation(before, verdict, pushed)
            problems = facts.landing.problems[:MOST_PROBLEMS] if facts.landing is not None else ()
            if problems != self._problems.get(ref, ()):
                new = [problem for problem in problems if problem not in self._problems.get(ref, ())]
                self._problems[ref] = problems
                self._tell_problems()
                for problem in new:
                    self._notify(ref, kept, event_on_problem(problem))
        else:
            event = event_on_selection(before, verdict)
        if not self._leads():
            return
        if verdict.end is not End.RUNNING:
            self._said[ref] = said_by_verdict(verdict)
        if event is not None:
            self._queue.put((ref, pushed.revision if pushed else ""), _subject(ref, kept), _annotated(kept, event))
            self._notify(ref, kept, event)

    async def run(self) -> None:
        """Record and post until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._queue.run(), name="record Events")
            if self._notifier is not None:
                tasks.create_task(self._notifier.run(), name="post Events")

    async def finish(self) -> None:
        """Record and post what waits: the end of a single pass."""
        await self._queue.finish()
        if self._notifier is not None:
            await self._notifier.finish()

    def _tell_problems(self) -> None:
        """Record what lasts: each problem of an automation, once until it ends."""
        self._queue.states([(ref, item) for ref, those in self._problems.items() for item in those], self._on_problem)

    def _on_problem(self, state: tuple[Ref, Problem]) -> tuple[Object, Event] | None:
        ref, problem = state
        kept = self._kept.get(ref)
        return (_subject(ref, kept), _annotated(kept, event_on_problem(problem))) if kept else None

    def _notify(self, ref: Ref, kept: KeptObject, event: Event) -> None:
        if self._notifier is not None and self._leads():
            self._notifier.put(ref, _annotated(kept, event), kept)


def _verdict(facts: Facts) -> Verdict:
    if isinstance(facts, AutomationFacts):
        return automation_verdict(facts)
    return policy_verdict(facts) if isinstance(facts, PolicyFacts) else repository_verdict(facts)


def _subject(ref: Ref, kept: KeptObject) -> Object:
    return event_subject(ref.kind, (ref.namespace, ref.name), kept.item["metadata"])


def _annotated(kept: KeptObject, event: Event) -> Event:
    """Return an Event with what its object sends along."""
    return replace(event, annotations=forwarded_annotations(kept.item["metadata"]))
