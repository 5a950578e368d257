"""Promises of the cache: it saves requests, it never fails, and its loss is said."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tests.fakes.still_time import StillTime
from updater.cache import cache as cache_module
from updater.cache.cache import Cache
from updater.model.candidate import Description
from updater.model.image import Digest, Platform
from updater.model.outcome import Move, Outcome, Status
from updater.model.update import Change
from updater.model.written import Written

DIGEST = Digest(algorithm="sha256", encoded="a" * 64)
DESCRIPTION = Description(
    created=datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC),
    labels={"org.opencontainers.image.source": "https://git.example.com/ü"},
    platforms=(Platform(os="linux", architecture="arm", variant="v7"), Platform(os="linux", architecture="amd64")),
)
CHANGE = Change(path="apps/a.yaml", line=3, where="spec.image", old="a:1", new="a:2", object_id=("v1", "Pod", "ns", "a"))
MOVE = Move(old=Written(tag="1"), new=Written(name="r.test/a", tag="2"))
OUTCOME = Outcome(
    key="app", target="git", status=Status.UPDATED, detail="moved", changes=(CHANGE,), revision="abc", moves=(MOVE,)
)


@pytest.fixture
def still():
    return StillTime()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "cache.db"


def opened(path, still=None, said=None) -> Cache:
    return Cache(path, say=(said if said is not None else []).append, wall=(still or StillTime()).wall)


class TestDescriptions:
    async def test_what_hangs_on_a_digest_outlives_the_process(self, path):
        async with opened(path) as cache:
            assert await cache.description(DIGEST) is None
            await cache.remember_description(DIGEST, DESCRIPTION)
        async with opened(path) as cache:
            assert await cache.description(DIGEST) == DESCRIPTION

    async def test_nothing_known_is_remembered_as_such(self, path):
        async with opened(path) as cache:
            await cache.remember_description(DIGEST, Description())
            assert await cache.description(DIGEST) == Description()

    async def test_what_was_not_used_for_long_is_dropped(self, path, still, monkeypatch):
        monkeypatch.setattr(cache_module, "_PRUNED_EVERY", 1)
        async with opened(path, still) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
            still.now += 60 * 86400
            assert await cache.description(DIGEST) == DESCRIPTION, "reading it counts as use"
            still.now += 60 * 86400
            await cache.remember_description(Digest(algorithm="sha256", encoded="b" * 64), DESCRIPTION)
            assert await cache.description(DIGEST) == DESCRIPTION
            still.now += 91 * 86400
            await cache.remember_description(Digest(algorithm="sha256", encoded="c" * 64), DESCRIPTION)
            assert await cache.description(DIGEST) is None

    async def test_their_number_is_bounded(self, path, still, monkeypatch):
        monkeypatch.setattr(cache_module, "_PRUNED_EVERY", 1)
        monkeypatch.setattr(cache_module, "MOST_DESCRIPTIONS", 3)
        digests = [Digest(algorithm="sha256", encoded=str(number) * 64) for number in range(6)]
        async with opened(path, still) as cache:
            for digest in digests:
                still.now += 1
                await cache.remember_description(digest, DESCRIPTION)
            assert [await cache.description(digest) is not None for digest in digests] == [False] * 3 + [True] * 3


class TestListings:
    async def test_the_first_listing_has_nothing_before_it(self, path, still):
        async with opened(path, still) as cache:
            listing = await cache.record_listing("ghcr.io/a", ["1", "2"])
        now = datetime.fromtimestamp(int(still.wall()), tz=UTC)
        assert listing.previous is None
        assert listing.first_seen == {"1": now, "2": now}

    async def test_a_new_tag_is_first_seen_later_and_the_others_keep_their_time(self, path, still):
        async with opened(path, still) as cache:
            first = await cache.record_listing("ghcr.io/a", ["1", "2"])
        still.now += 100
        async with opened(path, still) as cache:
            second = await cache.record_listing("ghcr.io/a", ["1", "2", "3"])
        assert second.previous == {"1", "2"}
        assert second.first_seen["1"] == first.first_seen["1"]
        assert second.first_seen["3"] - second.first_seen["1"] == timedelta(seconds=100)

    async def test_times_in_the_future_become_the_last_moments_before_now_in_their_order(self, path, still):
        """A clock that was years ahead must not let later tags go unseen."""
        async with opened(path, still) as cache:
            await cache.record_listing("ghcr.io/a", ["1"])
            still.now += 1000 * 86400
            await cache.record_listing("ghcr.io/a", ["1", "2"])
            still.now += 10
            await cache.record_listing("ghcr.io/a", ["1", "2", "3", "gone"])
            await cache.record_listing("ghcr.io/a", ["1", "2", "3"])
            still.now -= 1000 * 86400
            seen = (await cache.record_listing("ghcr.io/a", ["1", "2", "3", "4", "gone"])).first_seen
            now = datetime.fromtimestamp(int(still.wall()), tz=UTC)
            assert seen["1"] < seen["2"] < seen["3"] < seen["4"] == now
            assert seen["gone"] == seen["3"]
        async with opened(path, still) as cache:
            again = (await cache.record_listing("ghcr.io/a", ["1", "2", "3", "4", "gone"])).first_seen
            assert again == seen, "what was corrected is remembered"

    async def test_a_list_that_shrank_is_known_to_have_shrunk_once(self, path, still):
        async with opened(path, still) as cache:
            await cache.record_listing("ghcr.io/a", ["1", "2", "3"])
            assert (await cache.record_listing("ghcr.io/a", ["1"])).previous == {"1", "2", "3"}
            assert (await cache.record_listing("ghcr.io/a", ["1"])).previous == {"1"}

    async def test_a_tag_that_comes_back_keeps_its_time_for_a_month(self, path, still):
        async with opened(path, still) as cache:
            first = await cache.record_listing("ghcr.io/a", ["1", "2"])
            await cache.record_listing("ghcr.io/a", ["1"])
            still.now += 29 * 86400
            await cache.record_listing("ghcr.io/a", ["1", "x"])
            assert (await cache.record_listing("ghcr.io/a", ["1", "2"])).first_seen["2"] == first.first_seen["2"]
            await cache.record_listing("ghcr.io/a", ["1"])
            still.now += 31 * 86400
            await cache.record_listing("ghcr.io/a", ["1", "y"])
            again = await cache.record_listing("ghcr.io/a", ["1", "2"])
            assert again.first_seen["2"] > first.first_seen["2"] + timedelta(days=50)

    async def test_lists_are_kept_apart_by_their_name(self, path):
        async with opened(path) as cache:
            await cache.record_listing("ghcr.io/a", ["1"])
            assert (await cache.record_listing("ghcr.io/a env:OTHER", ["1"])).previous is None

    async def test_an_empty_list_is_a_list(self, path):
        async with opened(path) as cache:
            await cache.record_listing("ghcr.io/a", [])
            assert (await cache.record_listing("ghcr.io/a", ["1"])).previous == frozenset()

    async def test_many_lists_at_once_do_not_disturb_each_other(self, path):
        async with opened(path) as cache:
            tags = [str(number) for number in range(50)]
            await asyncio.gather(*(cache.record_listing(f"ghcr.io/{number}", tags) for number in range(50)))
            again = await asyncio.gather(*(cache.record_listing(f"ghcr.io/{number}", tags) for number in range(50)))
        assert all(listing.previous == set(tags) for listing in again)


class TestOutcomes:
    async def test_the_last_outcome_of_each_target_outlives_the_process(self, path):
        other = Outcome(key="app", target="argocd", status=Status.FAILED, detail="down", code="git-unavailable")
        async with opened(path) as cache:
            await cache.remember_outcomes([Outcome(key="app", target="git", status=Status.UNCHANGED, detail=""), other])
            await cache.remember_outcomes([OUTCOME])
        async with opened(path) as cache:
            assert await cache.outcomes() == (other, OUTCOME)

    async def test_those_of_subscriptions_that_are_gone_are_forgotten(self, path):
        async with opened(path) as cache:
            await cache.remember_outcomes([OUTCOME, Outcome(key="b", target="git", status=Status.UNCHANGED, detail="")])
            await cache.forget_outcomes(except_keys=["b"])
            assert [outcome.key for outcome in await cache.outcomes()] == ["b"]


class TestTrouble:
    async def test_without_a_path_it_lives_in_memory(self):
        async with opened(None) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
            assert await cache.description(DIGEST) == DESCRIPTION

    async def test_it_may_be_deleted_while_it_is_open(self, path):
        async with opened(path) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
            for name in path.parent.iterdir():
                name.unlink()
            await cache.record_listing("ghcr.io/a", ["1"])
        async with opened(path) as cache:
            assert await cache.description(DIGEST) is None

    @pytest.mark.parametrize("content", [b"this is no database, however long it may be " * 50, b"\0" * 4096])
    async def test_a_broken_file_is_made_anew_and_that_is_said(self, path, content):
        path.parent.mkdir()
        path.write_bytes(content)
        said: list[str] = []
        async with opened(path, said=said) as cache:
            assert await cache.description(DIGEST) is None
            await cache.remember_description(DIGEST, DESCRIPTION)
        async with opened(path, said=said) as cache:
            assert await cache.description(DIGEST) == DESCRIPTION
        assert len(said) == 1
        assert "recreated" in said[0]

    async def test_a_file_that_breaks_while_it_is_open_costs_no_call(self, path):
        said: list[str] = []
        async with opened(path, said=said) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
            with sqlite3.connect(path) as other:
                other.execute("DROP TABLE description")
            other.close()
            assert await cache.description(DIGEST) is None
            await cache.remember_description(DIGEST, DESCRIPTION)
            assert await cache.description(DIGEST) == DESCRIPTION
        assert len(said) == 1

    async def test_a_place_that_cannot_be_written_is_said_and_memory_does(self, tmp_path):
        (tmp_path / "file").write_text("")
        said: list[str] = []
        async with opened(tmp_path / "file" / "cache.db", said=said) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
            assert await cache.description(DIGEST) == DESCRIPTION
        assert len(said) == 1
        assert "going on without it" in said[0]

    async def test_a_file_that_is_only_readable_is_said_and_memory_does(self, path, monkeypatch):
        async with opened(path) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
        connect = sqlite3.connect

        def read_only(name, **more):
            return connect(name if name == ":memory:" else f"file:{name}?mode=ro&immutable=1", uri=True, **more)

        monkeypatch.setattr(sqlite3, "connect", read_only)
        said: list[str] = []
        async with opened(path, said=said) as cache:
            await cache.record_listing("ghcr.io/a", ["1"])
            assert (await cache.record_listing("ghcr.io/a", ["1"])).previous == {"1"}
        assert len(said) == 1

    async def test_a_full_disk_is_said_and_memory_does(self, path, monkeypatch):
        connect = sqlite3.connect

        def small(name, **more):
            connection = connect(name, **more)
            if name != ":memory:":
                connection.execute("PRAGMA max_page_count = 12")
            return connection

        monkeypatch.setattr(sqlite3, "connect", small)
        said: list[str] = []
        async with opened(path, said=said) as cache:
            for number in range(20):
                await cache.record_listing(f"ghcr.io/{number}", [f"tag-{tag}" for tag in range(500)])
            assert (await cache.record_listing("ghcr.io/19", ["1"])).previous is not None
        assert len(said) == 1
        assert "full" in said[0]

    async def test_a_broken_file_that_cannot_be_replaced_is_said_and_memory_does(self, path, monkeypatch):
        path.parent.mkdir()
        path.write_bytes(b"this is no database at all, and long enough" * 100)
        monkeypatch.setattr("pathlib.Path.unlink", _refuse)
        said: list[str] = []
        async with opened(path, said=said) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
            assert await cache.description(DIGEST) == DESCRIPTION
        assert len(said) == 1

    async def test_tables_of_another_version_are_made_anew(self, path):
        async with opened(path) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA user_version = 99")
        other.close()
        async with opened(path) as cache:
            assert await cache.description(DIGEST) is None

    async def test_rows_that_cannot_be_read_are_not_there(self, path):
        async with opened(path) as cache:
            await cache.remember_description(DIGEST, DESCRIPTION)
            await cache.record_listing("ghcr.io/a", ["1"])
            await cache.record_listing("ghcr.io/b", ["1"])
            await cache.remember_outcomes([OUTCOME])
        with sqlite3.connect(path) as other:
            other.execute("UPDATE description SET content = '{}'")
            other.execute("UPDATE listing SET present = 'nonsense'")
            other.execute("UPDATE listing SET present = '[]' WHERE image = 'ghcr.io/b'")
            other.execute("UPDATE outcome SET content = '{\"key\": 1}'")
        other.close()
        async with opened(path) as cache:
            assert await cache.description(DIGEST) is None
            assert (await cache.record_listing("ghcr.io/a", ["1"])).first_seen.keys() == {"1"}
            assert (await cache.record_listing("ghcr.io/b", ["1"])).first_seen.keys() == {"1"}
            assert await cache.outcomes() == ()

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE description SET used = 'soon'",
            "UPDATE listing SET used = x'00ff'",
            'UPDATE listing SET present = \'{"1": "x"}\'',
            "UPDATE listing SET present = '{\"1\": -99999999999999}'",
            "UPDATE listing SET gone = '{\"1\": [5]}'",
            "UPDATE seen SET first = -1000000000000000000",
            "UPDATE seen SET first = 'x'",
            "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = CAST(x'43ff' AS TEXT) WHERE name = 'run'",
        ],
    )
    async def test_values_that_nobody_wrote_cost_the_file_and_no_call(self, path, damage):
        said: list[str] = []
        async with opened(path) as cache:
            await _use_all(cache)
        with sqlite3.connect(path) as other:
            other.executescript(damage)
        other.close()
        async with opened(path, said=said) as cache:
            await _use_all(cache)
        assert [sentence.partition("was")[2] for sentence in said] == [
            " broken (the file is damaged); it was recreated and fills up again"
        ]
        async with opened(path, said=said) as cache:
            assert await cache.description(DIGEST) == DESCRIPTION
        assert len(said) == 1

    async def test_no_byte_of_the_file_can_make_a_call_fail(self, path):
        async with opened(path) as cache:
            await _use_all(cache)
        whole, random = path.read_bytes(), Random(7)
        used = [place for place, byte in enumerate(whole) if byte]
        for _ in range(150):
            broken = bytearray(whole)
            broken[random.choice(used)] ^= random.randrange(1, 256)
            path.write_bytes(broken)
            async with opened(path) as cache:
                await _use_all(cache)

    async def test_a_text_that_cannot_be_written_costs_no_file(self, path):
        async with opened(path) as cache:
            await _use_all(cache)
            with pytest.raises(UnicodeEncodeError):
                await cache.record_listing("\udcff", ["1"])
            assert await cache.description(DIGEST) == DESCRIPTION


async def _use_all(cache: Cache) -> None:
    await cache.description(DIGEST)
    await cache.record_listing("ghcr.io/a", ["1", "2"])
    await cache.first_seen("ghcr.io/a", DIGEST)
    await cache.remember_outcomes([OUTCOME])
    await cache.outcomes()
    await cache.verdicts()
    await cache.runs()
    await cache.notified.write("chat", {("app", "git"): "updated"})
    await cache.notified.read("chat")
    await cache.remember_description(DIGEST, DESCRIPTION)


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(os.strerror(1))


async def test_a_broken_file_whose_successor_breaks_too_is_said_and_memory_does(path, monkeypatch):
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all, and long enough" * 100)
    connect, tried = sqlite3.connect, []

    def failing(name, **more):
        tried.append(name)
        if len(tried) == 2:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(name, **more)

    monkeypatch.setattr(sqlite3, "connect", failing)
    said: list[str] = []
    async with opened(path, said=said) as cache:
        await cache.remember_description(DIGEST, DESCRIPTION)
        assert await cache.description(DIGEST) == DESCRIPTION
    assert len(said) == 1
