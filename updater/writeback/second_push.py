"""How a branch is pushed beside its lease, and second pushes that are owed: the branch has its commit, another ref has not."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from updater.git.pusher import PushManner, SecondPushFailed
from updater.git.ref_names import named
from updater.model.publishing import push_options, second_ref

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from updater.git.mirror import Mirror
    from updater.model.subscription import GitBranch


def manner_of(branch: GitBranch) -> PushManner:
    """Return the push options and the second ref of *branch*."""
    second = second_ref(branch.publishing)
    return PushManner(options=push_options(branch.publishing), second=named(second) if second else "")


@dataclass(slots=True)
class OwedPushes:
    """Second pushes that failed, by branch: its values are in place, so no later landing would come to them."""

    _owed: dict[GitBranch, tuple[str, str]] = field(default_factory=dict)

    @contextmanager
    def noted(self, branch: GitBranch, base: str) -> Iterator[None]:
        """Note that a second push of *branch* is owed where it fails inside."""
        try:
            yield
        except SecondPushFailed as error:
            self._owed[branch] = (base, error.revision)
            raise

    async def settle(self, mirror: Mirror, branch: GitBranch, head: str | None) -> None:
        """Repeat what is owed to *branch*, whose *head* is as given; one that moved on owes nothing. Raises `GitError`."""
        base, revision = self._owed.get(branch, ("", ""))
        if revision and revision == head:
            await mirror.land(base=base, branch=branch.push, expected=revision, commits=(), manner=manner_of(branch))
        self._owed.pop(branch, None)

    def keep(self, branches: Collection[GitBranch]) -> None:
        """Forget what is owed to every branch but *branches*."""
        self._owed = {branch: owed for branch, owed in self._owed.items() if branch in branches}
