"""What requests leave in cycles is freed by time, also where too little happens for Python to look."""

from __future__ import annotations

import gc
import weakref

import pytest

from updater.daemon.cycles import CycleSearch


class Kept:
    """What a cycle holds."""


@pytest.fixture
def seldom():
    """Python itself looks for nothing."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def cycle() -> weakref.ref[Kept]:
    kept = Kept()
    kept.itself = kept
    return weakref.ref(kept)


@pytest.mark.usefixtures("seldom")
async def test_a_young_cycle_is_freed_by_the_next_look():
    left = cycle()
    assert left() is not None
    await CycleSearch().look()
    assert left() is None


@pytest.mark.usefixtures("seldom")
async def test_an_old_cycle_is_freed_once_enough_was_made():
    search = CycleSearch()
    kept = Kept()
    kept.itself = kept
    left = weakref.ref(kept)
    for _ in range(3):
        await search.look()
    del kept
    await search.look()
    assert left() is not None
    made = [[] for _ in range(max(60_000, len(gc.get_objects()) // 3))]
    await search.look()
    assert left() is None
    assert made
