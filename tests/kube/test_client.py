"""Promises of the client when the API server refuses, stumbles, or is none: each ends in one named error."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.fakes.kube import FakeKube, refuse, send, status_object, when
from tests.fakes.still_time import StillTime
from updater.errors import KubeConflict, KubeDenied, KubeError, KubeGone, KubeUnavailable
from updater.http.client import HttpClient
from updater.http.exchange import FailureKind, HttpFailure
from updater.kube.client import EVERYWHERE, PATIENCE, KubeClient, ListScope, PatchType
from updater.kube.faults import failure_of
from updater.kube.kinds import LEASE, SECRET, Kind, Ref, key_of

WIDGET = Kind("lab.example", "v1", "Widget", "widgets")
ONE = Ref(WIDGET, "apps", "one")
NODE = Kind("", "v1", "Node", "nodes", is_namespaced=False)


@pytest.fixture
async def time():
    return StillTime()


@pytest.fixture
async def server():
    async with FakeKube() as server:
        server.install(WIDGET)
        server.install(SECRET)
        yield server


@pytest.fixture
async def client(server, tmp_path, time):
    async with HttpClient(patience=PATIENCE, surroundings=time.surroundings()) as http:
        yield KubeClient(server.access(tmp_path), http, user_agent="updater/1")


async def test_requests_say_who_asks(client, server):
    await client.list(WIDGET)
    assert server.asked[0].headers["User-Agent"] == "updater/1"


async def test_each_request_is_counted_by_its_verb_and_the_status_of_its_answer(server, tmp_path, time):
    seen = []
    async with HttpClient(patience=PATIENCE, surroundings=time.surroundings()) as http:
        client = KubeClient(server.access(tmp_path), http, observe=lambda verb, status: seen.append((str(verb), status)))
        await client.create(
            ONE, {"apiVersion": WIDGET.api_version, "kind": WIDGET.name, "metadata": {"name": "one", "namespace": "apps"}}
        )
        version = [page async for page in client.pages(WIDGET)][-1].version
        await client.patch(ONE, {"spec": {"size": 1}})
        async with client.watching(WIDGET, EVERYWHERE, version=version, seconds=1, idle=5):
            pass
        await client.delete(ONE)
        with pytest.raises(KubeGone):
            await client.get(ONE)
    assert seen == [("create", 201), ("list", 200), ("patch", 200), ("watch", 200), ("delete", 200), ("get", 404)]


async def test_a_request_without_an_answer_is_counted_with_status_0(server, tmp_path, time):
    seen = []
    async with HttpClient(patience=PATIENCE, surroundings=time.surroundings()) as http:
        client = KubeClient(server.access(tmp_path), http, observe=lambda verb, status: seen.append((str(verb), status)))
        await server.stop()
        with pytest.raises(KubeUnavailable):
            await client.get(ONE)
        with pytest.raises(KubeUnavailable):
            async with client.watching(WIDGET, EVERYWHERE, version="1", seconds=1, idle=5):
                pass
    assert seen == [("get", 0), ("watch", 0)]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, KubeError, "kube-invalid"),
        (401, KubeDenied, "kube-denied"),
        (403, KubeDenied, "kube-denied"),
        (404, KubeGone, "kube-not-found"),
        (405, KubeError, "kube"),
        (409, KubeConflict, "kube-conflict"),
        (410, KubeGone, "kube-gone"),
        (413, KubeError, "kube"),
        (422, KubeError, "kube-invalid"),
        (429, KubeUnavailable, "kube-unavailable"),
        (500, KubeUnavailable, "kube-unavailable"),
        (503, KubeUnavailable, "kube-unavailable"),
        (504, KubeUnavailable, "kube-unavailable"),
    ],
)
async def test_every_refusal_has_its_error_with_the_servers_words_and_a_hint(client, server, status, kind, code):
    server.faults.append(when(lambda _: refuse(status, "for a reason")))
    for asked in (client.get(ONE), take(client.watching(WIDGET, EVERYWHERE, version="1", seconds=9, idle=9))):
        with pytest.raises(KubeError, match="for a reason") as refused:
            await asked
        assert (type(refused.value), refused.value.code, bool(refused.value.hint)) == (kind, code, True)


async def take(opened):
    async with opened as events:
        return [event async for event in events]


@pytest.mark.parametrize("trouble", list(FailureKind))
def test_every_failure_of_the_connection_has_its_error(trouble):
    made = failure_of(HttpFailure("it broke", trouble=trouble, hint="look"), asked="get Widget apps/one")
    assert isinstance(made, KubeDenied if trouble is FailureKind.SETTINGS else KubeError)
    assert str(made) == "cannot get Widget apps/one: it broke"
    assert made.hint
    passing = {
        FailureKind.UNREACHABLE,
        FailureKind.TIMEOUT,
        FailureKind.BROKEN,
        FailureKind.DOWN,
        FailureKind.PAUSED,
        FailureKind.TLS,
    }
    assert isinstance(made, KubeUnavailable) == (trouble in passing)


async def test_a_server_that_is_gone_is_unavailable(client, server):
    await server.stop()
    for asked in (client.get(ONE), take(client.watching(WIDGET, EVERYWHERE, version="1", seconds=9, idle=9))):
        with pytest.raises(KubeUnavailable, match="cannot be reached"):
            await asked


async def test_a_busy_server_is_asked_again_after_the_time_it_wants(client, server, time):
    server.faults.append(when(lambda _: refuse(429, "busy", headers={"Retry-After": "3"}), times=2))
    assert await client.list(WIDGET) == []
    assert sum(time.slept) == pytest.approx(6.0)


async def test_a_server_that_stays_busy_says_how_long(client, server):
    server.faults.append(when(lambda _: refuse(429, "busy", retryAfterSeconds=7)))
    with pytest.raises(KubeUnavailable) as busy:
        await client.get(ONE)
    assert busy.value.retry_after == 7.0


async def test_a_write_is_not_sent_twice_where_the_first_may_have_been_done(client, server):
    server.faults.append(when(lambda _: refuse(500, "after the fact"), method="PATCH"))
    with pytest.raises(KubeUnavailable):
        await client.patch(ONE, {"spec": {}})
    assert server.count("PATCH") == 1


async def test_a_read_is_sent_again(client, server):
    await server.put(WIDGET, "one", "apps")
    server.faults.append(when(lambda _: refuse(500, "etcd leader changed"), times=2))
    assert (await client.get(ONE))["metadata"]["name"] == "one"


@pytest.mark.parametrize(
    "body",
    [
        "<html>login</html>",
        "[]",
        '{"kind": "Table"}',
        '{"kind": "WidgetList", "metadata": {"resourceVersion": "1"}}',
        '{"kind": "WidgetList", "metadata": {}, "items": []}',
        '{"kind": "WidgetList", "items": []}',
        '{"kind": "WidgetList", "metadata": {"resourceVersion": "1", "continue": 3}, "items": []}',
    ],
)
async def test_what_is_no_list_is_never_taken_for_an_empty_one(client, server, body):
    server.faults.append(when(lambda _: web.Response(text=body)))
    with pytest.raises(KubeError) as wrong:
        await client.list(WIDGET)
    assert wrong.value.code == "kube-protocol"


async def test_an_empty_list_may_be_written_as_go_writes_it(client, server):
    text = '{"kind": "WidgetList", "metadata": {"resourceVersion": "1"}, "items": null}'
    server.faults.append(when(lambda _: web.Response(text=text)))
    assert await client.list(WIDGET) == []


async def test_selectors_and_namespaces_are_asked_as_kubectl_asks_them(client, server):
    await client.list(WIDGET, ListScope(namespace="apps", labels="app in (a,b)", fields="metadata.name=one"))
    (asked,) = server.asked
    assert asked.path == "/apis/lab.example/v1/namespaces/apps/widgets"
    assert (asked.query["labelSelector"], asked.query["fieldSelector"]) == ("app in (a,b)", "metadata.name=one")


async def test_a_rest_of_a_list_that_expired_is_said(client, server):
    for name in "abc":
        await server.put(WIDGET, name)
    pages = client.pages(WIDGET, size=2)
    assert not (await anext(pages)).is_last
    await server.put(WIDGET, "d")
    await server.forget()
    with pytest.raises(KubeGone):
        await anext(pages)


async def test_a_patch_without_metadata_of_its_own_is_guarded_too(client, server):
    version = (await server.put(WIDGET, "one", "apps"))["metadata"]["resourceVersion"]
    await client.patch(ONE, {"metadata": {"annotations": {"a": "b"}}}, version=version)
    await client.patch(ONE, [{"op": "add", "path": "/spec", "value": {}}], form=PatchType.JSON)
    assert server.asked[0].body == {"metadata": {"annotations": {"a": "b"}, "resourceVersion": version}}
    assert server.asked[1].headers["Content-Type"] == "application/json-patch+json"


async def test_fields_are_applied_under_the_name_of_their_owner(client, server):
    await client.apply(ONE, {"metadata": {"labels": {"a": "b"}}, "spec": {"size": 1}}, owner="updater")
    (asked,) = server.asked
    assert (asked.query, asked.headers["Content-Type"]) == (
        {"fieldManager": "updater", "force": "false"},
        "application/apply-patch+yaml",
    )
    assert asked.body == {
        "apiVersion": "lab.example/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "namespace": "apps", "labels": {"a": "b"}},
        "spec": {"size": 1},
    }
    await client.apply(ONE, {"status": {}}, owner="updater", force=True, subresource="status")
    assert (server.asked[1].path, server.asked[1].query["force"]) == (f"{ONE.path}/status", "true")


async def test_an_object_is_deleted_at_its_version_only(client, server):
    await server.put(WIDGET, "one", "apps")
    assert await client.delete(ONE, version="7")
    assert server.asked[0].body == {"preconditions": {"resourceVersion": "7"}}


@pytest.mark.parametrize("data", [{"a": "%%%"}, {"a": 3}, "text"])
async def test_a_secret_that_holds_no_base64_is_outside_the_protocol(client, server, data):
    await server.put(SECRET, "login", "apps", data=data)
    with pytest.raises(KubeError) as wrong:
        await client.read_secret("apps", "login")
    assert wrong.value.code == "kube-protocol"


async def test_what_was_made_by_others_first_is_a_conflict_and_says_so(client, server):
    await server.put(WIDGET, "one", "apps")
    body = {"metadata": {"name": "one", "namespace": "apps"}}
    with pytest.raises(KubeConflict, match="cannot create Widget apps/one: it already exists"):
        await client.create(ONE, body)


@pytest.mark.parametrize("text", ["", "<html>busy</html>", '"text"', "x" * 5000])
async def test_a_refusal_without_a_status_object_is_understood_by_its_number(client, server, text):
    server.faults.append(when(lambda _: web.Response(status=403, text=text)))
    with pytest.raises(KubeDenied, match="status 403"):
        await client.get(ONE)


async def test_a_long_refusal_is_cut(client, server):
    server.faults.append(when(lambda _: refuse(403, "no " * 1000)))
    with pytest.raises(KubeDenied) as denied:
        await client.get(ONE)
    assert len(denied.value.message) < 500


async def test_a_secret_without_data_is_empty(client, server):
    await server.put(SECRET, "login", "apps")
    assert await client.read_secret("apps", "login") == {}


class TestWatching:
    async def watch(self, client):
        return await take(client.watching(WIDGET, ListScope(namespace="apps"), version="5", seconds=9.9, idle=5))

    @pytest.mark.parametrize("code", [410, 500, None])
    async def test_an_error_event_ends_it_whatever_its_code(self, client, server, code):
        async def expired(request):
            response = web.StreamResponse()
            await response.prepare(request)
            await send(response, "ERROR", status_object(code, "too old resource version"))
            return response

        server.faults.append(when(expired))
        with pytest.raises(KubeGone, match="too old"):
            await self.watch(client)

    @pytest.mark.parametrize("line", [b"<html>\n", b"[]\n", b'{"type": "ADDED"}\n', b'{"type": "ADDED", "object": 3}\n'])
    async def test_lines_that_are_no_events_are_outside_the_protocol(self, client, server, line):
        server.faults.append(when(lambda _: web.Response(body=line)))
        with pytest.raises(KubeError) as wrong:
            await self.watch(client)
        assert wrong.value.code == "kube-protocol"

    async def test_an_object_larger_than_any_is_outside_the_protocol(self, client, server):
        async def endless(request):
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(300):
                await response.write(b"x" * 65536)
            return response

        server.faults.append(when(endless))
        with pytest.raises(KubeError) as wrong:
            await self.watch(client)
        assert wrong.value.code == "kube-too-large"

    async def test_silence_ends_it_without_an_error(self, client, server):
        await server.put(WIDGET, "one", "apps")
        opened = client.watching(WIDGET, ListScope(namespace="apps"), version="100", seconds=60, idle=0.1)
        assert [event["type"] for event in await take(opened)] == ["ADDED"]

    async def test_it_asks_for_bookmarks_and_an_end(self, client, server):
        server.faults.append(when(lambda _: web.Response()))
        assert await self.watch(client) == []
        assert server.asked[0].query == {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": "5",
            "timeoutSeconds": "9",
        }

    async def test_a_refused_token_is_renewed_once(self, client, server, tmp_path):
        server.token = "new"
        with pytest.raises(KubeDenied):
            await self.watch(client)
        assert len(server.asked) == 1, "a token that is written down cannot be renewed"


@pytest.mark.parametrize(
    ("ref", "path", "text"),
    [
        (ONE, "/apis/lab.example/v1/namespaces/apps/widgets/one", "Widget apps/one"),
        (Ref(NODE, "", "n/1"), "/api/v1/nodes/n%2F1", "Node n/1"),
        (Ref(SECRET, "a", "b"), "/api/v1/namespaces/a/secrets/b", "Secret a/b"),
    ],
)
def test_objects_have_their_path_and_their_words(ref, path, text):
    assert (ref.path, str(ref)) == (path, text)


def test_kinds_have_the_names_that_rbac_uses():
    assert (LEASE.resource, LEASE.api_version, SECRET.resource, SECRET.api_version) == (
        "leases.coordination.k8s.io",
        "coordination.k8s.io/v1",
        "secrets",
        "v1",
    )


@pytest.mark.parametrize(
    "item", [{"metadata": {"name": ""}}, {"metadata": {"name": 3}}, {"metadata": {"name": "a", "namespace": 1}}]
)
def test_an_object_without_a_name_has_no_key(item):
    with pytest.raises(TypeError):
        key_of(item)


async def test_a_page_that_is_too_large_is_asked_for_again_with_fewer_objects_and_so_are_those_after_it(
    client, server, monkeypatch
):
    monkeypatch.setattr("updater.kube.client.LONGEST_PAGE", 20_000)
    for number in range(50):
        await server.put(WIDGET, f"w{number:02}", "apps", spec={"text": "x" * 1000})
    found = [[item["metadata"]["name"] for item in page.items] async for page in client.pages(WIDGET, size=40)]
    assert [name for names in found for name in names] == [f"w{number:02}" for number in range(50)]
    assert [asked.query["limit"] for asked in server.asked] == ["40", *["5"] * 10]


async def test_one_object_that_is_too_large_is_told(client, server, monkeypatch):
    monkeypatch.setattr("updater.kube.client.LONGEST_PAGE", 20_000)
    await server.put(WIDGET, "one", "apps", spec={"text": "x" * 30_000})
    assert len(await client.list(WIDGET)) == 1
    monkeypatch.setattr("updater.kube.client.LONGEST_OBJECT", 20_000)
    with pytest.raises(KubeError) as wrong:
        await client.list(WIDGET)
    assert wrong.value.code == "kube-too-large"
