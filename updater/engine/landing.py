"""THE STORY: how one destination is brought to what its subscriptions want.

Look at what is written, choose for each written value, decide, write in one push. If somebody was
faster, look and decide again: never a merge, never an overwrite. Every verb of the command line
drives `land` with other parts handed to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from updater.engine.decide import TargetDecision, decide, failed, outcomes
from updater.errors import PushRefused, UpdaterError
from updater.model.update import Commit, Landed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from updater.engine.decide import Choices
    from updater.model.outcome import Outcome
    from updater.model.selection import Selection
    from updater.model.subscription import Destination, Subscription
    from updater.model.view import View, Written

ATTEMPTS: Final = 10


class Writer(Protocol):
    """Reads and writes one kind of destination."""

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Read the head and what is written at every target; raises `UpdaterError`."""
        ...

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> Landed:
        """Edit, commit and push once; raises `PushRefused` if the destination moved since *view*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a landing needs: the writer, the choice for a written value, and what to do before trying again.

    *choose* raises `UpdaterError` where the registry did not answer. *pause* is told the number of the
    refused attempt, from 1, and waits with jitter.
    """

    writer: Writer
    choose: Callable[[Subscription, Written, View], Awaitable[Selection]]
    pause: Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What came of it: the outcomes, and for those who explain, the view, the choices and the decisions."""

    destination: Destination
    outcomes: tuple[Outcome, ...]
    view: View | None = None
    choices: Choices
    decisions: tuple[TargetDecision, ...] = ()
    landed: Landed | None = None
    replays: int = 0


async def land(destination: Destination, subscriptions: Sequence[Subscription], parts: Parts, *, is_dry: bool = False) -> Landing:
    """Bring *destination* to what *subscriptions* want; every target ends in one outcome, nothing is raised for it."""
    concerned = tuple(item for item in subscriptions if any(target.destination == destination for target in item.targets))
    choices: Choices = {}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            view = await parts.writer.look(destination, concerned)
            choices = await _choose_all(concerned, view, parts)
            decisions = decide(view, concerned, choices)
            landed = await _write(view, decisions, concerned, parts, is_dry=is_dry)
        except PushRefused as refused:
            if attempt == ATTEMPTS:
                return Landing(
                    destination=destination, outcomes=failed(concerned, destination, refused), choices=choices, replays=attempt
                )
            await parts.pause(attempt)
        except UpdaterError as error:
            return Landing(destination=destination, outcomes=failed(concerned, destination, error), choices=choices)
        else:
            return Landing(
                destination=destination,
                outcomes=outcomes(decisions, landed),
                view=view,
                choices=choices,
                decisions=decisions,
                landed=landed,
                replays=attempt - 1,
            )
    raise AssertionError("unreachable: the last attempt returns")


async def _write(
    view: View, decisions: Sequence[TargetDecision], subscriptions: Sequence[Subscription], parts: Parts, *, is_dry: bool
) -> Landed | None:
    commits = by_voice(decisions, subscriptions)
    return await parts.writer.write(view, commits, is_dry=is_dry) if commits else None


def by_voice(decisions: Sequence[TargetDecision], subscriptions: Sequence[Subscription]) -> tuple[Commit, ...]:
    """Group the updates by who speaks, one commit each, in the order in which the voices are first heard."""
    voices = {item.key: item.voice for item in subscriptions}
    grouped: dict[object, list[TargetDecision]] = {}
    for decision in decisions:
        if decision.updates:
            grouped.setdefault(voices[decision.subscription.key], []).append(decision)
    return tuple(
        Commit(voice=group[0].subscription.voice, updates=tuple(update for decision in group for update in decision.updates))
        for group in grouped.values()
    )


async def _choose_all(subscriptions: Sequence[Subscription], view: View, parts: Parts) -> Choices:
    """Choose once per subscription and distinct written value; a failure is the answer for that value alone."""
    wanted = {
        (subscription.key, reading.written): subscription
        for subscription in subscriptions
        for index in range(len(subscription.targets))
        for reading in view.readings.get((subscription.key, index), ())
    }

    async def one(subscription: Subscription, written: Written) -> Selection | UpdaterError:
        try:
            return await parts.choose(subscription, written, view)
        except UpdaterError as error:
            return error

    answers = await asyncio.gather(*(one(subscription, written) for (_, written), subscription in wanted.items()))
    return dict(zip(wanted, answers, strict=True))
