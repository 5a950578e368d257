"""Which branch ``HEAD`` means on each server, once somebody listed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.inventory.branch_writers import repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.model.subscription import GitBranch


class DefaultBranches:
    """The default branch of each repository, however it is spelled, by the credential that reaches it.

    *version* counts what was learned. Who asked last by `when_learned` is told: there is one source of Applications at a time.
    """

    def __init__(self) -> None:
        self.version = 0
        self._names: dict[object, str] = {}
        self._heard: Callable[[], None] = _nobody

    def learn(self, branch: GitBranch, name: str) -> None:
        """Note that the server of *branch* calls *name* its default branch; who waits is told where that is news."""
        if name and self.name_of(branch) != name:
            self._names[_way(branch)] = name
            self.version += 1
            self._heard()

    def when_learned(self, heard: Callable[[], None]) -> None:
        """Call *heard* whenever something is learned."""
        self._heard = heard

    def name_of(self, branch: GitBranch) -> str:
        """Return the name of the default branch, "" where it was not listed yet."""
        return self._names.get(_way(branch), "")


def _nobody() -> None:
    return


def _way(branch: GitBranch) -> object:
    return repository(branch.url), branch.credential
