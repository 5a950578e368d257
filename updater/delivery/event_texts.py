"""In which words a workload is told what became of a release: the Event on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.delivery.kinds import KINDS
from updater.kube.events import Event
from updater.model.release import ReleaseVerdict

if TYPE_CHECKING:
    from updater.kube.kinds import Object
    from updater.model.release import Workload
    from updater.model.report import ReleaseJudged

_REASONS: Final = {
    ReleaseVerdict.HEALTHY: "ReleaseHealthy",
    ReleaseVerdict.BAD: "ReleaseBad",
    ReleaseVerdict.SUPERSEDED: "ReleaseSuperseded",
}
_LENGTH_OF_COMMIT: Final = 9


def object_of(item: Object, workload: Workload) -> Object:
    """Return *item* as an Event names it: what is kept of an object has no kind."""
    return {"apiVersion": KINDS[workload.kind].kind.api_version, "kind": workload.kind, "metadata": item["metadata"]}


def event_of(report: ReleaseJudged) -> Event:
    """Return the Event of one verdict."""
    release = report.release
    commit = "" if release.is_live else f" of commit {release.revision[:_LENGTH_OF_COMMIT]}"
    message = f"{release.image}{commit} is {report.verdict.value} for {release.subscription}: {report.reason}"
    return Event(
        reason=_REASONS.get(report.verdict, "ReleaseUnknown"),
        message=message,
        weight="Warning" if report.verdict is ReleaseVerdict.BAD else "Normal",
    )
