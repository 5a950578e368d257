"""Waits for a state that nothing tells of: an object on a server, a line in a log, a list of the test's own."""

from __future__ import annotations

import asyncio

PATIENCE = 30.0


async def until(question, *, every=0.005):
    """Return once *question* is true; fail where it never is."""
    async with asyncio.timeout(PATIENCE):
        while not question():  # noqa: ASYNC110 - a state, not an event
            await asyncio.sleep(every)


async def until_there(question, *, every=0.05):
    """Do so for a *question* that asks a server and blocks."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(question):  # noqa: ASYNC110 - see `until`
            await asyncio.sleep(every)
