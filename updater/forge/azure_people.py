"""What Azure DevOps is asked for when a pull request is opened: labels by name, reviewers by the id of a user or team."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from updater.forge.api import ApiCall
from updater.forge.foundation import ForgeFoundation
from updater.forge.reading import listing, mapping, names, text

if TYPE_CHECKING:
    from updater.forge.base import ProposalWishes

_OLD_HOST: Final = re.compile(r"\A(https://[a-z0-9-]{1,63})\.visualstudio\.com", re.IGNORECASE)
_GUID: Final = 36
_DASHES: Final = 4


class AzurePeople(ForgeFoundation):
    """Users and teams by id. An id never changes: each name is asked for once."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._identities: dict[str, str] = {}
        self._turn = asyncio.Lock()

    async def _wished(self, wishes: ProposalWishes) -> dict[str, Any]:
        labels = {"labels": [{"name": name} for name in wishes.labels]} if wishes.labels else {}
        reviewers = [{"id": await self._identity(name)} for name in wishes.reviewers]
        return labels | ({"reviewers": reviewers} if reviewers else {})

    def _undone(self, answer: Any, wishes: ProposalWishes) -> frozenset[str]:
        taken = {name.lower() for name in names(mapping(answer).get("labels"))}
        return frozenset() if {name.lower() for name in wishes.labels} <= taken else frozenset({"labels"})

    async def _identity(self, name: str) -> str:
        """Return the id of a user or team: an id is one already. Identities of Services live at a host of their own."""
        if len(name) == _GUID and name.count("-") == _DASHES:
            return name.lower()
        async with self._turn:
            if name in self._identities:
                return self._identities[name]
            team = name.partition("/")
            value = f"[{team[0]}]\\{team[2]}" if team[1] else name
            base = self.repository.api.replace("https://dev.azure.com/", "https://vssps.dev.azure.com/", 1)
            base = _OLD_HOST.sub(r"\1.vssps.visualstudio.com", base)
            query = {"searchFilter": "General", "filterValue": value, "queryMembership": "None"}
            answer = mapping(await self._api.ask(ApiCall(base=base, path="_apis/identities", query=query)))
            found = [text(mapping(one).get("id")) for one in listing(answer.get("value"))]
            if len(found) != 1 or not found[0]:
                raise self._api.refused("forge-user", f"knows {len(found)} users or teams as {name}, not one")
            self._identities[name] = found[0]
            return found[0]
