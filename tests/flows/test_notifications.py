"""What people and programs are told, from the tag to the message: once, in time, and at nobody's cost."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys

import pytest

from tests.fakes.eventually import until, until_there
from tests.fakes.message_receiver import Answer, MailReceiver, MessageReceiver
from tests.flows.fleet import add_usual, fleet
from tests.flows.test_run import PATIENCE, Daemon
from tests.flows.test_run import until as answered
from tests.real.parts import free_port

SECRET = "s3cr3t-T0ken-0123456789"


@pytest.fixture
async def receiver():
    async with MessageReceiver() as running:
        yield running


@pytest.fixture
async def made(tmp_path):
    async with fleet(tmp_path) as running:
        add_usual(running)
        yield running


@pytest.fixture
def tell(made, monkeypatch):
    """Give the fleet one route to *url*."""

    def route(url, more=""):
        monkeypatch.setenv("CHAT_URL", url)
        made.extra = f'notifications:\n  - {{name: chat, to: "env:CHAT_URL"{more}}}\n'

    return route


def titles(receiver):
    return [delivery.json()["title"] for delivery in receiver.deliveries]


async def updater(made, *words):
    """Run a command as a process; give its exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "updater", *words, "-c", str(made.configure()), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_one_landing_is_one_message_with_all_its_changes(made, receiver, tell):
    tell(receiver.url("json"))
    for name in ("app", "web", "api"):
        made.registry.push(f"o/{name}", "1.1.0")
    await made.once()
    (delivery,) = receiver.deliveries
    message = delivery.json()
    assert message["title"] == f"3 updated in {made.url}#main"
    assert [
        name for name in ("app", "web", "api") if f"{made.registry.host}/o/{name} 1.0.0 → 1.1.0" not in message["message"]
    ] == []
    assert made.repository.git("rev-parse", "--short=9", "main").strip() in message["message"]


async def test_a_failure_is_told_once_over_passes_in_processes_of_their_own_and_then_its_end(made, receiver, tell):
    tell(receiver.url("json"), ", only: app")
    made.registry.push("o/app", "1.1.0")
    text = made.file("apps/app.yaml")
    made.repository.commit({"apps/app.yaml": text.replace("ns:app", "ns:other").encode()})
    for _ in range(3):
        await made.once()
    made.repository.commit({"apps/app.yaml": text.encode()})
    await made.once()
    assert titles(receiver)[0] == "app: failed"
    assert len(receiver.deliveries) == 2
    assert "Recovered" in receiver.deliveries[1].json()["message"]
    assert "1.0.0 → 1.1.0" in receiver.deliveries[1].json()["message"]


async def test_a_dry_run_tells_nobody_anything(made, receiver, tell):
    tell(receiver.url("json"))
    made.registry.push("o/app", "1.1.0")
    await made.once(is_dry=True)
    assert receiver.deliveries == []


async def test_programs_get_an_event_with_the_commit_and_every_changed_line(made, receiver, tell):
    tell(receiver.url(), ", kind: cloudevents")
    made.registry.push("o/app", "1.1.0")
    made.registry.push("o/web", "1.1.0")
    await made.once()
    (delivery,) = receiver.deliveries
    event = delivery.json()
    assert (event["type"], event["subject"]) == ("io.gitops-image-updater.image.updated", f"{made.url}#main")
    targets = {target["subscription"]: target for target in event["data"]["targets"]}
    assert set(targets) == {"app", "web"}
    assert targets["app"]["revision"] == made.repository.git("rev-parse", "main").strip()
    assert [(change["path"], change["line"]) for change in targets["app"]["changes"]] == [("apps/app.yaml", 2)]


async def test_a_team_gets_a_mail(made, tell):
    async with MailReceiver() as mails:
        tell(mails.url())
        made.registry.push("o/app", "1.1.0")
        await made.once()
    (mail,) = mails.mails
    assert mail["Subject"] == "app: updated to 1.1.0"
    assert "1.0.0 → 1.1.0" in mail.get_body(("plain",)).get_content()


async def test_a_pass_sends_its_messages_before_it_ends_and_says_what_was_refused(made, receiver, tell):
    tell(receiver.url("json", f"/{SECRET}"))
    receiver.usual = Answer(403)
    made.registry.push("o/app", "1.1.0")
    code, out, err = await updater(made, "once", "-o", "json")
    done = json.loads(out)
    assert (code, len(receiver.deliveries)) == (0, 1)
    (problem,) = done["problems"]
    assert (problem["code"], problem["message"]) == ("notify-refused", "JSON returned HTTP 403")
    assert SECRET not in out + err
    assert "1.1.0" in made.file("apps/app.yaml")


async def test_the_test_message_shows_every_event_of_the_route(made, receiver, tell):
    tell(receiver.url("json"), ", on: [updated, failed]")
    code, out, err = await updater(made, "notify", "--test", "chat")
    assert (code, out, err) == (0, "sent a test message to the route chat\n", "")
    (delivery,) = receiver.deliveries
    assert delivery.json()["title"].startswith("Test: 1 failed, 1 updated")


async def test_a_test_message_that_is_refused_ends_in_1_and_an_unknown_route_or_option_in_2(made, receiver, tell):
    tell(receiver.url("json", f"/{SECRET}"))
    receiver.usual = Answer(500)
    code, out, err = await updater(made, "notify", "--test", "chat")
    assert (code, out) == (1, "")
    assert err == "error: JSON returned HTTP 500\nhint: it is tried again\n"
    code, _, err = await updater(made, "notify", "--test", "chatt")
    assert (code, err) == (2, "error: there is no route 'chatt'\nhint: did you mean 'chat'?\n")
    assert (await updater(made, "notify"))[0] == 2
    made.extra = "notifications: [{to: 'env:NOT_SET_ANYWHERE'}]"
    code, _, err = await updater(made, "notify", "--test", "1")
    assert (code, err.partition("\n")[0]) == (1, "error: the variable NOT_SET_ANYWHERE is not set")


async def test_a_template_that_names_what_is_not_there_is_refused_when_the_configuration_is_read(made, receiver, tell):
    tell(receiver.url("json"), ', template: "{{ .Tag }}"')
    code, _, err = await updater(made, "once")
    assert code == 2
    assert err.startswith("error: notifications[0].template: ")
    assert "hint: " in err
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "updater", "validate", str(made.configure()), stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 1
    assert b"notifications[0].template: " in out


class TellingDaemon(Daemon):
    """`updater run` with a route."""

    async def at_least(self, series, number):
        """Wait until a series is *number* or more."""

        async def is_there():
            lines = (await self.get("/metrics"))[1].splitlines()
            return any(line.startswith(f"{series} ") and float(line.rpartition(" ")[2]) >= number for line in lines)

        await answered(is_there)

    async def stop(self):
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


async def test_a_tag_pushed_while_the_daemon_runs_becomes_a_message(made, receiver, tell):
    tell(receiver.url("json"))
    async with TellingDaemon(made, free_port()) as running:
        await running.metric("updater_generation 1.0")
        made.registry.push("o/app", "1.1.0")
        await until(lambda: receiver.deliveries)
        await running.metric('updater_notifications_total{result="sent",route="chat"} 1.0')
        assert await running.stop() == 0
    assert titles(receiver) == ["app: updated to 1.1.0"]


@pytest.mark.parametrize("kind", ["apprise", "cloudevents"])
async def test_a_receiver_that_hangs_delays_no_landing_and_not_the_end(made, receiver, tell, kind):
    receiver.usual = Answer(hangs=True)
    tell(receiver.url("json" if kind == "apprise" else "http"), f", kind: {kind}")
    async with TellingDaemon(made, free_port()) as running:
        made.registry.push("o/app", "1.1.0")
        await until(lambda: receiver.deliveries)
        for version in ("1.2.0", "1.3.0"):
            made.registry.push("o/app", version)
            await until_there(lambda wanted=version: wanted in made.file("apps/app.yaml"))
        await running.at_least('updater_notifications_waiting{route="chat"}', 3)
        assert await running.stop() == 0
        await running.says("messages were not sent before the end")


async def test_a_receiver_that_is_dead_delays_nothing_and_no_line_of_the_log_holds_its_token(made, tell):
    tell(f"json://127.0.0.1:1/{SECRET}?token={SECRET}")
    async with TellingDaemon(made, free_port()) as running:
        for version in ("1.1.0", "1.2.0"):
            made.registry.push("o/app", version)
            await until_there(lambda wanted=version: wanted in made.file("apps/app.yaml"))
        await running.says("notify-unavailable")
        assert await running.stop() == 0
    assert [line for line in running.lines if SECRET in line] == []


async def test_a_restart_tells_nothing_again(made, receiver, tell):
    tell(receiver.url("json"), ", only: app")
    made.repository.commit({"apps/app.yaml": made.file("apps/app.yaml").replace("ns:app", "ns:other").encode()})
    for _ in range(2):
        async with TellingDaemon(made, free_port()) as running:
            await running.at_least('updater_outcomes_total{method="git",status="failed"}', 2)
            assert await running.stop() == 0
    assert titles(receiver) == ["app: failed"]


async def test_an_address_that_a_reload_brings_is_told_from_then_on(made, receiver, tell, monkeypatch):
    tell(receiver.url("json"))
    added, made.extra = made.extra, ""
    async with TellingDaemon(made, free_port()) as running:
        await running.metric("updater_generation 1.0")
        made.extra = added
        running.configure()
        await running.metric("updater_generation 2.0")
        made.registry.push("o/app", "1.1.0")
        await until(lambda: receiver.deliveries)
    assert titles(receiver) == ["app: updated to 1.1.0"]
