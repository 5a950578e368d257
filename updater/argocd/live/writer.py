"""How a live Argo CD Application is looked at and patched: its own values alone, on the version that was read.

An Application keeps its status in the same object, without a subresource, and Argo CD writes it all the time: each write makes
a new version. So the version of a look is not the lease. A write reads the Application again, proves that the places it
changes say what they said, and patches that very version; where somebody was faster with the status alone it does so again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from updater.argocd.live.memory import memory_steps, remembered
from updater.argocd.live.patch import plan_of
from updater.argocd.live.reading import read_application, readings_of
from updater.argocd.live.reverted_writes import RevertedWrites, undone
from updater.errors import EditError, KubeConflict, KubeDenied, KubeError, KubeGone, PushRefused, UpdaterError
from updater.http.offload import offload
from updater.kube.client import PatchType
from updater.kube.kinds import Kind, Ref
from updater.model.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.argocd.live.patch import LivePatch
    from updater.argocd.live.reading import LiveState
    from updater.kube.client import KubeClient
    from updater.model.problem import Problem
    from updater.model.subscription import Destination, LiveApplication, Subscription
    from updater.model.update import Commit, WriteResult
    from updater.model.view import Reading

APPLICATION: Final = Kind("argoproj.io", "v1alpha1", "Application", "applications")
ATTEMPTS: Final = 5
MOST_SEEN: Final = 4096
_METHOD: Final = "argocd"
_YAML_BY_JSON: Final = 8  # how much longer reading YAML takes than reading as many bytes of JSON
T = TypeVar("T")
_NO_RIGHT: Final = "cannot patch resource"


@dataclass(frozen=True, slots=True)
class _Seen:
    """The view of an object that the watch keeps, for the subscriptions that it was asked for."""

    item: Mapping[str, Any]
    subscriptions: tuple[Subscription, ...]
    view: View


def _nothing(_application: LiveApplication) -> None:
    return None


class ApplicationWriter:
    """Reads and writes live Applications. *count* is told of each look and patch.

    *known* gives what a watch keeps of an Application, the very same object while nothing that a look reads changed; None where
    it is not watched. A look at what is known asks nobody: what is written was read again just before.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        known: Callable[[LiveApplication], Mapping[str, Any] | None] = _nothing,
        count: Callable[[str, str], None] = lambda _name, _label: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._undone = RevertedWrites(clock)
        self._known = known
        self._count = count
        self._behind: dict[LiveApplication, Mapping[str, Any]] = {}
        self._seen: OrderedDict[LiveApplication, _Seen] = OrderedDict()

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Read the Application and every target on it. `View.head` is its `resourceVersion`, "" where the watch told it.

        Raises `KubeError`: ``application-gone`` where it is not there, and `UpdaterError` ``application-set``.
        """
        application, concerned = _as_application(destination), tuple(subscriptions)
        item = self._told(application)
        seen = self._seen.get(application)
        if item is not None and seen is not None and seen.item is item and seen.subscriptions == concerned:
            self._count("updater_looks_total", "same")
            return seen.view
        live = await self._read(application) if item is None else _checked(read_application(item), application)
        view = await _aside(partial(_view, live, application, concerned), live)
        self._count("updater_looks_total", "read")
        if item is not None:
            self._seen[application] = _Seen(item, concerned, view)
            if len(self._seen) > MOST_SEEN:
                self._seen.popitem(last=False)
        return view

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Write every update in one JSON patch, whatever the number of commit specs; `WriteResult.revisions` has the new version.

        What was taken back a moment ago is refused in a trial too, and shown by any other dry run.

        Raises `PushRefused` where a place that is to change says something else than in *view*, and `KubeError`. What
        the API server does not take is refused, update by update, and not tried again.
        """
        application = _as_application(view.destination)
        if not is_dry and (item := self._known(application)) is not None:
            self._behind[application] = item
        for _ in range(ATTEMPTS):
            live = await self._read(application)
            is_plain = is_dry and not any(commit.is_trial for commit in commits)
            plan = await (_plan_of(live, commits) if is_plain else self._plan(application, live, commits))
            if is_dry or not plan.steps:
                return plan.landed(is_dry=is_dry)
            try:
                return await self._patch(application, plan)
            except KubeConflict:
                continue
        message = f"{application} changed {ATTEMPTS} times while it was written"
        raise PushRefused(message, hint="it is read again and re-evaluated")

    async def _plan(self, application: LiveApplication, live: LiveState, commits: Sequence[Commit]) -> LivePatch:
        """Plan what was not written before and taken back a moment ago."""
        plan = await _plan_of(live, commits)
        held = [update for update, changes in plan.changes.items() if self._undone.is_held(application, changes)]
        if not held:
            return plan
        rest = [replace(one, updates=tuple(update for update in one.updates if update not in held)) for one in commits]
        plan = await _plan_of(live, rest)
        plan.refuse(held, undone(application))
        return plan

    async def _read(self, application: LiveApplication) -> LiveState:
        try:
            live = read_application(await self._client.get(_ref(application)))
        except KubeGone as gone:
            raise _gone(application) from gone
        return _checked(live, application)

    def _told(self, application: LiveApplication) -> Mapping[str, Any] | None:
        """Return what the watch keeps; None where it may not have told of our own write yet."""
        item = self._known(application)
        if item is not None and item is self._behind.get(application):
            return None
        self._behind.pop(application, None)
        return item

    async def _patch(self, application: LiveApplication, plan: LivePatch) -> WriteResult:
        """Send the patch; raise `KubeConflict` where the Application is of another version meanwhile."""
        try:
            # An index in a list is exact without a `test`: the server takes the patch only at the version of which it was
            # made, in which that index is that entry.
            steps = [
                *plan.steps,
                *memory_steps(plan.live.item, [item for item, made in plan.changes.items() if made], time.time()),
            ]
            sent = await self._client.patch(_ref(application), steps, form=PatchType.JSON, version=plan.live.version)
        except KubeGone as gone:
            raise _gone(application) from gone
        except KubeError as error:
            if not isinstance(error, KubeDenied) and error.code != "kube-invalid":
                raise
            plan.refuse([update for update, changes in plan.changes.items() if changes], _refusal(error, application))
            return plan.landed()
        self._undone.wrote(application, [change for changes in plan.changes.values() for change in changes])
        answer = read_application(sent)
        hint = "look for an admission webhook or policy that changes Applications"
        lost = await _aside(partial(plan.lost, answer), answer)
        plan.refuse(lost, KubeError("the cluster changed back what was written", hint=hint, code="undone"))
        self._count("updater_commits_total", _METHOD)
        return plan.landed(revision=answer.version)


async def _plan_of(live: LiveState, commits: Sequence[Commit]) -> LivePatch:
    return await _aside(partial(plan_of, live, commits), live)


async def _aside(work: Callable[[], T], live: LiveState) -> T:
    """Do *work* on the overrides of *live*, beside the event loop where they are large; raise `EditError` ``too-slow``.

    Whoever may write an Application chooses how many there are.
    """
    try:
        return await offload(work, _YAML_BY_JSON * live.weight())
    except TimeoutError:
        message, hint = f"the overrides of {live.name} took too long to read and were given up", "write fewer parameters"
        raise EditError(message, hint=hint, code="too-slow", path=live.name) from None


def _checked(live: LiveState, application: LiveApplication) -> LiveState:
    """Return *live* where it may be written; raise `KubeGone` and `UpdaterError` ``application-set``."""
    if live.is_leaving:
        raise _gone(application)
    if live.owner:
        message = f"the ApplicationSet {live.owner} made {live.name}, and would undo what is written to it"
        hint = "write to Git: a git: target, or write-back-method: git"
        raise UpdaterError(message, hint=hint, code="application-set")
    return live


def _view(live: LiveState, application: LiveApplication, subscriptions: Sequence[Subscription]) -> View:
    readings: dict[tuple[str, int], tuple[Reading, ...]] = {}
    problems: dict[tuple[str, int], tuple[Problem, ...]] = {}
    for subscription in subscriptions:
        for index, target in enumerate(subscription.targets):
            if target.destination == application:
                found = readings_of(live, target, subscription.image)
                readings[subscription.key, index] = found.readings
                problems[subscription.key, index] = found.problems
    recent = remembered(live.item)
    return View(destination=application, head=live.version, readings=readings, problems=problems, pending={}, recent=recent)


def _as_application(destination: Destination) -> LiveApplication:
    assert destination.method == "argocd"  # noqa: S101 - the composition root routes by method
    return destination


def _ref(application: LiveApplication) -> Ref:
    return Ref(APPLICATION, application.namespace, application.name)


def _gone(application: LiveApplication) -> KubeGone:
    message = f"the Application {application.namespace}/{application.name} does not exist, or is being deleted"
    hint = "check namespace and name; without the Application take its target or annotations away"
    return KubeGone(message, hint=hint, code="application-gone")


def _refusal(error: KubeError, application: LiveApplication) -> KubeError:
    """Return what a refused patch means: a right that is missing, a rule of the cluster, or the definition of the kind."""
    if _NO_RIGHT in error.message:
        hint = f"grant patch on {APPLICATION.resource} in {application.namespace} to the account of the updater"
        return KubeDenied(error.message, hint=hint)
    if "denied" in error.message:
        hint = "an admission webhook or policy of the cluster refuses it; the message says which"
        return KubeError(error.message, hint=hint, code="admission")
    return error
