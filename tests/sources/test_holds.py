"""What people decided is read strictly: nothing in the text writes more than they wanted, and nothing ends the program."""

from __future__ import annotations

import os

import pytest

from updater.model.decision import Hold, ImageRejection, Pin, Readmission
from updater.settings.decisions import entry_of, read_annotation, read_moment
from updater.sources.holds import read_holds, read_holds_file

DIGEST = "sha256:" + "a" * 64
WHOLE = f"""\
# holds of the shop
shop:
  hold: {{author: Jane, reason: freeze, since: "2026-11-01T00:00:00Z", until: "2026-12-01T09:00:00+01:00"}}
  pin: {{tag: "1.2"}}
  reject:
  - {{tag: 1.2.3, reason: leaks}}
  - {{digest: "{DIGEST}"}}
  readmit: ["{"b" * 40}"]
"""


def read(text):
    return read_holds("holds.yaml", text.encode())


def test_every_kind_of_decision_is_read_with_who_why_and_until_when():
    found = read(WHOLE)
    assert found.problems == ()
    hold, pin, tag, digest, readmitted = found.decisions.by_key["shop"]
    assert isinstance(hold, Hold)
    assert (hold.author, hold.reason, hold.until) == ("Jane", "freeze", read_moment("2026-12-01T08:00:00Z"))
    assert isinstance(pin, Pin)
    assert pin.tag == "1.2"
    assert isinstance(tag, ImageRejection)
    assert isinstance(digest, ImageRejection)
    assert (tag.tag, tag.reason, digest.digest) == ("1.2.3", "leaks", DIGEST)
    assert isinstance(readmitted, Readmission)
    assert readmitted.revisions == {"b" * 40}


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n", "---\n"])
def test_nothing_decides_nothing(text):
    found = read(text)
    assert (found.problems, dict(found.decisions.by_key), found.decisions.for_all) == ((), {}, ())


@pytest.mark.parametrize(
    ("entry", "line", "said"),
    [
        ("hold: {untill: x}", 2, "unknown key 'untill'"),
        ("hodl: {}", 2, "unknown key 'hodl'"),
        ("hold: yes please", 2, "hold: expected a mapping"),
        ("hold: {until: tomorrow}", 2, "until: expected a time with its zone"),
        ('hold: {until: "2026-12-01T09:00:00"}', 2, "until: expected a time with its zone"),
        ('hold: {until: "9999-12-31T23:59:59-14:00"}', 2, "until: expected a time with its zone"),
        ('hold: {until: "0001-01-01T00:00:00+14:00"}', 2, "until: expected a time with its zone"),
        ("hold: {reason: 7}", 2, "reason: expected text"),
        ("pin: {}", 2, "expected the tag as text"),
        ("pin: {tag: 1.2}", 2, "expected the tag as text"),
        ("pin: {tag: 'not a tag'}", 2, "'not a tag' is not a tag"),
        ("reject: {tag: a}", 2, "reject: expected a list"),
        ("reject: [{}]", 2, "a rejection names a tag or a digest"),
        ("reject: [{digest: sha256:x}]", 2, "digest"),
        ("readmit: [abc]", 2, "expected a commit"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named_and_holds_its_subscription_alone(entry, line, said):
    found = read(f"shop:\n  {entry}\nother:\n  hold: {{}}\n")
    (problem,) = found.problems
    assert problem.line == line
    assert said in problem.message
    assert problem.hint
    (hold,) = found.decisions.by_key["shop"]
    assert isinstance(hold, Hold)
    assert hold.is_unread
    assert found.decisions.hold("other", 0.0)
    assert found.decisions.hold("third", 0.0) is None


@pytest.mark.parametrize(
    "text",
    [
        "shop: {hold: {}}\nshop: {hold: {}}\n",
        "- shop\n",
        "shop: [\n",
        "a: {}\n---\nb: {}\n",
        "shop: {hold: {reason: \x01}}\n",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"k{n}: &k{n} [{','.join(['*' + ('a' if n == 0 else f'k{n - 1}')] * 9)}]\n" for n in range(9)),
        "shop: " + "[" * 200 + "]" * 200 + "\n",
        "!!python/object/apply:os.system [x]\n",
        "x" * (5 * 1024 * 1024),
    ],
    ids=["twice", "list", "cut", "two documents", "control character", "bomb", "deep", "foreign tag", "large"],
)
def test_a_text_that_cannot_be_read_holds_everything_that_it_could_name(text):
    found = read(text)
    assert found.problems
    hold = found.decisions.hold("whatever", 0.0)
    assert hold is not None
    assert hold.is_unread


def test_ten_thousand_entries_are_read():
    found = read("".join(f"shop-{n}:\n  hold: {{reason: r, until: '2999-01-01T00:00:00Z'}}\n" for n in range(10_000)))
    assert found.problems == ()
    assert len(found.decisions.by_key) == 10_000


def test_what_would_move_a_cursor_is_spelled_out_where_it_is_told():
    found = read('"a\\x1b[2J":\n  hold: {reason: "x\\x1b]0;y\\x07"}\nb:\n  "\\x1b": 1\n')
    assert "\x1b" not in str(found.problems[0])
    hold = found.decisions.hold("a\x1b[2J", 0.0)
    assert hold is not None
    assert "\x1b" not in hold.sentence


def test_a_pipe_a_folder_and_a_file_without_rights_hold_everything_and_a_missing_file_nothing(tmp_path):
    assert read_holds_file(tmp_path / "none.yaml").decisions.for_all == ()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "a\x00b"):
        assert read_holds_file(path).decisions.for_all, path
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert read_holds_file(tmp_path / "loop").decisions.for_all


def test_a_file_behind_a_symbolic_link_is_read_as_a_mounted_config_map_is(tmp_path):
    (tmp_path / "data.yaml").write_text("shop:\n  hold: {}\n")
    (tmp_path / "holds.yaml").symlink_to(tmp_path / "data.yaml")
    assert read_holds_file(tmp_path / "holds.yaml").decisions.hold("shop", 0.0)


def test_an_entry_is_read_back_as_it_was_written():
    decisions = read(WHOLE).decisions.by_key["shop"]
    entry = entry_of(decisions)
    assert list(entry) == ["hold", "pin", "reject", "readmit"]
    assert entry["hold"]["until"] == "2026-12-01T08:00:00Z"


@pytest.mark.parametrize(
    ("kind", "text", "count"),
    [
        ("hold", "true", 1),
        ("hold", "false", 0),
        ("hold", '{"reason":"x"}', 1),
        ("pin", "1.2", 1),
        ("pin", '{"tag":"1.2"}', 1),
        ("reject", f"1.2.3, {DIGEST}", 2),
        ("reject", '[{"tag":"1.2.3"}]', 1),
        ("readmit", "a" * 40 + "," + "b" * 40, 1),
    ],
)
def test_an_annotation_says_it_in_short_or_as_the_file_does(kind, text, count):
    assert len(read_annotation(kind, text, key="shop", where="x")) == count
