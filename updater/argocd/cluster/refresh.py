"""How Argo CD is asked to look again at an Application whose branch has a new commit: by an annotation that it takes off.

https://argo-cd.readthedocs.io/en/stable/user-guide/annotations-and-labels/
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.argocd.cluster.kinds import APPLICATION
from updater.argocd.request.branch_tracking import follows, is_hydrated
from updater.errors import KubeError, KubeGone
from updater.kube.kinds import Ref
from updater.model.outcome import Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from updater.argocd.cluster.feedback_options import FeedbackOptions
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key
    from updater.model.outcome import Outcome
    from updater.model.subscription import Destination

REFRESH: Final = "argocd.argoproj.io/refresh"
HYDRATE: Final = "argocd.argoproj.io/hydrate"
AT_A_TIME: Final = 8

_WRITES: Final = frozenset({Status.UPDATED, Status.REVERTED})


class Refresher:
    """Refreshes Applications, each once for a commit. A refresh that fails is reported; Argo CD looks by itself in minutes."""

    def __init__(self, client: KubeClient, answers: FeedbackOptions) -> None:
        self._client = client
        self._answers = answers
        self._waiting: dict[Key, tuple[str, ...]] = {}
        self._done: dict[Key, str] = {}
        self._due = asyncio.Event()

    def keep(self, applications: Mapping[Key, object]) -> None:
        """Forget Applications that are gone."""
        for known in (self._waiting, self._done):
            for key in [key for key in known if key not in applications]:
                del known[key]

    def landed(self, key: Key, application: Mapping[str, Any], destination: Destination, outcome: Outcome) -> None:
        """Let an Application be refreshed if *outcome* is a commit to a branch that it follows."""
        if not self._answers.refresh or outcome.status not in _WRITES or destination.method != "git":
            return
        spec = application.get("spec") or {}
        revision = outcome.revision or ""
        if self._done.get(key) == revision or not follows(spec, destination):
            return
        self._done[key] = revision
        self._waiting[key] = (REFRESH, HYDRATE) if is_hydrated(spec) else (REFRESH,)
        self._due.set()

    def wake(self) -> None:
        """Refresh what waits."""
        self._due.set()

    async def work(self) -> None:
        """Wait for an Application to refresh, and refresh all that wait while this replica may write."""
        await self._due.wait()
        self._due.clear()
        while self._waiting and self._answers.may_write():
            some = list(self._waiting.items())[:AT_A_TIME]
            for key, _ in some:
                del self._waiting[key]
            await asyncio.gather(*(self._refresh(key, names) for key, names in some))

    async def _refresh(self, key: Key, names: tuple[str, ...]) -> None:
        ref = Ref(APPLICATION, *key)
        try:
            await self._client.patch(ref, {"metadata": {"annotations": dict.fromkeys(names, "normal")}})
        except KubeGone:
            return  # deleted meanwhile
        except KubeError as error:
            self._answers.count("refresh", error.code)
            self._answers.report(f"refresh of {ref}", error)
        else:
            self._answers.count("refresh", "ok")
