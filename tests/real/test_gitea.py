"""A real Gitea as Git server and as registry: what it is shown, what it refuses, and what the program says of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from tests.flows.fleet import Status
from tests.real.gitea_flows import FILE
from tests.real.gitea_lab import PASSWORD
from tests.real.registries import Lab, basic

pytestmark = [pytest.mark.real, pytest.mark.gitea, pytest.mark.xdist_group("gitea")]


async def test_a_token_lands_an_update_and_the_next_pass_changes_nothing(on_gitea):
    on_gitea.add("app", "marker: ns:app")
    on_gitea.push("1.1.0")
    end = await on_gitea.land()
    assert (end.status, on_gitea.written(), end.revision) == (Status.UPDATED, "1.1.0", on_gitea.repository.head())
    (branch,) = on_gitea.repository.api("GET", "branches")
    assert branch["commit"]["id"] == end.revision
    assert (await on_gitea.land()).status is Status.UNCHANGED
    assert len(on_gitea.commits()) == 2


@pytest.mark.parametrize(
    ("shown", "is_accepted"),
    [("user-and-password", True), ("user-and-token", True), ("bearer", True), ("wrong", False), ("read-only", False)],
)
async def test_what_is_shown_opens_the_repository_or_is_told_as_refused(on_gitea, shown, is_accepted):
    bot = on_gitea.gitea.bot
    shown_by = {
        "user-and-password": f"{bot.name}:{PASSWORD}",
        "user-and-token": f"{bot.name}:{bot.token}",
        "bearer": f"Bearer {bot.token}",
        "wrong": "a-wrong-token-0123456789",
        "read-only": bot.new_token("read:repository") if shown == "read-only" else "",
    }
    on_gitea.show(shown_by[shown])
    on_gitea.add("app", "marker: ns:app")
    on_gitea.push("1.1.0")
    end = await on_gitea.land()
    if is_accepted:
        assert (end.status, on_gitea.written()) == (Status.UPDATED, "1.1.0")
        return
    assert (end.status, end.code) == (Status.FAILED, "git-denied" if shown == "wrong" else "git-forbidden")
    assert str(on_gitea.token) in end.detail
    assert shown_by[shown] not in f"{end.detail}{end.hint}"
    assert on_gitea.written() == "1.0.0"


async def test_a_private_repository_is_not_there_for_whom_it_is_not_shown(on_gitea):
    on_gitea.repository.api("PATCH", "", {"private": True})
    on_gitea.add("app", "marker: ns:app")
    on_gitea.push("1.1.0")
    assert (await on_gitea.land()).status is Status.UPDATED
    on_gitea.push("1.2.0")
    on_gitea.repository.api("DELETE", f"collaborators/{on_gitea.gitea.bot.name}")
    end = await on_gitea.land()
    assert (end.status, end.code) == (Status.FAILED, "git-not-found")
    on_gitea.extra = ""
    end = await on_gitea.land()
    assert (end.status, end.code) == (Status.FAILED, "git-denied")


async def test_a_protected_branch_refuses_in_its_own_words_and_a_push_branch_goes_past_it(on_gitea):
    rule = {"rule_name": "main", "enable_push": False}
    on_gitea.repository.api("POST", "branch_protections", rule)
    on_gitea.add("app", "marker: ns:app")
    on_gitea.push("1.1.0")
    end = await on_gitea.land()
    assert (end.status, end.code) == (Status.FAILED, "push-declined")
    assert "Not allowed to push to protected branch main" in end.detail
    assert on_gitea.written() == "1.0.0"
    on_gitea.subscriptions.clear()
    on_gitea.add("app", "marker: ns:app", push="updates")
    end = await on_gitea.land()
    assert (end.status, on_gitea.written("updates"), on_gitea.written()) == (Status.UPDATED, "1.1.0", "1.0.0")


async def test_an_archived_repository_is_told_as_forbidden(on_gitea):
    on_gitea.repository.api("PATCH", "", {"archived": True})
    on_gitea.add("app", "marker: ns:app")
    on_gitea.push("1.1.0")
    end = await on_gitea.land()
    assert (end.status, end.code) == (Status.FAILED, "git-forbidden")


async def test_a_repository_that_was_renamed_is_found_by_the_redirect_of_its_host(on_gitea):
    on_gitea.add("app", "marker: ns:app")
    on_gitea.repository.api("PATCH", "", {"name": f"{on_gitea.repository.name}-new"})
    on_gitea.push("1.1.0")
    end = await on_gitea.land()
    path = on_gitea.repository.path
    on_gitea.repository.path = path.with_name(f"{path.name.removesuffix('.git')}-new.git")
    assert (end.status, on_gitea.written()) == (Status.UPDATED, "1.1.0")


async def test_a_key_of_an_account_lands_over_gitea_s_own_ssh_server(on_gitea, tmp_path):
    from tests.fakes.ssh_server import make_key  # noqa: PLC0415

    gitea = on_gitea.gitea
    make_key(tmp_path / "key")
    public = (tmp_path / "key.pub").read_text()
    gitea.bot.api("POST", "user/keys", {"title": tmp_path.name, "key": public})
    prefix = f"ssh://git@127.0.0.1:{gitea.ssh_port}/"
    hosts = tmp_path / "known_hosts"
    on_gitea.extra = f'  repositories:\n    - {{prefix: "{prefix}", credentials: "file:{tmp_path}/key", known_hosts: "{hosts}"}}'
    on_gitea.add("app", "marker: ns:app")
    on_gitea.subscriptions[-1] = on_gitea.subscriptions[-1].replace(f"{gitea.url}/", prefix)
    on_gitea.push("1.1.0")
    hosts.write_text("")
    end = await on_gitea.land()
    assert (end.status, end.code) == (Status.FAILED, "host-key-unknown")
    hosts.write_bytes(gitea.known_hosts())
    end = await on_gitea.land()
    assert (end.status, on_gitea.written()) == (Status.UPDATED, "1.1.0"), end


class OnItself(Lab):
    """Gitea's registry of containers: a package of an account."""

    async def _headers(self, name):
        return self.headers


@pytest.fixture
def packages(gitea):
    headers = basic(gitea.owner.name, gitea.owner.token)
    return OnItself("gitea", gitea.host, gitea.url, headers=headers)


def registered(on_gitea, credentials="", name="owner/app"):
    """Point the subscription and the file at Gitea's registry; give the image's name."""
    gitea = on_gitea.gitea
    given = f', credentials: "file:{credentials}"' if credentials else ""
    on_gitea.registries = f'  - {{prefix: "{gitea.host}", url: "{gitea.url}", insecure: true{given}}}'
    text = f'spec:\n  image: {gitea.host}/{name}:1.0.0  # {{"$imagepolicy": "ns:app"}}\n'
    on_gitea.repository.commit({FILE: text.encode()})
    on_gitea.add("app", "marker: ns:app")
    on_gitea.subscriptions[-1] = on_gitea.subscriptions[-1].replace(f"{on_gitea.registry.host}/o/app", f"{gitea.host}/{name}")


async def test_its_registry_is_scanned_by_its_own_tokens_beside_its_git(on_gitea, packages, tmp_path):
    await packages.push("owner/app", "1.0.0", "1.1.0", "latest", "not-a-version")
    registered(on_gitea)
    end = await on_gitea.land()
    assert (end.status, on_gitea.written()) == (Status.UPDATED, "1.1.0"), end
    await packages.push("owner/app", *(f"1.2.{number}" for number in range(60)))
    end = await on_gitea.land()
    assert (end.status, on_gitea.written()) == (Status.UPDATED, "1.2.59"), end


@pytest.mark.parametrize("memory", ["kept", "lost"])
async def test_one_gitea_is_registry_git_server_and_forge_at_once(on_gitea, packages, memory):
    name, branch = f"owner/whole-{memory}", "updater/main/app"
    await packages.push(name, "1.0.0")
    registered(on_gitea, name=name)
    on_gitea.show(on_gitea.token.read_text(), ", forge: {kind: gitea}")
    on_gitea.subscriptions[-1] = on_gitea.subscriptions[-1].replace("branch: main", "branch: main, proposal: {}")
    async with on_gitea.opened() as generation:
        on_gitea.generation = generation if memory == "kept" else None
        assert (await on_gitea.land()).status is Status.UNCHANGED
        digest = await packages.push(name, "1.1.0")
        end = await on_gitea.land()
        (pull,) = on_gitea.repository.pulls()
        assert (end.status, end.link) == (Status.PROPOSED, pull["html_url"]), end
        assert (on_gitea.written(branch), on_gitea.written(), pull["user"]["login"]) == ("1.1.0", "1.0.0", "bot")
        assert str(digest)[:19] in pull["body"]
        on_gitea.repository.merge(1)
        end = await on_gitea.land()
        assert (end.status, on_gitea.written(), on_gitea.repository.head(branch)) == (Status.UNCHANGED, "1.1.0", None), end
        await packages.push(name, "1.2.0")
        assert (await on_gitea.land()).status is Status.PROPOSED
        on_gitea.repository.change(2, state="closed")
        end = await on_gitea.land()
        assert (end.status, end.code) == (Status.HELD, "proposal-closed"), end
        await packages.push(name, "1.3.0")
        assert (await on_gitea.land()).status is Status.PROPOSED
        assert [item["state"] for item in on_gitea.repository.pulls()] == ["closed", "closed", "open"]
        assert (on_gitea.written(branch), on_gitea.written()) == ("1.3.0", "1.1.0")


async def test_its_private_packages_need_a_login_and_a_wrong_one_is_told(on_gitea, packages, gitea, tmp_path):
    gitea.hide(gitea.owner, is_hidden=True)
    try:
        await packages.push("owner/closed", "1.0.0", "1.3.0")
        login = tmp_path / "login"
        registered(on_gitea, login, "owner/closed")
        login.write_text("owner:wrong-password")
        end = await on_gitea.land()
        assert (end.status, end.code) == (Status.FAILED, "registry-denied")
        login.write_text(f"owner:{gitea.owner.new_token('read:package')}")
        end = await on_gitea.land()
        assert (end.status, on_gitea.written()) == (Status.UPDATED, "1.3.0"), end
        login.write_text(f"bot:{gitea.bot.token}")
        end = await on_gitea.land()
        assert end.status is Status.FAILED
    finally:
        gitea.hide(gitea.owner, is_hidden=False)


async def test_the_command_once_tells_what_it_wrote_there(on_gitea):
    on_gitea.add("app", "marker: ns:app")
    on_gitea.push("1.1.0")
    command = (sys.executable, "-m", "updater", "once", "-o", "json", "--config", str(on_gitea.configure()))
    program = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"})
    said, _ = await program.communicate()
    (outcome,) = json.loads(said)["outcomes"]
    assert (program.returncode, outcome["status"]) == (0, "updated")
    assert outcome["revision"] == on_gitea.repository.head()
