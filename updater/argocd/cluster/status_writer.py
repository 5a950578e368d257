"""What the statuses of ImageUpdaters are made of: what is known of each, and what the last outcomes of its images are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.cluster.feedback_index import FeedbackIndex
from updater.argocd.cluster.kinds import IMAGE_UPDATER
from updater.argocd.cluster.pruning import prune_updater
from updater.argocd.cluster.status import VOLATILE, StatusFacts, status_of
from updater.controller.objects import Sharing
from updater.controller.status_patch import StatusRules
from updater.controller.status_writer import StatusWriter
from updater.kube.kinds import Ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.argocd.cluster.feedback_options import FeedbackOptions
    from updater.argocd.cluster.moves import ImageMove
    from updater.controller.objects import KeptObject
    from updater.controller.status_patch import StatusDue
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key
    from updater.model.outcome import Outcome

FINALIZER: Final = "resources-finalizer.argocd-image-updater.argoproj.io"
_RIVAL_HINT: Final = "if another Argo CD Image Updater still runs, stop it; until then ours is written less and less often"


class ImageUpdaterStatuses:
    """Says what the status of each ImageUpdater is; `writer` writes them.

    *outcomes* are the last ones by subscription key, in force while they change.
    """

    def __init__(self, client: KubeClient, answers: FeedbackOptions, outcomes: Mapping[str, Outcome]) -> None:
        self._outcomes = outcomes
        self._applications: dict[str, int] = {}
        self._index = FeedbackIndex()
        rules: StatusRules[ImageMove] = StatusRules(
            make=self._status,
            prune=partial(prune_updater, sharing=Sharing()),
            volatile=VOLATILE,
            finalizer=FINALIZER,  # the peer's: who takes its place must not leave a deleted object hanging
            rival_hint=_RIVAL_HINT,
        )
        self.writer = StatusWriter(client, answers, {IMAGE_UPDATER: rules})

    def know(self, kept: Mapping[Key, KeptObject], selected: Mapping[str, tuple[str, ...]], index: FeedbackIndex) -> None:
        """Take over the objects, how many Applications each decides for, and their answers."""
        is_other, self._index = index is not self._index, index
        self._applications = {name: len(applications) for name, applications in selected.items()}
        self.writer.know({Ref(IMAGE_UPDATER, *key): each for key, each in kept.items()}, all_due=is_other)

    def _status(self, due: StatusDue[ImageMove]) -> dict[str, Any] | None:
        name = due.ref.place
        facts = StatusFacts(
            kept=due.kept,
            applications=self._applications.get(name, 0),
            answers=self._index.by_updater.get(name, ()),
            outcomes=self._outcomes,
            flaws=self._index.flaws.get(name, ()),
            moves=due.news,
        )
        return status_of(facts, due.now)


def updater_ref(name: str) -> Ref:
    """Return the ImageUpdater that is named as ``namespace/name``."""
    namespace, _, rest = name.partition("/")
    return Ref(IMAGE_UPDATER, namespace, rest)
