"""How a branch is pushed beside its lease, and second pushes that are owed: the branch has its commit, another ref has not."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from updater.git.pusher import PushManner, SecondPushFailed
from updater.git.ref_names import named
from updater.model.publishing import push_options, second_ref
from updater.model.signing_key import read_signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from updater.git.mirror import Mirror
    from updater.model.branch_move import BranchMove
    from updater.model.subscription import CommitSpec, GitBranch

    Publisher = Callable[[BranchMove], Sequence[str]]


def manner_of(branch: GitBranch, publish: Publisher | None = None, specs: Iterable[CommitSpec] = ()) -> PushManner:
    """Return the push options and the second ref of *branch*, and *publish* where its server makes commits by *specs* itself.

    It cannot take push options then, nor sign by the key of an object: such commits are pushed.
    """
    second, options = second_ref(branch.publishing), push_options(branch.publishing)
    is_pushed = bool(options) or any(read_signing_key(spec.signing) for spec in specs)
    return PushManner(options=options, second=named(second) if second else "", publish=None if is_pushed else publish)


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
