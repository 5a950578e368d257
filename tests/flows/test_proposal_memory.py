"""What is remembered of pull requests goes with the destinations that nobody asks for any more; what is being written goes on."""

from __future__ import annotations

import pytest

from tests.flows.fleet import Status
from tests.flows.test_proposals import proposing
from updater.model.snapshot import Snapshot


@pytest.fixture
async def life(tmp_path):
    async with proposing(tmp_path, "github", "kept", "{limit: 3}") as made:
        made.push("1.1.0")
        yield made


def held(life) -> tuple[int, ...]:
    """Count what is remembered: forges, destinations, listings, locks of both."""
    proposals = life.generation.components.keep.__self__
    writer, listings = proposals.writer, proposals.writer.finder._open
    parts = (proposals._forges._made, writer.finder._known, listings._listings, listings._turns, writer._turns, writer._writing)
    return tuple(map(len, parts))


def ask(life, snapshot) -> None:
    life.generation._replan(life.generation.asked.take("file", snapshot))


def forget(life) -> None:
    """Ask for nothing any more, with nothing left to close, as after the landing that closes it."""
    ask(life, Snapshot())
    life.generation._process.left_proposals._left.clear()
    ask(life, Snapshot())


async def test_nothing_is_remembered_of_destinations_that_are_gone(life):
    snapshot = life.generation.loaded.snapshot
    assert (await life.land()).status is Status.PROPOSED
    assert held(life) == (1, 1, 1, 1, 1, 0)
    ask(life, snapshot)
    assert held(life) == (1, 1, 1, 1, 1, 0)
    ask(life, Snapshot())
    assert held(life) == (1, 1, 1, 1, 1, 0)  # its pull request is to be closed
    forget(life)
    assert held(life) == (0, 0, 0, 0, 0, 0)
    ask(life, snapshot)
    assert (await life.land()).link.endswith("/pull/1")
    assert len(life.forge.pulls) == 1


async def test_what_is_written_while_its_destination_goes_is_written_to_its_end(life):
    answer, asked = life.forge.dialect.answer, []

    def gone_meanwhile(request, path, data):
        if request.method == "POST" and not asked:
            asked.append(path)
            forget(life)
        return answer(request, path, data)

    life.forge.dialect.answer = gone_meanwhile
    end = await life.land()
    assert (end.status, end.link.endswith("/pull/1"), len(life.forge.pulls), len(asked)) == (Status.PROPOSED, True, 1, 1)
    forget(life)
    assert held(life) == (0, 0, 0, 0, 0, 0)
