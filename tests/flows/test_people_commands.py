"""hold, pin, reject and release as a person runs them, and a daemon that takes them up without a restart."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.eventually import until
from tests.flows.fleet import Status, fleet
from tests.flows.test_commands import updater
from tests.flows.test_people import passed, typed
from tests.flows.test_run import Daemon
from tests.real.parts import free_port

pytestmark = pytest.mark.real


async def rows(*arguments):
    code, output, errors = await updater(*arguments, "-o", "json")
    assert code == 0, errors
    return json.loads(output)


async def test_a_hold_is_written_beside_the_configuration_shown_everywhere_and_taken_back(tmp_path, monkeypatch):
    for name, value in (("GIT_AUTHOR_NAME", "Jane Doe"), ("GIT_AUTHOR_EMAIL", "jane@example.org")):
        monkeypatch.setenv(name, value)
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        config = made.configure()
        (row,) = await rows("hold", "app", "--for", "4h", "--reason", "incident 4711", "-c", config)
        assert (row["key"], row["changed"], row["where"]) == ("app", True, str(tmp_path / "holds.yaml"))
        assert row["hold"]["author"] == "Jane Doe <jane@example.org>"
        assert row["hold"]["until"].endswith("Z")
        assert row["pin"] is None
        (explained,) = await rows("explain", "app", "-c", config)
        (outcome,) = explained["outcomes"]
        assert (outcome["status"], outcome["code"]) == ("held", "hold")
        assert "held by Jane Doe <jane@example.org> until " in outcome["detail"]
        assert outcome["hint"] == "updater release app lets updates go on"
        assert [item["reason"] for item in explained["holds"]] == ["incident 4711"]
        (status,) = await rows("status", "-c", config)
        assert status["held_by"] == "hold"
        assert "incident 4711" in status["reason"]
        done = await rows("once", "-c", config)
        assert done["outcomes"][0]["code"] == "hold"
        code, output, _ = await updater("release", "app", "-c", config)
        assert (code, output) == (0, f"app: released; no decision is in force ({tmp_path / 'holds.yaml'})\n")
        assert (await passed(made)).status is Status.UPDATED


async def test_deciding_the_same_again_changes_nothing(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        config = made.configure()
        for arguments in (("hold", "app", "--reason", "r"), ("pin", "app", "1.0.0"), ("reject", "app", "1.1.0")):
            assert [row["changed"] for row in await rows(*arguments, "-c", config)] == [True]
            before = (tmp_path / "holds.yaml").read_bytes()
            assert [row["changed"] for row in await rows(*arguments, "-c", config)] == [False]
            assert (tmp_path / "holds.yaml").read_bytes() == before
        assert [row["changed"] for row in await rows("release", "app", "-c", config)] == [True]
        assert [row["changed"] for row in await rows("release", "app", "-c", config)] == [False]


async def test_what_cannot_be_meant_is_refused_with_the_nearest_name(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        config = made.configure()
        for arguments, said in (
            (("hold", "ap"), "did you mean 'app'?"),
            (("hold", "app", "--for", "soon"), "is not a duration"),
            (("hold", "app", "--until", "2020-01-01"), "is over"),
            (("hold", "app", "--until", "x"), "is not a time"),
            (("hold", "app", "--until", "2999-01-01", "--for", "4h"), "are both set"),
            (("pin", "app", "not a tag"), "is not a tag"),
            (("reject", "app", "not a tag"), "neither a tag nor a digest"),
            (("reject", "app", "sha256:x"), "digest"),
        ):
            code, _, errors = await updater(*arguments, "-c", config)
            assert code in {1, 2}, arguments
            assert said in errors
        assert not (tmp_path / "holds.yaml").exists()


async def test_release_lets_what_a_person_rolled_back_be_written_again(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await passed(made)
        ours = made.repository.head()
        typed(made, "1.1.0", "1.0.0")
        assert (await passed(made)).code == "rejected"
        _, output, _ = await updater("release", "app", "-c", made.configure())
        assert output.startswith(f"app: released; may be written again: what {ours[:9]} wrote and people took back (")
        (row,) = await rows("release", "app", "-c", made.configure())
        assert (row["readmit"], row["changed"]) == ([ours], False)
        assert (await passed(made)).status is Status.UPDATED


async def test_a_running_daemon_takes_decisions_up_and_notices_when_they_end(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        config = made.configure()
        await rows("hold", "app", "--reason", "freeze", "-c", config)
        made.registry.push("o/app", "1.1.0")
        async with Daemon(made, free_port()) as running:
            await running.says('"code":"hold"')
            assert "1.0.0" in made.file("apps/app.yaml")
            await updater("release", "app", "-c", config)
            await until(lambda: "1.1.0" in made.file("apps/app.yaml"))
            await updater("pin", "app", "1.0.0", "-c", config)
            await until(lambda: "1.0.0" in made.file("apps/app.yaml"))
            await running.says('"code":"pinned"')
            end = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
            await updater("pin", "app", "1.0.0", "--until", end, "-c", config)
            await until(lambda: "1.1.0" in made.file("apps/app.yaml"))


async def test_a_file_that_cannot_be_read_holds_a_running_daemon_until_it_is_mended(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.configure()
        async with Daemon(made, free_port()) as running:
            await running.says('"checked for updates"')
            (tmp_path / "holds.yaml").write_text("app: [\n")
            await running.says('"code":"holds-unreadable"')
            made.registry.push("o/app", "1.1.0")
            await until(lambda: sum('"code":"holds-unreadable"' in line for line in running.lines) > 1)
            assert "1.0.0" in made.file("apps/app.yaml")
            (tmp_path / "holds.yaml").write_text("{}\n")
            await until(lambda: "1.1.0" in made.file("apps/app.yaml"))


@pytest.mark.parametrize("with_state", [True, False])
async def test_a_killed_daemon_respects_what_people_decided_when_it_comes_back(tmp_path, with_state):
    """A hold, and a value that a person typed while nothing ran or while it was being killed, stay."""
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.add("web", "kustomize: {path: apps/web, name: web}")
        for name in ("app", "web"):
            made.registry.push(f"o/{name}", "1.1.0")
        async with Daemon(made, free_port()) as running:
            await until(lambda: "1.1.0" in made.file("apps/app.yaml") and "1.1.0" in made.file("apps/web/kustomization.yaml"))
            await rows("hold", "web", "-c", tmp_path / "updater.yaml")
            typed(made, "1.1.0", "1.0.0")
            running.process.send_signal(signal.SIGKILL)
            await running.process.wait()
        made.registry.push("o/web", "1.2.0")
        if not with_state:
            made.forget()
        async with Daemon(made, free_port()) as running:
            await running.says('"code":"rejected"')
            await running.says('"code":"hold"')
            await asyncio.sleep(2.5)  # two more passes
            assert "1.0.0" in made.file("apps/app.yaml")
            assert "1.1.0" in made.file("apps/web/kustomization.yaml")


async def test_a_value_typed_while_it_runs_is_respected_at_once(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        async with Daemon(made, free_port()) as running:
            await until(lambda: "1.1.0" in made.file("apps/app.yaml"))
            typed(made, "1.1.0", "1.0.0")
            commits = made.commits()
            await running.says('"code":"rejected"')
            await asyncio.sleep(2.5)
            assert made.commits() == commits
