"""What the logs promise: one JSON object a line, and no secret in it."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from updater.reporting.logs import configure, mask


@pytest.fixture
def stream():
    buffer = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    yield buffer
    structlog.reset_defaults()


def test_a_json_line_carries_time_level_event_and_fields(stream):
    configure(level="info", form="json", stream=stream)
    structlog.get_logger().info("landed", key="app")
    (line,) = stream.buffer.getvalue().splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["key"]) == ("landed", "info", "app")
    assert event["timestamp"].endswith("Z")


def test_time_and_level_stand_first_in_a_json_line(stream):
    configure(form="json", stream=stream)
    structlog.get_logger().info("landed", key="app", code=None)
    assert list(json.loads(stream.buffer.getvalue())) == ["timestamp", "level", "event", "key", "code"]


@pytest.mark.parametrize(("is_terminal", "form", "starts"), [(True, None, b"2"), (False, None, b"{"), (True, "json", b"{")])
def test_without_a_format_a_terminal_gets_the_console_form_and_everything_else_json(
    stream, monkeypatch, is_terminal, form, starts
):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal, raising=False)
    configure(form=form, stream=stream)
    structlog.get_logger().info("landed", key="app")
    assert stream.buffer.getvalue().startswith(starts)
    assert b"\x1b" not in stream.buffer.getvalue()


def test_lines_below_the_level_are_not_written(stream):
    configure(level="warning", form="console", stream=stream)
    structlog.get_logger().info("quiet")
    assert stream.buffer.getvalue() == b""


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param("cloned https://me:hunter2@git.test/x.git", "hunter2", id="userinfo"),
        pytest.param("sent Authorization: Bearer abcdefghijkl", "abcdefghijkl", id="bearer"),
        pytest.param("GET https://s3.test/blob?X-Amz-Signature=deadbeef&x=1", "deadbeef", id="signed-query"),
        pytest.param("header Basic dXNlcjpwYXNz", "dXNlcjpwYXNz", id="basic"),
    ],
)
def test_secrets_in_texts_are_masked(text, secret):
    assert secret not in mask(text)
    assert "***" in mask(text)


def test_fields_named_for_secrets_are_masked(stream):
    configure(form="json", stream=stream)
    structlog.get_logger().info("login", password="hunter2", url="https://a:b@c/")
    assert b"hunter2" not in stream.buffer.getvalue()
    assert b"a:b@" not in stream.buffer.getvalue()


def test_an_exception_is_one_line_of_json_with_its_traceback(stream):
    configure(form="json", stream=stream)
    try:
        int("boom")
    except ValueError:
        structlog.get_logger().exception("bug")
    (line,) = stream.buffer.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


HOSTILE = 'x\x1b[31m\n{"level": "info"}\x07\u202e\u2028y'


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_control_character_of_an_object_or_a_server_reaches_a_log(stream, form):
    """Neither a colour, nor a bell, nor a line of its own, nor a turned direction; whoever speaks, ours or a library."""
    configure(form=form, stream=stream)
    structlog.get_logger().info("problem", detail=HOSTILE, changes=[HOSTILE])
    logging.getLogger("asyncio").warning("library: %s", HOSTILE)
    try:
        int(HOSTILE)
    except ValueError:
        structlog.get_logger().exception("bug")
    written = stream.buffer.getvalue().decode()
    assert not [letter for letter in written if not letter.isprintable() and letter != "\n"]
    assert not [line for line in written.splitlines() if line.startswith('{"level": "info"}')]
    if form == "json":
        lines = [line for line in written.splitlines() if not line.startswith("WARNING")]
        assert len([json.loads(line) for line in lines]) == 2
