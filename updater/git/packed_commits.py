"""The commits of a pack that brings a history: all are held at one time, within the memory that repositories share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.git.inflation import Chains, Surveyor, read_header, read_whole, result_size
from updater.git.limits import exceeded
from updater.git.objects import COMMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import ExitStack

    from updater.git.inflation import Contents, Survey
    from updater.git.limits import Bounds


def read_commits(contents: Contents, bounds: Bounds, held: ExitStack) -> Iterator[bytes]:
    """Yield every raw commit of a pack that builds on nothing outside; trees and files are passed over.

    They are held together, so what they come to is taken from the shared memory before the first is inflated, until *held* ends:
    small packs hold gigabytes of messages. Raises `GitError` ``git-limit`` where that is more than all of it.
    """
    survey = Surveyor(contents, bounds.limits).survey()
    commits = {offset for _, offset, _ in survey.whole if read_header(contents, offset).kind == COMMIT}
    below = _below(survey, commits.intersection(survey.roots()))
    left = bounds.limits.memory - survey.memory
    size = sum(result_size(contents, read_header(contents, offset)) for offset in (*commits, *below))
    held.enter_context(bounds.memory(size + survey.memory))  # at once: two that waited for a second part would wait for ever
    for offset in sorted(commits):
        yield read_whole(contents, read_header(contents, offset))
    chains = Chains(contents, survey, bounds.limits)
    left -= size
    for offset in commits.intersection(survey.roots()):
        for place, _, data in chains.below(offset):
            left -= 0 if place in below else len(data)  # a base that is named and not pointed at is found only now
            if left < 0:
                raise exceeded("memory", "the commits of one history need more memory", bounds.limits.memory)
            yield data


def _below(survey: Survey, roots: Iterable[int]) -> set[int]:
    """Return where the deltas stand that build on *roots*, as far as they say where their base stands."""
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        fresh = survey.by_offset.get(waiting.pop(), ())
        found.update(fresh)
        waiting += fresh
    return found
