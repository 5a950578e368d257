"""Who opened a pull request, and whether that is the account whose token is shown: asked once for each token of a host.

Where that is not told, by a token that may not ask or a forge that fails, it is asked again after ten minutes.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, ClassVar, Final

from updater.errors import ForgeError
from updater.forge.api import ApiCall
from updater.forge.reading import mapping, read_user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.forge.api import ForgeApi
    from updater.forge.base import ForgeAccess, ForgeProposal, ForgeUser
    from updater.forge.budget import ForgeBudget

    AskAccount = Callable[[ForgeApi], Awaitable[ForgeUser | None]]

#: a token that may not ask whose it is, or that belongs to no account
_UNTOLD: Final = frozenset({"forge-denied", "forge-not-found", "forge-protocol"})
#: GitLab makes a user for each access token of a project or group
_BOT: Final = re.compile(r"((?:project|group)_[0-9]+)_bot(?:[0-9]+|_[0-9a-z]+)?")
_NO_QUERY: Final[Mapping[str, str]] = {}


def told_at(path: str, key: str, name: str, *below: str, query: Mapping[str, str] = _NO_QUERY) -> AskAccount:
    """Return what asks *path* of an API for the account of the token: its user is *below*, with the fields *key* and *name*."""

    async def ask(api: ForgeApi) -> ForgeUser | None:
        found = await api.ask(ApiCall(base=api.repository.api, path=path, query=query))
        return read_user(mapping(found, *below), key, name)

    return ask


def is_same(account: ForgeUser, author: ForgeUser) -> bool:
    """Return whether both are one account, or bots of the same project or group of GitLab."""
    has_ids = account.id and author.id
    is_one = account.id == author.id if has_ids else account.name.lower() == author.name.lower()
    bots = _BOT.fullmatch(account.name), _BOT.fullmatch(author.name)
    return is_one or (bots[0] is not None and bots[1] is not None and bots[0][1] == bots[1][1])


class ProposalAuthors:
    """Tells whose token is shown. *ask* asks the forge, *budget* remembers it for the process."""

    def __init__(self, api: ForgeApi, reach: Callable[[], Awaitable[ForgeAccess]], ask: AskAccount, budget: ForgeBudget) -> None:
        self._api = api
        self._reach = reach
        self._ask = ask
        self._budget = budget
        self._turn = asyncio.Lock()

    async def is_own(self, proposal: ForgeProposal) -> bool:
        """Return whether the account of the token opened it, or one that counts as it; True where nobody can tell."""
        if proposal.author is None:
            return True
        access = await self._reach()
        account = await self._account(access.token)
        is_named = proposal.author.name.lower() in access.accounts
        return account is None or is_named or is_same(account, proposal.author)

    async def mine(self) -> ForgeUser | None:
        """Return whose token is shown, None where nobody can tell."""
        return await self._account((await self._reach()).token)

    async def _account(self, token: str) -> ForgeUser | None:
        async with self._turn:
            known = self._budget.user_of(self._api.host, token)
            if known is None:
                try:
                    known = (await self._ask(self._api),)
                except ForgeError as error:
                    if error.code not in _UNTOLD:
                        raise
                    known = (None,)
                self._budget.note_user(self._api.host, token, known)
        return known[0]


class AuthoredProposals:
    """Pull requests of one repository, each with who opened it; *account* asks whose token is shown."""

    account: ClassVar[AskAccount] = told_at("user", "id", "login")
    _authors: ProposalAuthors

    async def is_own(self, proposal: ForgeProposal) -> bool:
        """Return whether the account of the token opened it, or one that counts as it; True where nobody can tell."""
        return await self._authors.is_own(proposal)
