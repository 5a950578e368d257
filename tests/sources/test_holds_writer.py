"""A command writes one entry and nothing else: comments, order, rights and what others write meanwhile stay."""

from __future__ import annotations

import os
import stat

import pytest

from updater.errors import ConfigError
from updater.sources import holds_writer
from updater.sources.holds import read_holds_file
from updater.sources.holds_writer import write_decision

TEXT = """\
# who holds what, and why
web:   # ask Ada first
  hold: {reason: 'freeze'}  # until the fair
# the last one
api:
  pin:
    tag: "1.2"  # not 1.3
"""


def held(entry):
    return {**entry, "hold": {"reason": "mine"}}


def nothing(_):
    return {}


def test_comments_order_and_quotes_of_other_entries_stay_and_so_do_the_rights_of_the_file(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text(TEXT)
    path.chmod(0o640)
    assert write_decision(path, "shop", held)
    assert path.read_text() == TEXT + "shop:\n  hold:\n    reason: mine\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not write_decision(path, "shop", held)
    assert write_decision(path, "shop", nothing)
    assert path.read_text() == TEXT
    assert [item.name for item in tmp_path.iterdir()] == ["holds.yaml"]


def test_the_rights_of_the_file_stay_whatever_the_umask_of_who_decides_is(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text(TEXT)
    path.chmod(0o664)
    before = os.umask(0o077)
    try:
        assert write_decision(path, "shop", held)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_a_file_that_does_not_exist_is_made(tmp_path):
    path = tmp_path / "holds.yaml"
    assert write_decision(path, "1.2: [odd] key", held)
    assert read_holds_file(path).decisions.hold("1.2: [odd] key", 0.0)
    assert write_decision(path, "1.2: [odd] key", nothing)
    assert path.read_text() == "{}\n"


def test_a_file_of_comments_alone_keeps_them(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text("# nothing is held\n")
    assert write_decision(path, "shop", held)
    assert path.read_text().startswith("# nothing is held\nshop:\n")


def test_what_a_person_saves_between_reading_and_replacing_is_not_lost(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text(TEXT)
    edits = iter([TEXT + "ada:\n  hold: {}\n"])

    def edit(entry):
        for text in edits:
            path.write_text(text)
        return held(entry)

    assert write_decision(path, "shop", edit)
    decisions = read_holds_file(path).decisions
    assert decisions.hold("ada", 0.0)
    assert decisions.hold("shop", 0.0)


@pytest.mark.parametrize("text", ["shop: [\n", "- x\n", "a: {}\na: {}\n"])
def test_a_file_that_cannot_be_read_is_left_as_it_is(tmp_path, text):
    path = tmp_path / "holds.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        write_decision(path, "shop", held)
    assert caught.value.code == "holds-unreadable"
    assert path.read_text() == text


def test_an_entry_that_cannot_be_read_can_be_released_and_not_be_added_to(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text("shop:\n  hold: 7\nweb:\n  hold: {}\n")
    with pytest.raises(ConfigError):
        write_decision(path, "shop", held)
    assert write_decision(path, "web", lambda entry: {**entry, "pin": {"tag": "1"}})
    assert write_decision(path, "shop", nothing)
    assert "shop" not in path.read_text()


def test_a_symbolic_link_is_not_replaced(tmp_path):
    target = tmp_path / "elsewhere.yaml"
    target.write_text("{}\n")
    (tmp_path / "holds.yaml").symlink_to(target)
    with pytest.raises(ConfigError) as caught:
        write_decision(tmp_path / "holds.yaml", "shop", held)
    assert caught.value.code == "holds-unwritable"
    assert target.read_text() == "{}\n"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError) as caught:
        write_decision(tmp_path / "none" / "holds.yaml", "shop", held)
    assert caught.value.code == "holds-unwritable"


def test_a_file_that_is_saved_all_the_time_ends_the_command(tmp_path):
    path = tmp_path / "holds.yaml"
    path.write_text("{}\n")
    count = 0

    def edit(entry):
        nonlocal count
        count += 1
        path.write_text(f"# {count}\n")
        return held(entry)

    with pytest.raises(ConfigError) as caught:
        write_decision(path, "shop", edit)
    assert caught.value.code == "holds-unwritable"
    assert count == holds_writer.ATTEMPTS
