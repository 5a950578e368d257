"""Promises of what is told to those who asked: statuses, Events and refreshes, each once, by the leader, and bounded."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from tests.argocd.cluster.test_source import keys, put
from tests.argocd.request.making import GIT, REPOSITORY, WEB_OUTCOME, application, image, landed, outcome_for, reference, updater
from tests.fakes.kube import FakeKube, refuse, when
from tests.fakes.still_time import StillTime
from updater.argocd.cluster.feedback import FeedbackOptions
from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER
from updater.argocd.cluster.source import ArgocdSource
from updater.argocd.cluster.status_writer import FINALIZER
from updater.argocd.request.branch_tracking import follows
from updater.argocd.request.subscriptions import TranslationDefaults
from updater.http.client import HttpClient
from updater.kube.client import KubeClient
from updater.kube.events import EventRecorder
from updater.kube.kinds import EVENT
from updater.model.outcome import Status
from updater.model.problem import Problem
from updater.model.publishing import PushBranch, PushTemplate
from updater.model.subscription import GitBranch

WEB = {"image-list": "web=ghcr.io/o/web:^1"}
REFRESH = "argocd.argoproj.io/refresh"


class Patient(StillTime):
    """Still time, in which those who wait for minutes wait for the test to end them."""

    async def sleep(self, seconds):
        await super().sleep(seconds)
        if seconds >= 30:
            await self.minutes.wait()
            self.minutes.clear()

    minutes = asyncio.Event()


@pytest.fixture
async def time():
    made = Patient()
    made.minutes = asyncio.Event()
    return made


@pytest.fixture
async def server():
    async with FakeKube() as server:
        for kind in (APPLICATION, IMAGE_UPDATER, EVENT):
            server.install(kind)
        yield server


class Stage:
    """A source with answers that runs, and what the server saw of it."""

    def __init__(self, server, client, time, *, has_events=True, **options):
        self.server = server
        self.counted, self.reported = [], []
        around = time.surroundings()
        events = EventRecorder(client, component="updater", instance="pod-1", surroundings=around) if has_events else None
        self.answers = FeedbackOptions(
            events=events,
            count=lambda kind, result: self.counted.append((kind, result)),
            report=lambda subject, error: self.reported.append((subject, error.code)),
            surroundings=around,
            **options,
        )
        self.source = ArgocdSource(client, defaults=TranslationDefaults(), answers=self.answers)
        self.delivered = asyncio.Queue()

    async def snapshot(self):
        return await asyncio.wait_for(self.delivered.get(), 10)

    async def land(self, *outcomes):
        """Answer outcomes, at the targets that the subscriptions have."""
        known = {
            answer.subscription.key: answer.subscription for answer in self.source.translation.answers if answer.subscription
        }
        targets = {key: str(item.targets[0]) for key, item in known.items()}
        self.source.hear(landed([replace(outcome, target=targets.get(outcome.key, "")) for outcome in outcomes]))

    def events(self):
        return [asked.body for asked in self.server.asked if asked.method == "POST" and "events" in asked.path]

    def told(self):
        return [(event["reason"], event["involvedObject"]["kind"], event["message"]) for event in self.events()]

    def statuses(self):
        return [asked for asked in self.server.asked if asked.method == "PATCH" and asked.path.endswith("/status")]

    def refreshed(self):
        patches = [asked for asked in self.server.asked if asked.method == "PATCH" and "/applications/" in asked.path]
        return [(asked.path.rpartition("/")[2], asked.body["metadata"]["annotations"]) for asked in patches]

    async def settled(self):
        """Wait for the status of an object that is new, and forget it."""
        await self.until(lambda: len(self.statuses()) == 1)
        self.server.asked.clear()

    async def until(self, check, what=""):
        """Wait until something is so, and a little longer, so that what should come once is not seen too early."""
        for _ in range(500):
            if check():
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert check(), what


@pytest.fixture
async def begin(server, tmp_path, time):
    """Start a source over objects; gives the stage once the first snapshot is there."""
    async with HttpClient() as http:
        client = KubeClient(server.access(tmp_path), http)

        @asynccontextmanager
        async def beginning(*objects, **options):
            await put(server, *objects)
            stage = Stage(server, client, time, **options)
            task = asyncio.create_task(stage.source.run(stage.delivered.put))
            try:
                stage.first = await stage.snapshot()
                yield stage
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        yield beginning


def listed(*images, **options):
    made = updater(reference("*", *(images or (image(),))), **options)
    made["metadata"]["generation"] = 1
    return made


async def test_a_status_is_written_once_and_then_only_when_it_changes(begin):
    async with begin(application(), listed()) as stage:
        await stage.settled()
        await stage.land(WEB_OUTCOME)
        await stage.until(lambda: len(stage.statuses()) == 1, "the first status")
        body = stage.statuses()[0].body
        assert body["status"]["conditions"][0]["reason"] == "ReconcileSucceeded"
        assert body["metadata"]["resourceVersion"]
        for _ in range(3):
            await stage.land(WEB_OUTCOME)
        await stage.land(replace(WEB_OUTCOME, status=Status.HELD, detail="older", code="downgrade"))
        await stage.until(lambda: len(stage.statuses()) == 2, "one more")
        assert ("status", "ok") in stage.counted


async def test_quiet_time_writes_nothing(begin, server):
    async with begin(application(WEB), application(name="other", images=())) as stage:
        await stage.land(WEB_OUTCOME, WEB_OUTCOME)
        await stage.land(WEB_OUTCOME)
        await server.bookmark()
        await asyncio.sleep(0.2)
        assert {asked.method for asked in server.asked} == {"GET"}


async def test_outcomes_that_come_together_are_one_status(begin):
    images = [image(f"ghcr.io/o/i{number}:^1", f"i{number}") for number in range(5)]
    running = [f"ghcr.io/o/i{number}:1.0.0" for number in range(5)]
    async with begin(application(images=running), listed(*images)) as stage:
        await stage.settled()
        await stage.land(*(outcome_for(alias=f"i{number}", status=Status.UNCHANGED, detail="ok") for number in range(5)))
        await stage.until(lambda: len(stage.statuses()) == 1, "one status")


async def test_a_wait_that_is_told_anew_is_no_other_state(begin):
    async with begin(application(), listed()) as stage:
        await stage.settled()
        for seconds in (37, 12.5):
            detail = f"the registry asks to wait {seconds} s"
            await stage.land(outcome_for(status=Status.FAILED, detail=detail, code="rate-limited"))
            await stage.until(lambda: len(stage.statuses()) == 1 and len(stage.events()) == 1, "told once")


async def test_a_status_that_somebody_changed_meanwhile_is_read_again(begin, server):
    async with begin(application(), listed()) as stage:

        async def somebody_is_faster(request):
            if request.method == "PATCH" and not raced:
                raced.append(1)
                theirs = {"type": "Their", "status": "True", "reason": "Theirs", "message": "", "lastTransitionTime": "t"}
                item = listed()
                await put(server, {**item, "status": {"conditions": [theirs]}})

        raced = []
        server.faults.append(somebody_is_faster)
        await stage.land(WEB_OUTCOME)
        await stage.until(lambda: len(stage.statuses()) >= 2, "written on the newer version")
        kept = server.read(IMAGE_UPDATER, "all", "argocd")["status"]["conditions"]
        assert [item["type"] for item in kept] == ["Ready", "Reconciling", "Error", "Images", "Their"]
        assert stage.reported == []


async def test_a_spec_that_changed_meanwhile_is_judged_by_the_watch(begin, server):
    async with begin(application(), listed()) as stage:

        async def edited(request):
            if request.method == "PATCH" and not raced:
                raced.append(1)
                item = listed()
                item["metadata"]["generation"] = 2
                await put(server, item)

        raced = []
        server.faults.append(edited)
        await stage.land(WEB_OUTCOME)
        await stage.until(
            lambda: (server.read(IMAGE_UPDATER, "all", "argocd").get("status") or {}).get("observedGeneration") == 2
        )


@pytest.mark.parametrize(("code", "name"), [(403, "kube-denied"), (422, "kube-invalid")])
async def test_a_status_that_cannot_be_written_is_reported_and_tried_again(begin, server, time, code, name):
    async with begin(application(), listed()) as stage:
        server.faults.append(when(lambda _: refuse(code, "no"), method="PATCH", times=1))
        await stage.land(WEB_OUTCOME)
        await stage.until(lambda: bool(stage.reported), "reported")
        assert stage.reported == [("status of ImageUpdater argocd/all", name)]
        assert ("status", name) in stage.counted
        time.minutes.set()
        await stage.until(lambda: "status" in server.read(IMAGE_UPDATER, "all", "argocd"), "tried again")
        assert max(time.slept) >= 30


async def test_an_object_that_is_gone_needs_no_status(begin, server):
    async with begin(application(), listed()) as stage:
        await stage.settled()
        server.faults.append(when(lambda _: refuse(404, "gone"), method="PATCH"))
        await stage.land(WEB_OUTCOME)
        await stage.until(lambda: len(stage.statuses()) == 1)
        assert stage.reported == []


async def test_who_does_not_lead_writes_nothing_and_all_that_is_due_once_it_leads(begin):
    may_write = [False]
    broken = application({"image-list": "web=ghcr.io/o/web:^1", "web.typo": "x"}, name="broken", source={"path": "b"})
    async with begin(application(WEB | GIT), broken, listed(useless=1), may_write=lambda: may_write[0]) as stage:
        await stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"))
        await asyncio.sleep(0.2)
        assert (stage.statuses(), stage.events(), stage.refreshed()) == ([], [], [])
        may_write[0] = True
        stage.source.lead()
        await stage.until(lambda: stage.statuses() and stage.events(), "written by the leader")


async def test_a_finding_is_an_event_once(begin, server):
    texts = {"image-list": "web=ghcr.io/o/web:^1", "web.alow-tags": "any", "update-strategy": "semvr"}
    async with begin(application(texts, version="7")) as stage:
        await stage.until(lambda: len(stage.events()) == 2)
        unknown = next(event for event in stage.events() if event["reason"] == "UnknownKey")
        assert unknown["type"] == "Warning"
        assert unknown["involvedObject"]["uid"] == "uid-argocd-web"
        assert "did you mean 'web.allow-tags'?" in unknown["message"]
        assert unknown["message"].endswith("(unknown-key)")
        await put(server, application(texts | {"web.ignore-tags": "x"}))
        await stage.until(lambda: len(stage.events()) == 2, "what was told is not told again")


async def test_a_flaw_that_comes_back_is_told_again_and_one_that_went_is_not_told(begin, server, time):
    bad, good = application({"image-list": "web=ghcr.io/o/web:^1", "typo": "x"}), application(WEB)
    async with begin(bad, has_events=True) as stage:
        await stage.until(lambda: len(stage.events()) == 1)
        await put(server, good)
        await stage.snapshot()
        time.now += 1000
        await put(server, bad)
        await stage.until(lambda: server.count("PATCH") == 1, "counted up")
    may_write = [False]
    async with begin(bad, may_write=lambda: may_write[0]) as stage:
        await put(server, good)
        await stage.snapshot()
        told = len(stage.events())
        may_write[0] = True
        stage.source.lead()
        await asyncio.sleep(0.1)
        assert len(stage.events()) == told


async def test_flaws_of_an_image_updater_are_told_on_it(begin):
    item = listed()
    item["spec"]["typo"] = 1
    async with begin(application(), item) as stage:
        await stage.until(lambda: len(stage.events()) == 1)
        assert stage.told()[0][:2] == ("UnknownKey", "ImageUpdater")


async def test_many_flaws_are_told_at_a_pace(begin, time):
    flawed = [
        application({"image-list": "web=ghcr.io/o/web:^1", "typo": "x"}, name=f"a{n}", source={"path": f"{n}"}) for n in range(30)
    ]
    async with begin(*flawed) as stage:
        await stage.until(lambda: len(stage.events()) == 30)
        assert time.slept.count(0.1) == 10


@pytest.mark.parametrize(("status", "reason"), [(Status.FAILED, "ImageFailed"), (Status.HELD, "ImageHeld")])
async def test_what_was_held_or_failed_is_a_warning_once_a_state(begin, status, reason):
    outcome = outcome_for(status=status, detail="1.0.0 is newer", code="downgrade", hint="allow it")
    async with begin(application(WEB)) as stage:
        for _ in range(3):
            await stage.land(outcome)
        await stage.until(lambda: len(stage.events()) == 1)
        assert stage.told() == [(reason, "Application", "web: 1.0.0 is newer; allow it (downgrade)")]
        await stage.land(replace(outcome, detail="1.0.1 is newer"))
        await stage.until(lambda: len(stage.events()) == 2)


async def test_what_went_right_before_it_was_told_is_not_told(begin):
    may_write = [False]
    async with begin(application(WEB), may_write=lambda: may_write[0]) as stage:
        await stage.land(outcome_for(status=Status.FAILED, detail="broken", code="bug"))
        await stage.land(WEB_OUTCOME)
        may_write[0] = True
        stage.source.lead()
        await asyncio.sleep(0.1)
        assert stage.events() == []


async def test_moves_are_one_event_an_application_with_the_annotations_of_the_peer(begin):
    texts = {"image-list": "web=ghcr.io/o/web:^1, api=ghcr.io/o/api:^1"}
    running = ["ghcr.io/o/web:1.0.0", "ghcr.io/o/api:2.0.0"]
    async with begin(application(texts, images=running)) as stage:
        moves = [outcome_for(old="1.0.0", new="ghcr.io/o/web:1.1.0"), outcome_for(alias="api", old="2.0.0", new="2.1.0")]
        await stage.land(*(replace(move, revision="0123456789abcdef" + "0" * 24) for move in moves))
        await stage.until(lambda: len(stage.events()) == 1)
        (event,) = stage.events()
        assert (event["reason"], event["type"]) == ("ImagesUpdated", "Normal")
        assert event["message"] == "web 1.0.0 → 1.1.0, api 2.0.0 → 2.1.0 in commit 0123456789ab"
        prefix = "argocd-image-updater.image-0"
        assert {key: text for key, text in event["metadata"]["annotations"].items() if key.startswith(prefix)} == {
            f"{prefix}/full-image-name": "ghcr.io/o/web",
            f"{prefix}/image-name": "o/web",
            f"{prefix}/old-tag": "1.0.0",
            f"{prefix}/new-tag": "1.1.0",
        }
        assert event["metadata"]["annotations"]["argocd-image-updater.image-1/new-tag"] == "2.1.0"


async def test_events_can_be_off(begin, server):
    async with begin(application({"typo": "x", "image-list": "web=ghcr.io/o/web:^1"}), has_events=False) as stage:
        await stage.land(outcome_for(status=Status.FAILED, detail="broken"))
        await asyncio.sleep(0.1)
        assert server.count("POST") == 0


async def test_an_application_is_refreshed_once_for_a_commit(begin):
    texts = WEB | {"image-list": "web=ghcr.io/o/web:^1, api=ghcr.io/o/api:^1"} | GIT
    applications = [
        application(texts, name=name, images=["ghcr.io/o/web:1", "ghcr.io/o/api:1"], source={"path": name}) for name in "ab"
    ]
    async with begin(*applications) as stage:
        moves = [outcome_for(name, alias, old="1", new="1.1.0", revision="c1") for name in "ab" for alias in ("web", "api")]
        await stage.land(*moves)
        await stage.until(lambda: len(stage.refreshed()) == 2)
        assert stage.refreshed() == [("a", {REFRESH: "normal"}), ("b", {REFRESH: "normal"})]
        assert ("refresh", "ok") in stage.counted
        await stage.land(outcome_for("a", old="1.1.0", new="1.2.0", revision="c2"))
        await stage.until(lambda: len(stage.refreshed()) == 3)


async def test_who_shares_the_file_is_refreshed_too(begin):
    shared = WEB | GIT | {"write-back-target": "kustomization:/shared"}
    async with begin(application(shared), application(shared, name="twin")) as stage:
        assert keys(stage.first) == ["argocd/twin/web"]
        await stage.land(outcome_for("twin", old="1.0.0", new="1.1.0", revision="c1"))
        await stage.until(lambda: len(stage.refreshed()) == 2)


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (WEB | {"write-back-method": "argocd"}, {}),
        (WEB | GIT | {"git-branch": "main:updates"}, {}),
        (WEB | GIT | {"git-branch": "main:updates-{{.SHA256}}"}, {}),
        (WEB | GIT | {"git-repository": "https://git.test/another.git"}, {}),
        (WEB | GIT, {"refresh": False}),
    ],
)
async def test_what_changes_nothing_for_argo_cd_refreshes_nothing(begin, texts, options):
    async with begin(application(texts), **options) as stage:
        await stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"))
        await stage.until(lambda: len(stage.events()) == 1)
        assert stage.refreshed() == []


async def test_an_application_that_is_hydrated_is_asked_to_be(begin):
    dry = {"repoURL": REPOSITORY, "path": "apps/web", "targetRevision": "main", "kustomize": {}}
    hydrated = application(WEB | GIT, spec={"sourceHydrator": {"drySource": dry}})
    async with begin(hydrated) as stage:
        await stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"))
        await stage.until(lambda: len(stage.refreshed()) == 1)
        assert stage.refreshed()[0][1] == {REFRESH: "normal", "argocd.argoproj.io/hydrate": "normal"}


async def test_a_refresh_that_fails_is_reported_and_no_more(begin, server):
    async with begin(application(WEB | GIT)) as stage:
        server.faults.append(when(lambda _: refuse(403, "no"), method="PATCH", part="applications"))
        await stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"))
        await stage.until(lambda: stage.reported == [("refresh of Application argocd/web", "kube-denied")])


async def test_an_application_deleted_meanwhile_is_nobodys_fault(begin, server):
    async with begin(application(WEB | GIT)) as stage:
        server.faults.append(when(lambda _: refuse(404, "gone"), method="PATCH", part="applications"))
        await stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"))
        await stage.until(lambda: len(stage.refreshed()) == 1)
        assert stage.reported == []


async def test_what_is_gone_is_forgotten(begin, server):
    async with begin(application(WEB | GIT), application(WEB | GIT, name="api", source={"path": "api"})) as stage:
        await stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"), outcome_for("gone", status=Status.FAILED))
        await stage.until(lambda: len(stage.refreshed()) == 1)
        answering = stage.source._answering
        assert set(answering._outcomes) == {"argocd/web/web"}
        await server.remove(APPLICATION, "web", "argocd")
        assert keys(await stage.snapshot()) == ["argocd/api/web"]
        assert answering._outcomes == {}
        assert answering._refreshing._done == {}
        await stage.land(outcome_for(status=Status.FAILED, detail="late"))
        assert answering._outcomes == {}


async def test_a_bug_in_telling_ends_nothing_else(begin, server, capsys):
    async with begin(application(WEB | GIT), listed()) as stage:
        stage.answers.count = lambda *_: 1 / 0
        await stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"))
        await stage.until(lambda: "ZeroDivisionError" in capsys.readouterr().out or len(stage.statuses()) >= 1)
        await put(server, application(WEB, name="api"))
        assert len(keys(await stage.snapshot())) == 2


async def test_a_marker_that_nobody_claims_is_told_once_to_the_application_whose_files_hold_it(begin):
    inside = Problem(
        path="apps/web/deploy.yaml", line=3, code="unknown-policy", message="the marker names 'ns:wbe'", hint="ns:web"
    )
    outside = replace(inside, path="apps/api/deploy.yaml")
    async with begin(application(WEB | GIT)) as stage:
        (answer,) = [item for item in stage.source.translation.answers if item.subscription]
        target = answer.subscription.targets[0]
        seen = [replace(WEB_OUTCOME, target=str(target), target_spec=target)]
        for notes in ([inside, outside], [inside, outside], None):
            stage.source.hear(landed(seen, notes and tuple(notes)))
            await stage.until(lambda: len(stage.told()) == 1)
        message = "apps/web/deploy.yaml:3: the marker names 'ns:wbe'; ns:web (unknown-policy)"
        assert stage.told() == [("UnknownPolicy", "Application", message)]


def branch(**fields):
    return GitBranch(**({"url": REPOSITORY, "branch": "main"} | fields))


@pytest.mark.parametrize(
    ("revision", "destination", "expected"),
    [
        ("main", branch(), True),
        ("refs/heads/main", branch(), True),
        ("HEAD", branch(), True),
        ("", branch(branch=""), True),
        ("main", branch(branch=""), True),
        ("release", branch(), False),
        ("release", branch(publishing=PushBranch("release")), True),
        ("main", branch(url="git@git.test:fleet.git"), True),
        ("main", branch(url="ssh://git@git.test:22/fleet"), True),
        ("main", branch(url="https://git.test/other.git"), False),
        ("main", branch(publishing=PushTemplate("{{.SHA256}}", "x")), False),
    ],
)
def test_an_application_follows_the_branch_of_its_source(revision, destination, expected):
    spec = {"source": {"repoURL": REPOSITORY, "targetRevision": revision}}
    assert follows(spec, destination) is expected
    assert follows({"sources": [{"repoURL": "https://charts.test", "chart": "x"}, spec["source"]]}, destination) is expected


async def test_a_pass_that_ends_writes_what_is_due(server, tmp_path, time):
    await put(server, application({"image-list": "web=ghcr.io/o/web:^1", "typo": "x"}), listed())
    async with HttpClient() as http:
        stage = Stage(server, KubeClient(server.access(tmp_path), http), time)
        await stage.source.once()
        await stage.land(WEB_OUTCOME)
        await stage.source.finish()
        assert len(stage.statuses()) == 1
        server.faults.append(when(lambda _: web.Response(status=500), method="PATCH"))
        await stage.land(replace(WEB_OUTCOME, status=Status.HELD, detail="older"))
        await stage.source.finish()
        assert [code for _, code in stage.reported] == ["kube-unavailable"]


async def test_a_single_pass_tells_at_most_a_hundred_things(server, tmp_path, time):
    flawed = [
        application({"image-list": "web=ghcr.io/o/web:^1", "typo": "x"}, name=f"a{n}", source={"path": f"{n}"})
        for n in range(120)
    ]
    await put(server, *flawed)
    async with HttpClient() as http:
        stage = Stage(server, KubeClient(server.access(tmp_path), http), time)
        await stage.source.once()
        await stage.source.finish()
        assert len(stage.events()) == 100
        assert time.slept == []


@pytest.mark.parametrize("others", [[], ["theirs.example/hold"]])
async def test_an_object_that_was_deleted_is_not_held_by_the_finalizer_of_the_peer(begin, server, others):
    async with begin(application(), listed()) as stage:
        await stage.settled()
        item = listed()
        item["metadata"] |= {"finalizers": [FINALIZER, *others], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        await put(server, item)
        await stage.until(lambda: ("finalizer", "ok") in stage.counted)
        assert server.read(IMAGE_UPDATER, "all", "argocd")["metadata"].get("finalizers", []) == others


async def test_a_finalizer_of_an_object_that_stays_stays(begin, server):
    item = listed()
    item["metadata"]["finalizers"] = [FINALIZER]
    async with begin(application(), item) as stage:
        await stage.settled()
        assert server.read(IMAGE_UPDATER, "all", "argocd")["metadata"]["finalizers"] == [FINALIZER]


async def test_an_object_that_changed_before_it_was_let_go_is_looked_at_again(begin, server):
    item = listed()
    item["metadata"] |= {"finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    server.faults.append(when(lambda _: refuse(409, "changed"), method="PATCH", times=1))
    async with begin(application(), item) as stage:
        await stage.until(lambda: server.count("PATCH") == 1)
        await put(server, item | {"status": {"applicationsMatched": 7}})
        await stage.until(lambda: ("finalizer", "ok") in stage.counted)
        assert stage.reported == []
