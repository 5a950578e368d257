"""A promise: under the chart's memory limit no answer of a registry ends the process, and a healthy neighbour goes on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import zlib
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from tests.fakes.registry import FakeRegistry, always

LIMIT = 512 - 64  # MiB; what else the daemon holds has room beside it
CHILD = Path(__file__).with_name("hostile_child.py")
FULL = 16 << 20


def filled(piece: bytes, before: bytes = b'{"tags":[', after: bytes = b"0]}") -> bytes:
    return before + piece * ((FULL - len(before) - len(after)) // len(piece)) + after


def bodies() -> dict[str, bytes]:
    return {
        "lists": filled(b"[],"),
        "mappings": filled(b'{"a":{}},'),
        "words": filled(b'"1.0.0",'),
        "wide": filled(b"a", b'{"tags":["1.0.0","' + "😀".encode(), b'"]}'),
        "nested": filled(b"["),
    }


def bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return packer.compress(b'{"tags":["') + b"".join(packer.compress(b"a" * (1 << 20)) for _ in range(500)) + packer.flush()


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(64):
        await response.write(b"[]," * 349_525)
    return response


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is counted in other units elsewhere")
async def test_no_answers_together_take_more_than_512_mib_and_a_healthy_registry_is_read_all_the_time():
    """Four registries send seven kinds of too much at once, twice; each ends in an error that is named."""
    made, packed = bodies(), bomb()
    async with AsyncExitStack() as stack:
        healthy = await stack.enter_async_context(FakeRegistry())
        healthy.push("org/app", "1.0.0")
        healthy.push("org/app", "1.1.0")
        hostile = [await stack.enter_async_context(FakeRegistry()) for _ in range(4)]
        for server in hostile:
            for kind, body in made.items():
                server.faults.append(always(f"/{kind}/", lambda _, body=body: web.Response(body=body)))
            server.faults.append(always("/gzip/", lambda _: web.Response(body=packed, headers={"Content-Encoding": "gzip"})))
            server.faults.append(always("/endless/", endless))
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-X",
            "faulthandler",
            str(CHILD),
            *(server.host for server in (healthy, *hostile)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "MALLOC_ARENA_MAX": "2"},
        )
        async with asyncio.timeout(300):
            output, errors = await child.communicate()
    assert child.returncode == 0, errors.decode()[:3000]
    said = json.loads(output)
    assert said["peak"] < LIMIT, said
    assert said["moves"] >= 2, said
    assert set(said["codes"]) <= {"registry-too-large", "registry-too-deep", "registry-not-json", "listed"}, said
    assert said["codes"]["listed"] <= 2 * 4, "one kind alone is a list that may be read: a single long word, which is not a tag"
    assert said["codes"]["registry-too-large"] >= 2 * 4 * 5, said
