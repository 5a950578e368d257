"""Which forge a destination gets, and what it is shown: of the settings, of Git's own credentials, of a GitHub App."""

from __future__ import annotations

import pytest

from tests.engine.making import git_branch
from tests.fakes.forge import TOKEN, FakeForge
from tests.fakes.git_server import BareRepository
from tests.fakes.github_apps import GithubApps, app_key, pem_of
from tests.real.parts import require
from updater.credentials.github_app import USER, App, InstallationTokens
from updater.daemon.forges import Forges
from updater.daemon.process import process_of
from updater.errors import ForgeError
from updater.git.access import GitAccess
from updater.http.exchange import Connection
from updater.model.credential import Credential
from updater.settings import build_settings


@pytest.fixture
async def server(tmp_path):
    require("git")
    repository = BareRepository.make(tmp_path / "fleet.git", {"a": b"x"})
    async with FakeForge(repository, "github") as made:
        made.shown = []
        made.dialect.is_allowed = lambda request: made.shown.append(request.headers["Authorization"]) or True
        yield made


def settings_with(forge):
    text = f"git: {{repositories: [{{prefix: 'https://git.example.org/', forge: {forge}}}]}}\nsubscriptions: []\n"
    return build_settings([("updater.yaml", text.encode())], {})


async def forges_of(settings, folder, access):
    process = process_of(settings, folder / "state")
    return process, Forges(settings, process, access)


BRANCH = git_branch(url="https://git.example.org/o/fleet.git")


@pytest.mark.parametrize(
    ("token", "shown"), [("t0ken", "Bearer t0ken"), ("anna:t0ken", "Bearer t0ken"), ("Bearer t0ken", "Bearer t0ken")]
)
async def test_a_token_of_the_settings_wins_in_each_form(server, tmp_path, token, shown):
    (tmp_path / "token").write_text(token + "\n")
    settings = settings_with(f"{{kind: github, api: '{server.api}', token: 'file:{tmp_path}/token'}}")

    async def access(_url, _credential):
        return GitAccess(credential=Credential(password="another"))

    process, forges = await forges_of(settings, tmp_path, access)
    async with process:
        assert await forges.of(BRANCH).list_open() == ()
    assert server.shown == [shown]


async def test_a_github_app_of_git_is_shown_to_the_api_too_and_its_token_is_made_once(server, tmp_path):
    settings = settings_with(f"{{kind: github, api: '{server.api}'}}")
    async with GithubApps() as apps:
        app = App(
            identity="12",
            installation="34",
            private_key=pem_of(app_key()),
            base_url=apps.url,
            connection=Connection(insecure=True),
        )
        process = process_of(settings, tmp_path / "state")
        tokens = InstallationTokens(process.http)

        async def access(_url, _credential):
            return GitAccess(credential=Credential(username=USER, password=await tokens.token(app)))

        async with process:
            forge = Forges(settings, process, access).of(BRANCH)
            await forge.list_open()
            await forge.list_open()
        assert server.shown == ["Bearer ghs_34_0"] * 2
        assert apps.tokens == ["ghs_34_0"]


async def test_without_a_token_nothing_is_asked(server, tmp_path):
    settings = settings_with(f"{{kind: github, api: '{server.api}'}}")

    async def access(_url, _credential):
        return GitAccess(private_key=b"key")

    process, forges = await forges_of(settings, tmp_path, access)
    async with process:
        with pytest.raises(ForgeError) as caught:
            await forges.of(BRANCH).list_open()
    assert (caught.value.code, server.asked) == ("forge-token", [])


async def test_an_api_alone_often_says_the_kind(tmp_path):
    async def access(_url, _credential):
        return GitAccess(credential=Credential(password=TOKEN))

    for api, kind in [("https://x.example.org/api/v4", "gitlab"), ("https://x.example.org/bb/rest/api/1.0", "bitbucket-server")]:
        settings = settings_with(f"{{api: '{api}'}}")
        _, forges = await forges_of(settings, tmp_path, access)
        assert str(forges.of(BRANCH).repository.kind) == kind


async def test_what_remains_at_a_forge_is_a_metric_by_host(server, tmp_path):
    server.headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4321", "X-RateLimit-Reset": "1"}
    settings = settings_with(f"{{kind: github, api: '{server.api}'}}")

    async def access(_url, _credential):
        return GitAccess(credential=Credential(password=TOKEN))

    process, forges = await forges_of(settings, tmp_path, access)
    async with process:
        await forges.of(BRANCH).list_open()
        assert f'updater_forge_rate_limit_remaining{{host="127.0.0.1:{server.port}"}} 4321.0' in process.metrics.render().decode()
