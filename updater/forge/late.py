"""A forge whose kind is not known yet: it is found out with the first question that is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from updater.forge.base import ForgeAbilities

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.forge.base import Forge

#: before anything was asked nothing is promised
_NONE: Final = ForgeAbilities(drafts=False, labels=False, reviewers=False, assignees=False, auto_merge=False, longest_body=4000)


class LateForge:
    """Stands for the forge that *find* returns; each call of the protocol waits for it."""

    def __init__(self, find: Callable[[], Awaitable[Forge]]) -> None:
        self._find = find
        self._found: Forge | None = None
        self._turn = asyncio.Lock()

    @property
    def abilities(self) -> ForgeAbilities:
        """What the forge can do; nothing before it was asked anything."""
        return self._found.abilities if self._found else _NONE

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return the call *name* of the protocol."""
        if name.startswith("_"):
            raise AttributeError(name)

        async def call(*given: Any, **named: Any) -> Any:
            async with self._turn:
                if self._found is None:
                    self._found = await self._find()
            return await getattr(self._found, name)(*given, **named)

        return call
