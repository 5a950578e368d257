"""`updater check --batch` answers JSON lines one by one, whatever stands in the others."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.cli import check_lines
from updater.cli.check_lines import answer_line, answer_lines
from updater.cli.main import run_cli

SEMVER = {"semver": {"range": ">=1.0.0"}}
KEYS = ["id", "status", "tag", "held_tag", "rejected", "error"]
ORACLE = Path(__file__).parents[1] / "policies" / "semver_oracle.jsonl"


def answered(**asked):
    answer = answer_line(json.dumps({"tags": ["1.0.0", "1.1.0"], "policy": SEMVER, **asked}).encode())
    assert list(answer) == KEYS
    return answer


def refused(line):
    answer = answer_line(line if isinstance(line, bytes) else json.dumps(line).encode())
    assert list(answer) == KEYS
    assert (answer["status"], answer["tag"], answer["held_tag"], answer["rejected"]) == ("failed", None, None, {})
    return answer["error"]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({}, ("updated", "1.1.0", None, {"1.0.0": "outranked"})),
        ({"current": "1.1.0"}, ("unchanged", "1.1.0", None, {"1.0.0": "outranked"})),
        ({"current": "1.0.0"}, ("updated", "1.1.0", None, {"1.0.0": "outranked"})),
        (
            {"current": None, "filter": None, "platforms": None, "variant": None},
            ("updated", "1.1.0", None, {"1.0.0": "outranked"}),
        ),
        ({"current": ""}, ("updated", "1.1.0", None, {"1.0.0": "outranked"})),
        ({"current": "2.0.0"}, ("held", None, "1.1.0", {"1.1.0": "downgrade", "1.0.0": "outranked"})),
        ({"current": "2.0.0", "allow_downgrade": True}, ("updated", "1.1.0", None, {"1.0.0": "outranked"})),
        ({"current": "2.0.0", "allow_downgrade": False}, ("held", None, "1.1.0", {"1.1.0": "downgrade", "1.0.0": "outranked"})),
        ({"current": "2.0.0", "downgrade": "always"}, ("updated", "1.1.0", None, {"1.0.0": "outranked"})),
        ({"current": "2.0.0", "downgrade": True}, ("updated", "1.1.0", None, {"1.0.0": "outranked"})),
        ({"current": "2.0.0", "downgrade": "by-policy"}, ("held", None, "1.1.0", {"1.1.0": "downgrade", "1.0.0": "outranked"})),
        (
            {"current": "2.0.0", "downgrade": "by-policy", "policy": {"semver": {"range": "<2"}}},
            ("updated", "1.1.0", None, {"1.0.0": "outranked"}),
        ),
        ({"current": "2.0.0.1"}, ("held", None, "1.1.0", {"1.1.0": "unreadable", "1.0.0": "outranked"})),
        ({"policy": {"semver": {"range": "<1"}}}, ("no-match", None, None, {"1.0.0": "range", "1.1.0": "range"})),
        ({"policy": {"semver": {}}}, ("updated", "1.1.0", None, {"1.0.0": "outranked"})),
        ({"policy": None}, ("updated", "1.1.0", None, {"1.0.0": "outranked"})),
        ({"tags": []}, ("no-match", None, None, {})),
        ({"platforms": ["linux/amd64"]}, ("no-match", None, None, {"1.1.0": "platform", "1.0.0": "platform"})),
        (
            {"platforms": ["linux/arm64"], "tags": ["1.1.0", {"tag": "1.0.0", "platforms": ["linux/arm64", "linux/amd64"]}]},
            ("updated", "1.0.0", None, {"1.1.0": "platform"}),
        ),
        ({"tags": ["1.2.4-slim", "1.3.0"], "current": "1.2.3-slim"}, ("updated", "1.2.4-slim", None, {"1.3.0": "variant"})),
        (
            {"tags": ["1.2.4-slim", "1.3.0"], "current": "1.2.3-slim", "variant": "any"},
            ("updated", "1.3.0", None, {"1.2.4-slim": "prerelease"}),
        ),
        (
            {
                "policy": {"latest": {}},
                "tags": [{"tag": "b", "created": "2025-01-01T00:00:00Z"}, {"tag": "a", "pushed": "2025-02-01"}, "c"],
            },
            ("updated", "a", None, {"b": "outranked", "c": "no-date"}),
        ),
        (
            {
                "policy": {"latest": {}},
                "tags": [{"tag": "a", "created": "soon"}, {"tag": "b", "created": "0001-01-01T00:00:00+14:00"}],
            },
            ("no-match", None, None, {"a": "no-date", "b": "no-date"}),
        ),
        (
            {
                "policy": {"digest": {"tag": "edge"}},
                "tags": [{"tag": "edge", "digest": "sha256:" + "a" * 64}],
                "current": "edge@sha256:" + "b" * 64,
            },
            ("updated", "edge", None, {}),
        ),
        ({"tags": ["1.0.0", {"tag": "1.0.0"}]}, ("updated", "1.0.0", None, {})),
        ({"filter": {"allow": "^1.0", "ignore": ["*-x"]}}, ("updated", "1.0.0", None, {"1.1.0": "allow"})),
    ],
)
def test_a_line_is_answered_by_status_tag_and_codes(asked, answer):
    said = answered(id=7, **asked)
    assert (said["status"], said["tag"], said["held_tag"], said["rejected"]) == answer
    assert (said["id"], said["error"]) == (7, None)


@pytest.mark.parametrize("identity", ["x", 1, 1.5, True, None, 10**40, "\ud800", "é"])
def test_the_id_comes_back_as_it_was(identity):
    assert answered(id=identity)["id"] == identity


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b"\xff{}", "json"),
        (b'{"tags": [NaN]}', "json"),
        (b'{"tags": [], "id": Infinity}', "json"),
        (b'{"tags": [], "id": 1e999}', "json"),
        (b'{"tags": [], "tags": []}', "json"),
        (b'{"id": ' + b"9" * 5000 + b"}", "json"),
        (b"[" * 100_000, "json"),
        (b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "json"),
        (b"[]", "request"),
        (b"null", "request"),
        ({}, "request"),
        ({"tags": "1.0.0"}, "request"),
        ({"tags": [1]}, "request"),
        ({"tags": [None]}, "request"),
        ({"tags": [{}]}, "request"),
        ({"tags": [{"tag": "1", "size": 1}]}, "request"),
        ({"tags": [{"tag": "1", "created": 1}]}, "request"),
        ({"tags": [{"tag": "1", "digest": "sha256:12"}]}, "image-syntax"),
        ({"tags": [], "colour": 1}, "request"),
        ({"tags": [], "polcy": SEMVER}, "request"),
        ({"tags": [], "policy": "semver"}, "policy"),
        ({"tags": [], "policy": {"semver": {"range": ""}}}, "policy"),
        ({"tags": [], "policy": {"semver": {"rnage": "1"}}}, "policy"),
        ({"tags": [], "policy": {"sember": {}}}, "policy"),
        ({"tags": [], "filter": {"allow": "("}}, "policy"),
        ({"tags": [], "filter": {"alow": "x"}}, "policy"),
        ({"tags": [], "platforms": ["amd64"]}, "image-syntax"),
        ({"tags": [], "platforms": "linux/amd64"}, "request"),
        ({"tags": [], "current": 1}, "request"),
        ({"tags": [], "allow_downgrade": "yes"}, "request"),
        ({"tags": [], "downgrade": "down"}, "request"),
        ({"tags": [], "downgrade": "never", "allow_downgrade": True}, "request"),
        ({"tags": [], "variant": "locked"}, "request"),
    ],
)
def test_a_line_that_cannot_be_answered_fails_alone_and_says_why(line, code):
    error = refused(line)
    assert error["code"] == code
    assert error["message"]


def test_a_misspelt_key_is_answered_with_the_one_that_was_meant():
    assert "did you mean 'policy'?" in refused({"tags": [], "polcy": SEMVER})["message"]


def test_the_id_of_a_failed_line_comes_back_where_it_could_be_read():
    assert answer_line(b'{"id": 3, "tags": 1}')["id"] == 3
    assert answer_line(b'{"id": [3], "tags": 1}')["id"] is None


def test_the_matching_losers_stand_first_best_first():
    for line in ORACLE.read_text().splitlines()[:60]:
        case = json.loads(line)
        answer = answer_line(json.dumps({"tags": case["tags"], "policy": {"semver": {"range": case["range"]}}}).encode())
        assert (answer["status"] == "failed") is case["error"]
        won = [answer["tag"]] if answer["tag"] else []
        outranked = [tag for tag, code in answer["rejected"].items() if code == "outranked"]
        assert sorted(won + outranked) == sorted(case["matched"])
        assert list(answer["rejected"])[: len(outranked)] == outranked


class Pipe(io.RawIOBase):
    """Gives one line at a time, and looks after each whether the one before was answered."""

    def __init__(self, lines, answers):
        super().__init__()
        self.lines = list(lines)
        self.answers = answers
        self.given = 0

    def readline(self, size=-1):
        assert self.answers.getvalue().count(b"\n") == self.given
        if not self.lines:
            return b""
        self.given += 1
        return self.lines.pop(0)


def test_each_line_is_answered_before_the_next_is_read():
    answers = io.BytesIO()
    line = json.dumps({"tags": ["1.0.0"], "policy": SEMVER}).encode() + b"\n"
    answer_lines(Pipe([line, b"{\n", line], answers), answers)
    assert [json.loads(answer)["status"] for answer in answers.getvalue().splitlines()] == ["updated", "failed", "updated"]


def test_blank_lines_a_missing_last_line_end_and_a_byte_order_mark_do_no_harm():
    line = json.dumps({"id": 1, "tags": ["1.0.0"], "policy": SEMVER}).encode()
    answers = io.BytesIO()
    answer_lines(io.BytesIO(b"\xef\xbb\xbf" + line + b"\r\n\n  \n" + line), answers)
    assert [json.loads(answer)["tag"] for answer in answers.getvalue().splitlines()] == ["1.0.0", "1.0.0"]


def test_a_line_without_end_is_refused_and_never_held_in_memory(monkeypatch):
    monkeypatch.setattr(check_lines, "MAX_LINE", 100)
    monkeypatch.setattr(check_lines, "_REST", 64)
    line = json.dumps({"tags": ["1.0.0"], "policy": SEMVER}).encode()
    answers = io.BytesIO()
    answer_lines(io.BytesIO(b"x" * 1000 + b"\n" + line + b"\n" + b"y" * 101), answers)
    said = [json.loads(answer) for answer in answers.getvalue().splitlines()]
    assert [answer["status"] for answer in said] == ["failed", "updated", "failed"]
    assert said[0]["error"]["message"] == "the line is longer than 100 bytes"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_answered(value):
    assert answer_line(json.dumps(value).encode())["status"] == "failed"


@given(
    st.dictionaries(
        st.sampled_from(["id", "tags", "policy", "filter", "platforms", "current", "variant"]),
        st.none() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()),
    )
)
def test_any_request_is_answered(asked):
    answer = answer_line(json.dumps(asked).encode())
    assert json.loads(json.dumps(answer)) == answer


def test_the_command_answers_lines_and_ends_well(monkeypatch, capsysbinary):
    line = json.dumps({"id": 1, "tags": ["1.0.0", "ä"], "policy": SEMVER}).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line + b"\nnot json\n")))
    assert run_cli(["check", "--batch"]) == 0
    out, err = capsysbinary.readouterr()
    first, second = (json.loads(answer) for answer in out.splitlines())
    assert first == {
        "id": 1,
        "status": "updated",
        "tag": "1.0.0",
        "held_tag": None,
        "rejected": {"ä": "not-a-version"},
        "error": None,
    }
    assert (second["id"], second["status"], err) == (None, "failed", b"")


@pytest.mark.parametrize(
    ("lines", "code"), [(b"not json\n[]\n", 1), (b'not json\n{"tags": ["1.0.0"]}\n', 0), (b"", 0), (b"\n\n", 0)]
)
def test_a_batch_fails_if_every_line_failed(lines, code, monkeypatch, capsysbinary):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert run_cli(["check", "--batch"]) == code


def test_the_page_of_batches_shows_what_is_answered(monkeypatch, capsysbinary):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "batch.md").read_text()
    asked, answers = re.findall(r"```json\n(.*?)```", page, re.DOTALL)[:2]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(asked.encode())))
    assert run_cli(["check", "--batch"]) == 0
    out, _ = capsysbinary.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [json.loads(line) for line in answers.splitlines()]


def test_a_real_process_answers_a_line_while_its_input_stays_open():
    process = subprocess.Popen(
        [sys.executable, "-m", "updater", "check", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    try:
        for number in range(3):
            process.stdin.write(json.dumps({"id": number, "tags": ["1.0.0"], "policy": SEMVER}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
