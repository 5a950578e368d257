"""CloudEvents by real sockets: what programs get, when it is tried again, and that no token of the address is repeated."""

from __future__ import annotations

import base64
from datetime import datetime

import pytest

from tests.fakes.message_receiver import Answer, MessageReceiver
from tests.reporting.notifications.making import COMMIT, FLEET, line, moved, notice
from updater.http.client import HttpClient
from updater.http.limits import Patience
from updater.model.notification import NotifiedEvent
from updater.model.update import Change
from updater.reporting.notifications.cloudevents import MOST_ENTRIES, CloudEventsReceiver, events_of
from updater.reporting.notifications.queue import NotifyError

SECRET = "s3cr3t-T0ken-0123456789"
CHANGE = Change(path="app.yaml", line=7, where="spec.image", old="r.test/app:1.0.0", new="r.test/app:1.1.0")
UPDATE = notice(line(moves=moved().moves, changes=(CHANGE,), revision=COMMIT, detail="1.0.0 → 1.1.0"))


@pytest.fixture
async def receiver():
    async with MessageReceiver() as running:
        yield running


@pytest.fixture
async def posting():
    async with HttpClient(patience=Patience(attempts=1)) as http:

        def made(url, credentials=""):
            async def address():
                return url

            async def secret():
                return credentials

            return CloudEventsReceiver(http, address=address, credentials=secret)

        yield made


async def test_an_event_has_what_the_specification_asks_for_and_what_happened(receiver, posting):
    await posting(receiver.url()).send(UPDATE)
    (delivery,) = receiver.deliveries
    assert delivery.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    event = delivery.json()
    data = event.pop("data")
    assert len(event.pop("id")) == 32
    assert datetime.fromisoformat(event.pop("time")).tzinfo
    assert event == {
        "specversion": "1.0",
        "source": "gitops-image-updater",
        "type": "io.gitops-image-updater.image.updated",
        "subject": FLEET,
        "datacontenttype": "application/json",
    }
    assert data["destination"] == FLEET
    assert data["targets"] == [
        {
            "subscription": "web",
            "target": "somewhere",
            "event": "updated",
            "detail": "1.0.0 → 1.1.0",
            "code": None,
            "hint": None,
            "moves": [
                {
                    "old": {"name": "r.test/app", "tag": "1.0.0", "digest": None},
                    "new": {"name": "r.test/app", "tag": "1.1.0", "digest": None},
                }
            ],
            "changes": [{"path": "app.yaml", "line": 7, "where": "spec.image", "old": CHANGE.old, "new": CHANGE.new}],
            "revision": COMMIT,
            "link": None,
        }
    ]


def test_each_kind_of_end_in_each_destination_is_one_event_and_none_is_too_large():
    lines = [line(key=str(number)) for number in range(MOST_ENTRIES + 1)]
    events = list(events_of(notice(*lines, line(NotifiedEvent.FAILED), line(destination="argocd:a/b"))))
    shown = [(event["type"].rpartition(".")[2], event["subject"], len(event["data"]["targets"])) for event in events]
    assert shown == [("updated", FLEET, MOST_ENTRIES), ("updated", FLEET, 1), ("failed", FLEET, 1), ("updated", "argocd:a/b", 1)]
    assert len({event["id"] for event in events}) == 4
    assert [event["id"] for event in events_of(notice(*lines))] == [event["id"] for event in events[:2]]


def test_a_test_has_a_type_of_its_own_and_what_belongs_to_no_destination_no_subject():
    (event,) = events_of(notice(line(destination=""), is_test=True))
    assert event["type"] == "io.gitops-image-updater.test"
    assert "subject" not in event


def test_odd_bytes_and_control_characters_are_spelled_out():
    (event,) = events_of(notice(line(key="a\udc80\x1b[2J\u202e", destination="b\n")))
    assert event["data"]["targets"][0]["subscription"] == "a\\x80\\x1b[2J\\u202e"
    assert event["subject"] == "b\\n"


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (SECRET, f"Bearer {SECRET}"),
        (f"Bearer {SECRET}", f"Bearer {SECRET}"),
        (f"me:{SECRET}", f"Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}"),
    ],
)
async def test_credentials_become_the_header_that_fits(receiver, posting, credentials, header):
    await posting(receiver.url(), credentials).send(UPDATE)
    assert receiver.deliveries[0].headers["Authorization"] == header


async def test_a_password_in_the_address_becomes_a_header(receiver, posting):
    await posting(receiver.url().replace("://", f"://me:{SECRET}@")).send(UPDATE)
    assert receiver.deliveries[0].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("answer", "is_lasting", "retry_after"),
    [
        (Answer(429, {"Retry-After": "7"}), False, 7.0),
        (Answer(503, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}), False, 0.0),
        (Answer(500), False, None),
        (Answer(401), True, None),
        (Answer(302, {"Location": "/elsewhere"}), True, None),
    ],
)
async def test_a_refusal_says_its_status_and_whether_it_may_pass(receiver, posting, answer, is_lasting, retry_after):
    receiver.script = [answer]
    with pytest.raises(NotifyError) as caught:
        await posting(receiver.url()).send(UPDATE)
    error = caught.value
    assert (error.is_lasting, error.retry_after) == (is_lasting, retry_after)
    assert error.code == ("notify-refused" if is_lasting else "notify-unavailable")
    assert f"127.0.0.1:{receiver.port}" in error.message


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_to_another_host_gets_nothing(receiver, posting, status):
    async with MessageReceiver() as other:
        receiver.script = [Answer(status, {"Location": other.url().replace("127.0.0.1", "localhost")})]
        with pytest.raises(NotifyError) as caught:
            await posting(receiver.url(), SECRET).send(UPDATE)
        assert other.deliveries == []
    assert caught.value.is_lasting


async def test_an_attempt_that_is_made_again_sends_no_event_twice(receiver, posting):
    receiver.script = [Answer(), Answer(503)]
    events = posting(receiver.url())
    both = notice(line(), line(NotifiedEvent.FAILED))
    with pytest.raises(NotifyError):
        await events.send(both)
    await events.send(both)
    types = [delivery.json()["type"].rpartition(".")[2] for delivery in receiver.deliveries]
    assert types == ["updated", "failed", "failed"]
    assert receiver.deliveries[1].json()["id"] == receiver.deliveries[2].json()["id"]


@pytest.mark.parametrize("path", [f"/{SECRET}", f"/hook/{SECRET}/x", f"/hook?token={SECRET}"])
async def test_no_secret_of_the_address_is_repeated_whatever_goes_wrong(receiver, posting, path):
    receiver.usual = Answer(302, {"Location": f"https://example.org/{SECRET}"})
    for address in (receiver.url(path=path), f"http://127.0.0.1:1{path}"):
        with pytest.raises(NotifyError) as caught:
            await posting(address, SECRET).send(UPDATE)
        assert SECRET not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"


@pytest.mark.parametrize("address", [SECRET, f"ftp://{SECRET}", "http://", f"http://[{SECRET}", "slack://a/b/c"])
async def test_an_address_that_is_none_is_said_without_repeating_it(posting, address):
    with pytest.raises(NotifyError) as caught:
        await posting(address).send(UPDATE)
    assert (caught.value.code, caught.value.is_lasting) == ("notify-address", True)
    assert SECRET not in caught.value.message
