"""What Argo Rollouts is told of a release at /api/v1/releases/, and who is told nothing."""

from __future__ import annotations

import json

import aiohttp
import pytest

from tests.web.test_receiving import FakeDesk
from updater.web.app import serve
from updater.web.receiving import FORWARDED, web_application

SENDERS = """
listen: {web: "127.0.0.1:0"}
web:
  webhooks:
    - {name: analysis, kind: argo-rollouts, secret: "env:S"}
    - {name: ci, kind: generic, secret: "env:S2"}
"""
GOOD = {"Authorization": "Bearer s3cret"}
FACTS = {"key": "team/web", "wanted": True, "held": False, "reason": "no objection to this version"}


class ReleaseDesk(FakeDesk):
    """Knows one release, and plays the replica that leads."""

    def __init__(self):
        super().__init__(SENDERS)
        self.facts, self.relayed, self.leader = {"team/web": FACTS}, [], (0, b"")

    def release(self, key):
        return self.facts.get(key)

    async def relay(self, path, headers):
        self.relayed.append((path, dict(headers)))
        return self.leader


@pytest.fixture
async def desk():
    made = ReleaseDesk()
    runner = await serve(web_application(made), "127.0.0.1:0")
    made.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield made
    await runner.cleanup()


async def ask(desk, path="/api/v1/releases/team/web", headers=GOOD):
    async with aiohttp.ClientSession() as session, session.get(f"{desk.url}{path}", headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers


@pytest.mark.parametrize("path", ["/api/v1/releases/team/web", "/api/v1/releases/team%2Fweb"])
async def test_a_release_is_told_as_json_to_who_shows_the_secret(desk, path):
    status, text, headers = await ask(desk, path)
    assert (status, json.loads(text), headers["Content-Type"]) == (200, FACTS, "application/json; charset=utf-8")
    assert headers["Cache-Control"] == "no-store"
    desk.facts["team/web"] = {**FACTS, "wanted": False}
    await ask(desk)
    assert desk.results == [("analysis", "yes"), ("analysis", "no")]


async def test_the_secret_of_another_kind_of_sender_and_no_secret_are_told_nothing(desk):
    for headers, status in (({}, 401), ({"Authorization": "Bearer other"}, 403), ({"Authorization": "Bearer wrong"}, 403)):
        found, text, _ = await ask(desk, headers=headers)
        assert (found, "team" in text) == (status, False)


async def test_without_a_sender_of_the_kind_nobody_is_told_anything(desk):
    desk.senders = desk.senders[1:]
    assert (await ask(desk))[0] == 404


async def test_a_release_that_is_not_followed_is_404_with_what_to_write(desk):
    status, text, _ = await ask(desk, "/api/v1/releases/other")
    assert (status, "delivery" in text) == (404, True)


@pytest.mark.parametrize(("said", "status"), [(200, 200), (404, 404), (0, 503), (401, 503), (500, 503)])
async def test_a_replica_that_does_not_lead_tells_what_the_leader_tells(desk, said, status):
    desk.leads, desk.leader = False, (said, json.dumps(FACTS).encode())
    found, text, _ = await ask(desk)
    assert found == status
    assert (status != 200) or json.loads(text) == FACTS
    assert desk.relayed == [("/api/v1/releases/team/web", {**GOOD, FORWARDED: "1"})]


async def test_two_replicas_that_do_not_lead_ask_each_other_only_once(desk):
    desk.leads = False
    assert (await ask(desk, headers={**GOOD, FORWARDED: "1"}))[0] == 503
    assert desk.relayed == []


async def test_too_many_questions_are_refused(desk):
    desk.is_free = False
    assert (await ask(desk))[0] == 429
