"""What one landing means for an ImageUpdateAutomation: which outcomes are its own, what it pushed, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from updater.flux.cluster.status_fields import SUCCEEDED, End, Verdict
from updater.model.outcome import Status
from updater.model.problem import Problem
from updater.model.publishing import second_ref
from updater.model.report import DestinationLanded, LandingEnd
from updater.model.selection import Code
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from updater.flux.request.requests import AutomationRequest
    from updater.model.outcome import Outcome
    from updater.model.subscription import CommitSpec, GitBranch

UP_TO_DATE: Final = "repository up-to-date"
SHORT: Final = 7
MOST_PROBLEMS: Final = 20
_SHA256_LENGTH: Final = 64
_SHOWN: Final = 5
_UPDATE_FAILED: Final = "UpdateFailed"
_NO_FOLDER: Final = "no-folder"
_LONGEST_LINE: Final = 300
#: codes of what fails after the branch was read
_OF_WRITING: Final = ("push", "template", "sign", "commit", "foreign-commits", "branch-not-ours")
_BAD: Final = frozenset({Status.FAILED, Status.HELD})
_PUSHED: Final = frozenset({Status.UPDATED, Status.PROPOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationCommit:
    """A commit of an automation: its hash, where it was pushed to, when, and its message, "" where it is not known.

    *also* is the full name of a second ref that got it, *link* the pull request that has it; "" for none.
    """

    revision: str
    branch: str
    at: datetime
    message: str = ""
    also: str = ""
    link: str = ""

    @property
    def summary(self) -> str:
        """What the Event says of it."""
        also = f" and refspecs 'refs/heads/{self.branch}:{self.also}'" if self.also else ""
        said = f"pushed commit '{self.revision[:SHORT]}' to branch '{self.branch}'{also}"
        said = f"{said}, proposed in {self.link}" if self.link else said
        return f"{said}\n{self.message}" if self.message else said


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationLanding:
    """The last landing of an automation: from when to when, what it read and pushed.

    *failure* is the verdict where it failed as a whole. *problems* are single places that were not written, and files that
    could not be read, each with the line at which people look.
    """

    began: datetime
    at: datetime
    observed: str = ""
    pushed: AutomationCommit | None = None
    failure: Verdict | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """How the automation stands after it."""
        if self.failure is not None:
            return self.failure
        return Verdict(end=End.READY, reason=SUCCEEDED, message=ready_text(self.problems))


def is_same_spec(first: CommitSpec, second: CommitSpec) -> bool:
    """Return whether two commit in the same way, whosever commits they are: of two automations that do, one commits for both."""
    return replace(first, owner="") == replace(second, owner="")


def own_outcomes(outcomes: Iterable[Outcome], request: AutomationRequest) -> list[Outcome]:
    """Return the outcomes of the targets that are this automation's: its branch, its path, its commit spec, its policies.

    They are in the order of their keys: that in which objects became known is another one after a restart.
    """
    names = {f"{namespace}/{name}" for namespace, name in request.policies}
    found = [
        outcome
        for outcome in outcomes
        if (target := outcome.target_spec) is not None
        and target.destination == request.branch
        and target.locator.path == request.path
        and (request.commit_spec is None or is_same_spec(target.commit_spec, request.commit_spec))
        and outcome.origin is not None
        and outcome.origin.name in names
    ]
    return sorted(found, key=lambda outcome: outcome.key)


def landing_for(
    report: DestinationLanded, request: AutomationRequest, policy_problem: Callable[[Outcome], Problem]
) -> AutomationLanding:
    """Return what a landing on the branch of an automation means for it; *policy_problem* makes a problem of an outcome."""
    branch = request.branch
    assert branch is not None  # noqa: S101 - only automations with a branch are told of landings
    outcomes = own_outcomes(report.outcomes, request)
    began = report.at - timedelta(seconds=report.seconds)
    if report.end is LandingEnd.FAILED:
        failure = _failure(outcomes or report.outcomes)
        return AutomationLanding(began=began, at=report.at, failure=failure)
    if missing := next((note for note in report.notes or () if (note.code, note.path) == (_NO_FOLDER, request.path)), None):
        failure = Verdict(end=End.FAILED, reason=_UPDATE_FAILED, message=f"failed to apply policies: {missing.message}")
        return AutomationLanding(began=began, at=report.at, failure=failure, problems=(missing,))
    revision = next((item.revision for item in outcomes if item.status in _PUSHED and item.revision), None)
    pushed = None
    if revision is not None:
        pushed = AutomationCommit(
            revision=revision,
            branch=branch.push or branch.branch or "HEAD",
            at=report.at,
            message=report.messages.get(revision, ""),
            also=second_ref(branch.publishing),
            link=next((item.link for item in outcomes if item.revision == revision and item.link), None) or "",
        )
    head = revision if revision is not None and not branch.is_rebuilt else report.head
    problems = [
        *_below(report.notes or (), request),
        *(policy_problem(item) for item in outcomes if item.status in _BAD and item.code != Code.REJECTED),
        *_rejected(report, outcomes),
    ]
    return AutomationLanding(
        began=began,
        at=report.at,
        observed=source_revision(branch, head) if head else "",
        pushed=pushed,
        problems=tuple(dict.fromkeys(problems)),
    )


def _rejected(report: DestinationLanded, outcomes: Iterable[Outcome]) -> Iterator[Problem]:
    """Yield what the policies of *outcomes* select and people took back: the status of the policy names it all the same."""
    for outcome in outcomes:
        for rejection in report.rejected.get(outcome.key, {}).values():
            message = f"{outcome.origin}: {rejection.tag} is not written: {rejection.sentence}"
            yield Problem(path="", code=rejection.code, message=message, hint=rejection.hint)


def refused_landing(problems: tuple[Problem, ...], at: datetime) -> AutomationLanding:
    """Return what stands for a landing where every target is refused before one."""
    message = f"failed to apply policies: {'; '.join(map(_line, problems[:_SHOWN]))}"
    failure = Verdict(end=End.FAILED, reason=_UPDATE_FAILED, message=message)
    return AutomationLanding(began=at, at=at, failure=failure, problems=problems)


def source_revision(branch: GitBranch, head: str) -> str:
    """Return a commit of a branch as Flux names revisions: ``main@sha1:…``."""
    algorithm = "sha256" if len(head) == _SHA256_LENGTH else "sha1"
    return f"{branch.branch or 'HEAD'}@{algorithm}:{head}"


def ready_text(problems: Sequence[Problem]) -> str:
    """Return the message of a Ready condition, and behind it what the original skips in silence."""
    if not problems:
        return UP_TO_DATE
    lines = [_line(problem) for problem in problems[:_SHOWN]]
    more = f"; and {len(problems) - _SHOWN} more, see the Events" if len(problems) > _SHOWN else ""
    noun = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"{UP_TO_DATE}; {noun}: {'; '.join(lines)}{more}"


def _line(problem: Problem) -> str:
    text = " ".join(printable(str(problem)).split())
    text = text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…"
    return f"{text} ({problem.code})"


def _failure(outcomes: Sequence[Outcome]) -> Verdict:
    """Return why a whole landing failed: every target of it failed for one reason."""
    first = next((item for item in outcomes if item.status is Status.FAILED), None)
    code, told = (first.code or "", first.told) if first else ("", "the repository was not read")
    said = "failed to update source" if code.startswith(_OF_WRITING) else "failed to checkout source"
    return Verdict(end=End.FAILED, reason="GitOperationFailed", message=f"{said}: {told}")


def _below(notes: Iterable[Problem], request: AutomationRequest) -> list[Problem]:
    """Return the problems of files below the path of an automation."""
    path = request.path.strip("/")
    inside = "" if path in {"", "."} else f"{path.removeprefix('./')}/"
    return [note for note in notes if note.path.startswith(inside)]
