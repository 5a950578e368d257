"""Laws of what is told: each change once, grouped by landing, whatever the order of ends, restarts and lost messages."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reporting.making import ended, failed, landed
from tests.reporting.notifications.making import DeskByHand, MemoryByHand, ReceiverByHand, down, moved
from updater.model.notification import NotifiedEvent
from updater.model.outcome import Status

KEYS = ("app", "web", "api")
ENDS = st.sampled_from(["idle", "failed-a", "failed-b", "held", "moved"])
LANDINGS = st.lists(st.dictionaries(st.sampled_from(KEYS), ENDS, min_size=1), max_size=12)


def outcome(key, end, number):
    match end:
        case "idle":
            return ended(key)
        case "held":
            return ended(key, Status.HELD, f"waits for {number + 1} h", code="window")
        case "moved":
            return moved(key, new=f"1.{number}.0", revision=f"{number:040x}")
        case _:
            return failed(key, f"no answer, request {number:08x}", code=end)


def expected(landings):
    """Give what a person who sees every landing would say is new, by landing."""
    known: dict[str, str] = {}
    for ends in landings:
        lines = []
        for key, end in ends.items():
            before = known.get(key, "")
            if before.startswith("failed") and not end.startswith("failed"):
                lines.append((key, "recovered"))
            if end == "moved":
                lines.append((key, "updated"))
            elif end not in {"idle", before}:
                lines.append((key, end.partition("-")[0]))
            known[key] = end
        if lines:
            yield lines


@settings(max_examples=150, deadline=None)
@given(landings=LANDINGS, restarts=st.sets(st.integers(0, 11)))
def test_each_change_is_told_once_in_one_message_a_landing_over_any_restart(landings, restarts):
    async def told():
        memory, messages = MemoryByHand(), []
        desk = DeskByHand(memory=memory)
        for number, ends in enumerate(landings):
            if number in restarts:
                await desk.desk.finish(1.0, is_patient=True)
                messages += desk.told
                desk = DeskByHand(memory=memory)
            await desk.hear(landed(*(outcome(key, end, number) for key, end in ends.items())))
        return messages + desk.told

    assert asyncio.run(told()) == list(expected(landings))


@settings(max_examples=150, deadline=None)
@given(landings=LANDINGS, refusals=st.lists(st.booleans(), max_size=12))
def test_what_still_fails_was_told_by_the_last_message_that_was_taken(landings, refusals):
    """Messages that are given up in between take nothing away: what lasts is known to the receiver in the end."""

    async def told():
        receiver = ReceiverByHand(*(down(is_lasting=True) if is_lost else None for is_lost in refusals))
        desk = DeskByHand(receiver)
        last: dict[str, str] = {}
        for number, ends in enumerate(landings):
            last |= ends
            await desk.hear(landed(*(outcome(key, end, number) for key, end in ends.items())))
        receiver.script.clear()
        await desk.hear(landed(*(outcome(key, end, 99) for key, end in last.items() if end != "moved")))
        return last, receiver.told

    last, messages = asyncio.run(told())
    lines = [line for message in messages for line in message]
    for key, end in last.items():
        mine = [event for known, event in lines if known == key and event in {"failed", "held"}]
        if end.startswith("failed"):
            assert mine[-1] == NotifiedEvent.FAILED
        elif end == "held":
            assert mine[-1] == NotifiedEvent.HELD
