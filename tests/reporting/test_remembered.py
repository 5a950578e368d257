"""Outcomes outlive the process: what was cut off while it was written is written by whoever tries next."""

from __future__ import annotations

import asyncio

import pytest

from tests.reporting.making import ended, landed
from updater.reporting.remembered import RememberedOutcomes


class Memory:
    """Keeps what it is told, or ends first as a disk or the end of a program may."""

    def __init__(self, *ends: BaseException) -> None:
        self.ends = list(ends)
        self.kept: list[str] = []

    async def remember_outcomes(self, outcomes):
        if self.ends:
            raise self.ends.pop(0)
        self.kept += [outcome.key for outcome in outcomes]


@pytest.mark.parametrize("end", [asyncio.CancelledError(), OSError("disk full")], ids=["cut-off", "failed"])
async def test_what_was_not_written_is_written_the_next_time(end):
    memory = Memory(end)
    listener = RememberedOutcomes(memory)
    with pytest.raises(type(end)):
        await listener.hear([landed(ended("app"))])
    await listener.hear([landed(ended("app"))])
    assert memory.kept == ["app"]


async def test_a_state_is_written_once_while_it_lasts():
    memory = Memory()
    listener = RememberedOutcomes(memory)
    for _ in range(3):
        await listener.hear([landed(ended("app"))])
    assert memory.kept == ["app"]
