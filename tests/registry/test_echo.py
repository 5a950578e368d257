"""Promises about a registry that repeats the credential it was shown: it reaches no error, no observer, no tag and no label."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from aiohttp import web

from tests.fakes.registry import FakeRegistry, always
from tests.fakes.still_time import StillTime
from updater.credentials.keychain import Keychain
from updater.errors import UpdaterError
from updater.http.client import HttpClient
from updater.model.credential import parse_credential_ref
from updater.model.image import parse_name
from updater.registry.client import RegistryClient
from updater.registry.endpoints import RegistryEntry
from updater.registry.transport import RegistryTransport

USER, PASSWORD = "robot", "REGSECRETMARK-x"
PAIR = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
FORMS = {
    "plain": PASSWORD,
    "the pair": f"{USER}:{PASSWORD}",
    "the header": PAIR,
    "base64 of the header": base64.b64encode(PAIR.encode()).decode(),
    "base64 of a sentence": base64.urlsafe_b64encode(f"you sent {PASSWORD}".encode()).decode(),
    "url-encoded": quote(PASSWORD, safe=""),
    "url-encoded header": quote(PAIR, safe=""),
    "hex": PASSWORD.encode().hex(),
}
TELLTALES = {text.lower().rstrip("=") for text in FORMS.values()} | {"regsecretmark", PAIR[4:20].lower()}


def saying(**parts):
    """An answer of a server that was shown the credential, and asks for it otherwise."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Authorization"):
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
        return web.Response(**parts)

    return always("/v2/", answer)


def answers(text: str):
    body = json.dumps({"errors": [{"code": f"DENIED {text}", "message": f"{'.' * 100} {text}"}]})
    headed = text if text.isprintable() else ""
    return {
        "a redirect": {"status": 302, "headers": {"Location": f"https://127.0.0.9/{headed}"}},
        "a long redirect": {"status": 302, "headers": {"Location": f"https://127.0.0.9/{'a' * 2000}{headed}{headed}"}},
        "the host of a redirect": {
            "status": 302,
            "headers": {"Location": f"https://{headed.replace('/', '_').rstrip('=')}.localhost/"},
        },
        "a scheme": {"status": 302, "headers": {"Location": f"x{headed}://a/"}},
        "a media type": {"status": 200, "headers": {"Content-Type": f"text/{headed}"}, "body": b"<html>"},
        "an encoding": {"status": 200, "headers": {"Content-Encoding": headed}, "body": b"x"},
        "a body": {"status": 403, "text": body},
        "a missing image": {"status": 404, "text": body},
        "a challenge": {"status": 401, "headers": {"WWW-Authenticate": f'Bearer realm="https://127.0.0.9/{headed}"'}},
        "another scheme": {"status": 401, "headers": {"WWW-Authenticate": headed}},
        "a digest": {"status": 200, "headers": {"Docker-Content-Digest": f"sha256:{headed}"}, "body": b"{}"},
    }


@pytest.fixture
async def lab():
    observed = []
    async with (
        FakeRegistry() as registry,
        HttpClient(surroundings=StillTime().surroundings(), observe=lambda *what: observed.append(str(what))) as http,
    ):
        keychain = Keychain(environment={"REG": f"{USER}:{PASSWORD}"}, docker_configs=())
        entry = RegistryEntry(prefix=registry.host, credentials=parse_credential_ref("env:REG"))
        registry.client = RegistryClient(RegistryTransport(http, keychain), [entry])
        registry.image = parse_name(f"{registry.host}/org/app")
        registry.observed = observed
        yield registry


def assert_untold(*texts: str) -> None:
    for text in texts:
        found = [telltale for telltale in TELLTALES if telltale in text.lower()]
        assert not found, text


@pytest.mark.parametrize("where", answers("x"))
@pytest.mark.parametrize("form", FORMS)
async def test_what_was_sent_is_in_no_error(lab, form, where):
    lab.faults.append(saying(**answers(FORMS[form])[where]))
    for ask in (lab.client.tags(lab.image), lab.client.digest(lab.image, "1.0")):
        try:
            await ask
        except UpdaterError as error:
            assert_untold(error.message, error.hint, repr(error), *map(str, error.args))
    assert_untold(*lab.observed)


@pytest.mark.parametrize("form", ["the header", "base64 of the header", "hex"])
async def test_a_tag_that_repeats_it_is_no_tag(lab, form):
    """A tag may be written to Git, and is remembered in the cache."""
    text = FORMS[form].rstrip("=").replace("/", "_")
    lab.faults.append(saying(text=json.dumps({"tags": ["1.0.0", f"2.0.0-{text}"]})))
    assert (await lab.client.tags(lab.image)).tags == ("1.0.0",)


async def test_a_label_that_repeats_it_is_masked(lab):
    """Labels are remembered in the cache, and stand in commit messages."""
    lab.faults.append(saying_first())
    digest = lab.push("org/app", "1.0.0", labels={"org.opencontainers.image.source": f"https://x/{PAIR}", "a": "b"})
    described = await lab.client.describe(lab.image, digest)
    assert described.labels["a"] == "b"
    assert_untold(*described.labels.values())


def saying_first():
    async def answer(request: web.Request) -> web.StreamResponse | None:
        if not request.headers.get("Authorization"):
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
        return None

    return answer
