"""From an annotation or a `pullRequest` block to a pull request and its merge, over a real git http-backend and a forge."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import pytest
from aiohttp import web

from tests.argocd.request.making import GIT, application, image, reference, run, updater
from tests.fakes.forge import TOKEN, FakeForge
from tests.fakes.git_server import BareRepository
from tests.flows.fleet import Fleet, Status, fleet
from tests.flux.request.making import automation, policy, repository, source, translate
from updater.daemon.assembly import start_generation
from updater.daemon.forges import Forges
from updater.daemon.process import Process
from updater.errors import ForgeError
from updater.git.access import GitAccess
from updater.http.client import HttpClient
from updater.http.limits import Patience
from updater.model.credential import Credential, CredentialRef
from updater.model.snapshot import Snapshot
from updater.settings.annotated import PROPOSAL
from updater.sources.file import load

KUSTOMIZATION = "images:\n- name: {host}/o/app\n  newTag: 1.0.0\n"
MARKED = 'spec:\n  image: {host}/o/app:1.0.0  # {{"$imagepolicy": "apps:app"}}\n'
FILE = "apps/web/kustomization.yaml"


@dataclass
class Asking:
    """A fleet and a forge, and what people asked for as subscriptions."""

    fleet: Fleet
    forge: FakeForge
    url: str

    async def land(self, subscriptions):
        """Make a pass with nothing remembered; give the outcomes by key."""
        self.fleet.forget()
        loaded = load([self.fleet.configure()], dict(os.environ))
        loaded = replace(loaded, snapshot=Snapshot(subscriptions=tuple(subscriptions)))
        async with Process(self.fleet.state) as process:
            process.http = HttpClient(patience=Patience(attempts=2, first=0.0), observe=process.metrics.request)
            async with process.http:
                generation = await start_generation(loaded, process)
                generation.take_over()
                process.ours |= {target.commit_spec.email for item in subscriptions for target in item.targets}
                landings = await generation.once(loaded.snapshot.subscriptions, is_dry=False)
        return {outcome.key: outcome for landing in landings for outcome in landing.outcomes}

    def asked(self, *, own=None, updaters=(), target="main"):
        """The subscriptions of an Application in this fleet."""
        host = self.fleet.registry.host
        listed = {} if updaters else {"image-list": f"web={host}/o/app:>=1.0.0", "write-back-target": "kustomization"} | GIT
        source = {"repoURL": self.url, "path": "apps/web", "targetRevision": target}
        item = application(listed, own=own, source=source, images=(f"{host}/o/app:1.0.0",))
        found = run(item, updaters=updaters)
        assert found.snapshot.problems == ()
        return found.snapshot.subscriptions

    def written(self, branch="main"):
        return self.fleet.file(FILE, branch).rpartition(":")[2].strip()


@pytest.fixture(params=["github", "gitea"])
async def asking(request, tmp_path):
    async with fleet(tmp_path, **{FILE: KUSTOMIZATION, "apps/app.yaml": MARKED}) as made:
        (tmp_path / "repos" / "o").mkdir()
        (tmp_path / "repos" / "fleet.git").rename(tmp_path / "repos" / "o" / "fleet.git")
        made.repository = BareRepository(tmp_path / "repos" / "o" / "fleet.git", made.repository.clock)
        made.repository.log_pushes()
        async with FakeForge(made.repository, request.param) as forge:
            (tmp_path / "token").write_text(TOKEN)
            entry = f'{{kind: {forge.kind}, api: "{forge.api}", token: "file:{tmp_path / "token"}"}}'
            made.extra = f'  repositories:\n    - {{prefix: "{made.server.url("")}", forge: {entry}}}'
            made.registry.push("o/app", "1.1.0")
            yield Asking(made, forge, made.server.url("o/fleet.git"))


async def test_an_annotation_becomes_a_pull_request_and_its_merge_ends_it(asking):
    requests = asking.asked(own={"proposal": "{labels: [images], title: 'Move {{ (index .Images 0).NewTag }}'}"})
    first = (await asking.land(requests))["argocd/web/web"]
    (pull,) = asking.forge.pulls
    assert (first.status, first.link) == (Status.PROPOSED, "http://forge.example.org/o/fleet/pull/1")
    assert (pull.branch, pull.base, pull.labels) == ("updater/main/argocd-web-web", "main", ["images"])
    assert "Application argocd/web" in pull.body
    assert (asking.written(pull.branch), asking.written()) == ("1.1.0", "1.0.0")
    asking.forge.merge(1)
    last = (await asking.land(requests))["argocd/web/web"]
    assert (last.status, asking.written(), asking.fleet.repository.head(pull.branch)) == (Status.UNCHANGED, "1.1.0", None)


async def test_the_base_is_the_default_branch_where_the_application_says_head(asking):
    requests = asking.asked(own={"proposal": "true"}, target="HEAD")
    assert (await asking.land(requests))["argocd/web/web"].status is Status.PROPOSED
    (pull,) = asking.forge.pulls
    assert (pull.branch, pull.base) == ("updater/default/argocd-web-web", "main")
    assert (await asking.land(requests))["argocd/web/web"].status is Status.PROPOSED
    assert len(asking.forge.pulls) == 1


@pytest.mark.parametrize("asking", ["github", "gitlab"], indirect=True)
async def test_a_pull_request_block_becomes_one_pull_request_of_the_application(asking):
    block = {"pullRequest": {asking.forge.kind: {}, "labels": ["peer"]}, "writeBackTarget": "kustomization"}
    listed = reference("*", image(f"{asking.fleet.registry.host}/o/app:>=1.0.0"))
    requests = asking.asked(updaters=[updater(listed, writeBackConfig={"method": "git", "gitConfig": block})])
    assert (await asking.land(requests))["argocd/web/web"].status is Status.PROPOSED
    (pull,) = asking.forge.pulls
    assert (pull.branch, pull.labels) == ("updater/main/argocd-web", ["peer"])
    asking.forge.close(1)
    asking.fleet.registry.push("o/app", "1.1.0")
    held = (await asking.land(requests))["argocd/web/web"]
    assert (held.status, held.code) == (Status.HELD, "proposal-closed")


#: answers of a forge that has not heard of the pull request yet: of GitHub's list, of Gitea's and of the one by its branches
UNHEARD = {"github": ([], [], []), "gitea": ([], None, None)}


@pytest.mark.parametrize("unheard", [pytest.param(UNHEARD, id="argo-174")])
async def test_a_pull_request_that_the_forge_says_is_there_already_is_taken_as_it_is(asking, unheard):
    requests = asking.asked(own={"proposal": "true"})
    first = (await asking.land(requests))["argocd/web/web"]
    for answer in unheard[asking.forge.kind]:  # as if another replica had been faster
        asking.forge.faults.append(("GET", web.Response(status=404) if answer is None else web.json_response(answer)))
    asking.forge.asked.clear()
    again = (await asking.land(requests))["argocd/web/web"]
    assert (again.status, again.link, len(asking.forge.pulls)) == (Status.PROPOSED, first.link, 1)
    assert asking.forge.asked.count("POST pulls") == 1


async def test_an_annotation_of_an_automation_becomes_one_pull_request_and_its_merge_ends_it(asking):
    fleet = automation(update={"path": "./apps", "strategy": "Setters"}, git={"push": {"branch": "flux-updates"}})
    fleet["metadata"]["annotations"] = {PROPOSAL: "{labels: [flux]}"}
    image_repository = repository(image=f"{asking.fleet.registry.host}/o/app")
    made = translate([image_repository], [policy()], [fleet], [source(url=asking.url)])
    assert made.snapshot.problems == ()
    requests = [as_configured(item) for item in made.snapshot.subscriptions]
    (key,) = {item.key for item in requests}
    first = (await asking.land(requests))[key]
    (pull,) = asking.forge.pulls
    assert (first.status, pull.branch, pull.base, pull.labels) == (Status.PROPOSED, "flux-updates", "main", ["flux"])
    assert ":1.1.0 " in asking.fleet.file("apps/app.yaml", "flux-updates")
    asking.forge.merge(1)
    assert (await asking.land(requests))[key].status is Status.UNCHANGED
    assert (asking.fleet.repository.head("flux-updates"), len(asking.forge.pulls)) == (None, 1)


def as_configured(item):
    """Reach the repository as the configuration says: there is no cluster here that has the Secret."""
    targets = (replace(target, destination=replace(target.destination, credential=None)) for target in item.targets)
    return replace(item, targets=tuple(targets), is_reflected=False)


async def test_a_credential_of_ones_own_is_all_that_the_forge_is_shown(asking):
    (item,) = asking.asked(own={"proposal": "true"})
    branch = item.targets[0].destination
    mine = replace(branch, credential=CredentialRef(kind="secret", value="team/git"))
    shown = {None: GitAccess(), mine.credential: GitAccess(credential=Credential(username="x", password="mine"))}

    async def access(_url, credential):
        return shown[credential]

    async with Process(asking.fleet.state) as process:
        forges = Forges(load([asking.fleet.configure()], dict(os.environ)).settings, process, access)
        assert await forges.of(branch).list_open() == ()
        with pytest.raises(ForgeError) as denied:
            await forges.of(mine).list_open()
        assert denied.value.code == "forge-denied"
        shown[mine.credential] = GitAccess(private_key=b"key")
        with pytest.raises(ForgeError) as none:
            await forges.of(mine).list_open()
        assert none.value.code == "forge-token"
