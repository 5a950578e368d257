"""Which forge an unknown host is: it is asked once, without a token, and remembered."""

from __future__ import annotations

import pytest
from aiohttp import web

from updater.errors import ForgeError
from updater.forge.address import ForgeKind, forge_address
from updater.forge.base import ForgeAbilities
from updater.forge.kinds import KindFinder
from updater.forge.late import LateForge
from updater.http.client import HttpClient
from updater.http.exchange import Connection
from updater.http.limits import Patience

GITLAB = {"version": "17.5.1", "revision": "abc"}
ANSWERS = {
    "gitlab": ("/api/v4/version", web.json_response, (GITLAB,), {}),
    "gitlab that tells nobody": ("/api/v4/version", web.json_response, ({"message": "401 Unauthorized"},), {"status": 401}),
    "gitea": ("/api/v1/version", web.json_response, ({"version": "1.26.0"},), {}),
    "forgejo below a path": ("/git/api/v1/version", web.json_response, ({"version": "11.0.1+gitea-1.22.0"},), {}),
    "gitea that asks to sign in": (
        "/api/v1/version",
        web.json_response,
        ({"message": "Only signed in user is allowed to call APIs."},),
        {"status": 403},
    ),
    "github": ("/api/v3/meta", web.json_response, ({"verifiable_password_authentication": True},), {}),
    "bitbucket-server": (
        "/bb/rest/api/1.0/application-properties",
        web.json_response,
        ({"version": "9.4.0", "displayName": "Bitbucket"},),
        {},
    ),
}
URLS = {"forgejo below a path": "/git/o/fleet.git", "bitbucket-server": "/bb/scm/o/fleet.git"}


#: what these forges write into every answer
HEADERS = {"gitlab": {"X-Gitlab-Meta": "{}"}, "github": {"X-GitHub-Request-Id": "1"}, "bitbucket-server": {"X-AREQUESTID": "1"}}


class Host:
    """A server that answers one path, and 404 or *other* to everything else, with the headers of its kind."""

    def __init__(self, name=None, other=404):
        self.path, self.make, self.given, self.named = ANSWERS[name] if name else ("", None, (), {})
        self.other = other
        self.written = HEADERS.get((name or "").partition(" ")[0], {})
        self.asked = []
        self.headers = []

    async def __aenter__(self):
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.answer)
        self.runner = web.AppRunner(application, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_):
        await self.runner.cleanup()

    def url(self, path="/o/fleet.git"):
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}{path}"

    async def answer(self, request):
        self.asked.append(request.path)
        self.headers.append(dict(request.headers))
        if request.path == self.path:
            return self.make(*self.given, **self.named, headers=self.written)
        return web.Response(status=self.other, text="<html>no</html>", content_type="text/html", headers=self.written)


@pytest.fixture
async def http():
    async with HttpClient(patience=Patience(attempts=1)) as made:
        yield made


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_host_says_by_one_answer_which_forge_it_is_and_is_not_asked_again(http, name):
    async with Host(name) as host:
        finder, address = KindFinder(http), forge_address(host.url(URLS.get(name, "/o/fleet.git")))
        kind = await finder.kind(address, Connection())
        asked = len(host.asked)
        assert asked == 1
        assert str(kind) == name.partition(" ")[0].replace("forgejo", "gitea")
        assert await finder.kind(address, Connection()) is kind
        assert len(host.asked) == asked
        assert all("Authorization" not in headers for headers in host.headers)


@pytest.mark.parametrize("other", [404, 200, 301, 401])
async def test_a_host_that_is_no_forge_is_unknown_and_left_alone_for_ten_minutes(http, other):
    now = [0.0]
    async with Host(other=other) as host:
        finder, address = KindFinder(http, clock=lambda: now[0]), forge_address(host.url())
        for _ in range(2):
            with pytest.raises(ForgeError) as caught:
                await finder.kind(address, Connection())
            assert caught.value.code == "forge-unknown"
        asked = len(host.asked)
        assert asked == 4
        now[0] += 601
        with pytest.raises(ForgeError):
            await finder.kind(address, Connection())
        assert len(host.asked) == 2 * asked


@pytest.mark.parametrize(
    ("name", "path"), [("gitlab", "/gitlab/fleet/x.git"), ("github", "/github/fleet/x.git"), ("gitea", "/o/x.git")]
)
async def test_what_a_name_hints_at_is_confirmed_by_one_request(http, name, path):
    async with Host(name) as host:
        assert str(await KindFinder(http).kind(forge_address(host.url(path)), Connection())) == name
        assert len(host.asked) == 1


async def test_a_bitbucket_whose_url_hints_at_nothing_confirms_itself_what_its_header_tells(http):
    async with Host("bitbucket-server") as host:
        kind = await KindFinder(http).kind(forge_address(host.url("/bb/o/fleet.git")), Connection())
        assert (kind, len(host.asked)) == (ForgeKind.BITBUCKET_SERVER, 2)


async def test_a_host_that_writes_no_header_is_found_all_the_same(http):
    async with Host("github") as host:
        host.written = {}
        assert await KindFinder(http).kind(forge_address(host.url()), Connection()) is ForgeKind.GITHUB
        assert len(host.asked) <= 4


async def test_a_host_that_is_down_is_unavailable_and_asked_again(http):
    async with Host("gitlab", other=503) as host:
        host.path = ""
        finder, address = KindFinder(http), forge_address(host.url())
        with pytest.raises(ForgeError) as caught:
            await finder.kind(address, Connection())
        assert caught.value.code == "forge-unavailable"
        host.path = "/api/v4/version"
        assert await finder.kind(address, Connection()) is ForgeKind.GITLAB


async def test_a_known_host_is_not_asked(http):
    for url, kind in [
        ("https://github.com/o/x", ForgeKind.GITHUB),
        ("https://tfs.example.invalid/Main/ops/_git/x", ForgeKind.AZURE),
    ]:
        assert await KindFinder(http).kind(forge_address(url), Connection()) is kind


async def test_a_forge_that_is_not_known_yet_promises_nothing_and_is_found_with_the_first_call():
    class Found:
        abilities = ForgeAbilities(longest_title=77)
        calls = 0

        async def get(self, number):
            return number

    async def find():
        Found.calls += 1
        return Found()

    late = LateForge(find)
    assert not late.abilities.labels
    assert [await late.get(1), await late.get(2)] == [1, 2]
    assert late.abilities.longest_title == 77
    assert Found.calls == 1
