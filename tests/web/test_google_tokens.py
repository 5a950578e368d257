"""Where a service account is named, a push of Pub/Sub counts with the token that Google issued to it, and never without."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.web.test_receiving import FakeDesk, post
from tests.web.test_webhooks import GAR
from updater.errors import UpdaterError
from updater.web.app import serve
from updater.web.receiving import web_application
from updater.web.webhooks.google_tokens import CERTIFICATES

ACCOUNT, AUDIENCE = "pusher@project.iam.gserviceaccount.com", "updater"
SENDERS = f"""
listen: {{web: "127.0.0.1:0"}}
web:
  webhooks:
    - {{name: google, kind: google, secret: "env:S", account: {ACCOUNT}, audience: {AUDIENCE}}}
"""
PATH = "/webhooks/google?secret=s3cret"


class Google:
    """Issues tokens by keys that it changes."""

    def __init__(self):
        self.keys = {}

    def turn(self, name):
        """Sign by a new key from now on."""
        self.keys[name] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def certificates(self):
        return json.dumps({name: _certificate(key) for name, key in self.keys.items()}).encode()

    def token(self, name="one", algorithm="RS256", key=None, **changes):
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": ACCOUNT,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
            **changes,
        }
        return jwt.encode(claims, key or self.keys[name], algorithm=algorithm, headers={"kid": name})


def _certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon.system.gserviceaccount.com")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class GoogleDesk(FakeDesk):
    """Reads the certificates of Google, and keeps them until they are asked for again."""

    def __init__(self, google):
        super().__init__(SENDERS)
        self.google, self.kept, self.reads = google, google.certificates, []

    async def certificate(self, url, *, again=False):
        assert url == CERTIFICATES
        self.reads.append(again)
        if self.kept is None:
            raise UpdaterError("no answer")
        if again:
            self.kept = self.google.certificates
        return self.kept


@pytest.fixture(scope="module")
def google():
    made = Google()
    made.turn("one")
    return made


@pytest.fixture
async def desk(google):
    made = GoogleDesk(google)
    runner = await serve(web_application(made), "127.0.0.1:0")
    made.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield made
    await runner.cleanup()


async def told(desk, token=None, path=PATH):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    status, text, _ = await post(desk, path, json=GAR, headers=headers)
    return status, text


async def test_a_push_with_the_secret_and_the_token_of_the_account_is_taken(desk, google):
    assert await told(desk, google.token()) == (202, "accepted")
    assert len(desk.taken) == 1


async def test_the_secret_alone_is_401_and_the_token_alone_is_403(desk, google):
    assert (await told(desk))[0] == 401
    assert (await told(desk, google.token(), "/webhooks/google"))[0] == 403
    assert desk.taken == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://evil.test"}, "issued by Google"),
        ({"aud": "somebody"}, "another audience"),
        ({"aud": ["updater"]}, "another audience"),
        ({"email": "other@project.iam.gserviceaccount.com"}, "another account"),
        ({"email_verified": "true"}, "another account"),
        ({"exp": 1}, "not valid at this time"),
        ({"exp": None}, "not valid at this time"),
        ({"iat": 4102444800}, "not valid at this time"),
    ],
    ids=["issuer", "audience", "audiences", "account", "unverified", "over", "endless", "early"],
)
async def test_a_token_of_somebody_or_for_something_else_is_refused(desk, google, changes, why):
    status, text = await told(desk, google.token(**changes))
    assert (status, why in text, desk.taken, desk.reads) == (403, True, [], [])


async def test_a_token_that_google_did_not_sign_is_refused(desk, google):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert (await told(desk, google.token(key=other)))[0] == 403
    token = google.token()
    assert (await told(desk, token[:-8] + "AAAAAAAA"))[0] == 403
    assert desk.taken == []


@pytest.mark.parametrize(("algorithm", "key"), [("HS256", "k" * 32), ("none", "")])
async def test_a_token_does_not_choose_how_it_is_verified(desk, google, algorithm, key):
    assert (await told(desk, google.token(algorithm=algorithm, key=key or None) if key else unsigned(google)))[0] == 400
    assert desk.taken == []


def unsigned(google):
    _, claims, _ = google.token().split(".")
    return f"eyJhbGciOiJub25lIn0.{claims}."


@pytest.mark.parametrize("token", ["a.b.c", "e30.e30.e30", "bnVsbA.W10.", "..", "x" * 5000])
async def test_what_is_no_token_is_refused_and_breaks_nothing(desk, google, token):
    assert (await told(desk, token))[0] in {400, 401, 403}
    assert await told(desk, google.token()) == (202, "accepted")


async def test_a_new_key_of_google_is_read_when_a_token_names_it(desk, google):
    google.turn("two")
    assert await told(desk, google.token("two")) == (202, "accepted")
    assert desk.reads == [False, True]


async def test_while_the_certificates_cannot_be_read_senders_try_again(desk, google):
    desk.kept = None
    assert (await told(desk, google.token()))[0] == 503
