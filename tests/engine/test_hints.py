"""What waits because somebody said that it was pushed: each image once, however often that is said."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.eventually import until
from updater.engine.hints import MOST_TAGS, HintQueue, HintTimes
from updater.model.image import parse_name
from updater.model.scan_key import ScanKey

APP, WEB = (ScanKey(parse_name(f"r.example/{name}"), None) for name in ("app", "web"))


@pytest.fixture
async def hints():
    asked = []
    times = HintTimes(gather=0.01, spacing=0.2, late=0.05)
    queue = HintQueue(lambda named: asked.append({listed: set(tags) for listed, tags in named.items()}), times)
    task = asyncio.create_task(queue.run())
    yield queue, asked
    task.cancel()


async def test_what_is_pushed_together_is_asked_for_together_and_each_image_once(hints):
    queue, asked = hints
    for _ in range(1000):
        queue.add([APP], "1.1.0")
    queue.add([APP, WEB], "1.2.0")
    await until(lambda: asked)
    assert asked == [{APP: {"1.1.0", "1.2.0"}, WEB: {"1.2.0"}}]
    assert len(queue) == 0


async def test_an_image_that_was_asked_for_a_moment_ago_is_asked_for_later_and_not_forgotten(hints):
    queue, asked = hints
    queue.add([APP], "1")
    await until(lambda: asked)
    queue.add([APP], "2")
    queue.add([WEB], "3")
    await until(lambda: len(asked) == 3)
    assert asked[1:] == [{WEB: {"3"}}, {APP: {"2"}}]


async def test_a_tag_that_the_registry_does_not_list_yet_is_asked_for_once_more(hints):
    queue, asked = hints
    queue.add([APP], "1.1.0")
    await until(lambda: asked)
    queue.scanned(APP, ["1.0.0"])
    await until(lambda: len(asked) == 2)
    queue.scanned(APP, ["1.0.0"])
    queue.add([WEB], "1")
    await until(lambda: len(asked) == 3)
    assert asked[2] == {WEB: {"1"}}


async def test_a_flood_of_tags_of_one_image_is_a_few_of_them(hints):
    queue, asked = hints
    for number in range(10 * MOST_TAGS):
        queue.add([APP], str(number))
    await until(lambda: asked)
    assert len(asked[0][APP]) == MOST_TAGS
