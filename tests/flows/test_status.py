"""What the daemon tells beside its commits: where each subscription stands, and what it found and nobody asked for."""

from __future__ import annotations

import json

from tests.flows.fleet import MARKED, add_usual, fleet
from tests.flows.test_commands import updater
from tests.flows.test_run import Daemon, until
from tests.real.parts import free_port

MISSPELT = 'spec:\n  image: {host}/o/app:1.0.0  # {{"$imagepolicy": "ns:ap"}}\n'


async def rows_of(*arguments):
    code, output, errors = await updater("status", *arguments, "-o", "json")
    assert (code, errors) == (0, "")
    return {row["key"]: row for row in json.loads(output)}


async def test_a_running_daemon_says_where_each_subscription_stands_and_what_changed(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.registry.push("o/app", "1.1.0")
        async with Daemon(made, free_port()) as running:
            await until(lambda: "1.1.0" in made.file("apps/app.yaml"))
            await running.metric('updater_outcomes_total{method="git",status="unchanged"}')
            server = f"http://127.0.0.1:{running.port}"
            await running.says('"checked for updates"')
            rows = await rows_of("--server", server)
            assert list(rows) == ["api", "app", "web"]
            app, web = rows["app"], rows["web"]
            host = made.registry.host
            assert (app["image"], app["written"], app["chosen"]) == (f"{host}/o/app", [f"{host}/o/app:1.1.0"], "1.1.0")
            assert app["state"] in {"updated", "unchanged"}
            assert app["since"] and app["last_change"]  # noqa: PT018 - both are times
            assert (web["state"], web["last_change"], web["verdict"]) == ("unchanged", None, None)
            assert list(await rows_of("--server", server, "a*", "--state", "failed")) == []
            code, output, _ = await updater("status", "web", "--server", server)
            assert (code, output.splitlines()[1].split()[:2]) == (0, ["web", "unchanged"])
            code, _, errors = await updater("status", "wbe", "--server", server)
            assert (code, errors.splitlines()[0]) == (2, "error: there is no subscription 'wbe'")
        code, _, errors = await updater("status", "--server", server)
        assert (code, "--server is the address" in errors) == (1, True)


async def test_without_a_daemon_a_dry_pass_says_what_would_be_written_and_writes_nothing(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.registry.push("o/app", "1.1.0")
        before = made.commits()
        rows = await rows_of("-c", made.configure())
        app = rows["app"]
        assert (app["state"], app["held_by"], app["chosen"], app["since"]) == ("held", "dry-run", "1.1.0", None)
        assert app["written"] == [f"{made.registry.host}/o/app:1.0.0"]
        assert rows["web"]["state"] == "unchanged"
        assert list(await rows_of("w*", "app", "--state", "held", "-c", made.configure())) == ["app"]
        code, _, errors = await updater("status", "ap", "-c", made.configure())
        assert (code, errors) == (2, "error: there is no subscription 'ap'\nhint: did you mean 'app'?\n")
        assert made.commits() == before


async def test_the_daemon_says_a_marker_that_nobody_claims_once_and_counts_it(tmp_path):
    async with fleet(tmp_path, **{"apps/app.yaml": MARKED, "apps/other.yaml": MISSPELT}) as made:
        made.add("app", "marker: ns:app")
        async with Daemon(made, free_port()) as running:
            await running.metric('updater_marker_problems{code="unknown-policy"} 1.0')
            passes = lambda: sum('"checked for updates"' in line for line in running.lines)  # noqa: E731
            await until(lambda: passes() >= 3)
            told = [json.loads(line) for line in running.lines if '"problem"' in line]
            assert [(line["code"], line["hint"]) for line in told] == [("unknown-policy", "did you mean 'ns:app'?")]
            assert told[0]["detail"].startswith("apps/other.yaml:2: the marker names 'ns:ap'")


async def test_the_daemon_remembers_outcomes_while_it_runs(tmp_path):
    """`explain` shows the last outcome: it must not wait for the daemon to end."""
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.registry.push("o/app", "1.1.0")
        async with Daemon(made, free_port()) as running:
            await running.says("updated")

            async def is_remembered():
                code, output, _ = await updater("explain", "app", "-o", "json", "-c", made.configure())
                return code == 0 and [item["status"] for item in json.loads(output)[0]["last"]]

            assert await until(is_remembered)
