"""How webhooks are received: who is refused, what is bounded, and what nobody listed costs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import io
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.settings.making import settings_of
from tests.web.test_webhooks import ALIYUN, BODY, ECR_EVENT, ECR_HOST, HUB, SIGNED, digest_of
from updater.errors import UpdaterError
from updater.model.webhook import ImagePush
from updater.web import receiving
from updater.web.app import serve
from updater.web.receiving import web_application

TOPIC = "arn:aws:sns:eu-west-1:111122223333:pushes"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0f" * 16 + ".pem"
SENDERS = f"""
listen: {{web: "127.0.0.1:0"}}
web:
  webhooks:
    - {{name: ci, kind: generic, secret: "env:S"}}
    - {{name: gh, kind: github, secret: "env:S"}}
    - {{name: hub, kind: docker-hub, secret: "env:S"}}
    - {{name: hub2, kind: docker-hub, secret: "env:S2"}}
    - {{name: sns, kind: ecr-sns, secret: "env:S", topic: "{TOPIC}"}}
"""


class FakeDesk:
    """Takes what it is told, and remembers it."""

    def __init__(self, text=SENDERS):
        self.senders = settings_of(text).web.webhooks
        self.secrets = {"S": b"s3cret", "S2": b"other"}
        self.certificates = {}
        self.results, self.taken, self.tokens, self.forwarded = [], [], [], []
        self.leads, self.is_free, self.status = True, True, 0

    async def secret(self, sender):
        if sender.secret.value not in self.secrets:
            raise UpdaterError("nothing there")
        return self.secrets[sender.secret.value]

    async def certificate(self, url, *, again=False):
        if url not in self.certificates:
            raise UpdaterError("nothing there")
        return self.certificates[url]

    def may_send(self, sender):
        return self.is_free

    def may_take(self):
        return self.leads

    async def forward(self, delivery):
        self.forwarded.append(delivery)
        return self.status

    def count(self, name, result):
        self.results.append((name, result))

    def confirm(self, sender, token):
        self.tokens.append((sender.name, token))

    def take(self, sender, pushes):
        self.taken.extend((sender.name, push) for push in pushes)
        return "accepted" if pushes else "ignored"


@pytest.fixture
async def desk():
    made = FakeDesk()
    runner = await serve(web_application(made), "127.0.0.1:0")
    made.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield made
    await runner.cleanup()


async def post(desk, path, **more):
    async with aiohttp.ClientSession() as session, session.post(f"{desk.url}{path}", **more) as answer:
        return answer.status, (await answer.text()).strip(), answer.headers


async def status_of(desk, path, **more):
    return (await post(desk, path, **more))[0]


GOOD = {"X-Webhook-Secret": "s3cret"}


async def test_a_delivery_is_taken_with_status_202(desk):
    assert (await post(desk, "/webhooks/hub?secret=s3cret", json=HUB))[:2] == (202, "accepted")
    assert desk.taken == [("hub", ImagePush(registry="docker.io", path="acme/app", tag="1.2.3"))]
    assert desk.results == [("hub", "accepted")]


async def test_an_event_that_is_no_push_is_taken_too_so_that_senders_do_not_try_again(desk):
    header, value = SIGNED["github"]
    headers = {header: value, "X-GitHub-Event": "ping"}
    assert (await post(desk, "/webhooks/gh", data=BODY, headers=headers))[:2] == (202, "ignored")


async def test_missing_proof_is_401_wrong_proof_is_403_and_both_are_counted_and_take_nothing(desk):
    assert await status_of(desk, "/webhooks/gh", data=BODY) == 401
    assert await status_of(desk, "/webhooks/gh", data=BODY, headers={"X-Hub-Signature-256": "sha256=00"}) == 403
    status, _, headers = await post(desk, "/webhooks/sns", json={})
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="webhooks"')
    assert await status_of(desk, "/webhooks/hub?secret=other", json=HUB) == 403
    assert desk.results == [("gh", "unsigned"), ("gh", "refused"), ("sns", "unsigned"), ("hub", "refused")]
    assert desk.taken == []


async def test_a_path_that_is_not_configured_is_404_and_its_name_is_no_label(desk):
    assert await status_of(desk, "/webhooks/else%0a", json=HUB) == 404
    assert desk.results == [("", "unknown")]


async def test_the_paths_and_types_of_argocd_image_updater_work(desk):
    assert await status_of(desk, "/webhook?type=docker.io&secret=other", json=HUB) == 202
    assert await status_of(desk, "/webhook?secret=s3cret", json=HUB, headers={"X-Registry-Type": "docker.io"}) == 202
    assert await status_of(desk, "/webhook?type=docker.io&secret=third", json=HUB) == 403
    assert [name for name, _ in desk.taken] == ["hub2", "hub"]


async def test_a_type_without_a_webhook_is_refused(desk):
    """argo-179."""
    assert (await post(desk, "/webhook?type=aliyun-acr&secret=s3cret", json=ALIYUN))[:2] == (
        404,
        "no webhook is configured here",
    )
    assert await status_of(desk, "/webhook", json=ALIYUN) == 404


async def test_a_body_of_ten_megabytes_is_refused_whether_its_length_is_said_or_not(desk):
    async def pieces():
        for _ in range(160):
            yield b"x" * 65536

    for body in (io.BytesIO(b"x" * 10_000_000), pieces()):
        with contextlib.suppress(aiohttp.ClientError):  # the connection may be closed while the rest is being sent
            assert await status_of(desk, "/webhooks/ci", data=body, headers=GOOD) == 413
    assert desk.results == [("ci", "too-large")] * 2


async def test_strangers_are_refused_before_their_body_is_read(desk):
    read = []

    async def pieces():
        read.append(1)
        yield b"{"
        await asyncio.sleep(3600)

    assert await status_of(desk, "/webhooks/hub?secret=wrong", data=pieces()) == 403


async def test_a_body_that_never_ends_is_given_up(desk, monkeypatch):
    monkeypatch.setattr(receiving, "SLOWEST_BODY", 0.05)

    async def pieces():
        yield b"{"
        await asyncio.sleep(3600)

    assert await status_of(desk, "/webhooks/ci", data=pieces(), headers=GOOD) == 408


async def test_a_hundred_bodies_that_never_end_keep_no_delivery_waiting(desk, monkeypatch):
    """Each says who it is and sends a byte; the next delivery is answered while all of them are open."""
    monkeypatch.setattr(receiving, "SLOWEST_BODY", 3600.0)
    head = "POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nX-Webhook-Secret: s3cret\r\nContent-Length: 100\r\n\r\n{"
    host, port = desk.url.removeprefix("http://").split(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(100)]
    for _, writer in opened:
        writer.write(head.encode())
    assert await status_of(desk, "/webhooks/ci", json={"image": "r.example/a"}, headers=GOOD) == 202
    assert desk.results == [("ci", "accepted")]
    for _, writer in opened:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert await status_of(desk, "/webhooks/ci", json={"image": "r.example/a"}, headers=GOOD) == 202


async def test_what_all_bodies_hold_together_is_bounded(desk, monkeypatch):
    monkeypatch.setattr(receiving, "MOST_HELD", 10)
    status, _, headers = await post(desk, "/webhooks/ci", data=b"x" * 100, headers=GOOD)
    assert (status, headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b'{"image": ' + b"9" * 100_000 + b"}",
        b'{"image": "a", "image": "b"}',
        b"\xff\xfe",
        b"",
        b'{"image": "a\\u0000b"}',
        b'{"image": "<img src=x>"}',
    ],
)
async def test_a_body_that_cannot_be_understood_is_400_and_the_next_one_is_received(desk, body):
    assert await status_of(desk, "/webhooks/ci", data=body, headers=GOOD) == 400
    assert await status_of(desk, "/webhooks/ci", json={"image": "r.example/a"}, headers=GOOD) == 202


async def test_a_compressed_body_is_never_unpacked(desk):
    headers = {**GOOD, "Content-Encoding": "gzip"}
    assert await status_of(desk, "/webhooks/ci", data=gzip.compress(b"0" * 10_000_000), headers=headers) == 415


async def test_github_may_send_its_json_in_a_form(desk):
    body = b"payload=%7B%22zen%22%3A%22a%22%7D"
    headers = {
        "X-Hub-Signature-256": f"sha256={digest_of(body)}",
        "X-GitHub-Event": "ping",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert await status_of(desk, "/webhooks/gh", data=body, headers=headers) == 202


async def test_json_that_is_sent_as_a_form_is_answered_with_the_content_type_to_set(desk):
    headers = {**GOOD, "Content-Type": "application/x-www-form-urlencoded"}
    status, text, _ = await post(desk, "/webhooks/ci", data=b'{"image": "r.example/a"}', headers=headers)
    assert (status, "send JSON with Content-Type: application/json" in text) == (400, True)


async def test_too_many_deliveries_are_sent_again_later(desk):
    desk.is_free = False
    status, _, headers = await post(desk, "/webhooks/hub?secret=s3cret", json=HUB)
    assert (status, headers["Retry-After"]) == (429, "5")


async def test_a_secret_that_cannot_be_read_lets_senders_try_again(desk):
    desk.secrets.clear()
    assert await status_of(desk, "/webhooks/hub?secret=s3cret", json=HUB) == 503
    assert desk.results == [("hub", "unavailable")]


async def test_a_replica_that_does_not_lead_hands_on_what_it_verified_with_headers_and_body(desk):
    desk.leads, desk.status = False, 202
    header, value = SIGNED["github"]
    assert (await post(desk, "/webhooks/gh?a=b", data=BODY, headers={header: value}))[:2] == (202, "forwarded")
    (handed,) = desk.forwarded
    assert (handed.path, handed.body, handed.headers[receiving.FORWARDED]) == ("/webhooks/gh?a=b", BODY, "1")
    assert {name.lower() for name in handed.headers} & {"host", "content-length"} == set()
    assert await status_of(desk, "/webhooks/gh", data=BODY, headers={header: "sha256=00"}) == 403
    assert len(desk.forwarded) == 1


async def test_a_delivery_is_handed_on_once_and_sent_again_where_nobody_is_known_to_lead(desk):
    desk.leads = False
    status, _, headers = await post(desk, "/webhooks/hub?secret=s3cret", json=HUB)
    assert (status, headers["Retry-After"]) == (503, "5")
    desk.status = 202
    again = {receiving.FORWARDED: "1"}
    assert await status_of(desk, "/webhooks/hub?secret=s3cret", json=HUB, headers=again) == 503
    assert desk.taken == []


@pytest.fixture(scope="module")
def amazon():
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    return key, made.public_bytes(serialization.Encoding.PEM)


def envelope(key, **more):
    said = {
        "Type": "Notification",
        "MessageId": "m1",
        "TopicArn": TOPIC,
        "Message": json.dumps(ECR_EVENT),
        "Timestamp": "2026-01-01T00:00:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
        **more,
    }
    names = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")
    text = "".join(f"{name}\n{said[name]}\n" for name in names if name in said)
    digest = hashes.SHA256() if said["SignatureVersion"] == "2" else hashes.SHA1()
    said["Signature"] = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), digest)).decode()
    return said


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_message_of_sns_counts_once_its_signature_is_verified(desk, amazon, version):
    key, pem = amazon
    desk.certificates[CERTIFICATE_URL] = pem
    said = envelope(key, SignatureVersion=version, Subject="a push")
    assert await status_of(desk, "/webhooks/sns?secret=s3cret", json=said) == 202
    assert desk.taken == [("sns", ImagePush(registry=ECR_HOST, path="acme/app", tag="1.2.3"))]
    said["Message"] = said["Message"].replace("acme/app", "acme/bad")
    assert await status_of(desk, "/webhooks/sns?secret=s3cret", json=said) == 403


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0f" * 16 + ".pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-" + "0f" * 16 + ".pem",
        "https://evil.example/?sns.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0f" * 16 + ".pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-" + "0f" * 16 + ".pem",
        "https://sns.eu-west-1.amazonaws.com:444/SimpleNotificationService-" + "0f" * 16 + ".pem",
        "https://user@sns.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0f" * 16 + ".pem",
        "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-" + "0f" * 16 + ".pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0f" * 16 + ".pem\n",
        "file:///etc/passwd",
    ],
)
async def test_a_certificate_from_anywhere_else_is_never_asked_for(desk, amazon, url):
    key, pem = amazon
    desk.certificates[url] = pem
    said = envelope(key, SigningCertURL=url)
    assert await status_of(desk, "/webhooks/sns?secret=s3cret", json=said) == 400
    assert desk.taken == []


async def test_a_message_of_somebody_elses_topic_is_refused_although_amazon_signed_it(desk, amazon):
    key, pem = amazon
    desk.certificates[CERTIFICATE_URL] = pem
    said = envelope(key, TopicArn=TOPIC.replace("1111", "9999"))
    assert await status_of(desk, "/webhooks/sns?secret=s3cret", json=said) == 403


async def test_a_subscription_is_confirmed_by_people_and_its_address_is_not_called(desk, amazon):
    key, pem = amazon
    desk.certificates[CERTIFICATE_URL] = pem
    said = envelope(key, Type="SubscriptionConfirmation", Token="tok", SubscribeURL=f"{desk.url}/called", Message="confirm")
    assert (await post(desk, "/webhooks/sns?secret=s3cret", json=said))[:2] == (202, "ignored")
    assert desk.tokens == [("sns", "tok")]
    assert desk.results == [("sns", "ignored")]
