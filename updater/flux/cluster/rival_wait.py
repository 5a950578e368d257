"""What is asked for and told while Flux's own image controllers work: nothing, and why."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.controller.event_queue import EventQueue
from updater.controller.objects import event_subject
from updater.documents.members import mapping_in
from updater.flux.kinds import IMAGE_UPDATE_AUTOMATION
from updater.kube.events import Event
from updater.model.problem import Problem
from updater.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.controller.options import ControllerOptions
    from updater.flux.cluster.rivals import RivalControllers
    from updater.kube.kinds import Key, Object

_CODE: Final = "flux-runs"
_ORIGIN: Final = "flux"


class RivalWait:
    """Waits while *rivals* work, and records an Event on each automation then."""

    def __init__(self, rivals: RivalControllers, options: ControllerOptions) -> None:
        self.rivals = rivals
        self._events: EventQueue[Key] = EventQueue(options)
        self._last: Snapshot | None = None
        options.when_leading(self._events.wake)

    def snapshot(self, automations: Mapping[Key, Mapping[str, Any]]) -> Snapshot | None:
        """Return what is asked for while somebody is waited for, with the reason; None where nobody is."""
        if not self.rivals.working:
            self._last = None
            self._events.states((), partial(_event, automations, ""))
            return None
        names = " and ".join(self.rivals.working)
        hint = f"scale {names} to zero, or set while_flux_runs: work at the source flux"
        verb, pronoun = ("run", "they stop") if len(self.rivals.working) > 1 else ("runs", "it stops")
        message = f"{names} of Flux still {verb}; nothing is written for Flux's objects until {pronoun}"
        made = Snapshot(problems=(Problem(path="", code=_CODE, message=message, hint=hint, origin=_ORIGIN),))
        self._last = self._last if self._last == made else made
        self._events.states(automations.keys(), partial(_event, automations, f"{message}; {hint}"))
        return self._last

    async def run(self) -> None:
        """Record Events until cancelled."""
        await self._events.run()


def _event(automations: Mapping[Key, Mapping[str, Any]], message: str, key: Key) -> tuple[Object, Event]:
    subject = event_subject(IMAGE_UPDATE_AUTOMATION, key, mapping_in(automations[key], "metadata"))
    return subject, Event(reason="FluxRuns", message=message, weight="Warning")
