"""A real Gitea tells of packages and pushes: its signature and its shapes are those that are read."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.eventually import until
from tests.real.gitea_lab import PASSWORD
from tests.real.registries import Lab, basic
from tests.web.test_receiving import FakeDesk
from updater.model.webhook import BranchPush, ImagePush
from updater.web.app import serve
from updater.web.receiving import web_application

pytestmark = [pytest.mark.real, pytest.mark.gitea, pytest.mark.xdist_group("gitea")]
SENDERS = """
listen: {web: "127.0.0.1:0"}
web: {webhooks: [{name: gitea, kind: gitea, secret: "env:S"}]}
"""


@pytest.fixture
async def desk():
    made = FakeDesk(SENDERS)
    runner = await serve(web_application(made), "127.0.0.1:0")
    made.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield made
    await runner.cleanup()


def hook(desk, secret="s3cret"):
    config = {"url": f"{desk.url}/webhooks/gitea", "content_type": "json", "secret": secret}
    return {"type": "gitea", "config": config, "events": ["push", "package"], "active": True}


async def test_a_package_that_is_pushed_to_gitea_is_told_of(gitea, desk):
    owner = gitea.owner
    made = await asyncio.to_thread(owner.api, "POST", "user/hooks", hook(desk))
    try:
        lab = Lab("gitea", gitea.host, gitea.url, headers=basic(owner.name, PASSWORD))
        await lab.push(f"{owner.name}/hooked", "1.1.0")
        wanted = ("gitea", ImagePush(registry=gitea.host, path=f"{owner.name}/hooked", tag="1.1.0"))
        await until(lambda: wanted in desk.taken)
        assert {result for _, result in desk.results} <= {"accepted", "ignored"}
    finally:
        await asyncio.to_thread(owner.api, "DELETE", f"user/hooks/{made['id']}")


async def test_a_branch_that_is_pushed_to_gitea_is_told_of_and_another_secret_is_refused(gitea, desk):
    owner = gitea.owner
    await asyncio.to_thread(owner.api, "POST", "user/repos", {"name": "hooked", "auto_init": True, "default_branch": "main"})
    try:
        await asyncio.to_thread(owner.api, "POST", f"repos/{owner.name}/hooked/hooks", hook(desk))
        await asyncio.to_thread(owner.api, "POST", f"repos/{owner.name}/hooked/hooks", hook(desk, "other"))
        content = {"content": "YQ==", "message": "a file", "branch": "main"}
        await asyncio.to_thread(owner.api, "POST", f"repos/{owner.name}/hooked/contents/a.txt", content)
        await until(lambda: {result for _, result in desk.results} == {"accepted", "refused"})
        ((_, push),) = desk.taken
        assert isinstance(push, BranchPush)
        assert (push.branch, f"{gitea.url}/{owner.name}/hooked.git" in push.urls) == ("main", True)
    finally:
        await asyncio.to_thread(owner.api, "DELETE", f"repos/{owner.name}/hooked")
