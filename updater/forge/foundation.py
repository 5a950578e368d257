"""What all dialects share besides their requests: texts that fit the forge, and what a forge lacks said so."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from updater.errors import ForgeError
from updater.forge.api import ForgeApi
from updater.forge.base import ForgeAbilities, ProposalText
from updater.forge.opening import ForgeOpening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from updater.forge.address import ForgeRepository
    from updater.forge.api import ForgeDialect
    from updater.forge.base import ForgeAccess, ForgeProposal
    from updater.forge.budget import ForgeBudget
    from updater.http.client import HttpClient


class ForgeFoundation(ForgeOpening):
    """The pull requests of one repository by some dialect: what a class below does not say, its forge lacks."""

    dialect: ClassVar[ForgeDialect]
    abilities: ForgeAbilities = ForgeAbilities()

    def __init__(
        self,
        repository: ForgeRepository,
        http: HttpClient,
        reach: Callable[[], Awaitable[ForgeAccess]],
        *,
        budget: ForgeBudget | None = None,
    ) -> None:
        self.repository = repository
        self._api = ForgeApi(repository, http, reach, dialect=self.dialect, root=self._root(), budget=budget)

    async def add_labels(self, number: int, labels: Iterable[str]) -> None:
        """Raise `ForgeError` ``forge-lacks``: this forge has no labels."""
        raise self._lacking("labels", number, labels)

    async def assign(self, number: int, assignees: Iterable[str]) -> None:
        """Raise `ForgeError` ``forge-lacks``: this forge has no assignees."""
        raise self._lacking("assignees", number, assignees)

    async def enable_auto_merge(self, proposal: ForgeProposal) -> bool:  # noqa: ARG002 - as the protocol names it
        """Return False: this forge does not merge by itself."""
        return False

    async def cancel_auto_merge(self, proposal: ForgeProposal) -> None:
        """Do nothing: this forge does not merge by itself."""

    def _root(self) -> str:
        return f"{self.repository.api}/repos/{self.repository.path}"

    def _fitted(self, text: ProposalText) -> ProposalText:
        """Return *text* cut to what the forge takes; its first line is the marker, without which it would not be ours.

        Raises `ForgeError` ``proposal-large`` where that line alone is too long.
        """
        most = self.abilities.longest_body
        if len(text.body.partition("\n")[0]) > most:
            raise self._api.refused("proposal-large", f"a text here has at most {most} characters, too few for so many values")
        return ProposalText(title=_cut(text.title, self.abilities.longest_title), body=_cut(text.body, most))

    def _check_head(self, found: ForgeProposal, proposal: ForgeProposal) -> None:
        """Raise ``proposal-moved`` where *found* has another head than *proposal*."""
        if found.head != proposal.head:
            raise self._api.refused("proposal-moved", f"the head of pull request {proposal.number} is another one now")

    def _check_home(self, number: int, *, is_foreign: bool) -> None:
        """Raise ``forge-not-found`` for a pull request from another repository, or from one that is gone."""
        if is_foreign:
            raise self._api.refused("forge-not-found", f"pull request {number} is not from a branch of the repository itself")

    def _unknown(self, wanted: Iterable[str], taken: Iterable[str]) -> ForgeError | None:
        """Return the error for users whom the forge left out without a word, None where it took all."""
        known = {name.lower() for name in taken}
        missing = [name for name in wanted if name.lower() not in known]
        return self._api.refused("forge-user", f"does not take {', '.join(missing)}") if missing else None

    def _left_out(self, what: str, wanted: Iterable[str], taken: Iterable[str]) -> str:
        """Return what is said of *wanted* that the forge left out when it opened a pull request, "" where it took all."""
        error = self._unknown(wanted, taken)
        return f"{what} not set: {error.message}" if error else ""

    def _lacking(self, what: str, number: int, wanted: Iterable[str]) -> ForgeError:
        hint = f"take {what} out of the settings of this repository's pull requests"
        message = f"{self.repository}: pull request {number} cannot get {', '.join(wanted)}: {what} do not exist on this forge"
        return ForgeError(message, hint=hint, code="forge-lacks")


def _cut(text: str, most: int) -> str:
    """Return *text* of at most *most* characters as most forges count them: one outside of the first plane is two."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * most:
        return text
    return f"{units[: 2 * (most - 1)].decode('utf-16-le', 'ignore')}…"
