"""A look at what people decided that is cut short is made up for: what was read and not taken up is taken up later."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tests.fakes.eventually import until
from updater.daemon.decision_watch import DecisionWatch, HoldsConfigMap, HoldsFile

HELD = "payments: {hold: {reason: audit, author: Grace}}\n"


class Shelf:
    """A ConfigMap whose server may hang."""

    def __init__(self):
        self.text, self.answers = "{}", asyncio.Event()
        self.answers.set()
        self.asked = 0

    async def get(self, _namespace, _name):
        self.asked += 1
        text = self.text
        if self.asked > 1:  # the first GET of a look answers, a later one may hang
            await self.answers.wait()
        return {"data": {"holds.yaml": text}}


def watch(place):
    put = []
    made = DecisionWatch(place=place, asked=SimpleNamespace(snapshot=None), process=SimpleNamespace(), put=put.append)
    return made, put


async def cut(look):
    """Begin a look, and cancel it in the middle, as whoever waited long enough."""
    task = asyncio.ensure_future(look())
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_hold_in_a_config_map_is_taken_up_though_the_look_at_it_was_cut_short():
    shelf = Shelf()
    made, put = watch(HoldsConfigMap("n", "holds", shelf.get))
    await made.look()
    before, shelf.asked, shelf.text = len(put), 0, HELD
    shelf.answers.clear()
    await cut(made.look)
    shelf.answers.set()
    await made.look()
    assert len(put) == before + 1
    assert "payments" in put[-1].decisions.by_key


async def test_a_hold_in_a_file_is_taken_up_though_the_look_at_it_was_cut_short(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text("{}\n")
    place = HoldsFile(path)
    made, put = watch(place)
    await made.look()
    before = len(put)
    path.write_text(HELD)
    whole = place.read

    read = []

    async def slow():
        read.append(await whole())
        await asyncio.Event().wait()

    place.read = slow
    task = asyncio.ensure_future(made.look())
    await until(lambda: read)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    place.read = whole
    await made.look()
    assert len(put) == before + 1


async def test_who_waited_for_a_look_that_was_cut_short_looks_himself():
    shelf = Shelf()
    made, put = watch(HoldsConfigMap("n", "holds", shelf.get))
    await made.look()
    before, shelf.asked, shelf.text = len(put), 0, HELD
    shelf.answers.clear()
    first = asyncio.ensure_future(made.look())
    for _ in range(5):
        await asyncio.sleep(0)
    second = asyncio.ensure_future(made.look())
    await asyncio.sleep(0)
    first.cancel()
    shelf.answers.set()
    await second
    assert len(put) == before + 1


async def test_who_asks_at_one_time_shares_one_look():
    shelf = Shelf()
    made, _ = watch(HoldsConfigMap("n", "holds", shelf.get))
    await made.look()
    shelf.asked = 1
    shelf.answers.clear()
    looks = [asyncio.ensure_future(made.look()) for _ in range(20)]
    for _ in range(5):
        await asyncio.sleep(0)
    shelf.answers.set()
    await asyncio.gather(*looks)
    assert shelf.asked <= 5  # the look that was under way, and one for all who came after it began
