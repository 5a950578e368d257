"""What people do by the API of a running daemon promises: the same as the commands, by name, and only for who may."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import bcrypt
import pytest

from tests.flows.api import ServingDaemon
from tests.flows.fleet import add_usual, fleet
from tests.flows.test_commands import updater
from tests.flows.test_run import until


def line(name, password):
    return f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"


def basic(name, password):
    return {"Authorization": aiohttp.encode_basic_auth(name, password)}


JANE, VIV = basic("jane", "secret"), basic("viv", "other")


class PeopledDaemon(ServingDaemon):
    """`updater run` beyond loopback, with users of whom jane may act."""

    def __init__(self, made):
        self.users = made.folder / "htpasswd"
        self.users.write_text(line("jane", "secret") + line("viv", "other"))
        more = f"""web:
  users: "file:{self.users}"
  roles: {{act: [jane]}}
holds: {made.folder / "holds.yaml"}
"""
        super().__init__(made, more=more, host="0.0.0.0")

    async def act(self, key, act, *, headers=JANE, **fields):
        return await self.ask(f"/api/v1/subscriptions/{key}/{act}", "POST", json=fields, headers=headers)

    async def row(self, key):
        _, page = await self.ask("/api/v1/subscriptions", params={"key": key}, headers=JANE)
        return next(iter(page["subscriptions"]), {})

    async def is_so(self, key, **values):
        row = await self.row(key)
        return all(row.get(name) == value for name, value in values.items())


@pytest.fixture
async def served(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        async with PeopledDaemon(made) as running:
            await until(lambda: running.is_so("app", state="unchanged"))
            yield running


async def test_a_hold_by_the_api_keeps_a_version_back_by_name_until_it_is_released(served):
    status, done = await served.act("app", "hold", reason="freeze <b>now</b>")
    assert (status, done["author"], done["changed"]) == (200, "jane", True)
    assert "jane" in (served.made.folder / "holds.yaml").read_text()
    served.made.registry.push("o/app", "1.1.0")
    await until(lambda: served.is_so("app", state="held", held_by="hold", newest="1.1.0"))
    assert "held by jane: freeze" in (await served.row("app"))["reason"]
    assert ":1.0.0" in served.made.file("apps/app.yaml")

    _, preview = await served.ask("/api/v1/subscriptions/app/preview?act=release", headers=JANE)
    assert [text[0] for text in preview["diff"] if "image:" in text] == ["-", "+"]
    _, preview = await served.ask("/api/v1/subscriptions/app/preview", headers=JANE)
    assert (preview["diff"], preview["targets"][0]["code"]) == ([], "hold")

    status, done = await served.act("app", "release", reason="over")
    assert (status, done["told"]) == (200, "no decision is in force")
    await until(lambda: ":1.1.0" in served.made.file("apps/app.yaml"))
    _, recent = await served.ask("/api/v1/events/recent", headers=JANE)
    acts = {event["word"]: event["detail"] for event in recent["events"] if event["author"] == "jane"}
    assert (acts["hold"], acts["release"]) == ("held: freeze <b>now</b>", "released: over")


async def test_a_pin_goes_back_and_a_rejection_is_never_chosen(served):
    served.made.registry.push("o/app", "0.9.0")
    status, _ = await served.act("app", "pin", tag="0.9.0", reason="it broke", **{"for": "4h"})
    assert status == 200
    await until(lambda: ":0.9.0" in served.made.file("apps/app.yaml"))
    status, _ = await served.act("web", "reject", image="1.1.0", reason="bad")
    assert status == 200
    status, done = await served.act("web", "reject", image="1.1.0", reason="bad")
    assert (status, done["changed"]) == (200, False)
    served.made.registry.push("o/web", "1.1.0")
    assert (await served.act("web", "scan"))[0] == 200

    async def is_told():
        _, detail = await served.ask("/api/v1/subscriptions/web", headers=JANE)
        return {step["tag"]: step["code"] for step in detail["ladder"]}.get("1.1.0") == "rejected"

    await until(is_told)


async def test_what_is_not_allowed_is_refused_logged_and_counted(served):
    assert (await served.ask("/api/v1/subscriptions"))[0] == 401
    assert (await served.act("app", "hold", reason="x", headers=VIV))[0] == 403
    assert (await served.act("app", "hold", reason="x", headers=basic("jane", "wrong")))[0] == 401
    for word in ('{reason="act"} 1.0', '{reason="password"} 1.0', '{reason="unknown-person"}'):
        await served.metric(f"updater_web_denied_total{word}")
    assert any("denied" in text and "viv" in text for text in served.lines)
    assert not (served.made.folder / "holds.yaml").exists()
    for fields, code in (({}, "bad-body"), ({"reason": "x", "until": "yesterday"}, "usage")):
        status, body = await served.act("app", "hold", **fields)
        assert (status, body["error"]["code"]) == (400, code)
    _, recent = await served.ask("/api/v1/events/recent", headers=JANE)
    refused = next(event for event in recent["events"] if event["code"] == "usage")
    assert (refused["detail"], refused["author"]) == ("hold refused (usage): x", "jane")  # which does not read as done


async def test_status_asks_the_site_with_a_password_and_says_so_where_it_needs_one(served, monkeypatch):
    monkeypatch.setenv("WHO", "jane:secret")
    code, output, _ = await updater("status", "app", "--server", served.base, "--credentials", "env:WHO", "-o", "json")
    (row,) = json.loads(output)
    assert (code, row["key"], row["state"], row["chosen"]) == (0, "app", "unchanged", "1.0.0")
    code, _, errors = await updater("status", "--server", served.base)
    assert (code, "asks who you are" in errors, "--credentials" in errors) == (1, True, True)
    code, _, errors = await updater("status", "--credentials", "env:WHO")
    assert (code, "--credentials is for --server" in errors) == (2, True)


async def test_users_are_read_again_and_what_was_taken_away_ends_at_once(served):
    assert (await served.ask("/api/v1/health", headers=VIV))[0] == 200
    served.users.write_text(line("jane", "secret") + line("new", "pass"))

    async def is_gone():
        return (await served.ask("/api/v1/health", headers=VIV))[0] == 401

    async def is_known():
        return (await served.ask("/api/v1/health", headers=basic("new", "pass")))[0] == 200

    await until(is_gone)
    await until(is_known)


async def test_a_session_outlasts_the_daemon(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        running = PeopledDaemon(made)
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            async with running:
                await until(lambda: running.is_so("app", state="unchanged"))
                user = {"user": "jane", "password": "secret"}
                async with session.post(f"{running.base}/api/v1/session", json=user) as answer:
                    assert answer.status == 204
            key = made.state / "session.key"
            assert key.stat().st_mode & 0o077 == 0
            async with running:
                await until(lambda: running.is_so("app", state="unchanged"))
                async with session.get(f"{running.base}/api/v1/session") as answer:
                    told = json.loads(await answer.text())
        assert (told["person"], told["may_act"], bool(told["form_token"])) == ("jane", True, True)


async def test_a_stop_does_not_wait_for_those_who_follow_events(served):
    async with aiohttp.ClientSession() as session, session.get(f"{served.base}/api/v1/events", headers=JANE) as answer:
        assert answer.content_type == "text/event-stream"
        served.process.terminate()
        async with asyncio.timeout(30):
            assert await served.process.wait() == 0
