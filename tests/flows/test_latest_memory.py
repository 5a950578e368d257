"""The policy latest never goes back: Git remembers what was replaced, also when cache and clock are lost."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from tests.flows.fleet import Status, fleet

OLD, NEW = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)


async def next_second():
    """First-seen times are whole seconds."""
    await asyncio.sleep(1 - time.time() % 1 + 0.01)


def follow(made):
    made.add("app", "marker: ns:app", policy="{latest: {}}", more="filter: {allow: ^build-}")


async def replaced(made):
    """build-a, the newer build, was replaced by build-b, an older one that was pushed later."""
    follow(made)
    made.registry.push("o/app", "build-a", created=NEW)
    assert (await made.once())["app"].status is Status.UPDATED
    await next_second()
    made.registry.push("o/app", "build-b", created=OLD)
    assert (await made.once())["app"].status is Status.UPDATED
    assert "o/app:build-b " in made.file("apps/app.yaml")


async def test_what_latest_replaced_does_not_come_back_when_the_cache_is_lost(tmp_path):
    async with fleet(tmp_path) as made:
        await replaced(made)
        made.forget()
        before = made.commits()
        for _ in range(2):
            assert (await made.once())["app"].status is Status.UNCHANGED
        await next_second()
        made.registry.push("o/app", "build-c", created=OLD)
        assert (await made.once())["app"].status is Status.UPDATED
        assert "o/app:build-c " in made.file("apps/app.yaml")
        assert len(made.commits()) == len(before) + 1


async def test_a_replaced_tag_with_another_digest_is_another_image(tmp_path):
    async with fleet(tmp_path) as made:
        await replaced(made)
        made.forget()
        made.registry.push("o/app", "build-a", created=datetime(2024, 6, 1, tzinfo=UTC))
        assert (await made.once())["app"].status is Status.UPDATED
        assert "o/app:build-a " in made.file("apps/app.yaml")


async def test_what_build_dates_cannot_tell_is_held_with_the_reason(tmp_path):
    async with fleet(tmp_path) as made:
        await replaced(made)
        made.forget()
        made.registry.push("o/app", "build-x", created=datetime(2024, 3, 1, tzinfo=UTC))
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.HELD, "incomparable")
        assert "build-a" in end.detail
        assert end.hint
        await next_second()
        made.registry.push("o/app", "build-c", created=OLD)
        assert (await made.once())["app"].status is Status.UPDATED


async def test_a_replaced_tag_that_is_gone_makes_older_builds_incomparable(tmp_path):
    async with fleet(tmp_path) as made:
        await replaced(made)
        made.forget()
        made.registry.delete("o/app", "build-a")
        made.registry.push("o/app", "build-x", created=datetime(2024, 3, 1, tzinfo=UTC))
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.HELD, "incomparable")


async def test_people_may_go_back_by_the_filter(tmp_path):
    async with fleet(tmp_path) as made:
        await replaced(made)
        made.forget()
        made.subscriptions[:] = [text.replace("allow: ^build-", "allow: ^build-a") for text in made.subscriptions]
        assert (await made.once())["app"].status is Status.UPDATED
        assert "o/app:build-a " in made.file("apps/app.yaml")
