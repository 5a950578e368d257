"""How hooks of Flagger are received: who is refused, and what Flagger makes of each answer."""

from __future__ import annotations

import pytest

from tests.web.test_receiving import FakeDesk, post, status_of
from updater.delivery.hooks import HookAnswer
from updater.web.app import serve
from updater.web.receiving import web_application

SENDERS = """
listen: {web: "127.0.0.1:0"}
web:
  webhooks:
    - {name: canaries, kind: flagger, secret: "env:S"}
    - {name: hub, kind: docker-hub, secret: "env:S"}
"""
BODY = {"name": "web", "namespace": "shop", "phase": "Progressing", "checksum": "1", "metadata": {}}
PATH = "/webhooks/canaries/confirm-rollout"
GOOD = {"X-Webhook-Secret": "s3cret"}


class HookDesk(FakeDesk):
    """Answers hooks as a test says, and remembers them."""

    def __init__(self):
        super().__init__(SENDERS)
        self.asked, self.says = [], HookAnswer(is_yes=True, reason="fine")

    def answer(self, hook, call):
        self.asked.append((str(hook), call))
        return self.says


@pytest.fixture
async def desk():
    made = HookDesk()
    runner = await serve(web_application(made), "127.0.0.1:0")
    made.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield made
    await runner.cleanup()


async def test_flagger_goes_on_at_200_and_stops_at_403_with_the_reason(desk):
    assert (await post(desk, f"{PATH}?secret=s3cret", json=BODY))[:2] == (200, "fine")
    desk.says = HookAnswer(is_yes=False, reason="web: held by Jane")
    assert (await post(desk, PATH, json=BODY, headers=GOOD))[:2] == (403, "web: held by Jane")
    assert [hook for hook, _ in desk.asked] == ["confirm-rollout"] * 2
    assert (desk.asked[0][1].namespace, desk.asked[0][1].name, desk.asked[0][1].phase) == ("shop", "web", "Progressing")
    assert desk.results == [("canaries", "yes"), ("canaries", "no")]


async def test_who_does_not_show_the_secret_is_told_nothing(desk):
    assert await status_of(desk, PATH, json=BODY) == 401
    assert await status_of(desk, f"{PATH}?secret=wrong", json=BODY) == 403
    assert desk.asked == []


async def test_only_hooks_that_flagger_has_and_senders_of_its_kind_are_answered(desk):
    for path in ("/webhooks/canaries/confirm-traffic-increase", "/webhooks/hub/rollback", "/webhooks/other/rollback"):
        assert await status_of(desk, path, json=BODY, headers=GOOD) == 404
    assert (await post(desk, "/webhooks/canaries", json=BODY, headers=GOOD))[0] == 400
    assert desk.asked == []


async def test_a_canary_that_no_subscription_follows_is_404_with_what_to_write(desk):
    desk.says = None
    status, text, _ = await post(desk, PATH, json=BODY, headers=GOOD)
    assert (status, text) == (404, "no subscription is delivered by Canary shop/web")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"name": "web"}', b'{"name": 1, "namespace": "a"}', b'{"name": "' + b"a" * 300])
async def test_a_body_that_names_no_canary_is_400(desk, body):
    assert await status_of(desk, PATH, data=body, headers=GOOD) == 400
    assert await status_of(desk, PATH, json={**BODY, "name": "a" * 300}, headers=GOOD) == 400


async def test_an_event_has_words_that_are_bounded_and_printable(desk):
    metadata = {"eventMessage": "halted\x1b[0m " + "x" * 1000, "eventType": "Warning"}
    assert await status_of(desk, "/webhooks/canaries/event", json={**BODY, "metadata": metadata}, headers=GOOD) == 200
    call = desk.asked[0][1]
    assert call.is_warning
    assert "\x1b" not in call.words
    assert len(call.words) <= 310


async def test_a_hook_of_a_canary_in_another_cluster_names_its_context(desk):
    assert await status_of(desk, PATH, json=BODY, headers=GOOD) == 200
    assert await status_of(desk, PATH, json={**BODY, "metadata": {"context": "staging"}}, headers=GOOD) == 200
    assert [call.context for _, call in desk.asked] == ["", "staging"]


@pytest.mark.parametrize(("said", "status"), [(200, 200), (403, 403), (404, 404), (0, 503), (503, 503), (500, 503)])
async def test_a_replica_that_does_not_lead_says_what_the_leader_says_and_never_yes_by_itself(desk, said, status):
    desk.leads, desk.status = False, said
    assert await status_of(desk, PATH, json=BODY, headers=GOOD) == status
    assert len(desk.forwarded) == 1
    assert desk.asked == []


async def test_too_many_hooks_are_refused(desk):
    desk.is_free = False
    assert await status_of(desk, PATH, json=BODY, headers=GOOD) == 429
