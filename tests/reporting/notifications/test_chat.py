"""Chats and mail by real sockets: what is posted, what a refusal says, and that no secret of an address is ever repeated."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.fakes.eventually import until
from tests.fakes.message_receiver import Answer, MailReceiver, MessageReceiver
from tests.reporting.notifications.making import line, moved, notice
from updater.model.notification import NotifiedEvent
from updater.reporting.notifications.chat import ChatReceiver, _Answers, _made
from updater.reporting.notifications.queue import NotifyError

GUIDE = Path(__file__).resolve().parents[3] / "docs/how-to/notifications.md"
SECRET = "s3cr3t-T0ken-0123456789"
HOSTILE = "<!channel> @everyone <at>all</at> [t](http://evil.test) *x*"
UPDATE = notice(line(moves=moved().moves, revision="0123456789abcdef"))


def chat(url, name="chat", **options):
    async def address():
        return url

    return ChatReceiver(name, address=address, **options)


@pytest.fixture
async def receiver():
    async with MessageReceiver() as running:
        yield running


@pytest.fixture
def our_log():
    """What the handler of the process would write."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def detour(receiver, monkeypatch):
    """Let every host be this receiver; its name becomes the first part of the path."""
    send = requests.adapters.HTTPAdapter.send

    def sent(self, request, **options):
        parts = urlsplit(request.url)
        query = f"?{parts.query}" if parts.query else ""
        request.url = f"http://127.0.0.1:{receiver.port}/{parts.netloc}{parts.path}{query}"
        return send(self, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", sent)
    return receiver


@pytest.mark.parametrize(
    ("address", "path", "field"),
    [
        (
            "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7",
            "/hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7",
            "attachments",
        ),
        ("https://discord.com/api/webhooks/123456/abcdefgh", "/discord.com/api/webhooks/123456/abcdefgh", "content"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "/api.telegram.org/bot123456789:abcdefg_hijklmnop/sendMessage", "text"),
        ("workflows://prod-01.westus.logic.azure.com:443/643e69f83c8944/abc", "/prod-01.westus.logic.azure.com", "attachments"),
        ("mmost://chat.test/3ccdd113474722377935511fc85d3dd4", "/chat.test/hooks/3ccdd113474722377935511fc85d3dd4", "text"),
        ("ntfy://127.0.0.1/topic", "/127.0.0.1/", "message"),
        ("json://127.0.0.1/hook", "/127.0.0.1/hook", "message"),
        ("rockets://hook:token/x@chat.test/#room", "/chat.test/hooks/token/x", "text"),
        ("gchat://space/key/token", "/chat.googleapis.com/v1/spaces/space/messages", "text"),
    ],
)
async def test_each_service_gets_the_message_and_no_value_in_it_calls_anybody(detour, address, path, field):
    message = notice(*UPDATE.lines, line(NotifiedEvent.FAILED, HOSTILE, detail=HOSTILE, code="edit"))
    await chat(address).send(message)
    (delivery,) = detour.deliveries
    assert delivery.path.startswith(path)
    text = json.dumps(delivery.json()[field], ensure_ascii=False)
    assert "r.test/app 1.0.0 → 1.1.0" in text
    assert "[edit]" in text
    assert "@everyone" not in text
    if "127.0.0.1" not in path:  # those read no markup
        assert "<!channel>" not in text
        assert "<at>" not in text
    if any(name in path for name in ("discord", "azure", "/hooks/")):
        assert r"\[t\](" in delivery.body.decode().replace(r"\\", "\\")
    assert "slack" not in path or "&lt;\u200b!channel&gt;" in text
    assert "caronc" not in json.dumps(delivery.json()), "nothing is fetched from a third place"


async def test_a_mail_has_the_title_as_its_subject_and_the_text_as_it_is():
    async with MailReceiver() as mails:
        await chat(mails.url()).send(UPDATE)
        await chat(mails.url("&format=html")).send(notice(line(NotifiedEvent.FAILED, "a<b>", detail="x<y")))
    plain, marked = mails.mails
    assert (plain["Subject"], plain["To"]) == ("web: updated to 1.1.0", "team@example.org")
    assert "r.test/app 1.0.0 → 1.1.0" in plain.get_body(("plain",)).get_content()
    assert marked["Subject"] == "a<b>: failed"
    assert "a&lt;b&gt;: x&lt;y" in marked.get_body(("html",)).get_content()


async def test_a_mail_that_is_refused_is_a_failure_that_may_pass():
    async with MailReceiver(refusal="451 come back later") as mails:
        with pytest.raises(NotifyError) as caught:
            await chat(mails.url()).send(UPDATE)
    assert (caught.value.is_lasting, caught.value.code) == (False, "notify-unavailable")


async def test_a_template_makes_the_text(receiver):
    await chat(receiver.url("json"), template="{{ range .Events }}{{ .Subscription }} is {{ .New }}{{ end }}").send(UPDATE)
    assert receiver.deliveries[0].json()["message"] == "web is 1.1.0"


async def test_a_template_that_fails_is_said_and_never_tried_again(receiver):
    with pytest.raises(NotifyError) as caught:
        await chat(receiver.url("json"), template="{{ fail `no` }}").send(UPDATE)
    assert caught.value.is_lasting
    assert receiver.deliveries == []


@pytest.mark.parametrize(
    ("answer", "is_lasting", "retry_after", "code"),
    [
        (Answer(429, {"Retry-After": "7"}), False, 7.0, "notify-unavailable"),
        (Answer(503), False, None, "notify-unavailable"),
        (Answer(500), False, None, "notify-unavailable"),
        (Answer(403), True, None, "notify-refused"),
        (Answer(404), True, None, "notify-refused"),
    ],
)
async def test_a_refusal_says_its_status_and_whether_it_may_pass(receiver, answer, is_lasting, retry_after, code):
    receiver.script = [answer]
    with pytest.raises(NotifyError) as caught:
        await chat(receiver.url("json")).send(UPDATE)
    error = caught.value
    assert (error.message, error.is_lasting, error.code) == (f"JSON returned HTTP {answer.status}", is_lasting, code)
    assert error.retry_after == retry_after


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_is_followed(receiver, status):
    async with MessageReceiver() as other:
        receiver.script = [Answer(status, {"Location": other.url()})]
        with pytest.raises(NotifyError) as caught:
            await chat(receiver.url("json", "/hook?redirect=yes")).send(UPDATE)
        assert (other.deliveries, len(receiver.deliveries)) == ([], 1)
    assert caught.value.is_lasting


async def test_an_answer_is_not_read_without_end(receiver):
    receiver.script = [Answer(200, {}, b"x" * 2**22)]
    await chat(receiver.url("json")).send(UPDATE)


async def test_nobody_there_is_a_failure_that_may_pass_and_names_no_secret(our_log, capfd):
    with pytest.raises(NotifyError) as caught:
        await chat(f"json://user:{SECRET}@127.0.0.1:1/{SECRET}?x={SECRET}").send(UPDATE)
    assert not caught.value.is_lasting
    said = f"{caught.value.message} {caught.value.hint} {our_log.getvalue()} {capfd.readouterr()}"
    assert SECRET not in said


@pytest.mark.parametrize(
    "address", [f"nothing://{SECRET}", f"https://example.org/{SECRET}", SECRET, f"slack://{SECRET}", "", f"json://[{SECRET}"]
)
async def test_an_address_that_names_no_service_is_said_without_repeating_it(address, our_log, capfd):
    with pytest.raises(NotifyError) as caught:
        await chat(address).send(UPDATE)
    assert (caught.value.code, caught.value.is_lasting) == ("notify-address", True)
    assert SECRET not in f"{caught.value.message} {caught.value.hint} {our_log.getvalue()} {capfd.readouterr()}"


async def test_what_apprise_logs_reaches_no_handler_of_ours(receiver, our_log):
    receiver.script = [Answer(403)]
    with pytest.raises(NotifyError):
        await chat(receiver.url("json", f"/{SECRET}")).send(UPDATE)
    assert "403" not in our_log.getvalue()


async def test_a_receiver_that_hangs_keeps_one_thread_and_no_second_message_is_begun(receiver):
    receiver.usual = Answer(hangs=True)
    slow = chat(receiver.url("json"), "slow")
    first = asyncio.create_task(slow.send(UPDATE))
    await until(lambda: receiver.deliveries)
    first.cancel()  # as a queue does that has waited long enough
    await asyncio.wait([first])
    for _ in range(2):
        with pytest.raises(NotifyError, match="still has not taken the message before"):
            await slow.send(UPDATE)
    working = [thread for thread in threading.enumerate() if thread.name == "notify slow"]
    assert [thread.daemon for thread in working] == [True]
    assert len(receiver.deliveries) == 1


async def test_an_address_that_changes_is_taken_up(receiver):
    addresses = [receiver.url("json", "/first"), receiver.url("json", "/second")]

    async def address():
        return addresses.pop(0)

    both = ChatReceiver("chat", address=address)
    await both.send(UPDATE)
    await both.send(UPDATE)
    assert [delivery.path for delivery in receiver.deliveries] == ["/first", "/second"]


def test_each_address_of_the_guide_names_a_service():
    """What is copied from the page works."""
    text = GUIDE.read_text(encoding="utf-8").partition("## Copy an address")[2].partition("### CloudEvents")[0]
    found = [address for address in re.findall(r"`([a-z]+://[^`]+)`", text) if "appriseit" not in address]
    named = [
        address.replace("…", "team@example.org").replace("T000/B000/XXXX", "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7")
        for address in found
    ]
    assert len(named) >= 10
    for address in named:
        assert _made(address, _Answers()), address
