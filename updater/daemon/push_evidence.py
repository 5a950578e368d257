"""How Git servers are asked who may push to a contested branch, and who wrote there before."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Final

from updater.errors import GitUnavailable, KubeUnavailable, UpdaterError
from updater.inventory.precedence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from updater.git.mirror import Mirror
    from updater.inventory.precedence import Precedence
    from updater.model.subscription import GitBranch

MOST_ASKED: Final = 256  # in one round: whoever may write objects may name many ways
AT_ONE_TIME: Final = 8


async def ask_servers(
    precedence: Precedence, mirror: Callable[[GitBranch], Mirror], branches: Iterable[GitBranch], *, patience: float
) -> bool:
    """Ask about *branches*, each for at most *patience* seconds; return whether anything new was learned."""
    turns = asyncio.Semaphore(AT_ONE_TIME)

    async def ask(branch: GitBranch) -> Evidence:
        async with turns:
            try:
                async with asyncio.timeout(patience):
                    return await _evidence(mirror(branch), branch)
            except (GitUnavailable, KubeUnavailable, TimeoutError):
                return Evidence(may_push=None)
            except UpdaterError:  # its landing says it
                return Evidence(may_push=False)

    asked = tuple(islice(sorted(branches, key=_rank), MOST_ASKED))
    return precedence.learn(dict(zip(asked, await asyncio.gather(*map(ask, asked)), strict=True)))


async def _evidence(mirror: Mirror, branch: GitBranch) -> Evidence:
    """Look at the branch, and ask for the right to push; raise `UpdaterError`."""
    head = await mirror.look(branch.branch or None, branch.push, ref=branch.ref)
    if head.revision is None:  # nothing is ever landed over a base that does not exist
        return Evidence(may_push=False)
    await mirror.check_push()
    pushed = head.heads.get(branch.push) if branch.is_rebuilt else head.revision
    if pushed is None:
        return Evidence(may_push=True)
    past = await mirror.history(pushed)
    if branch.is_rebuilt:  # each landing makes the branch anew, so its last commit says whose it is
        past = past[:1] if past and past[0].revision == pushed else ()
    return Evidence(may_push=True, writers=frozenset(key for commit in past for key in commit.subscriptions))


def _rank(branch: GitBranch) -> tuple[str, ...]:
    return branch.url, branch.branch, branch.push, str(branch), str(branch.credential or "")
