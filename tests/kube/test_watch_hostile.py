"""Promises of the watch against a server, or a proxy before it, that keeps no promise of its own."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.fakes.kube import send, status_object
from tests.kube.test_watch import APP, lab, wait_for  # noqa: F401 - a fixture
from updater.kube.reflector import LONGEST_WAIT


async def gone(response):
    await send(response, "ERROR", status_object(410, "too old resource version", "Expired"))


async def a_page(response):
    await response.write(b"<html><body>Bad gateway</body></html>\n")


async def nothing(response):
    del response


@pytest.mark.parametrize("end", [gone, a_page, nothing])
async def test_a_watch_that_fails_after_each_event_is_opened_and_told_ever_less(lab, end):  # noqa: F811 - the fixture's name
    async def one_event_and_the_end(request):
        if not request.query.get("watch"):
            return None
        response = web.StreamResponse()
        await response.prepare(request)
        version = str(int(request.query["resourceVersion"]) + 1)
        metadata = {"name": "a", "namespace": "default", "resourceVersion": version}
        await send(response, "MODIFIED", {"kind": "App", "metadata": metadata, "spec": 1})
        await end(response)
        return response

    await lab.server.put(APP, "a", spec=1)
    lab.server.faults.append(one_event_and_the_end)
    async with lab.watching():
        await wait_for(lab, LONGEST_WAIT)
        assert lab.names() == {"a": 1}
    waits = [seconds for seconds in lab.time.slept if seconds >= 1.0]
    begun = waits[: waits.index(LONGEST_WAIT) + 1]
    # counted by waits, not by the clock: time is only noted here, and more of them pass while the test looks
    assert begun == sorted(begun)
    assert len(begun) <= 8
    assert lab.server.count("limit") <= len(waits) + 2
    assert len(lab.reports) <= 2 * len(waits) + 2
