"""Who takes webhooks: what becomes of a delivery in this replica, and in the one that leads."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from tests.flows.fleet import add_usual, fleet
from tests.web.test_receiving import BODY, FakeDesk
from updater.daemon import webhooks
from updater.daemon.leader_election import address_of
from updater.daemon.webhooks import BURST, WebhookDesk
from updater.errors import UpdaterError
from updater.http.exchange import Response
from updater.model.webhook import BranchPush, ImagePush
from updater.settings.values import ListenAddress
from updater.web.app import serve
from updater.web.receiving import FORWARDED, ForwardedDelivery, web_application


class Leading:
    """Another replica leads."""

    is_leader = False

    def __init__(self, address):
        self.leader_address = address


@pytest.fixture
async def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK", "s3cret")
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.extra = """\
listen: {metrics: null, web: "127.0.0.1:0"}
web: {webhooks: [{name: ci, kind: generic, secret: "env:HOOK"}, {name: zot, kind: zot, secret: "env:NONE", registry: REGISTRY}]}
""".replace("REGISTRY", f'"{made.registry.host}"')
        path = made.configure
        made.configure = lambda: _without_first_listen(path())
        async with made.opened() as generation:
            desk = WebhookDesk(generation._process, lambda: generation)
            desk.made, desk.generation, desk.process = made, generation, generation._process
            desk.hinted = []
            generation.webhooks.hint = lambda images, tag, destinations: desk.hinted.append(
                ([str(listed) for listed in images], tag, len(tuple(destinations)))
            )
            yield desk


def _without_first_listen(path):
    path.write_text(path.read_text().replace("listen: {metrics: null}\n", "", 1))
    return path


async def test_listed_images_and_branches_are_hinted_and_others_cost_a_lookup(desk):
    ci, host = desk.senders[0], desk.made.registry.host
    assert desk.take(ci, [ImagePush(registry=host, path="o/app", tag="1.1.0")]) == "accepted"
    assert desk.take(ci, [BranchPush(urls=(desk.made.url,), branch="main")]) == "accepted"
    assert desk.take(ci, [ImagePush(registry=host, path=f"o/r{number}") for number in range(10_000)]) == "unlisted"
    assert desk.take(ci, []) == "ignored"
    assert [hint for hint in desk.hinted if hint[0] or hint[2]] == [([f"{host}/o/app"], "1.1.0", 0), ([], "", 1)]


async def test_the_registry_of_a_sender_stands_for_what_it_does_not_say_or_says_wrong(desk):
    zot = desk.senders[1]
    assert desk.take(zot, [ImagePush(registry="internal.svc", path="o/web", tag="2")]) == "accepted"


async def test_a_secret_is_read_by_its_reference_and_one_that_is_not_there_is_an_error(desk):
    assert await desk.secret(desk.senders[0]) == b"s3cret"
    with pytest.raises(UpdaterError):
        await desk.secret(desk.senders[1])


async def test_a_sender_has_a_rate_of_its_own(desk):
    ci, zot = desk.senders
    taken = sum(desk.may_send(ci) for _ in range(int(BURST) * 3))
    assert BURST <= taken < BURST * 3
    assert desk.may_send(zot)


async def test_a_delivery_is_handed_to_the_leader_as_it_came(desk):
    leader = FakeDesk()
    runner = await serve(web_application(leader), "127.0.0.1:0")
    desk.process.leading = Leading("http://{}:{}".format(*runner.addresses[0][:2]))
    body = b'{"image": "r.example/a:1"}'
    headers = {"X-Webhook-Secret": "s3cret", FORWARDED: "1"}
    try:
        assert not desk.may_take()
        assert await desk.forward(ForwardedDelivery(path="/webhooks/ci", headers=headers, body=body)) == 202
        assert await desk.forward(ForwardedDelivery(path="/webhooks/ci", headers={}, body=BODY)) == 401
    finally:
        await runner.cleanup()
    assert leader.taken == [("ci", ImagePush(registry="r.example", path="a", tag="1"))]


async def test_a_leader_that_is_not_known_or_not_there_takes_nothing(desk):
    delivery = ForwardedDelivery(path="/webhooks/ci", headers={}, body=BODY)
    desk.process.leading = Leading("")
    assert await desk.forward(delivery) == 0
    desk.process.leading = Leading("http://127.0.0.1:9")
    assert await desk.forward(delivery) == 0


async def test_trouble_is_counted_each_time_and_told_once(desk):
    told = []
    desk.process.log = type("Log", (), {"warning": lambda _self, *_words, **more: told.append(more)})()
    for _ in range(100):
        desk.count("ci", "refused")
    assert len(told) == 1
    assert b'updater_webhooks_total{result="refused",webhook="ci"} 100.0' in desk.process.render_metrics()


def test_a_pod_says_where_it_is_reached(monkeypatch):
    monkeypatch.setenv("POD_IP", "10.0.0.5")
    assert address_of(ListenAddress(host="0.0.0.0", port=8090)) == "http://10.0.0.5:8090"
    monkeypatch.setenv("POD_IP", "fd00::5")
    assert address_of(ListenAddress(host="", port=8090)) == "http://[fd00::5]:8090"
    assert address_of(None) == ""
    for host in ("127.0.0.1", "localhost", "::1"):  # served to its own pod alone
        assert address_of(ListenAddress(host=host, port=8090)) == ""
    monkeypatch.delenv("POD_IP")
    assert address_of(ListenAddress(host="", port=8090)) == ""


class Served:
    """Answers every request with the number of it."""

    def __init__(self):
        self.asked = 0

    async def send(self, request):
        self.asked += 1
        return Response(status=200, url=request.url, body=str(self.asked).encode(), fields=CIMultiDictProxy(CIMultiDict()))


async def test_certificates_are_kept_and_a_missing_one_lets_them_be_read_again_once_in_a_while(desk, monkeypatch):
    """Whoever names keys that do not exist costs no request each."""
    monkeypatch.setattr(desk.process, "http", Served())
    assert [await desk.certificate("https://k.test/", again=again) for again in (False, True, True, False)] == [b"1"] * 4
    monkeypatch.setattr(webhooks, "AGAIN_AFTER", -1.0)
    assert await desk.certificate("https://k.test/") == b"1"
    assert await desk.certificate("https://k.test/", again=True) == b"2"
    monkeypatch.setattr(webhooks, "CERTIFICATES_KEPT", -1.0)
    assert await desk.certificate("https://k.test/") == b"3"
