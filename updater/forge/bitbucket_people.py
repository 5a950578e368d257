"""Who reviews on Bitbucket Cloud: members of the workspace by name, and the default reviewers of a repository."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from updater.errors import ForgeError
from updater.forge.api import ApiCall
from updater.forge.bitbucket_items import PAGING, BitbucketItems, quoted
from updater.forge.reading import mapping, text

if TYPE_CHECKING:
    from collections.abc import Mapping


class BitbucketPeople(BitbucketItems):
    """Reviewers: each name is asked for once, the default ones once a round, from one listing of what is open to the next."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._members: dict[str, Mapping[str, Any]] = {}
        self._defaults: list[Mapping[str, Any]] | None = None
        self._turn = asyncio.Lock()

    async def _default_reviewers(self) -> list[Mapping[str, Any]]:
        """Return those of the repository and its project; none where the token may not read them."""
        async with self._turn:
            if self._defaults is None:
                self._defaults = await self._read_default_reviewers()
            return self._defaults

    async def _read_default_reviewers(self) -> list[Mapping[str, Any]]:
        try:
            listed = await self._api.pages(ApiCall(path="effective-default-reviewers"), PAGING)
        except ForgeError as error:
            if error.code not in {"forge-denied", "forge-not-found"}:
                raise
            return []
        found = (text(mapping(item, "user").get("uuid")) for item in listed)
        return [{"uuid": user} for user in found if user]

    async def _member(self, name: str) -> Mapping[str, Any]:
        if name.startswith("{") and name.endswith("}"):
            return {"uuid": name}
        async with self._turn:
            if name in self._members:
                return self._members[name]
            workspace = self.repository.path.partition("/")[0]
            call = ApiCall(
                base=self.repository.api, path=f"workspaces/{workspace}/members", query={"q": f"user.nickname={quoted(name)}"}
            )
            users = [mapping(item, "user") for item in await self._api.pages(call, PAGING)]
            named = [user for user in users if name in (user.get("nickname"), user.get("display_name"), user.get("account_id"))]
            if len(named) != 1 or not text(named[0].get("uuid")):
                raise self._api.refused("forge-user", f"does not know one user {name} in this workspace")
            self._members[name] = {"uuid": named[0].get("uuid")}
            return self._members[name]
