"""Every way in, and every way in which an HTTP server can fail, ends in one named error."""

import asyncio
import base64
import contextlib

import pytest
from aiohttp import web

from tests.fakes.git_server import GitServer, run_git
from tests.real.parts import free_port
from updater.errors import GitDenied, GitError, GitUnavailable, PushRefused
from updater.git import http_client
from updater.git.access import GitAccess
from updater.model.credential import Credential

pytestmark = pytest.mark.real
SECRET = "hunter22-token"


async def land(mirror, commit):
    head = await mirror.look("main")
    await mirror.fetch("main")
    return await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])


@pytest.mark.parametrize(
    ("basic", "bearer", "access"),
    [
        (("u", SECRET), None, GitAccess(credential=Credential(username="u", password=SECRET))),
        (("git", SECRET), None, GitAccess(credential=Credential(password=SECRET))),
        (None, SECRET, GitAccess(credential=Credential(registry_token=SECRET))),
        (
            ("u", SECRET),
            None,
            GitAccess(headers=(("Authorization", "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()),)),
        ),
    ],
)
async def test_every_credential_lands(server, mirrors, repository, commit, basic, bearer, access):
    server.basic, server.bearer = basic, bearer
    await land(mirrors(server.url("fleet.git"), access), commit)
    assert repository.show("x") == b"1"
    assert server.count() == 5 + 1 - 1  # no request is spent on being refused first


async def test_user_info_of_the_url_is_used_and_never_shown(server, mirrors, repository):
    server.basic = ("u", SECRET)
    mirror = mirrors(server.url("fleet.git").replace("://", f"://u:{SECRET}@"))
    assert (await mirror.look("main")).revision == repository.head()
    assert SECRET not in str(mirror)
    server.basic = ("u", "another")
    with pytest.raises(GitDenied) as caught:
        await mirror.look("main")
    assert SECRET not in caught.value.message


async def test_wrong_and_missing_credentials_get_different_hints(server, mirrors):
    server.basic = ("u", SECRET)
    hints = set()
    for name, access in {"a": GitAccess(), "b": GitAccess(credential=Credential(username="u", password="wrong"))}.items():
        with pytest.raises(GitDenied) as caught:
            await mirrors(server.url("fleet.git"), access, name=name).look("main")
        assert caught.value.code == "git-denied"
        hints.add(caught.value.hint)
    assert len(hints) == 2


@pytest.fixture
def tls(authority, repository):
    with GitServer(repository.path.parent, tls=authority.context(authority.issue("server"))) as running:
        yield running


async def test_an_own_authority_is_trusted_as_file_and_as_bytes(tls, mirrors, authority, commit, repository):
    await land(mirrors(tls.url("fleet.git"), GitAccess(ca=authority.ca), name="a"), commit)
    assert (
        await mirrors(tls.url("fleet.git", "localhost"), GitAccess(ca=authority.ca.read_bytes()), name="b").look("main")
    ).revision


async def test_a_bundle_may_name_its_authorities_in_any_language(tls, mirrors, authority):
    access = GitAccess(ca="# F\u0151tan\u00fas\u00edtv\u00e1ny\n".encode() + authority.ca.read_bytes())
    assert (await mirrors(tls.url("fleet.git", "localhost"), access).look("main")).revision


async def test_an_unknown_authority_is_refused_unless_this_repository_skips_it(tls, mirrors):
    with pytest.raises(GitDenied) as caught:
        await mirrors(tls.url("fleet.git"), name="a").look("main")
    assert caught.value.code == "git-tls"
    assert (await mirrors(tls.url("fleet.git"), GitAccess(insecure_skip_verify=True), name="b").look("main")).revision
    with pytest.raises(GitDenied):
        await mirrors(tls.url("fleet.git"), name="c").look("main")


async def test_a_client_certificate_is_shown_where_asked(authority, repository, mirrors, commit):
    client = authority.issue("client")
    with GitServer(repository.path.parent, tls=authority.context(authority.issue("server"), asks_client=True)) as running:
        for name, source in {"a": client, "b": client.read_bytes()}.items():
            mirror = mirrors(running.url("fleet.git"), GitAccess(ca=authority.ca, client_certificate=source), name=name)
            assert (await mirror.look("main")).revision
        await land(mirror, commit)
        with pytest.raises(GitError) as caught:
            await mirrors(running.url("fleet.git"), GitAccess(ca=authority.ca), name="c").look("main")
        assert caught.value.code in {"git-tls", "git-interrupted"}


@pytest.mark.parametrize("broken", [{"ca": b"rubbish"}, {"client_certificate": b"rubbish"}, {"ca": "absent"}])
async def test_a_certificate_that_cannot_be_loaded_is_told(tls, mirrors, tmp_path, broken):
    options = {key: tmp_path / value if isinstance(value, str) else value for key, value in broken.items()}
    with pytest.raises(GitDenied) as caught:
        await mirrors(tls.url("fleet.git"), GitAccess(**options)).look("main")
    assert caught.value.code == "git-certificate"


@pytest.mark.parametrize(("status", "code"), [(401, "git-denied"), (403, "git-forbidden")])
async def test_a_refusal_names_where_the_refused_credential_is_read(server, mirrors, status, code):
    server.fail("status", times=2, status=status)
    access = GitAccess(credential=Credential(username="u", password="wrong-word"), origin="Secret argocd/repo")
    with pytest.raises(GitDenied) as caught:
        await mirrors(server.url("fleet.git"), access).look("main")
    assert caught.value.code == code
    assert caught.value.message.endswith("; refused was the credential from Secret argocd/repo")
    assert caught.value.hint == "check Secret argocd/repo, and what it may do in this repository"


FAULTS = [
    ("refuse", {}, GitUnavailable, "git-interrupted"),
    ("html", {}, GitError, "git-protocol"),
    ("garbage", {}, GitError, "git-protocol"),
    ("status", {"status": 401}, GitDenied, "git-denied"),
    ("status", {"status": 403}, GitDenied, "git-forbidden"),
    ("status", {"status": 404}, GitError, "git-not-found"),
    ("status", {"status": 410}, GitError, "git-not-found"),
    ("status", {"status": 407}, GitDenied, "git-proxy"),
    ("status", {"status": 408}, GitUnavailable, "git-timeout"),
    ("status", {"status": 429}, GitUnavailable, "git-rate-limited"),
    ("status", {"status": 400}, GitError, "git-protocol"),
    ("status", {"status": 599}, GitUnavailable, "git-unavailable"),
    ("status", {"status": 500}, GitUnavailable, "git-unavailable"),
    ("status", {"status": 503}, GitUnavailable, "git-unavailable"),
    (
        "status",
        {"status": 302, "location": "https://other.example.org/x.git/info/refs?service=git-upload-pack"},
        GitError,
        "git-redirect",
    ),
]


@pytest.mark.parametrize(("kind", "options", "error", "code"), FAULTS)
async def test_every_fault_of_a_look_has_its_error_and_the_next_look_works(
    server, mirror, repository, kind, options, error, code
):
    server.fail(kind, times=2, **options)
    with pytest.raises(error) as caught:
        await mirror.look("main")
    assert caught.value.code == code
    assert caught.value.hint
    assert "127.0.0.1" in caught.value.message
    server.faults.clear()
    assert (await mirror.look("main")).revision == repository.head()


@pytest.mark.parametrize(
    "service", ["GET git-upload-pack", "POST git-upload-pack", "GET git-receive-pack", "POST git-receive-pack"]
)
@pytest.mark.parametrize("kind", ["refuse", "drop", "html", "garbage", "status"])
async def test_a_fault_at_any_request_loses_nothing_and_the_next_try_lands(server, mirrors, repository, commit, service, kind):
    mirror = mirrors(server.url("fleet.git"))
    before = repository.head()
    server.fail(kind, service=service, times=2)
    with pytest.raises(GitError) as caught:
        await land(mirror, commit)
    assert not isinstance(caught.value, PushRefused)
    assert caught.value.hint
    server.faults.clear()
    head = await mirror.look("main")
    await mirror.fetch("main")
    if head.revision != before:  # the push had arrived and its answer was lost: the next look sees it
        assert caught.value.code in {"push-unknown", "git-protocol"}
    landed = await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
    assert landed.revision == repository.head()
    assert repository.git("rev-list", "--count", "main").strip() == "2"
    repository.git("fsck", "--strict")


async def test_every_byte_of_a_cut_pack_is_noticed(server, mirrors, repository):
    repository.commit({f"f{number}": bytes([number]) * 2000 for number in range(50)})
    for number in range(3):
        mirror = mirrors(server.url("fleet.git"), name=f"m{number}")
        await mirror.look("main")
        server.fail("drop", service="POST git-upload-pack", times=2)
        with pytest.raises(GitUnavailable) as caught:
            await mirror.fetch("main")
        assert caught.value.code == "git-interrupted"
        server.faults.clear()
        await mirror.fetch("main")


async def test_a_kept_connection_that_had_gone_is_opened_again_unseen(server, mirror):
    await mirror.look("main")
    server.fail("refuse", times=1)
    assert (await mirror.look("main")).revision


async def test_a_slow_server_is_given_up(server, mirror, monkeypatch):
    monkeypatch.setattr(http_client, "READ_SECONDS", 0.2)
    server.fail("slow", seconds=1.0)
    with pytest.raises(GitUnavailable) as caught:
        await mirror.look("main")
    assert caught.value.code == "git-timeout"
    assert server.count() == 1


async def test_nobody_at_the_port_or_the_name_is_unreachable(mirrors):
    for number, url in enumerate((f"http://127.0.0.1:{free_port()}/x.git", "http://no.such.host.invalid/x.git")):
        with pytest.raises(GitUnavailable) as caught:
            await mirrors(url, name=str(number)).look("main")
        assert caught.value.code == "git-unreachable"


async def test_a_server_that_stops_speaking_protocol_2_is_asked_from_the_start(server, mirror, repository):
    await mirror.look("main")
    server.speaks_v2 = False
    with pytest.raises(GitError):
        await mirror.look("main")
    assert (await mirror.look("main")).revision == repository.head()


async def test_a_redirect_within_the_host_is_followed_with_credentials(server, mirrors, repository, commit):
    server.basic = ("u", SECRET)
    server.fail("status", service="GET", status=301, location=server.url("fleet.git") + "/info/refs?service=git-upload-pack")
    mirror = mirrors(server.url("old.git"), GitAccess(credential=Credential(username="u", password=SECRET)))
    await land(mirror, commit)
    assert repository.show("x") == b"1"


async def test_no_redirect_carries_credentials_to_another_place(server, mirrors, repository):
    with GitServer(repository.path.parent) as other:
        access = GitAccess(credential=Credential(username="u", password=SECRET))
        tail = "/info/refs?service=git-upload-pack"
        places = [
            other.url("fleet.git") + tail,
            other.url("fleet.git", "localhost") + tail,
            f"http://a@127.0.0.1:{server.port}/x{tail}",
        ]
        for number, place in enumerate(places):
            server.fail("status", status=307, location=place)
            with pytest.raises(GitError) as caught:
                await mirrors(server.url("fleet.git"), access, name=str(number)).look("main")
            assert caught.value.code == "git-redirect"
        assert other.count() == 0


async def test_redirects_that_never_end_or_change_the_question_are_refused(server, mirrors):
    url = server.url("fleet.git")
    server.fail("status", status=302, location=url + "/info/refs?service=git-upload-pack", times=99)
    with pytest.raises(GitError) as caught:
        await mirrors(url, name="a").look("main")
    assert caught.value.code == "git-redirect"
    server.faults.clear()
    server.fail("status", status=302, location=url + "/login")
    with pytest.raises(GitError):
        await mirrors(url, name="b").look("main")
    mirror = mirrors(url, name="c")
    await mirror.look("main")
    server.fail("status", service="POST", status=307, location=url + "/git-upload-pack")
    with pytest.raises(GitError) as caught:
        await mirror.fetch("main")
    assert caught.value.code == "git-redirect"


async def test_what_a_server_says_in_plain_text_is_passed_on_without_secrets(server, mirrors):
    access = GitAccess(credential=Credential(username="u", password="server says"))
    server.fail("status", status=403)
    with pytest.raises(GitDenied) as caught:
        await mirrors(server.url("fleet.git"), access).look("main")
    assert caught.value.message.endswith("403: ••• no")


class Proxy:
    """Passes requests on, as a proxy for plain HTTP, and notes what it was shown."""

    def __init__(self):
        self.seen = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.pass_on, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def pass_on(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen.append(head)
        _, url, _ = head.split(b"\r\n")[0].split(b" ")
        host, _, path = url.removeprefix(b"http://").partition(b"/")
        name, _, port = host.partition(b":")
        onward, back = await asyncio.open_connection(name.decode(), int(port))
        back.write(head.replace(url, b"/" + path).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        if lengths:
            back.write(await reader.readexactly(int(lengths[0].split(b":")[1])))
        writer.write(await onward.read())
        writer.close()
        back.close()


async def test_a_proxy_is_used_with_its_credentials(server, mirrors, repository, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with Proxy() as proxy:
        mirror = mirrors(server.url("fleet.git"), GitAccess(proxy=f"http://me:{SECRET}@127.0.0.1:{proxy.port}"))
        assert (await mirror.look("main")).revision == repository.head()
        assert b"proxy-authorization: basic " in proxy.seen[0].lower()


async def test_the_environments_proxy_is_used_unless_it_excludes_the_host(server, mirrors, monkeypatch):
    async with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        await mirrors(server.url("fleet.git"), name="a").look("main")
        assert proxy.seen
        proxy.seen.clear()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await mirrors(server.url("fleet.git"), name="b").look("main")
        assert not proxy.seen


async def test_a_proxy_that_is_none_is_told(server, mirrors):
    with pytest.raises(GitError) as caught:
        await mirrors(server.url("fleet.git"), GitAccess(proxy="socks9://a:b@nowhere")).look("main")
    assert caught.value.code == "git-url"
    with pytest.raises(GitUnavailable):
        await mirrors(server.url("fleet.git"), GitAccess(proxy=f"127.0.0.1:{free_port()}"), name="b").look("main")


async def test_a_sha256_repository_is_refused_by_name(server, mirrors, repository):
    run_git("init", "-q", "--bare", "--object-format=sha256", repository.path.parent / "new.git")
    with pytest.raises(GitError) as caught:
        await mirrors(server.url("new.git")).look("main")
    assert caught.value.code == "git-object-format"


class Endless:
    """A server that lists refs for as long as somebody reads; *packed* by gzip."""

    def __init__(self, *, packed, kind="application/x-git-upload-pack-advertisement"):
        self.packed, self.kind = packed, kind

    async def __aenter__(self):
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/fleet.git"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def _answer(self, request):
        response = web.StreamResponse(headers={"Content-Type": self.kind})
        if self.packed:
            response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await response.write(b"001e# service=git-upload-pack\n0000")
            block = b"".join(b"003d%040d refs/heads/n%03d\n" % (number, number) for number in range(1000))
            assert block[:4] == b"%04x" % (len(block) // 1000)
            while True:
                await response.write(block)
        return response


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["application/x-git-upload-pack-advertisement", "text/html"])
async def test_a_listing_without_an_end_is_given_up(mirrors, packed, kind):
    async with Endless(packed=packed, kind=kind) as server:
        with pytest.raises(GitError) as caught:
            await mirrors(server.url, answer=2**20).look("main")
    assert caught.value.code == "git-limit"
    assert "more than 1 MiB" in caught.value.message
    assert "git.limits.answer" in caught.value.hint


async def test_the_limit_of_a_listing_is_none_of_a_pack(server, mirrors, repository):
    data = "".join(f"{number * 7919}\n" for number in range(4000)).encode()
    repository.commit({"big": data})
    mirror = mirrors(server.url("fleet.git"), answer=2000)
    head = await mirror.look("main")
    await mirror.fetch("main")
    assert await mirror.tree(head.revision, lambda tree: tree.read("big")) == data
