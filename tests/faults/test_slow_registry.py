"""A promise: beside eighty images of a registry that never ends its lists, a healthy image keeps its interval."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tests.fakes.registry import FakeRegistry, always
from tests.fakes.still_time import StillTime
from updater.cache.cache import Cache
from updater.credentials.keychain import Keychain
from updater.engine.scanner import Scanner
from updater.http.client import HttpClient
from updater.model.image import parse_name
from updater.model.scan_key import ScanKey
from updater.registry.client import RegistryClient
from updater.registry.shape import AnswerLimits
from updater.registry.transport import RegistryTransport


def listed(server: FakeRegistry, name: str) -> ScanKey:
    return ScanKey(parse_name(f"{server.host}/{name}"), None)


async def test_a_healthy_image_is_scanned_while_eighty_of_a_slow_registry_wait():
    """The slow one answers nothing at all: its images hold their share of the slots, and no more."""
    forever = asyncio.Event()

    async def dripping(_request):
        await forever.wait()
        return web.Response(status=503)

    async with FakeRegistry() as slow, FakeRegistry() as healthy, HttpClient() as http:
        # two hosts: a port alone is a host of its own here, as registries on one machine are
        slow.faults.append(always("/v2/", dripping))
        healthy.push("org/app", "1.0.0")
        scans = Scanner(RegistryClient(RegistryTransport(http, Keychain(environment={}, docker_configs=()))), Cache(None))
        waiting = [asyncio.create_task(scans.scan(listed(slow, f"x{number}"))) for number in range(80)]
        await asyncio.sleep(0.1)
        for number in range(5):
            healthy.push("org/app", f"1.{number}.0")
            async with asyncio.timeout(30):
                await scans.scan(listed(healthy, "org/app"))
            assert scans.failure(listed(healthy, "org/app")) is None
        assert len(slow.asked) <= 16
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        forever.set()


async def test_a_list_without_end_ends_at_its_deadline_and_its_registry_is_asked_less():
    """Each page comes in time, and there is always a next one."""
    time = StillTime()

    async def page(request):
        time.now += 25
        number = int(request.query.get("last", "0"))
        return web.json_response({"tags": [f"1.0.{number}"]}, headers={"Link": f'<?last={number + 1}>; rel="next"'})

    async with FakeRegistry() as slow, HttpClient(surroundings=time.surroundings()) as http:
        slow.faults.append(always("/tags/", page))
        asking = RegistryTransport(http, Keychain(environment={}, docker_configs=()), limits=AnswerLimits(list_time=100))
        scans = Scanner(RegistryClient(asking), Cache(None))
        await scans.scan(listed(slow, "x"))
        failure = scans.failure(listed(slow, "x"))
        assert failure.code == "registry-too-slow"
        assert "registry_limits.list_time" in failure.hint
        assert len(slow.asked) == 4
        async with asyncio.timeout(60):
            await asyncio.gather(*(scans.scan(listed(slow, f"x{number}")) for number in range(10)))
        assert len(slow.asked) == 44
