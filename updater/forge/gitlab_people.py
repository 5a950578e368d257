"""What GitLab is asked for when a merge request is opened: labels by name, reviewers and assignees by number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from updater.forge.api import ApiCall
from updater.forge.foundation import ForgeFoundation
from updater.forge.reading import listing, mapping, names, number, text

if TYPE_CHECKING:
    from updater.forge.base import ProposalWishes


class GitlabPeople(ForgeFoundation):
    """Users by number. A number never changes: each name is asked for once."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._users: dict[str, int] = {}
        self._turn = asyncio.Lock()

    async def _wished(self, wishes: ProposalWishes) -> dict[str, Any]:
        labels = {"labels": ",".join(wishes.labels)} if wishes.labels else {}
        people = {"reviewer_ids": wishes.reviewers, "assignee_ids": wishes.assignees}
        return labels | {key: [await self._user(name) for name in wanted] for key, wanted in people.items() if wanted}

    def _said(self, answer: Any, wishes: ProposalWishes) -> str:
        """Return whom GitLab left out: the free edition keeps one of several."""
        people = {"reviewers": wishes.reviewers, "assignees": wishes.assignees}
        taken = {what: names(mapping(answer).get(what), of="username") for what in people}
        return "; ".join(filter(None, (self._left_out(what, wanted, taken[what]) for what, wanted in people.items())))

    async def _user(self, name: str) -> int:
        async with self._turn:
            if name in self._users:
                return self._users[name]
            found = await self._api.ask(ApiCall(base=self.repository.api, path="users", query={"username": name}))
            ids = [
                number(user.get("id"))
                for user in map(mapping, listing(found))
                if text(user.get("username")).lower() == name.lower()
            ]
            if not ids or ids[0] is None:
                raise self._api.refused("forge-user", f"does not know the user {name}")
            self._users[name] = ids[0]
            return ids[0]
