"""What is watched of a cluster and what is kept of it, against an API server of the tests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import structlog

from tests.delivery.objects import DEPLOYMENT, NAME, ROLLOUT, merged, template
from tests.delivery.test_finding import APPLICATION, KUSTOMIZATION, SHOP, application, git_repository, kustomization
from tests.fakes.eventually import until
from tests.fakes.kube import FakeKube, refuse
from tests.fakes.still_time import StillTime
from updater.daemon.watch_reports import watch_ender, watch_reporter
from updater.delivery.finding import GitPlace, find_workloads
from updater.delivery.found import WorkloadIndex
from updater.delivery.interest import ALL, EVERYWHERE, Wanted, wanted_places
from updater.delivery.kinds import WATCHED
from updater.delivery.watch import ABSENT_WAITS, WIDENED_AT_ONCE, WIDENED_EVERY, WatchHooks, WorkloadWatch
from updater.http.client import Clock, HttpClient
from updater.inventory.pushes import place_of
from updater.kube.client import PATIENCE, KubeClient
from updater.model.image import parse_name
from updater.model.release import DeliveryOptions, Workload
from updater.model.subscription import GitBranch, Locator, Origin, PolicySpec, Subscription, Target

URL = "https://git.example.org/fleet.git"
PLACE = place_of(URL)
IMAGE = parse_name(NAME)
FILE = GitPlace(URL, "main", "apps/shop/deploy.yaml")
SEARCHED = DeliveryOptions(searched=("Application", "Kustomization"))
FILE_ORIGIN = Origin(kind="file", name="updater.yaml")


def subscription(delivery, *, key="shop", image=NAME, origin=FILE_ORIGIN):
    target = Target(destination=GitBranch(url=URL, branch="main"), editor="marker", locator=Locator(name="ns:shop"))
    policy = PolicySpec("semver")
    return Subscription(key=key, image=parse_name(image), policy=policy, targets=(target,), delivery=delivery, origin=origin)


SHOP_FOUND = subscription(SEARCHED)
NAMED = subscription(DeliveryOptions(workload=Workload("Rollout", "shop", "shop")))


class Watched:
    """A watch at work, and what it told."""

    def __init__(self, client, surroundings=None):
        self.moved, self.lost, self.absent = [], [], []
        hooks = WatchHooks(changed=self.moved.append, report=self._report, absent=self.absent.append)
        self.watch = WorkloadWatch(client, hooks, surroundings=surroundings)

    def _report(self, watched, error):
        self.lost.append((watched.kind.name, error.code if error else None))

    def is_listed(self, *kinds):
        return all(not self.watch.is_awaited(kind, "shop") for kind in kinds or WATCHED)


@pytest.fixture
async def server():
    async with FakeKube() as server:
        yield server


@pytest.fixture
def connect(server, tmp_path):
    @asynccontextmanager
    async def connected(subscriptions, namespaces=()):
        async with HttpClient(patience=PATIENCE) as http:
            watched = Watched(KubeClient(server.access(tmp_path), http))
            watched.watch.want(wanted_places(subscriptions, dict(namespaces)))
            running = asyncio.create_task(watched.watch.run())
            try:
                yield watched
            finally:
                running.cancel()
                await asyncio.wait([running])

    return connected


async def put(server, *items):
    for item in items:
        kind, content = WATCHED[item["kind"]].kind, {key: item[key] for key in ("spec", "status") if key in item}
        await server.put(kind, item["metadata"]["name"], item["metadata"]["namespace"], **content)


def install(server, *names):
    for name in names or WATCHED:
        server.install(WATCHED[name].kind)


async def test_each_kind_that_is_installed_is_watched_once_and_the_others_are_told_once(server, connect):
    install(server, "Deployment", "StatefulSet", "DaemonSet", "Kustomization", "GitRepository")
    await put(server, kustomization(SHOP), git_repository(), merged(DEPLOYMENT, {"metadata": {"namespace": "shop"}}))
    async with connect([SHOP_FOUND, subscription(SEARCHED, key="other")]) as watched:
        await until(watched.is_listed)
        found = find_workloads(IMAGE, SEARCHED, watched.watch, [FILE])
        assert [(item.workload, item.agent) for item in found.found] == [(SHOP, KUSTOMIZATION)]
        assert watched.lost == []
        absent = [
            "applications.argoproj.io",
            "canaries.flagger.app",
            "helmreleases.helm.toolkit.fluxcd.io",
            "rollouts.argoproj.io",
        ]
        assert sorted(watched.absent) == absent
        assert len([asked for asked in server.asked if "watch" not in asked.query and "deployments" in asked.path]) == 1


async def test_a_kind_that_is_installed_later_is_found_and_until_then_hardly_asked_for(server, tmp_path):
    install(server, *(set(WATCHED) - {"Rollout"}))
    time = StillTime()
    async with HttpClient(patience=PATIENCE) as http:
        watched = Watched(KubeClient(server.access(tmp_path), http), time.surroundings())
        watched.watch.want({("Rollout", EVERYWHERE): Wanted(images=frozenset({IMAGE}))})
        running = asyncio.create_task(watched.watch.run())
        await until(lambda: ABSENT_WAITS[1] in time.slept)
        assert watched.watch.is_known("Rollout", "shop")
        assert watched.absent == ["rollouts.argoproj.io"]
        install(server, "Rollout")
        await put(server, ROLLOUT)
        await until(lambda: watched.watch.get("Rollout", "shop", "shop") is not None)
        assert watched.lost == []
        running.cancel()
        await asyncio.wait([running])


async def test_of_pods_nobody_subscribed_to_nothing_is_kept(server, connect):
    install(server)
    other = merged(DEPLOYMENT, {"metadata": {"name": "other"}, "spec": {"template": template("envoy:1.30")}})
    foreign = application(SHOP, source={"repoURL": "https://git.example.org/other", "path": "."})
    foreign["metadata"]["name"] = "foreign"
    await put(server, DEPLOYMENT, other, application(SHOP), foreign)
    async with connect([SHOP_FOUND]) as watched:
        await until(watched.is_listed)
        assert watched.watch.get("Deployment", "shop", "shop") is not None
        assert watched.watch.get("Deployment", "shop", "other") is None
        assert watched.watch.get("Application", "argocd", "foreign") is None
        assert list(watched.watch.readers_of("Application", PLACE)) == [("argocd", "shop")]


async def test_a_kind_that_may_not_be_listed_is_told_and_costs_only_itself(server, connect):
    install(server)
    await put(server, DEPLOYMENT, application(SHOP))

    async def forbid(request):
        return refuse(403, "no", reason="Forbidden") if "rollouts" in request.path else None

    server.faults.append(forbid)
    async with connect([SHOP_FOUND]) as watched:
        await until(watched.is_listed)
        assert watched.lost == [("Rollout", "kube-denied")]
        assert not watched.watch.is_known("Rollout", "shop")
        assert find_workloads(IMAGE, SEARCHED, watched.watch, [FILE]).workloads == (SHOP,)


async def test_a_first_list_that_fails_for_a_moment_is_awaited_until_it_is_here(server, connect):
    install(server)
    await put(server, ROLLOUT)
    is_down = True

    async def fail(request):
        return refuse(500, "etcd has no leader", reason="InternalError") if is_down and "rollouts" in request.path else None

    server.faults.append(fail)
    async with connect([SHOP_FOUND]) as watched:
        await until(lambda: watched.lost)
        assert watched.lost[0][0] == "Rollout"
        assert watched.watch.is_awaited("Rollout", "shop")
        is_down = False
        await until(lambda: watched.watch.is_known("Rollout", "shop"))
        assert not watched.watch.is_awaited("Rollout", "shop")


async def test_a_list_anew_that_fails_for_a_moment_is_awaited_until_it_is_here(server, connect):
    install(server)
    await put(server, ROLLOUT)

    async def fail(request):
        is_list = "watch" not in request.query and "rollouts" in request.path
        return refuse(500, "etcd has no leader", reason="InternalError") if is_list else None

    async with connect([SHOP_FOUND]) as watched:
        await until(watched.is_listed)
        server.faults.append(fail)
        watched.watch.want(wanted_places([SHOP_FOUND, subscription(SEARCHED, key="other", image="envoy")], {}))
        await until(lambda: watched.lost)
        assert watched.watch.is_awaited("Rollout", "shop")


async def test_in_all_namespaces_a_kind_is_awaited_until_each_that_is_watched_was_listed(server, connect):
    install(server)
    listed = asyncio.Event()

    async def late(request):
        if "rollouts" in request.path and "/b/" in request.path:
            await listed.wait()

    server.faults.append(late)
    item = subscription(SEARCHED, origin=Origin(kind="Application", name="a/shop"))
    async with connect([item], {"Application": ("a", "b")}) as watched:
        watch = watched.watch
        assert watch.is_awaited("Rollout", EVERYWHERE)
        await until(lambda: watch.is_known("Rollout", "a"))
        assert find_workloads(IMAGE, SEARCHED, watch, [FILE]).is_awaited
        assert watch.is_awaited("Rollout", EVERYWHERE)
        listed.set()
        await until(lambda: watch.is_listed)
        assert not watch.is_awaited("Rollout", EVERYWHERE)
        assert not watch.is_awaited("ReplicaSet", EVERYWHERE)
        assert not find_workloads(IMAGE, SEARCHED, watch, [FILE]).is_awaited


async def test_an_image_that_is_asked_for_later_is_looked_for_again_and_nothing_is_said_meanwhile(server, connect):
    install(server)
    other = merged(DEPLOYMENT, {"metadata": {"name": "other"}, "spec": {"template": template("envoy:1.30")}})
    await put(server, DEPLOYMENT, other, application(SHOP))
    async with connect([SHOP_FOUND]) as watched:
        await until(watched.is_listed)
        more = subscription(SEARCHED, key="other", image="envoy")
        watched.watch.want(wanted_places([SHOP_FOUND, more], {}))
        assert watched.watch.is_known("Application", "argocd")
        await until(lambda: watched.watch.get("Deployment", "shop", "other") is not None)
        lists = len([asked for asked in server.asked if "watch" not in asked.query and "applications" in asked.path])
        assert lists == 1
        watched.watch.want(wanted_places([SHOP_FOUND], {}))
        assert watched.watch.get("Deployment", "shop", "shop") is not None


@pytest.mark.parametrize("before", [SHOP_FOUND, NAMED], ids=["more images", "all namespaces"])
async def test_a_watch_that_has_to_keep_more_keeps_what_it_has_and_is_awaited_until_it_is_listed(server, connect, before):
    install(server)
    await put(server, ROLLOUT, DEPLOYMENT, git_repository())
    listed = asyncio.Event()

    async def late(request):
        if "watch" not in request.query:
            await listed.wait()

    async with connect([before]) as watched:
        watch, seen = watched.watch, []
        await until(lambda: watch.is_listed)
        server.faults.append(late)
        watched.watch._hooks = replace(watch._hooks, changed=lambda _keys: seen.append(watch.is_awaited("Rollout", "shop")))
        watch.want(wanted_places([before, SHOP_FOUND, subscription(SEARCHED, key="other", image="envoy")], {}))
        assert watch.is_awaited("Rollout", "shop")
        await until(lambda: seen)
        assert watch.get("Rollout", "shop", "shop") is not None
        assert (watch.is_awaited("Rollout", "shop"), watch.is_known("Rollout", "shop")) == (True, False)
        listed.set()
        await until(lambda: watch.is_listed)
        assert watch.get("Rollout", "shop", "shop") is not None
        assert watch.is_known("Rollout", "shop")
        assert seen[0]


ENVOY = subscription(SEARCHED, key="other", image="envoy")


def index_of(watch):
    index = WorkloadIndex(watch)
    for key in ("shop", "other"):
        index.put_paths(key, SHOP_FOUND.targets[0].destination, (FILE.path,))
    return index


async def test_who_asks_for_another_image_makes_nobody_else_wait(server, connect):
    install(server)
    await put(server, DEPLOYMENT, application(SHOP))
    listed = asyncio.Event()

    async def late(request):
        if "watch" not in request.query:
            await listed.wait()

    async with connect([SHOP_FOUND]) as watched:
        await until(watched.is_listed)
        server.faults.append(late)
        for images in (["envoy"], ["envoy", "redis"]):  # the second before the first was listed
            more = [subscription(SEARCHED, key=image, image=image) for image in images]
            watched.moved.clear()
            watched.watch.want(wanted_places([SHOP_FOUND, *more], {}))
            assert index_of(watched.watch).of(SHOP_FOUND).workloads == (SHOP,)
            await until(lambda: watched.moved)
            assert index_of(watched.watch).of(SHOP_FOUND).workloads == (SHOP,)
            assert index_of(watched.watch).of(ENVOY).is_awaited
        listed.set()
        await until(lambda: watched.watch.is_listed)
        assert not index_of(watched.watch).of(ENVOY).is_awaited


async def test_a_named_workload_is_not_awaited_again_when_its_kind_is_watched_in_all_namespaces_and_back(server, connect):
    install(server)
    await put(server, ROLLOUT)
    async with connect([NAMED]) as watched:
        watch = watched.watch
        await until(lambda: watch.is_listed)
        for asked in ([NAMED, SHOP_FOUND], [NAMED], [NAMED, SHOP_FOUND]):
            watched.moved.clear()
            watch.want(wanted_places(asked, {}))
            assert not watch.is_awaited("Rollout", "shop", ALL)
            assert watch.get("Rollout", "shop", "shop") is not None
            await until(lambda: watched.moved)
            assert not watch.is_awaited("Rollout", "shop", ALL)
            assert watch.get("Rollout", "shop", "shop") is not None


async def test_a_kind_that_may_not_be_listed_is_not_awaited_when_more_of_it_is_wanted(server, connect):
    install(server)
    listed = asyncio.Event()

    async def forbid(request):
        if "rollouts" in request.path:
            if watched.lost:
                await listed.wait()
            return refuse(403, "no", reason="Forbidden")
        return None

    server.faults.append(forbid)
    async with connect([SHOP_FOUND]) as watched:
        await until(watched.is_listed)
        watched.moved.clear()
        watched.watch.want(wanted_places([SHOP_FOUND, ENVOY], {}))
        await until(lambda: watched.moved)
        assert not watched.watch.is_awaited("Rollout", "shop")
        listed.set()


async def test_a_lost_watch_that_a_wider_one_takes_the_place_of_is_lost_no_more(server, tmp_path):
    install(server)
    kept, lost, rights = {}, set(), []
    metrics = SimpleNamespace(set=lambda name, label, to: kept.update({(name, label): to}))
    process = SimpleNamespace(metrics=metrics, log=structlog.get_logger())

    async def forbid(request):
        return refuse(403, "no", reason="Forbidden") if "rollouts" in request.path and not rights else None

    server.faults.append(forbid)
    hooks = WatchHooks(
        changed=lambda _moved: None, report=watch_reporter(process, None, lost), ended=watch_ender(process, None, lost)
    )
    async with HttpClient(patience=PATIENCE) as http:
        watch = WorkloadWatch(KubeClient(server.access(tmp_path), http), hooks)
        watch.want(wanted_places([SHOP_FOUND], {}))
        running = asyncio.create_task(watch.run())
        try:
            await until(lambda: kept.get(("updater_watch_lost", "rollouts.argoproj.io")))
            rights.append(True)
            watch.want(wanted_places([SHOP_FOUND, ENVOY], {}))
            await until(lambda: watch.is_known("Rollout", "shop"))
        finally:
            running.cancel()
            await asyncio.wait([running])
    assert (lost, set(kept.values())) == (set(), {False})


async def test_who_keeps_asking_for_new_images_does_not_keep_the_cluster_from_being_listed(server, tmp_path):
    install(server)
    await put(server, DEPLOYMENT)
    released, waits = asyncio.Event(), []

    async def sleep(seconds):
        if seconds >= WIDENED_EVERY:
            waits.append(seconds)
            await released.wait()

    def lists():
        return len([asked for asked in server.asked if "watch" not in asked.query and "deployments" in asked.path])

    def images(count):
        return {("Deployment", EVERYWHERE): Wanted(images=frozenset(parse_name(f"image{n}") for n in range(count)))}

    async with HttpClient(patience=PATIENCE) as http:
        around = Clock(clock=lambda: 1000.0, sleep=sleep)
        watched = Watched(KubeClient(server.access(tmp_path), http), around)
        watch, count = watched.watch, 1
        watch.want(images(count))
        running = asyncio.create_task(watch.run())
        await until(lambda: watch.is_listed)
        while not waits:
            before, count = lists(), count + 1
            watch.want(images(count))
            await until(lambda: waits or (watch.is_listed and lists() > before))  # noqa: B023 - awaited at once
        asked = lists()
        assert asked == 1 + WIDENED_AT_ONCE
        for _ in range(20):
            count += 1
            watch.want(images(count))
            await asyncio.sleep(0)
        released.set()
        await until(lambda: watch.is_listed)
        assert lists() == asked + 1
        running.cancel()
        await asyncio.wait([running])


async def test_what_a_wider_watch_finds_gone_is_gone_with_its_readers(server, connect):
    install(server)
    await put(server, application(SHOP))
    async with connect([SHOP_FOUND]) as watched:
        await until(watched.is_listed)
        far = replace(SHOP_FOUND.targets[0], destination=GitBranch(url=f"{URL}/far", branch="main"))
        watched.watch.want(wanted_places([SHOP_FOUND, replace(SHOP_FOUND, key="far", targets=(far,))], {}))
        await server.remove(WATCHED["Application"].kind, "shop", "argocd")
        await until(lambda: watched.watch.is_known("Application", "argocd"))
        await until(lambda: watched.watch.get("Application", "argocd", "shop") is None)
        assert list(watched.watch.readers_of("Application", PLACE)) == []


async def test_a_change_names_the_object_and_a_new_reader_names_the_repository(server, connect):
    install(server)
    await put(server, DEPLOYMENT, git_repository())
    async with connect([SHOP_FOUND]) as watched:
        await until(watched.is_listed)
        watched.moved.clear()
        await put(server, merged(DEPLOYMENT, {"status": {"availableReplicas": 1}}), kustomization(SHOP), application(SHOP))
        expected = {
            ("Deployment", "shop", "shop"),
            ("readers Kustomization", *PLACE),
            ("readers Application", *PLACE),
            ("Application", "argocd", "shop"),
        }
        await until(lambda: expected <= {key for keys in watched.moved for key in keys})
        assert list(watched.watch.readers_of("Kustomization", PLACE)) == [("flux-system", "apps")]
        await server.remove(WATCHED["Kustomization"].kind, "apps", "flux-system")
        await until(lambda: not watched.watch.readers_of("Kustomization", PLACE))


def test_objects_of_a_source_that_is_limited_are_looked_for_in_its_namespaces_alone():
    origin = Origin(kind="Application", name="argocd/shop")
    item = subscription(DeliveryOptions(agent=APPLICATION), origin=origin)
    assert {scope for _, scope in wanted_places([item], {"Application": ("argocd", "shop")})} == {"argocd", "shop"}
    assert {scope for _, scope in wanted_places([item], {"Application": ("argocd", "team-*")})} == {EVERYWHERE}
    assert {kind for kind, _ in wanted_places([item], {"Application": ()})} == {
        "Application",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Rollout",
        "Canary",
    }


def test_a_named_workload_needs_its_own_namespace_alone_unless_its_kind_is_watched_everywhere():
    named = replace(SHOP_FOUND, delivery=DeliveryOptions(workload=Workload("Rollout", "shop", "shop")))
    assert set(wanted_places([named], {})) == {("Rollout", "shop"), ("Deployment", "shop")}
    both = wanted_places([named, SHOP_FOUND], {})
    assert {scope for _, scope in both} == {EVERYWHERE}
    assert both["Deployment", EVERYWHERE].images == {IMAGE}


def test_what_a_named_workload_needs_is_kept_beside_a_search_for_another_image():
    named = subscription(DeliveryOptions(workload=Workload("Rollout", "shop", "shop")), key="named", image="envoy")
    for order in ([named, SHOP_FOUND], [SHOP_FOUND, named]):
        wanted = wanted_places(order, {})
        for item in (ROLLOUT, DEPLOYMENT):
            other = merged(item, {"spec": {"template": template("redis:7")}})
            assert wanted[item["kind"], EVERYWHERE].keeps(item["kind"], other)
            other["metadata"]["namespace"] = "elsewhere"
            assert not wanted[item["kind"], EVERYWHERE].keeps(item["kind"], other)
        assert not wanted_places([SHOP_FOUND], {})["Rollout", EVERYWHERE].covers(wanted["Rollout", EVERYWHERE])
        assert wanted["Rollout", EVERYWHERE].images >= {IMAGE}


def test_what_is_not_followed_is_not_watched():
    assert wanted_places([subscription(None)], {}) == {}
