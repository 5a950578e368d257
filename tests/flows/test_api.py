"""What the API of a running daemon promises: the same truth as the commands, from what it knows."""

from __future__ import annotations

import pytest

from tests.flows.api import ServingDaemon
from tests.flows.fleet import add_usual, fleet
from tests.flows.test_run import until


@pytest.fixture
async def served(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        async with ServingDaemon(made) as running:
            await until(lambda: _settled(running))
            yield running


async def _settled(running):
    return {await running.state(key) for key in ("api", "app", "web")} == {"unchanged"}


async def test_a_subscription_is_told_in_full_its_ladder_its_places_and_its_history(served):
    for tag in ("1.1.0", "1.2.0-rc.1"):
        served.made.registry.push("o/app", tag)
    await until(lambda: "1.1.0" in served.made.file("apps/app.yaml"))

    async def told():
        _, detail = await served.ask("/api/v1/subscriptions/app")
        return detail if detail.get("history") and detail["places"][0]["written"].endswith(":1.1.0") else None

    detail = await until(told)
    ladder = {step["tag"]: (step["standing"], step["code"], step["is_written"]) for step in detail["ladder"]}
    assert ladder["1.1.0"] == ("chosen", None, True)
    assert ladder["1.2.0-rc.1"][:2] == ("rejected", "prerelease")
    assert (detail["places"][0]["path"], detail["places"][0]["line"]) == ("apps/app.yaml", 2)
    assert (detail["history"][0]["old"], detail["history"][0]["new"]) == ("1.0.0", "1.1.0")
    assert {gate["gate"] for gate in detail["gates"] if gate["is_open"]} == {gate["gate"] for gate in detail["gates"]}
    assert len(served.made.commits()) == 2  # a look writes nothing


async def test_health_says_which_hosts_are_asked_and_how_they_are(served):
    status, health = await served.ask("/api/v1/health")
    assert (status, health["replica"]["is_leader"], health["waits_for"]) == (200, True, "")
    assert [(item["host"], item["images"], item["failing"]) for item in health["registries"]] == [
        (served.made.registry.host, 3, 0)
    ]
    assert {item["state"] for item in health["hosts"]} == {"ok"}


async def test_what_happens_is_told_as_it_happens(served):
    _, before = await served.ask("/api/v1/events/recent?limit=0")
    served.made.registry.push("o/app", "1.1.0")

    async def told():
        _, found = await served.ask("/api/v1/events/recent")
        return next((event for event in found["events"] if event["word"] == "updated"), None)

    event = await until(told)
    assert (event["key"], event["kind"], bool(event["revision"])) == ("app", "outcome", True)
    assert before["events"] == []
