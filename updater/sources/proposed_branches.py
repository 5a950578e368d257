"""What cannot be proposed together: one branch for two pull requests, and names of branches that Git cannot hold side by side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from updater.inventory.branch_writers import repository
from updater.model.problem import Problem
from updater.model.publishing import Proposal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from updater.model.subscription import GitBranch, Subscription

_NAME_HINT: Final = (
    "let proposal.branch name what tells them apart, such as bump/{{ .Base }}/{{ .Key }}, or write per: destination"
)
_OPTIONS_HINT: Final = (
    "write title, body, labels, reviewers, assignees, draft, auto_merge and limit alike, or once under git.proposal"
)
_FOLDER_HINT: Final = "write the same per: at all targets of this branch, or give one of them another proposal.branch"


def proposal_clashes(subscriptions: Sequence[Subscription]) -> Iterator[Problem]:
    """Return what is wrong where one pull request is asked for twice in different ways, by who comes second."""
    first: dict[tuple[str, str, str], tuple[Subscription, Proposal]] = {}
    names: defaultdict[str, dict[str, Subscription]] = defaultdict(dict)
    for item, branch in _branches(subscriptions):
        place = repository(branch.url)[0]
        names[place].setdefault(branch.branch, item)
        names[place].setdefault(branch.push, item)
        if isinstance(branch.publishing, Proposal):
            known, before = first.setdefault((place, branch.branch, branch.push), (item, branch.publishing))
            if before != branch.publishing:
                yield _clash(item, known, before, branch.publishing)
    for held in names.values():
        yield from _folders(held)


def _branches(subscriptions: Sequence[Subscription]) -> Iterator[tuple[Subscription, GitBranch]]:
    pairs = [(item, target.destination) for item in subscriptions for target in item.targets]
    proposing = {
        repository(found.url)[0] for _, found in pairs if found.method == "git" and isinstance(found.publishing, Proposal)
    }
    for item, found in dict.fromkeys(pairs):
        if found.method == "git" and repository(found.url)[0] in proposing:
            yield item, found


def _clash(item: Subscription, known: Subscription, before: Proposal, now: Proposal) -> Problem:
    if before.part != now.part:
        whose = [proposal.part or "everything that reads the branch" for proposal in (before, now)]
        message = f"{item.key} proposes from the branch {now.name}, which is that of {whose[0]}, not of {whose[1]}"
        return _problem(item, "proposal-branch", message, _NAME_HINT)
    names = [
        field.name for field in fields(now.options) if getattr(before.options, field.name) != getattr(now.options, field.name)
    ]
    differing = [name.removeprefix("is_") for name in names]
    who = f"another target of {known.key}" if known.key == item.key else known.key
    message = f"{item.key} and {who} are one pull request ({now.name}) and differ in {', '.join(differing)}"
    return _problem(item, "proposal-options", message, _OPTIONS_HINT)


def _folders(held: dict[str, Subscription]) -> Iterator[Problem]:
    """Refuse a name that is the folder of another one: Git keeps branches as files."""
    for name, item in held.items():
        above = name
        while "/" in above:
            above = above.rpartition("/")[0]
            if above in held:
                message = f"{item.key} needs the branch {name}, and {held[above].key} the branch {above}: Git cannot hold both"
                yield _problem(item, "proposal-branch", message, _FOLDER_HINT)


def _problem(item: Subscription, code: str, message: str, hint: str) -> Problem:
    return Problem(path=item.origin.name, line=item.origin.line, code=code, message=message, hint=hint, origin=item.key)
