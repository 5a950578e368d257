"""Promises of the store below the cache."""

from __future__ import annotations

from updater.cache.store import DatabaseFile


async def test_work_is_done_in_one_transaction_and_its_result_given(tmp_path):
    async with DatabaseFile(tmp_path / "cache.db") as store:
        await store.run(lambda connection: connection.execute("INSERT INTO listing VALUES ('a', '{}', '{}', 1)"))
        assert await store.run(lambda connection: connection.execute("SELECT image FROM listing").fetchall()) == [("a",)]
