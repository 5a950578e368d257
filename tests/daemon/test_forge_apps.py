"""What a forge is shown where Git is shown an SSH key: an App of the settings, or what the Secret for Git holds besides."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from tests.daemon.test_forges import BRANCH, server, settings_with  # noqa: F401 - a fixture
from tests.fakes.forge import FakeForge
from tests.fakes.git_server import BareRepository
from tests.fakes.github_apps import GithubApps, app_key, pem_of
from tests.fakes.ssh_server import SshServer, make_key
from tests.flows.fleet import MARKED, Status, fleet
from tests.flows.test_proposals import FILE, OwnedFleet, Proposing
from tests.real.parts import require
from updater.argocd.repository_secrets import login, read_fields
from updater.credentials.github_app import App, InstallationTokens
from updater.daemon.forges import Forges
from updater.daemon.process import process_of
from updater.errors import ForgeError
from updater.flux.git_secrets import read_login
from updater.flux.secret_reader import SecretContent
from updater.git.access import GitAccess, parse_address
from updater.http.exchange import Connection
from updater.model.credential import Credential
from updater.model.subscription import CredentialRef

KEYED = GitAccess(private_key=b"key", insecure_skip_verify=True)
OWN = replace(BRANCH, credential=CredentialRef(kind="secret", value="team/git"))
PEM = pem_of(app_key())


def the_app(apps):
    connection = Connection(insecure=True)
    return App(identity="12", installation="34", private_key=PEM, base_url=apps.url, connection=connection)


@asynccontextmanager
async def asking(settings, folder, access):
    """Give the forges of *settings* where every repository is reached by *access*, and the tokens of their Apps."""

    async def reach(_url, _credential):
        return access

    async with process_of(settings, folder / "state") as process:
        tokens = InstallationTokens(process.http)
        yield Forges(settings, process, reach, tokens), tokens


def configured(server, apps, folder):  # noqa: F811
    (folder / "app.pem").write_text(PEM)
    app = f"{{id: 12, installation: 34, key: 'file:{folder}/app.pem', api: '{apps.url}'}}"
    return settings_with(f"{{api: '{server.api}', github_app: {app}}}")


async def refused(forge):
    with pytest.raises(ForgeError) as caught:
        await forge.list_open()
    return caught.value


async def test_an_app_of_the_settings_opens_where_git_uses_a_key_and_its_token_is_kept(server, tmp_path):  # noqa: F811
    async with GithubApps() as apps, asking(configured(server, apps, tmp_path), tmp_path, KEYED) as (forges, _):
        forge = forges.of(BRANCH)
        assert forge.repository.kind == "github"
        await forge.list_open()
        await forge.list_open()
        assert (server.shown, apps.tokens) == (["Bearer ghs_34_0"] * 2, ["ghs_34_0"])


async def test_who_brings_a_secret_of_his_own_is_not_served_by_the_app_of_the_settings(server, tmp_path):  # noqa: F811
    async with GithubApps() as apps, asking(configured(server, apps, tmp_path), tmp_path, KEYED) as (forges, _):
        error = await refused(forges.of(OWN))
        assert (error.code, "forgeToken" in error.hint, server.asked, apps.asked) == ("forge-token", True, [], [])


async def test_the_secret_of_an_object_may_hold_a_token_for_the_forge_beside_its_key(server, tmp_path):  # noqa: F811
    access = replace(KEYED, forge=Credential(password="forge-only"))
    async with GithubApps() as apps, asking(configured(server, apps, tmp_path), tmp_path, access) as (forges, _):
        await forges.of(OWN).list_open()
        assert (server.shown, apps.tokens) == (["Bearer forge-only"], [])


async def test_the_secret_of_an_object_may_hold_an_app_beside_its_key(server, tmp_path):  # noqa: F811
    async with GithubApps() as apps:
        access = replace(KEYED, forge=the_app(apps))
        async with asking(settings_with(f"{{kind: github, api: '{server.api}'}}"), tmp_path, access) as (forges, _):
            await forges.of(OWN).list_open()
        assert (server.shown, len(apps.tokens)) == (["Bearer ghs_34_0"], 1)


async def test_an_app_is_never_shown_to_another_forge(server, tmp_path):  # noqa: F811
    async with GithubApps() as apps:
        access = replace(KEYED, forge=the_app(apps))
        async with asking(settings_with(f"{{kind: gitlab, api: '{server.api}'}}"), tmp_path, access) as (forges, _):
            error = await refused(forges.of(OWN))
        assert (error.code, "gitlab" in error.message, apps.asked) == ("forge-token", True, [])


@pytest.mark.parametrize(("status", "code"), [(401, "forge-denied"), (404, "forge-denied"), (503, "forge-unavailable")])
async def test_an_app_that_gets_no_token_is_told_and_asked_again(server, tmp_path, status, code):  # noqa: F811
    async with GithubApps() as apps, asking(configured(server, apps, tmp_path), tmp_path, KEYED) as (forges, _):
        apps.answers = [web.json_response({"message": "no"}, status=status) for _ in range(5)]
        error = await refused(forges.of(BRANCH))
        assert (error.code, "installation 34 of the GitHub App 12" in error.message) == (code, True)
        apps.answers.clear()
        assert await forges.of(BRANCH).list_open() == ()


async def test_a_forge_behind_a_socks_proxy_is_told_as_a_matter_of_settings(server, tmp_path):  # noqa: F811
    access = GitAccess(credential=Credential(password="t"), proxy="socks5://127.0.0.1:9")
    async with asking(settings_with(f"{{kind: github, api: '{server.api}'}}"), tmp_path, access) as (forges, _):
        error = await refused(forges.of(BRANCH))
    assert (error.code, "http or https proxy" in error.hint, server.asked) == ("forge-settings", True, [])
    assert "APIs are asked through HTTP proxies, only Git through SOCKS" in error.message
    assert "before the SOCKS proxy" in error.hint


SSH = "ssh://git@git.example.org/o/fleet.git"
APP_FIELDS = {"githubAppID": "12", "githubAppInstallationID": "34", "githubAppPrivateKey": PEM}


@pytest.mark.parametrize("url", [SSH, "https://git.example.org/o/fleet.git"])
def test_a_secret_of_argo_cd_may_have_forge_token(url):
    data = {name: text.encode() for name, text in {"sshPrivateKey": "key", "password": "p", "forgeToken": "anna:t\n"}.items()}
    access = login(read_fields("ns/git", data, is_decoded=True), parse_address(url)).access
    assert access.forge == Credential(username="anna", password="t")
    assert "anna" not in repr(access)


def test_a_secret_of_argo_cd_with_a_key_and_an_app_uses_the_key_for_git_and_the_app_for_the_forge():
    data = {name: text.encode() for name, text in {"sshPrivateKey": "key", **APP_FIELDS}.items()}
    made = login(read_fields("ns/git", data, is_decoded=True), parse_address(SSH))
    assert (made.app, made.access.private_key, made.access.forge.installation) == (None, b"key\n", "34")


@pytest.mark.parametrize("more", [{"forgeToken": "t"}, APP_FIELDS])
def test_a_secret_of_flux_with_a_key_may_hold_what_the_forge_is_shown(more):
    data = {name: text.encode() for name, text in {"identity": "key", "known_hosts": "x", **more}.items()}
    made = read_login(SSH, SecretContent(place="ns/git", data=data))
    forge = made.access.forge
    assert made.app is None
    assert (forge.installation if isinstance(forge, App) else forge.password) in {"34", "t"}


async def test_git_by_an_ssh_key_and_the_forge_by_an_app_open_merge_and_put_away_a_pull_request(tmp_path):
    program = require("sshd")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    (folder / "id").write_bytes(make_key(folder / "id"))
    async with GithubApps() as apps, fleet(tmp_path, **{FILE: MARKED}) as made:
        shutil.copytree(tmp_path / "repos" / "fleet.git", tmp_path / "repos" / "o" / "fleet.git")
        repository = BareRepository(tmp_path / "repos" / "o" / "fleet.git", made.repository.clock)
        (tmp_path / "app.pem").write_text(PEM)
        with SshServer(folder, program, [folder / "id.pub"]) as ssh:
            url = ssh.url(repository.path)

            class OverSsh(OwnedFleet):
                url = property(lambda _: url)

            here = OverSsh(folder=tmp_path, registry=made.registry, repository=repository, server=made.server)
            async with FakeForge(repository, "github") as forge:
                forge.dialect.is_allowed = lambda request: request.headers["Authorization"][7:] in apps.tokens
                app = f"{{id: 12, installation: 34, key: 'file:{tmp_path}/app.pem', api: '{apps.url}'}}"
                here.extra = (
                    f"  repositories:\n    - {{prefix: '{url.partition('/repos')[0]}/', credentials: 'file:{folder}/id',"
                    f" insecure_skip_verify: true, forge: {{api: '{forge.api}', github_app: {app}}}}}"
                )
                here.add("app", "marker: ns:app")
                here.subscriptions[-1] = here.subscriptions[-1].replace(
                    "branch: main", "branch: main, proposal: {per: destination}"
                )
                life = Proposing(here, forge)
                life.push("1.1.0")
                end = await life.land()
                assert (end.status, len(forge.opened())) == (Status.PROPOSED, 1), end
                forge.merge(1)
                assert (await life.land()).status is Status.UNCHANGED
                assert (life.written("main"), life.head()) == ("1.1.0", None)
