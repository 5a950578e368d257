"""What `updater status` shows: one line a subscription, the state seen first, and clear words where no daemon answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
import pytest

from tests.inventory.asking import MAIN, asked
from tests.reporting.making import at, ended, failed, inventory, landed
from updater.cli.status import from_server, table
from updater.errors import ConfigError, UpdaterError
from updater.model.outcome import Status
from updater.model.written import Written
from updater.reporting.last_outcomes import LastOutcomes
from updater.reporting.plain import plain
from updater.web import app as web_room
from updater.web.app import Probes, application, serve

KEYS = {"key", "image", "written", "running", "chosen", "state", "reason", "since", "last_change", "held_by", "verdict"}
KEYS |= {"verdict_at", "workload", "code", "progress"}


@pytest.fixture
def last():
    known = LastOutcomes()
    known.hear(inventory(*(asked(key, MAIN) for key in ("api", "shop-a", "shop-b"))))
    known.hear(landed(ended("shop-a"), failed("shop-b"), written={"shop-a": (Written(tag="1.0.0"),)}))
    return known


@pytest.fixture
async def server(last):
    probes = Probes(render_metrics=bytes, content_type="text/plain", waits_for=str, statuses=last.statuses)
    runner = await serve(application(probes), "127.0.0.1:0")
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_a_daemon_answers_every_row_whole(server):
    rows = await from_server(server, (), ())
    assert [(row["key"], row["state"]) for row in rows] == [("api", None), ("shop-a", "unchanged"), ("shop-b", "failed")]
    assert {frozenset(row) for row in rows} == {frozenset(KEYS)}


def test_words_of_a_server_are_shown_to_whoever_asked_it_alone(last):
    """A dry pass shows the whole failure; a daemon, whose address others reach, what it may say to anybody."""
    item = replace(failed("shop-b"), detail="the registry said: secret words", public="the registry gave no usable answer")
    last.hear(landed(item))
    shown = {status.key: status.reason for status in last.statuses()}
    assert shown["shop-b"] == "the registry gave no usable answer"
    assert {status.key: status.reason for status in last.statuses(is_public=False)}["shop-b"] == "the registry said: secret words"


async def test_keys_and_states_choose_rows_and_the_address_needs_no_scheme(server):
    address = server.removeprefix("http://") + "/"
    assert [row["key"] for row in await from_server(address, ("shop-*",), ("failed", "held"))] == ["shop-b"]
    assert await from_server(address, ("none-*",), ()) == []
    with pytest.raises(ConfigError, match="there is no subscription 'shop'"):
        await from_server(address, ("api", "shop"), ())


async def test_what_is_left_out_of_a_very_long_answer_is_said(server, monkeypatch, capsys):
    monkeypatch.setattr(web_room, "MOST_STATUSES", 2)
    assert len(await from_server(server, (), ())) == 2
    assert "only the first 2 of 3 subscriptions are shown" in capsys.readouterr().err


async def test_where_no_daemon_answers_the_address_and_a_way_out_are_named(server):
    with pytest.raises(UpdaterError, match="answered 404, and no statuses") as caught:
        await from_server(f"{server}/elsewhere", (), ())
    assert caught.value.code == "status-server"
    with pytest.raises(UpdaterError, match=r"127\.0\.0\.1:1") as caught:
        await from_server("http://127.0.0.1:1", (), ())
    assert "dry pass" in caught.value.hint


def test_one_subscription_is_one_line_in_columns_no_wider_than_the_terminal(last):
    rows = [plain(status.row()) for status in last.statuses()]
    lines = table(rows, now=at() + timedelta(minutes=3), width=70)
    shown = [click.unstyle(line) for line in lines]
    assert shown[0].split() == ["KEY", "STATE", "FOR", "WRITTEN", "CHOSEN", "LAST", "CHANGE", "REASON"]
    assert [line.split()[:2] for line in shown[1:]] == [["api", "unknown"], ["shop-a", "unchanged"], ["shop-b", "failed"]]
    assert "1.0.0" in shown[2]
    assert "3m" in shown[2]
    assert max(map(len, shown)) <= 70
    assert click.style("failed".ljust(9), fg="red") in lines[3]


def test_a_canary_that_is_under_way_is_shown_at_its_step(last):
    rows = [plain(status.row()) for status in last.statuses(["api"])]
    rows[0] |= {"verdict": "progressing", "verdict_at": "2024-05-06T07:08:09Z"}
    for progress, shown in (
        ({"step": 2, "steps": 4}, "progressing 2/4 3m"),
        ({"step": None}, "progressing 3m"),
        ("x", "progressing 3m"),
    ):
        rows[0]["progress"] = progress
        (_, line) = table(rows, now=at() + timedelta(minutes=3), width=None)
        assert shown in click.unstyle(line)


def test_a_failure_is_shown_with_the_code_by_which_the_reference_lists_it(last):
    """Where both have their place; on a narrow terminal the sentence says more than the code."""
    rows = [plain(status.row()) for status in last.statuses() if status.key == "shop-b"]
    wide, narrow = (click.unstyle(table(rows, now=at(), width=width)[1]) for width in (None, 60))
    assert wide.endswith(f"{rows[0]['reason']} [{rows[0]['code']}]")
    assert "[" not in narrow


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5s"), (90, "1m"), (7200, "2h"), (86_400 * 20, "20d"), (-5, "0s")])
def test_ages_are_written_as_kubectl_writes_them(seconds, shown):
    now = datetime(2024, 5, 6, tzinfo=UTC)
    known = LastOutcomes()
    known.hear(inventory())
    known.hear(landed(ended(status=Status.HELD, code="downgrade")))
    (row,) = (plain(status.row()) for status in known.statuses())
    row["since"] = (now - timedelta(seconds=seconds)).isoformat()
    line = click.unstyle(table([row], now=now, width=None)[1])
    assert line.split()[2] == shown
    assert line.endswith("[downgrade]")


LONG = "2.4.6 is lower than 2.4.7, which is written, and nobody narrowed the range to it"


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200, None])
def test_a_reason_is_cut_to_the_terminal_and_its_code_never_is(width):
    known = LastOutcomes()
    known.hear(inventory(asked("a-key-of-some-length", MAIN)))
    known.hear(landed(ended("a-key-of-some-length", status=Status.HELD, code="downgrade", detail=LONG)))
    lines = [click.unstyle(line) for line in table([plain(status.row()) for status in known.statuses()], now=at(), width=width)]
    assert lines[1].endswith("[downgrade]")
    assert width is None or len(lines[1]) <= max(width, 75)
    assert (LONG in lines[1]) == (width in {200, None})


def test_what_a_pass_would_write_is_no_hold_to_people():
    known = LastOutcomes()
    known.hear(inventory())
    known.hear(landed(ended(status=Status.HELD, code="dry-run", detail="would move 1.0.0 → 1.1.0")))
    (row,) = (plain(status.row()) for status in known.statuses())
    assert (row["state"], row["held_by"]) == ("held", "dry-run")
    head, line = table([{**row, "since": None}], now=at(), width=None)
    assert click.unstyle(head).split() == ["KEY", "STATE", "WRITTEN", "CHOSEN", "LAST", "CHANGE", "REASON"]
    assert click.style("would update", fg="green") in line
    assert click.unstyle(line).endswith("  1.0.0 → 1.1.0")
