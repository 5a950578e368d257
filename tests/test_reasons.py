"""What the system says of a failure reaches people without the words of a library around it."""

from __future__ import annotations

import errno
import importlib
import json
import socket
import sys

import pytest

from updater.reasons import hint_of, import_reason, json_reason, reason_of


def chained(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, "Connection refused"), "connection refused"),
        (
            chained(ValueError("HTTPConnection(host='x', port=1): no"), OSError(errno.ENOENT, "No such file")),
            "no such file or directory",
        ),
        (ValueError("aborted", ConnectionResetError(errno.ECONNRESET, "Reset by peer")), "connection reset by peer"),
        (ValueError("HTTPConnection(host='x', port=1): no"), ""),
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] Connect"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "the host name cannot be resolved"),
        (socket.gaierror(-3, "x"), "the host name cannot be resolved at the moment: no name server answered"),
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError("Connection lost"), "connection reset by peer"),
        (ValueError("embedded null byte"), "the name holds a NUL character"),
        (OSError("no number"), ""),
    ],
)
def test_only_the_words_of_the_system_are_kept(error, said):
    assert reason_of(error) == said


def test_a_circle_of_causes_has_an_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert reason_of(first) == ""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere_at_all", "there is no module nowhere_at_all"),
        ("def build(:", "line 1, is not valid Python"),
        ("import os; os.no_such_thing", "the module os has no no_such_thing"),
        ("\n\nraise ValueError('a token is missing')", "broken_plugin.py, line 3: a token is missing"),
        ("\nraise ValueError", "broken_plugin.py, line 2"),
    ],
)
def test_a_plugin_that_does_not_load_is_told_by_what_its_author_can_mend(source, said, tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "broken_plugin", raising=False)
    with pytest.raises((ImportError, SyntaxError, AttributeError, ValueError)) as caught:
        importlib.import_module("broken_plugin")
    assert import_reason(caught.value).endswith(said)
    assert "Error" not in import_reason(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a value is missing"),
        ('{"a" 1}', "a colon is missing"),
        ('{"a": 1 "b": 2}', "a comma is missing"),
        ("{a: 1}", "a key in double quotes is missing"),
        ("[] []", "there is text after its end"),
        ('["a', "a text has no closing quote"),
        ('["a\nb"]', "a text holds a line break or another control character"),
        ('["\\q"]', "a text holds an unknown escape after a backslash"),
        ("1" * 5000, "a number is too long"),
    ],
)
def test_broken_json_is_told_without_the_words_of_its_parser(text, said):
    with pytest.raises(ValueError, match=r".") as caught:
        json.loads(text)
    assert json_reason(caught.value) == said


def test_a_fault_without_an_answer_of_its_own_keeps_the_usual_hint():
    assert hint_of(OSError(errno.ECONNREFUSED, "x"), "look") == "look"
