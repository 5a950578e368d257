"""What a webhook promises, from the request of a registry to the commit: at once, and only for who has the secret."""

from __future__ import annotations

import hmac
import json

import aiohttp
import pytest

from tests.flows.fleet import add_usual, fleet
from tests.flows.test_run import Daemon, until
from tests.real.parts import free_port

SENDERS = {"ci": "generic", "gh": "github"}


class HookedDaemon(Daemon):
    """`updater run` that receives webhooks, and asks registries by itself once in an hour."""

    def __init__(self, made, port, hooks):
        super().__init__(made, port)
        self.hooks, self.web = hooks, free_port()

    def configure(self):
        path = super().configure()
        text = path.read_text().replace("interval: 1s", "interval: 1h\ninterval_with_webhooks: 2h")
        listen = f'listen: {{metrics: "127.0.0.1:{self.port}"'
        assert listen in text
        text = text.replace(listen, f'{listen}, web: "127.0.0.1:{self.web}"')
        path.write_text(f"{text}web:\n  webhooks:\n{self.hooks}\n")
        return path

    async def post(self, path, **more):
        async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{self.web}{path}", **more) as answer:
            return answer.status, (await answer.text()).strip()


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    return {"X-Webhook-Secret": "s3cret"}


@pytest.fixture
async def hooked(tmp_path, secret):
    async with fleet(tmp_path) as made:
        add_usual(made)
        hooks = (
            '  - {name: ci, kind: generic, secret: "env:HOOK_SECRET"}\n  - {name: gh, kind: github, secret: "env:HOOK_SECRET"}'
        )
        async with HookedDaemon(made, free_port(), hooks) as running:
            await running.metric('updater_outcomes_total{method="git",status="unchanged"} 3.0')
            yield running


async def test_a_push_that_a_sender_tells_of_becomes_a_commit_long_before_the_interval_is_over(hooked, secret):
    hooked.made.registry.push("o/app", "1.1.0")
    body = {"image": f"{hooked.made.registry.host}/o/app:1.1.0"}
    assert await hooked.post("/webhooks/ci", json=body, headers=secret) == (202, "accepted")
    await until(lambda: "1.1.0" in hooked.made.file("apps/app.yaml"))
    await hooked.metric('updater_webhooks_total{result="accepted",webhook="ci"} 1.0')
    await hooked.metric("updater_webhook_scans_total 1.0")
    await hooked.metric("updater_images_with_webhooks 1.0")


async def test_a_delivery_without_the_secret_or_with_another_is_refused_and_asks_no_registry(hooked, secret):
    asked = len(hooked.made.registry.asked)
    body = {"image": f"{hooked.made.registry.host}/o/app:1.1.0"}
    assert (await hooked.post("/webhooks/ci", json=body))[0] == 401
    assert (await hooked.post("/webhooks/ci", json=body, headers={"X-Webhook-Secret": "other"}))[0] == 403
    assert (await hooked.post("/webhooks/other", json=body, headers=secret))[0] == 404
    unlisted = {"image": "ghcr.io/somebody/else:1"}
    assert await hooked.post("/webhooks/ci", json=unlisted, headers=secret) == (202, "unlisted")
    await hooked.metric('updater_webhooks_total{result="refused",webhook="ci"} 1.0')
    await hooked.metric('updater_webhooks_total{result="unsigned",webhook="ci"} 1.0')
    assert len(hooked.made.registry.asked) == asked


async def test_a_push_to_git_is_seen_at_once(hooked, secret):
    hooked.made.repository.commit({"apps/app.yaml": hooked.made.file("apps/app.yaml").replace("1.0.0", "0.9.0").encode()})
    body = {"ref": "refs/heads/main", "repository": {"clone_url": hooked.made.url}}
    text = json.dumps(body).encode()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + hmac.new(b"s3cret", text, "sha256").hexdigest()}
    assert await hooked.post("/webhooks/gh", data=text, headers=headers) == (202, "accepted")
    await until(lambda: ":1.0.0" in hooked.made.file("apps/app.yaml"))


async def test_a_tag_that_is_pushed_again_is_written_by_its_new_digest(tmp_path, secret):
    """A followed digest is asked for at once: no list tells of it."""
    async with fleet(tmp_path, **{"app.yaml": 'image: {host}/o/app:1.0.0 # {{"$imagepolicy": "ns:app"}}\n'}) as made:
        made.add("app", "marker: ns:app", policy="{digest: {tag: 1.0.0}}", more="form: tag@digest")
        async with HookedDaemon(made, free_port(), '  - {name: ci, kind: generic, secret: "env:HOOK_SECRET"}') as running:
            await until(lambda: "@sha256:" in made.file("app.yaml"))
            before = made.file("app.yaml")
            made.registry.push("o/app", "1.0.0", labels={"new": "yes"})
            body = {"image": f"{made.registry.host}/o/app:1.0.0"}
            assert await running.post("/webhooks/ci", json=body, headers=secret) == (202, "accepted")
            await until(lambda: made.file("app.yaml") != before)
