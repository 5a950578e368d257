"""A file that is made once is there whole, whoever else makes it and wherever a crash comes."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from updater.daemon.own_files import made_once
from updater.daemon.proposals import owner_name
from updater.daemon.site_registrar import own_key
from updater.errors import ConfigError


def test_all_who_make_it_at_one_time_read_the_same(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = set(
            pool.map(lambda _: made_once(tmp_path / "a" / "b", lambda: os.urandom(8), is_cut=lambda read: not read), range(40))
        )
    assert len(found) == 1
    assert [item.name for item in (tmp_path / "a").iterdir()] == ["b"]


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        made_once(tmp_path / "b", lambda: b"x", is_cut=lambda read: not read)
    with pytest.raises(ConfigError, match="cannot be kept"):
        own_key(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_the_file_system_has_no_hard_links_it_is_made_all_the_same(tmp_path, monkeypatch):
    def refuse(_source, _target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    key = own_key(tmp_path)
    assert (len(key), own_key(tmp_path), (tmp_path / "session.key").stat().st_mode & 0o777) == (32, key, 0o600)
    (tmp_path / "session.key").write_bytes(b"cut")
    assert own_key(tmp_path) not in {b"cut", key}
    name = owner_name(None, tmp_path)
    assert (len(name) > 0, owner_name(None, tmp_path)) == (True, name)
    (tmp_path / "owner").write_bytes(b"")
    assert owner_name(None, tmp_path) not in {"", name}
    assert sorted(item.name for item in tmp_path.iterdir()) == ["owner", "session.key"]


def test_a_key_that_was_cut_short_is_made_anew(tmp_path):
    (tmp_path / "session.key").write_bytes(b"short")
    key = own_key(tmp_path)
    assert (len(key), own_key(tmp_path), (tmp_path / "session.key").stat().st_mode & 0o777) == (32, key, 0o600)
