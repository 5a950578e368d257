"""With `on_bad: hold` a bad release is held for a person: nothing is written, it is said everywhere, and a person ends it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

from tests.fakes.eventually import until
from tests.flows.promotion_flows import stages
from tests.flows.test_commands import updater

HOLD = "settle: 50ms, on_bad: hold"


@asynccontextmanager
async def one(tmp_path, **more):
    async with stages(tmp_path, "web") as line:
        line.add("web", delivery=HOLD, **more)
        yield line


async def turns_bad(line):
    """Let 1.1.0 be written, applied, and fail."""
    await line.deploys("web")
    line.push("1.1.0")
    await line.written("web", "1.1.0")
    await line.deploys("web", "1.1.0", available=0)
    await line.fails("web", "1.1.0")
    await until(lambda: line.outcome("web").held_by == "bad-release")


async def test_a_bad_release_is_held_for_a_person_and_nothing_newer_is_written(tmp_path):
    async with one(tmp_path) as line, line.running():
        await turns_bad(line)
        assert "1.1.0 of commit" in line.detail("web")
        assert "timed out; held for a person" in line.detail("web")
        before = line.made.commits()
        line.push("1.2.0")
        await line.scanned()
        await line.decided("web")
        assert line.outcome("web").held_by == "bad-release"
        assert "1.1.0 → 1.2.0" in line.detail("web")
        assert line.made.commits() == before
        text = line.generation._process.render_metrics().decode()
        assert 'updater_gate_holds{code="bad-release"} 1.0' in text


async def test_a_release_by_a_person_lets_newer_versions_be_written(tmp_path):
    async with one(tmp_path) as line, line.running():
        await turns_bad(line)
        line.push("1.2.0")
        code, output, errors = await updater("release", "web", "-c", line.made.configure())
        assert code == 0, errors
        assert "may be written again" in output
        await line.written("web", "1.2.0")


async def test_a_pin_moves_it_away_from_what_is_bad(tmp_path):
    async with one(tmp_path) as line, line.running():
        line.push("1.0.5")
        await turns_bad(line)
        (tmp_path / "holds.yaml").write_text("web: {pin: {tag: 1.0.5, author: Jane}}\n")
        await line.written("web", "1.0.5")


async def test_a_person_who_goes_back_ends_the_hold_and_the_bad_version_does_not_return(tmp_path):
    async with one(tmp_path) as line, line.running():
        await turns_bad(line)
        text = line.made.file("web.yaml").replace("app:1.1.0", "app:1.0.0")
        line.made.repository.commit({"web.yaml": text.encode()})
        await until(lambda: line.outcome("web").held_by == "rejected")
        line.push("1.2.0")
        await line.written("web", "1.2.0")


async def test_a_restart_does_not_forget_what_is_held_and_explain_and_once_know_it(tmp_path):
    async with one(tmp_path) as line:
        async with line.running():
            await turns_bad(line)
        await line.deploys("web", "1.1.0")  # somebody mends the cluster: a person decides all the same
        line.push("1.2.0")
        code, output, errors = await updater("explain", "web", "-o", "json", "-c", line.made.configure())
        assert code == 0, errors
        (row,) = json.loads(output)
        assert [(item["gate"], item["code"]) for item in row["gates"]] == [("release", "bad-release")]
        end = (await line.made.once())["web"]
        assert (end.code, line.says("web")) == ("bad-release", "1.1.0")
        async with line.running():
            await line.decided("web")
            assert (line.outcome("web").held_by, line.says("web")) == ("bad-release", "1.1.0")


async def test_what_a_push_branch_proposes_stays_there_while_a_bad_release_is_held(tmp_path):
    async with stages(tmp_path, "web") as line:
        line.add("web", delivery=HOLD, git=", push: updates")
        async with line.running():
            await line.deploys("web")
            line.push("1.1.0")
            await line.written("web", "1.1.0", "updates")
            line.made.repository.git("update-ref", "refs/heads/main", "updates")
            await line.deploys("web", "1.1.0", available=0)
            line.push("1.2.0")
            await line.written("web", "1.2.0", "updates")
            await line.fails("web", "1.1.0")
            await until(lambda: line.outcome("web").held_by == "bad-release")
            line.made.repository.commit({"other.txt": b"1"})
            await line.decided("web")
            assert line.says("web", "updates") == "1.2.0"
