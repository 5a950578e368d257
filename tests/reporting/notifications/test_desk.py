"""What a route is told: once, until it changes, grouped by landing, and over restarts, reloads and changes of the leader."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.fakes.eventually import until
from tests.inventory.asking import LIVE, MAIN, asked
from tests.reporting.making import at, ended, failed, inventory, landed
from tests.reporting.notifications.making import DeskByHand, MemoryByHand, ReceiverByHand, down, judged, moved
from updater.model.notification import NotifiedEvent
from updater.model.outcome import Status
from updater.model.release import DeliveryOptions, ReleaseVerdict
from updater.model.report import TargetsRefused


def held(detail="waits until it is 3 days old", code="min-age", **options):
    return ended(status=Status.HELD, detail=detail, code=code, **options)


async def test_one_landing_is_one_message_with_all_that_is_new():
    desk = DeskByHand()
    await desk.hear(landed(moved("app"), moved("web"), failed("api"), ended("idle")))
    assert desk.told == [[("app", "updated"), ("web", "updated"), ("api", "failed")]]


async def test_the_same_failure_is_told_once_until_it_changes_and_then_its_end():
    desk = DeskByHand()
    for number in range(5):
        await desk.hear(landed(failed(detail=f"no answer within 3{number} s, request 8f3c2d{number}a1, port 4{number}312")))
    await desk.hear(landed(failed(detail="the token is refused", code="git-denied")))
    await desk.hear(landed(ended()), landed(ended()))
    assert desk.told == [[("web", "failed")], [("web", "failed")], [("web", "recovered")]]


async def test_a_hold_of_another_version_is_told_and_a_wait_that_shrinks_is_not():
    desk = DeskByHand()
    await desk.hear(landed(held("1.1.0 is held until 2026-12-01T09:00:00Z, for 3 h")))
    await desk.hear(landed(held("1.1.0 is held until 2026-12-02T09:00:00Z, for 2 h")))
    await desk.hear(landed(held("1.2.0 is held until 2026-12-02T09:00:00Z, for 2 h")))
    assert desk.told == [[("web", "held")], [("web", "held")]]


async def test_a_hold_that_ends_by_itself_in_moments_is_not_told_and_hides_no_failure():
    desk = DeskByHand()
    await desk.hear(landed(failed()), landed(held(code="coalesce")), landed(failed()), landed(held(code="incomplete-list")))
    assert desk.told == [[("web", "failed")]]


async def test_a_failure_that_ends_in_an_update_is_told_as_both():
    desk = DeskByHand()
    await desk.hear(landed(failed()))
    await desk.hear(landed(moved()))
    assert desk.told == [[("web", "failed")], [("web", "recovered"), ("web", "updated")]]


async def test_a_proposal_is_told_once_until_it_proposes_something_else():
    desk = DeskByHand()
    first = moved(status=Status.PROPOSED, link="https://git.test/pulls/1", revision=None)
    for _ in range(3):
        await desk.hear(landed(first))
    await desk.hear(landed(moved(new="1.2.0", status=Status.PROPOSED, link="https://git.test/pulls/1")))
    assert desk.told == [[("web", "proposed")], [("web", "proposed")]]


async def test_a_bad_release_is_told_once_and_so_is_the_healthy_one_after_it():
    desk = DeskByHand()
    await desk.hear(judged(), judged())
    await desk.hear(judged(ReleaseVerdict.PROGRESSING), judged(ReleaseVerdict.SUPERSEDED), judged(ReleaseVerdict.HEALTHY))
    await desk.hear(judged(ReleaseVerdict.HEALTHY), landed(moved(status=Status.REVERTED)))
    assert desk.told == [[("web", "failed")], [("web", "recovered")], [("web", "reverted")]]
    assert desk.receivers[0].taken[0].lines[0].code == "release-bad"


async def test_a_release_recovers_whichever_of_its_workloads_was_the_worst():
    desk = DeskByHand()
    await desk.hear(judged(workload="two"))
    await desk.hear(judged(ReleaseVerdict.HEALTHY, workload="one"))
    assert desk.told == [[("web", "failed")], [("web", "recovered")]]
    assert desk.desk._routes["r0"].states == {}
    details = [notice.lines[0].detail for notice in desk.receivers[0].taken]
    assert [detail.partition(" is ")[0].rpartition(" on ")[2] for detail in details] == [
        "Deployment shop/two",
        "Deployment shop/one",
    ]


async def test_a_release_of_no_known_workload_names_none():
    desk = DeskByHand()
    await desk.hear(judged(workload=None))
    (line,) = desk.receivers[0].taken[0].lines
    assert (line.destination, line.detail) == ("", "the release of r.test/app:1.1.0 is bad: it crashes")


async def test_a_bad_release_is_forgotten_with_the_delivery_that_told_of_it():
    desk = DeskByHand()
    followed = replace(asked("web", MAIN), delivery=DeliveryOptions())
    await desk.hear(inventory(followed), judged())
    await desk.hear(inventory(followed))
    assert len(desk.desk._routes["r0"].states) == 1
    await desk.hear(inventory(asked("web", MAIN)))
    assert desk.desk._routes["r0"].states == {}


async def test_a_route_hears_what_it_asked_for_alone():
    desk = DeskByHand(on={NotifiedEvent.RECOVERED}, only=("shop-*", "argocd/web"))
    await desk.hear(landed(failed("shop-a"), failed("other"), failed("argocd/web/main"), moved("shop-b")))
    await desk.hear(landed(ended("shop-a"), ended("other"), ended("argocd/web/main")))
    assert desk.told == [[("shop-a", "recovered"), ("argocd/web/main", "recovered")]]


async def test_a_restart_tells_nothing_again_and_still_tells_the_end():
    memory = MemoryByHand()
    before = DeskByHand(memory=memory)
    await before.hear(landed(failed("app"), failed("web")))
    after = DeskByHand(memory=memory)
    await after.hear(landed(failed("app"), ended("web")))
    assert after.told == [[("web", "recovered")]]
    again = DeskByHand(memory=memory)
    await again.hear(landed(failed("app"), ended("web")), landed(failed("app"), failed("web")))
    assert again.told == [[("web", "failed")]]


async def test_an_end_that_a_route_did_not_ask_for_is_known_after_a_restart():
    memory = MemoryByHand()
    for outcome in (failed(), ended(), failed()):
        desk = DeskByHand(memory=memory, on={NotifiedEvent.FAILED})
        await desk.hear(landed(outcome))
        await desk.desk.finish(1.0, is_patient=True)
    assert desk.told == [[("web", "failed")]]


async def test_a_lost_memory_tells_once_more_what_lasts_and_no_update():
    desk = DeskByHand()
    await desk.hear(landed(failed(), moved("app")))
    again = DeskByHand()
    await again.hear(landed(failed(), ended("app")))
    assert again.told == [[("web", "failed")]]


async def test_a_message_that_is_given_up_is_told_again_while_its_reason_lasts():
    receiver = ReceiverByHand(down(is_lasting=True))
    desk = DeskByHand(receiver)
    await desk.hear(landed(failed(), moved("app")))
    assert (desk.told, desk.memory.kept) == ([], {})
    await desk.hear(landed(failed(), ended("app")))
    assert desk.told == [[("web", "failed")]]
    assert receiver.taken[0].lost == 1


async def test_a_new_route_hears_what_fails_already_and_the_others_do_not_hear_it_again():
    desk = DeskByHand()
    await desk.hear(landed(failed()))
    desk.receivers = (desk.receivers[0], ReceiverByHand())
    desk.use()
    await desk.hear(landed(failed()))
    assert [receiver.told for receiver in desk.receivers] == [[[("web", "failed")]], [[("web", "failed")]]]


async def test_a_reload_keeps_what_waits_and_hands_it_to_the_new_address():
    desk = DeskByHand()
    await desk.desk.hear([landed(failed())])
    desk.receivers = (ReceiverByHand(),)
    desk.use()
    await desk.hear(landed(failed()))
    assert desk.told == [[("web", "failed")]]


async def test_a_route_that_is_gone_from_the_configuration_is_told_no_more_even_in_the_middle_of_its_attempts():
    desk = DeskByHand()
    dead = desk.receivers[0]
    dead.gate = asyncio.Event()
    await desk.desk.hear([landed(failed())])
    working = asyncio.create_task(desk.desk.run())
    async with asyncio.timeout(30):
        await until(lambda: dead.attempts, every=0)
        desk.desk.use(())
        await until(lambda: len(asyncio.all_tasks()) <= 2, every=0)
    working.cancel()
    assert desk.told == []


async def test_what_a_route_was_told_is_forgotten_with_the_route():
    memory = MemoryByHand()
    desk = DeskByHand(memory=memory)
    await desk.hear(landed(failed()))
    memory.kept["renamed"] = dict(memory.kept["r0"])
    again = DeskByHand(memory=memory)
    await again.hear(landed(failed()))
    assert (again.told, list(memory.kept)) == ([], ["r0"])
    again.receivers = ()
    again.use()
    await again.hear(landed(failed()))
    assert memory.kept == {}


async def test_only_the_leader_tells():
    desk = DeskByHand(leads=False)
    refused = TargetsRefused(outcomes=(failed("refused", code="conflict"),), at=at())
    await desk.hear(refused, judged())
    assert desk.told == []
    desk.leads = True
    await desk.hear(landed(ended()))
    assert desk.told == [[("refused", "failed")]]


async def test_what_is_asked_for_no_more_is_forgotten_and_told_anew_when_it_comes_back():
    desk = DeskByHand()
    target = str(asked("web", MAIN).targets[0])
    await desk.hear(inventory(), landed(failed(target=target)))
    desk.whole = False
    await desk.hear(inventory(asked("other", MAIN)), landed(failed(target=target)))
    desk.whole = True
    await desk.hear(inventory(asked("other", MAIN)))
    assert desk.desk._routes["r0"].states == {}
    await desk.hear(inventory(), landed(failed(target=target)))
    await desk.hear(inventory(asked("web", LIVE)))
    assert desk.told == [[("web", "failed")], [("web", "failed")]]


async def test_what_is_refused_at_every_change_of_the_inventory_is_told_once():
    desk = DeskByHand()
    refused = TargetsRefused(outcomes=(failed("refused", code="conflict"),), at=at())
    for _ in range(3):
        await desk.hear(inventory(), refused)
    assert desk.told == [[("refused", "failed")]]


async def test_the_words_of_a_server_are_not_told():
    desk = DeskByHand()
    await desk.hear(landed(failed(detail="it said: s3cret", public="the server refused it")))
    assert desk.receivers[0].taken[0].lines[0].detail == "the server refused it"


async def test_a_dead_receiver_costs_no_other_route_anything():
    dead, alive = ReceiverByHand(), ReceiverByHand()
    dead.gate = asyncio.Event()
    desk = DeskByHand(dead, alive)
    working = asyncio.create_task(desk.desk.run())
    async with asyncio.timeout(30):
        for number in range(3):
            await desk.desk.hear([landed(failed(code=f"code-{number}"))])
            await until(lambda wanted=number: len(alive.taken) > wanted, every=0)
    working.cancel()
    assert (len(dead.taken), len(alive.taken)) == (0, 3)


async def test_the_end_does_not_wait_for_a_receiver_that_failed_and_says_what_was_not_sent():
    receiver = ReceiverByHand(*(down() for _ in range(100)))
    desk = DeskByHand(receiver)
    desk.around.parts = None
    working = asyncio.create_task(desk.desk.run())
    await desk.desk.hear([landed(failed())])
    queue = desk.desk._routes["r0"].queue
    async with asyncio.timeout(30):
        await until(lambda: queue.trouble is not None, every=0)
        queue.receiver = receiver = ReceiverByHand()
        receiver.gate = asyncio.Event()
        await until(lambda: receiver.attempts, every=0)
        await desk.desk.finish(3600.0, is_patient=False)
    working.cancel()
    assert desk.around.said[-1] == {"route": "r0", "detail": "1 messages were not sent before the end"}


async def test_ten_thousand_failures_of_one_landing_are_one_message():
    desk = DeskByHand()
    await desk.hear(landed(*(failed(f"key-{number}") for number in range(10_000))))
    assert [len(notice.lines) for notice in desk.receivers[0].taken] == [10_000]
