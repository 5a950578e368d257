"""W3: 1,000 images by 100 tags on a real registry, read as all policies read it, against a bare aiohttp loop.

Run it by hand: `python benchmarks/w3_thousand_images.py [--images 1000] [--tags 100] [--rounds 3]`. It needs crane
(`.ci/parts crane`). One pass is a tag list of every image, the digest of one tag of every tenth (policy digest), and
the descriptions of every tag of every fiftieth (policy latest). The loop repeats the very requests that were seen,
reads each body and does nothing with it. A second pass by the same client shows what is left once everything is known.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.real.parts import find, free_port
from updater.cli.collector import settle
from updater.cli.embedded_registry import build_image
from updater.credentials.keychain import Keychain
from updater.http.client import HttpClient
from updater.model.image import Platform, parse_name
from updater.registry.client import RegistryClient
from updater.registry.endpoints import RegistryEntry
from updater.registry.manifest import ACCEPT
from updater.registry.transport import RegistryTransport

CONCURRENCY = 32
PLATFORMS = (Platform(os="linux", architecture="amd64"),)


@contextmanager
def crane(program: str):
    port = free_port()
    server = subprocess.Popen([program, "registry", "serve", "--address", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


async def seed(host: str, images: int, tags: int) -> None:
    """Push one image for each tag number, and put it under that tag of every image name."""
    built = [build_image(created=None, labels={"number": str(number)}, platforms=PLATFORMS) for number in range(tags)]
    limit = asyncio.Semaphore(CONCURRENCY)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY)) as session:
        for _ in range(50):
            try:
                async with session.get(f"http://{host}/v2/"):
                    break
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)

        async def put(url: str, body: bytes, media_type: str) -> None:
            async with limit, session.put(url, data=body, headers={"Content-Type": media_type}) as answer:
                assert answer.status == 201, (url, answer.status, await answer.text())

        async def push(image: int) -> None:
            base = f"http://{host}/v2/team/app-{image}"
            for number, (manifests, blobs) in enumerate(built):
                if number == 0 or image % 50 == 0:  # crane keeps blobs once for all names
                    async with limit, session.post(f"{base}/blobs/uploads/") as answer:
                        place = answer.headers["Location"]
                    await put(f"http://{host}{place}?digest={blobs[0].digest}", blobs[0].body, "application/octet-stream")
                await put(f"{base}/manifests/1.{number}.0", manifests[0].body, manifests[0].media_type)

        await asyncio.gather(*(push(image) for image in range(images)))


async def ours(client: RegistryClient, host: str, images: int) -> None:
    async def one(number: int) -> None:
        image = parse_name(f"{host}/team/app-{number}")
        listed = await client.tags(image)
        if number % 10 == 0:
            await client.digest(image, listed.tags[-1])
        if number % 50 == 0:
            digests = await asyncio.gather(*(client.digest(image, tag) for tag in listed.tags))
            await asyncio.gather(*(client.describe(image, digest) for digest in digests))

    queue = iter(range(images))

    async def work() -> None:
        for number in queue:
            await one(number)

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def bare(requests: list[tuple[str, str]]) -> None:
    queue = iter(requests)
    headers = {"Accept": ACCEPT, "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def work() -> None:
            for method, url in queue:
                async with session.request(method, url) as answer:
                    await answer.read()

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


def recorded(http: HttpClient, requests: list[tuple[str, str]]) -> None:
    """Note every request that *http* sends."""
    send = http.send

    async def noting(request):
        requests.append((request.method, request.url))
        return await send(request)

    http.send = noting  # type: ignore[method-assign] # only to count


async def measure(host: str, options: argparse.Namespace) -> None:
    ratios, rates, spent = [], [], []
    entries = [RegistryEntry(prefix=host, concurrency=CONCURRENCY)]
    for _ in range(options.rounds):
        requests: list[tuple[str, str]] = []
        async with HttpClient() as http:
            recorded(http, requests)
            client = RegistryClient(RegistryTransport(http, Keychain(docker_configs=())), entries)
            began, cpu = time.perf_counter(), time.process_time()
            await ours(client, host, options.images)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            first = len(requests)
            began = time.perf_counter()
            await asyncio.gather(*(client.tags(parse_name(f"{host}/team/app-{number}")) for number in range(options.images)))
            again = time.perf_counter() - began
        second = len(requests) - first
        began, bare_cpu = time.perf_counter(), time.process_time()
        await bare(requests[:first])
        reference, bare_cpu = time.perf_counter() - began, time.process_time() - bare_cpu
        ratios.append(reference / seconds)
        rates.append(first / seconds)
        spent.append(bare_cpu / cpu)
        print(f"ours {first / seconds:7.0f}/s ({first} requests)   bare {first / reference:7.0f}/s", end="   ")
        print(f"second pass {second} requests in {again:.2f} s")
    print(f"W3: ours/bare rate {statistics.median(ratios):.0%} (goal >= 70 %), median {statistics.median(rates):.0f} requests/s;")
    shown = f"ours {1e6 * cpu / first:.0f} us a request, bare {1e6 * bare_cpu / first:.0f} us (last)"
    print(f"    by CPU {statistics.median(spent):.0%}: {shown}")
    print(f"    second pass {second / options.images:.2f} requests per image name (goal <= 1)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--tags", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    program = find("crane")
    if program is None:
        sys.exit("crane is not here: run .ci/parts crane")
    settle()  # as the program does; the bare loop has it, too
    with crane(program) as host:
        asyncio.run(seed(host, options.images, options.tags))
        asyncio.run(measure(host, options))


if __name__ == "__main__":
    main()
