"""Which branches get commits that GitHub makes itself, under which account, and how a mirror waits for them in its thread."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.daemon.components import require_leading
from updater.forge.github import GithubForge
from updater.git.faults import fault
from updater.model.subscription import GitBranch
from updater.settings.forges import CommitWay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.daemon.forges import Forges
    from updater.daemon.process import Process
    from updater.forge.github_commits import GithubCommits
    from updater.git.access import GitAccess
    from updater.model.branch_move import BranchMove
    from updater.model.subscription import CredentialRef
    from updater.settings import Settings
    from updater.writeback.second_push import Publisher

    Reach = Callable[[str, CredentialRef | None], Awaitable[GitAccess]]

LONGEST: Final = 600.0


class ApiCommits:
    """The commits of repositories with ``forge.commits: api``; one for each loaded configuration."""

    def __init__(self, settings: Settings, process: Process, forges: Forges) -> None:
        self._settings = settings
        self._process = process
        self._forges = forges
        self._made: dict[tuple[str, CredentialRef | None], GithubCommits] = {}

    def publisher(self, branch: GitBranch) -> Publisher | None:
        """Return who makes the commits of *branch*, None where they are pushed. Call it on the loop; the result blocks."""
        if not self._is_wanted(branch.url):
            return None
        made, check = self._of(branch.url, branch.credential), partial(require_leading, self._process.may_write)
        return partial(_published, made, check, asyncio.get_running_loop())

    def known_by(self, reach: Reach) -> Reach:
        """Return *reach*, which finds out first under which address GitHub commits for us: by it our commits are known again."""

        async def reached(url: str, credential: CredentialRef | None) -> GitAccess:
            if self._is_wanted(url):
                self._process.ours.add(await self._of(url, credential).author())
            return await reach(url, credential)

        return reached

    def _is_wanted(self, url: str) -> bool:
        entry = self._settings.repository_for(url)
        return entry is not None and entry.forge.commits is CommitWay.API

    def _of(self, url: str, credential: CredentialRef | None) -> GithubCommits:
        key = url, credential
        if key not in self._made:
            forge = self._forges.of(GitBranch(url=url, branch="", credential=credential))
            assert isinstance(forge, GithubForge)  # noqa: S101 - commits: api says that it is GitHub
            self._made[key] = forge.commits(self._process.ours.add)
        return self._made[key]


def _published(
    commits: GithubCommits, check: Callable[[], None], loop: asyncio.AbstractEventLoop, move: BranchMove
) -> tuple[str, ...]:
    """Let *commits* be made on *loop*, and wait in this thread; raise what that raises, ``push-unknown`` after a long time.

    Before the branch is moved *check* must pass: a paced API may take long.
    """
    waited = asyncio.run_coroutine_threadsafe(commits.publish(move, check), loop)
    try:
        return waited.result(LONGEST)
    except TimeoutError:
        waited.cancel()
        raise fault("push-unknown", f"GitHub did not answer in {LONGEST:.0f} s about {move.branch}") from None
