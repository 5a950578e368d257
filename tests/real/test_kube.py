"""Promises of kube/, kept against a real kube-apiserver with etcd and RBAC; the fake is judged by the same tests."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager

import pytest

from tests.fakes.kube import FakeKube
from tests.real.cluster import start
from updater.errors import KubeConflict, KubeDenied, KubeError, KubeGone, KubeUnavailable
from updater.http.client import HttpClient
from updater.kube.access import AccessEnvironment, find_access
from updater.kube.client import PATIENCE, KubeClient, ListScope, PatchType
from updater.kube.events import Event, EventRecorder
from updater.kube.kinds import CONFIG_MAP, EVENT, LEASE, SECRET, Kind, Ref
from updater.kube.lease import LeaderElector, LeaseDurations
from updater.kube.reflector import Reflector, WatchedKind

pytestmark = pytest.mark.xdist_group("kube")

WIDGET = Kind("lab.example", "v1alpha1", "Widget", "widgets")
ALL = [{"apiGroups": ["", "lab.example", "coordination.k8s.io"], "resources": ["*"], "verbs": ["*"]}]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.install(WIDGET.group, WIDGET.name, WIDGET.plural, version=WIDGET.version)
        yield cluster


@pytest.fixture
def namespace(request):
    """A namespace of the test's own."""
    return f"test-{abs(hash(request.node.nodeid)) % 10**10}"


@asynccontextmanager
async def connected(access):
    async with HttpClient(patience=PATIENCE) as http:
        yield KubeClient(access, http)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
async def client(request, tmp_path, namespace):
    """A client of an empty namespace, with the rights to do everything in it."""
    if request.param == "fake":
        async with FakeKube() as server, connected(server.access(tmp_path)) as client:
            for kind in (WIDGET, SECRET, CONFIG_MAP, LEASE, EVENT):
                server.install(kind)
            yield client
        return
    async with connected(admin(request.getfixturevalue("cluster"), tmp_path, namespace)) as client:
        yield client


def admin(cluster, folder, namespace):
    cluster.namespace(namespace)
    return find_access(cluster.kubeconfig(folder / "kubeconfig"), surroundings=AccessEnvironment(environment={}, home=folder))


def widget(namespace, name="one", **spec):
    ref = Ref(WIDGET, namespace, name)
    metadata = {"name": name, "namespace": namespace}
    return ref, {"apiVersion": WIDGET.api_version, "kind": WIDGET.name, "metadata": metadata, "spec": spec}


async def test_what_was_created_is_read_listed_patched_and_deleted(client, namespace):
    ref, body = widget(namespace, size=1)
    made = await client.create(ref, body)
    assert (await client.get(ref))["metadata"]["uid"] == made["metadata"]["uid"]
    assert [item["spec"] for item in await client.list(WIDGET, ListScope(namespace=namespace))] == [{"size": 1}]
    assert (await client.patch(ref, {"spec": {"size": 2}}))["spec"] == {"size": 2}
    assert await client.delete(ref)
    assert not await client.delete(ref)
    with pytest.raises(KubeGone) as gone:
        await client.get(ref)
    assert gone.value.code == "kube-not-found"


async def test_what_is_there_already_is_a_conflict(client, namespace):
    ref, body = widget(namespace)
    await client.create(ref, body)
    with pytest.raises(KubeConflict):
        await client.create(ref, body)


@pytest.mark.parametrize("form", list(PatchType))
async def test_a_patch_on_the_version_read_is_refused_once_somebody_was_faster(client, namespace, form):
    ref, body = widget(namespace, size=1)
    version = (await client.create(ref, body))["metadata"]["resourceVersion"]
    change = {"spec": {"size": 2}} if form is PatchType.MERGE else [{"op": "replace", "path": "/spec/size", "value": 2}]
    after = await client.patch(ref, change, form=form, version=version)
    assert after["spec"]["size"] == 2
    with pytest.raises(KubeConflict) as conflict:
        await client.patch(ref, change, form=form, version=version)
    assert conflict.value.code == "kube-conflict"


async def test_a_list_of_many_pages_is_whole_and_of_one_version(client, namespace):
    for number in range(7):
        await client.create(*widget(namespace, f"w{number}"))
    pages = [page async for page in client.pages(WIDGET, ListScope(namespace=namespace), size=3)]
    assert [len(page.items) for page in pages] == [3, 3, 1]
    assert [page.is_last for page in pages] == [False, False, True]
    assert len({page.version for page in pages}) == 1
    assert [item["metadata"]["name"] for page in pages for item in page.items] == [f"w{number}" for number in range(7)]


async def test_a_kind_that_is_not_installed_is_not_found(client, namespace):
    with pytest.raises(KubeGone) as gone:
        await client.list(Kind("lab.example", "v1alpha1", "Nothing", "nothings"))
    assert gone.value.code == "kube-not-found"


async def test_a_secret_is_read_decoded(client, namespace):
    ref = Ref(SECRET, namespace, "login")
    metadata = {"name": "login", "namespace": namespace}
    await client.create(ref, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": "czNjcmV0/w=="}})
    assert await client.read_secret(namespace, "login") == {"password": b"s3cret\xff"}
    with pytest.raises(KubeGone):
        await client.read_secret(namespace, "absent")


class Seen:
    """Takes snapshots of one kind, and waits for the one that is meant."""

    def __init__(self):
        self.all: list[dict] = []
        self._came = asyncio.Event()

    async def deliver(self, known):
        (objects,) = known.objects.values()
        self.all.append({name: value for (_, name), value in objects.items()})
        self._came.set()

    async def until(self, wanted):
        async with asyncio.timeout(60):
            while not self.all or self.all[-1] != wanted:
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def watching(client, namespace, **more):
    seen = Seen()
    watched = WatchedKind(kind=WIDGET, scope=ListScope(namespace=namespace), prune=lambda item: item["spec"])
    task = asyncio.create_task(Reflector(client, [watched], debounce=0.02, **more).run(seen.deliver))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_watch_sees_what_was_made_changed_and_deleted(client, namespace):
    await client.create(*widget(namespace, "old", size=1))
    async with watching(client, namespace) as seen:
        await seen.until({"old": {"size": 1}})
        await client.create(*widget(namespace, "new", size=2))
        await seen.until({"old": {"size": 1}, "new": {"size": 2}})
        await client.patch(Ref(WIDGET, namespace, "new"), {"spec": {"size": 3}})
        await seen.until({"old": {"size": 1}, "new": {"size": 3}})
        await client.delete(Ref(WIDGET, namespace, "old"))
        await seen.until({"new": {"size": 3}})


async def test_a_version_that_is_too_old_is_said_to_a_watch(client, namespace):
    with pytest.raises(KubeGone) as gone:
        await take_all(client.watching(WIDGET, ListScope(namespace=namespace), version="1", seconds=1, idle=10))
    assert gone.value.code == "kube-gone"


async def take_all(opened):
    async with opened as events:
        return [event async for event in events]


async def test_of_two_candidates_one_leads_and_the_other_follows_when_it_stops(client, namespace):
    said: list[str] = []
    term = LeaseDurations(duration=3.0, sure=2.0, every=0.1)

    def candidate(name):
        return LeaderElector(
            client,
            (namespace, "updater"),
            identity=name,
            gained=lambda: said.append(f"{name} leads"),
            lost=lambda: said.append(f"{name} ends"),
            term=term,
        )

    first, second = candidate("a"), candidate("b")
    running = asyncio.create_task(first.run())
    await until(lambda: first.is_leader)
    other = asyncio.create_task(second.run())
    await until(lambda: second.leader == "a")
    assert not second.is_leader
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await until(lambda: second.is_leader)
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    assert said == ["a leads", "a ends", "b leads", "b ends"]
    spec = (await client.get(Ref(LEASE, namespace, "updater")))["spec"]
    assert (spec.get("holderIdentity", ""), spec["leaseTransitions"]) == ("", 1)


async def until(is_so):
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - what is waited for is a state, not an event
            await asyncio.sleep(0.02)


async def test_an_event_is_told_once_and_shown_on_its_object(client, namespace):
    made = await client.create(*widget(namespace))
    events = EventRecorder(client, component="updater", instance="replica-1")
    remark = Event(
        reason="UnknownAnnotation", message="update-stratgy is unknown; did you mean update-strategy?", weight="Warning"
    )
    assert await events.tell(made, remark)
    assert not await events.tell(made, remark)
    (told,) = await client.list(EVENT, ListScope(namespace=namespace))
    assert (told["reason"], told["type"], told["count"]) == ("UnknownAnnotation", "Warning", 1)
    assert told["involvedObject"]["uid"] == made["metadata"]["uid"]


@pytest.mark.real
class TestReal:
    """What only the real one can promise."""

    async def test_a_status_is_patched_apart_from_its_object(self, cluster, namespace, tmp_path):
        async with connected(admin(cluster, tmp_path, namespace)) as client:
            ref, body = widget(namespace, size=1)
            await client.create(ref, body)
            after = await client.patch(ref, {"status": {"phase": "fine"}, "spec": {"size": 9}}, subresource="status")
            assert (after["status"], after["spec"]) == ({"phase": "fine"}, {"size": 1})

    async def test_applied_fields_have_one_owner_until_they_are_taken_over(self, cluster, namespace, tmp_path):
        async with connected(admin(cluster, tmp_path, namespace)) as client:
            ref, _ = widget(namespace)
            await client.apply(ref, {"spec": {"size": 1, "colour": "red"}}, owner="first")
            with pytest.raises(KubeConflict) as conflict:
                await client.apply(ref, {"spec": {"size": 2}}, owner="second")
            assert "first" in conflict.value.message
            after = await client.apply(ref, {"spec": {"size": 2}}, owner="second", force=True)
            assert after["spec"] == {"size": 2, "colour": "red"}
            after = await client.apply(ref, {"spec": {}}, owner="first")
            assert after["spec"] == {"size": 2}, "what an owner leaves out is removed, what another owns stays"

    async def test_what_its_definition_refuses_is_invalid_and_names_the_field(self, cluster, namespace, tmp_path):
        async with connected(admin(cluster, tmp_path, namespace)) as client:
            ref, body = widget(namespace, "Not_A_Name")
            with pytest.raises(KubeError, match=r"metadata\.name") as wrong:
                await client.create(ref, body)
            assert wrong.value.code == "kube-invalid"

    async def test_a_service_account_may_do_what_its_role_says_and_no_more(self, cluster, namespace, tmp_path):
        cluster.namespace(namespace)
        rules = [{"apiGroups": ["lab.example"], "resources": ["widgets"], "verbs": ["get", "list", "watch"]}]
        token = cluster.service_account(namespace, "reader", rules)
        path = cluster.kubeconfig(tmp_path / "kubeconfig", {"token": token})
        async with connected(find_access(path, surroundings=AccessEnvironment(environment={}))) as client:
            assert await client.list(WIDGET, ListScope(namespace=namespace)) == []
            for refused in (
                client.create(*widget(namespace)),
                client.list(WIDGET),
                client.read_secret(namespace, "login"),
                take_all(client.watching(SECRET, ListScope(), version="1", seconds=1, idle=5)),
            ):
                with pytest.raises(KubeDenied, match="cannot") as denied:
                    await refused
                assert "grant" in denied.value.hint

    async def test_a_pod_says_who_it_is_by_its_mounted_token_also_when_that_is_renewed(self, cluster, namespace, tmp_path):
        cluster.namespace(namespace)
        (tmp_path / "token").write_text("stale")
        (tmp_path / "ca.crt").write_text(cluster.authority.path.read_text())
        (tmp_path / "namespace").write_text(namespace)
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": cluster.url.rpartition(":")[2]}
        access = find_access(surroundings=AccessEnvironment(environment=environment, home=tmp_path, service_account=tmp_path))
        assert access.namespace == namespace
        async with connected(access) as client:
            with pytest.raises(KubeDenied):
                await client.list(WIDGET, ListScope(namespace=namespace))
            (tmp_path / "token").write_text(cluster.service_account(namespace, "pod", ALL))
            assert await client.list(WIDGET, ListScope(namespace=namespace)) == []

    async def test_a_client_certificate_says_who_we_are(self, cluster, namespace, tmp_path):
        cluster.namespace(namespace)
        pair = cluster.authority.issue("certain-person")
        user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        path = cluster.kubeconfig(tmp_path / "kubeconfig", user)
        async with connected(find_access(path, surroundings=AccessEnvironment(environment={}))) as client:
            with pytest.raises(KubeDenied, match='User "certain-person" cannot'):
                await client.list(WIDGET)

    @pytest.mark.parametrize("version", ["v1", "v1beta1"])
    async def test_a_program_says_who_we_are(self, cluster, namespace, tmp_path, version):
        cluster.namespace(namespace)
        token = cluster.service_account(namespace, "program", ALL)
        program = tmp_path / "login"
        answer = '{"kind": "ExecCredential", "apiVersion": "%s", "status": {"token": "%s"}}'
        name = f"client.authentication.k8s.io/{version}"
        program.write_text(f"#!{sys.executable}\nprint('''{answer % (name, token)}''')\n")
        program.chmod(0o700)
        user = {"exec": {"apiVersion": name, "command": "./login", "interactiveMode": "Never"}}
        path = cluster.kubeconfig(tmp_path / "kubeconfig", user)
        async with connected(find_access(path)) as client:
            assert await client.list(WIDGET, ListScope(namespace=namespace)) == []

    async def test_a_watch_that_sees_nothing_is_brought_forward_by_bookmarks(self, cluster, namespace, tmp_path):
        async with connected(admin(cluster, tmp_path, namespace)) as client:
            version = (await client.create(*widget(namespace)))["metadata"]["resourceVersion"]
            elsewhere = cluster.namespace(f"{namespace}-other")
            scope = ListScope(namespace=namespace)
            async with client.watching(WIDGET, scope, version=version, seconds=6, idle=30) as events:
                await asyncio.sleep(0.5)  # those of a version before the watch began are not what is meant
                later = await client.create(*widget(elsewhere))
                found = [(event["type"], event["object"]["metadata"]["resourceVersion"]) async for event in events]
        # how many come is the server's affair; the last one names the write elsewhere, or what came after it
        assert {kind for kind, _ in found} == {"BOOKMARK"}
        assert int(found[-1][1]) >= int(later["metadata"]["resourceVersion"])

    async def test_a_restart_of_the_api_server_is_survived_and_looks_like_no_deletion(self, cluster, namespace, tmp_path):
        async with connected(admin(cluster, tmp_path, namespace)) as client:
            await client.create(*widget(namespace, "kept", size=1))
            await client.create(*widget(namespace, "changed", size=1))
            reports: list = []
            async with watching(client, namespace, report=lambda _watched, error: reports.append(error)) as seen:
                await seen.until({"kept": {"size": 1}, "changed": {"size": 1}})
                await asyncio.to_thread(cluster.stop_server)
                await until(lambda: reports)
                cluster.compact()
                await asyncio.to_thread(cluster.start_server)
                await client.patch(Ref(WIDGET, namespace, "changed"), {"spec": {"size": 2}})
                await seen.until({"kept": {"size": 1}, "changed": {"size": 2}})
            assert all(set(snapshot) == {"kept", "changed"} for snapshot in seen.all)
            assert isinstance(reports[0], KubeUnavailable)
            assert reports[-1] is None


@pytest.mark.real
async def test_versions_that_were_compacted_away_are_gone_and_what_is_known_is_read_again(tmp_path, namespace):
    """Without its cache the API server answers from etcd, as it does where lists outlast what the cache keeps."""
    with start(tmp_path, flags=("--watch-cache=false",)) as cluster:
        cluster.install(WIDGET.group, WIDGET.name, WIDGET.plural, version=WIDGET.version)
        scope = ListScope(namespace=namespace)
        async with connected(admin(cluster, tmp_path, namespace)) as client:
            for number in range(4):
                made = await client.create(*widget(namespace, f"w{number}", size=number))
            pages = client.pages(WIDGET, scope, size=2)
            first = await anext(pages)
            async with watching(client, namespace) as seen:
                await seen.until({f"w{number}": {"size": number} for number in range(4)})
                await client.delete(Ref(WIDGET, namespace, "w0"))
                cluster.compact()
                with pytest.raises(KubeGone):
                    await anext(pages)
                with pytest.raises(KubeGone):
                    await take_all(client.watching(WIDGET, scope, version=first.version, seconds=5, idle=10))
                await asyncio.to_thread(cluster.stop_server)
                await asyncio.to_thread(cluster.start_server)
                await client.create(*widget(namespace, "w4", size=4))
                await seen.until({f"w{number}": {"size": number} for number in range(1, 5)})
            assert all({"w1", "w2", "w3"} <= set(snapshot) for snapshot in seen.all), made
