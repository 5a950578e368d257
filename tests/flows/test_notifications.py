"""What people and programs are told, from the tag to the message: once, in time, and at nobody's cost."""

from __future__ import annotations

import pytest

from tests.fakes.message_receiver import MessageReceiver
from tests.flows.fleet import add_usual, fleet


@pytest.fixture
async def receiver():
    async with MessageReceiver() as running:
        yield running


@pytest.fixture
async def made(tmp_path):
    async with fleet(tmp_path) as running:
        add_usual(running)
        yield running


def tell(made, monkeypatch, url, more=""):
    monkeypatch.setenv("CHAT_URL", url)
    made.extra = f'notifications:\n  - {{name: chat, to: "env:CHAT_URL"{more}}}\n'


async def test_one_landing_is_one_message_with_all_its_changes(made, receiver, monkeypatch):
    tell(made, monkeypatch, receiver.url("json"))
    for name in ("app", "web", "api"):
        made.registry.push(f"o/{name}", "1.1.0")
    await made.once()
    (delivery,) = receiver.deliveries
    message = delivery.json()
    assert message["title"] == f"3 updated in {made.url}#main"
    assert [name for name in ("app", "web", "api") if f"{made.registry.host}/o/{name} 1.0.0 → 1.1.0" in message["message"]]
    assert made.repository.git("rev-parse", "--short=9", "main").strip() in message["message"]
