"""What follows from an outcome for the objects that asked: statuses, Events, and that Argo CD should look again.

What is remembered is the last outcome of each subscription that there is; with an Application that is gone it is forgotten.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.cluster.event_texts import remark_on_flaw, remark_on_moves, remark_on_note, remark_on_outcome
from updater.argocd.cluster.feedback_index import FeedbackIndex, index
from updater.argocd.cluster.feedback_options import FeedbackOptions
from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER
from updater.argocd.cluster.moves import move_of
from updater.argocd.cluster.refresh import Refresher
from updater.argocd.cluster.status_writer import ImageUpdaterStatuses, updater_ref
from updater.controller.event_queue import EventQueue
from updater.controller.objects import event_subject
from updater.controller.work import bugs_logged, repeat
from updater.model.report import DestinationLanded
from updater.model.text import without_waits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.argocd.cluster.moves import ImageMove
    from updater.argocd.request.application import ObjectProblem
    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.argocd.request.translation import Translation
    from updater.controller.objects import KeptObject
    from updater.kube.client import KubeClient
    from updater.kube.events import Event
    from updater.kube.kinds import Key, Object
    from updater.model.outcome import Outcome, Status
    from updater.model.problem import Problem
    from updater.model.report import TargetsRefused
    from updater.model.subscription import Destination, Target

__all__ = ["ClusterState", "Feedback", "FeedbackOptions"]

_NOT_WRITTEN: Final = "an answer to Argo CD's objects was not written"
_MOST_NOTES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """What is known at one moment: the objects, and what they come to."""

    applications: Mapping[Key, Mapping[str, Any]]
    updaters: Mapping[Key, KeptObject]
    translation: Translation


class Feedback:
    """Answers the objects of one cluster. `know` and `hear` remember and return at once; `run` writes."""

    def __init__(self, client: KubeClient, answers: FeedbackOptions) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._answers = answers
        self._known: ClusterState | None = None
        self._index = FeedbackIndex()
        self._noted: dict[Destination, dict[tuple[str, Problem], Event]] = {}
        self._telling: EventQueue[ObjectProblem] = EventQueue(answers)
        self._refreshing = Refresher(client, answers)
        self._statuses = ImageUpdaterStatuses(client, answers, self._outcomes)
        for part in (self._telling, self._refreshing, self._statuses.writer):
            answers.when_leading(part.wake)

    def know(self, known: ClusterState) -> None:
        """Take over what is known now, and forget what is gone."""
        before, self._known = self._known, known
        if before is None or before.translation is not known.translation:
            self._index = index(known.translation)
            for key in [key for key in self._outcomes if key not in self._index.by_key]:
                del self._outcomes[key]
                self._telling.withdraw(key)
            self._telling.states(known.translation.findings, self._on_flaw)
        self._refreshing.keep(known.applications)
        self._statuses.know(known.updaters, known.translation.selected, self._index)

    def hear(self, report: DestinationLanded | TargetsRefused) -> None:
        """Remember how targets ended, and set off what follows; outcomes of subscriptions that are not here are left out."""
        with bugs_logged(_NOT_WRITTEN):
            self._note(report.outcomes)
        if isinstance(report, DestinationLanded) and report.notes is not None:
            self._tell_notes(report, report.notes)

    def _tell_notes(self, report: DestinationLanded, notes: Sequence[Problem]) -> None:
        """Tell an Application of a problem in a file that nobody's target holds, if it lies where that Application is written."""
        before, now = self._noted.get(report.destination, {}), self._notes_by_application(report, notes)
        for key in before.keys() - now.keys():
            self._telling.withdraw(key)
        for key in now.keys() - before.keys():
            if item := self._find(f"{APPLICATION.name} {key[0]}"):
                self._telling.put(key, item, now[key])
        self._noted[report.destination] = now

    def _notes_by_application(self, report: DestinationLanded, notes: Sequence[Problem]) -> dict[tuple[str, Problem], Event]:
        if not notes:
            return {}
        folders = {
            (answer.application, _folder(outcome.target_spec))
            for outcome in report.outcomes
            if outcome.target_spec and (answer := self._index.by_key.get(outcome.key)) is not None
        }
        told: dict[tuple[str, Problem], Event] = {}
        for application, folder in sorted(folders):
            those = [note for note in notes if folder == "." or note.path.startswith(f"{folder}/")]
            told |= {(application, note): remark_on_note(note) for note in those[:_MOST_NOTES]}
        return told

    def _note(self, outcomes: Sequence[Outcome]) -> None:
        moved: defaultdict[tuple[str, str | None], list[ImageMove]] = defaultdict(list)
        for outcome in outcomes:
            answer = self._index.by_key.get(outcome.key)
            if answer is None:
                continue
            before = self._outcomes.get(outcome.key)
            if before is not None and _state(before) == _state(outcome):
                continue
            self._outcomes[outcome.key] = outcome
            self._statuses.writer.touch(map(updater_ref, self._index.owners(answer)))
            self._tell(answer, outcome)
            move = move_of(answer, outcome)
            if move:
                moved[answer.application, outcome.revision].append(move)
                self._spread(answer, outcome, move)
        for (application, revision), moves in moved.items():
            if item := self._find(f"{APPLICATION.name} {application}"):
                self._telling.put((application, revision), item, remark_on_moves(moves, revision))

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._telling.run(), name="tell Events")
            tasks.create_task(repeat(self._refreshing.work, detail=_NOT_WRITTEN), name="refresh Applications")
            tasks.create_task(self._statuses.writer.run(), name="write statuses")

    def lead(self) -> None:
        """Write what waited for this replica to lead."""
        self._answers.leads()

    async def finish(self) -> None:
        """Write what is due now: the end of a single pass."""
        self._refreshing.wake()
        await self._refreshing.work()
        await self._statuses.writer.finish()
        await self._telling.finish()

    def _tell(self, answer: ImageTranslation, outcome: Outcome) -> None:
        """Report why an image was held or failed, or where it is proposed, once while that state lasts."""
        remark = remark_on_outcome(answer, outcome)
        item = self._find(f"{APPLICATION.name} {answer.application}")
        if remark and item:
            self._telling.put(outcome.key, item, remark)
        else:
            self._telling.withdraw(outcome.key)

    def _spread(self, answer: ImageTranslation, outcome: Outcome, move: ImageMove) -> None:
        """Tell the ImageUpdaters of a move, and refresh every Application that reads what was written."""
        for name in self._index.owners(answer):
            self._statuses.writer.tell(updater_ref(name), move)
        subscription, known = answer.subscription, self._known
        if subscription is None or known is None:
            return
        for reader in (answer, *self._index.shared.get(outcome.key, ())):
            key = _key(reader.application)
            application = known.applications.get(key)
            if application is not None:
                self._refreshing.landed(key, application, subscription.targets[0].destination, outcome)

    def _on_flaw(self, finding: ObjectProblem) -> tuple[Object, Event] | None:
        """Return the Event that tells what is wrong with an object; None where the object is not known."""
        item = self._find(finding.origin)
        return (item, remark_on_flaw(finding.flaw)) if item else None

    def _find(self, origin: str) -> Object | None:
        """Return as much of the object of an origin, ``Kind namespace/name``, as Events need."""
        kind, _, name = origin.partition(" ")
        key, known = _key(name), self._known
        if known is None:
            return None
        if kind == IMAGE_UPDATER.name and key in known.updaters:
            return event_subject(IMAGE_UPDATER, key, known.updaters[key].item["metadata"])
        if kind == APPLICATION.name and key in known.applications:
            return event_subject(APPLICATION, key, known.applications[key]["metadata"])
        return None


def _state(outcome: Outcome) -> tuple[Status, str | None, str, str | None]:
    return outcome.status, outcome.code, without_waits(outcome.told), outcome.revision


def _folder(target: Target) -> str:
    """Return the folder in which a target of Git lies."""
    path = target.locator.path
    is_folder = target.editor == "kustomize" and not path.endswith((".yaml", ".yml"))
    return path if is_folder else posixpath.dirname(path) or "."


def _key(name: str) -> Key:
    namespace, _, rest = name.partition("/")
    return namespace, rest
