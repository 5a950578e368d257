"""Starts registries on loopback and pushes to them, so that one suite can judge them all."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from tests.fakes.certificates import Authority, Pair
from tests.fakes.registry import FakeRegistry
from tests.fakes.token_server import TokenServer
from tests.real.parts import free_port, require
from updater.cli.embedded_registry import Blob, EmbeddedRegistry, build_image
from updater.model.image import Digest, Platform, parse_digest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime
    from pathlib import Path

LINUX = (Platform(os="linux", architecture="amd64"),)


@dataclass
class Lab:
    """A running registry. *has_pages* and *has_link* say what it makes of the specification's paging."""

    kind: str
    host: str
    url: str
    has_pages: bool = True
    embedded: EmbeddedRegistry | None = None
    context: ssl.SSLContext | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str | None = None
    tokens: TokenServer | None = None

    async def push(
        self,
        name: str,
        *tags: str,
        created: datetime | None = None,
        labels: Mapping[str, str] | None = None,
        platforms: tuple[Platform, ...] = LINUX,
    ) -> Digest:
        """Put one image under *tags*, by a call into our own registries, over HTTP into others."""
        manifests, blobs = build_image(created=created, labels=labels or {}, platforms=platforms)
        if self.embedded and self.kind == "embedded":
            for tag in tags:
                self.embedded.push(name, tag, created=created, labels=labels or {}, platforms=platforms)
            return parse_digest(manifests[-1].digest)
        async with aiohttp.ClientSession(headers=await self._headers(name)) as session:
            for blob in blobs:
                await self._upload(session, name, blob)
            for manifest in manifests[:-1]:
                await self._put(session, name, manifest.digest, manifest)
            await asyncio.gather(*(self._put(session, name, tag, manifests[-1]) for tag in tags))
        return parse_digest(manifests[-1].digest)

    async def _headers(self, name: str) -> Mapping[str, str]:
        if self.tokens is None:
            return self.headers
        async with (
            aiohttp.ClientSession(headers=basic("pusher", "word")) as session,
            session.get(
                self.tokens.url, params={"service": "lab-registry", "scope": f"repository:{name}:pull,push"}, ssl=self.context
            ) as answer,
        ):
            return {"Authorization": f"Bearer {(await answer.json())['token']}"}

    async def _upload(self, session: aiohttp.ClientSession, name: str, blob: Blob) -> None:
        async with session.post(f"{self.url}/v2/{name}/blobs/uploads/", ssl=self.context or True) as answer:
            assert answer.status == 202, await answer.text()
            place = answer.headers["Location"]
        target = place if "://" in place else f"{self.url}{place}"
        joint = "&" if "?" in target else "?"
        headers = {"Content-Type": "application/octet-stream"}
        async with session.put(
            f"{target}{joint}digest={blob.digest}", data=blob.body, headers=headers, ssl=self.context or True
        ) as answer:
            assert answer.status == 201, await answer.text()

    async def _put(self, session: aiohttp.ClientSession, name: str, reference: str, manifest: Blob) -> None:
        headers = {"Content-Type": manifest.media_type}
        url = f"{self.url}/v2/{name}/manifests/{reference}"
        async with session.put(url, data=manifest.body, headers=headers, ssl=self.context or True) as answer:
            assert answer.status == 201, await answer.text()


def basic(user: str, password: str) -> dict[str, str]:
    """Give the header that shows user and password."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@asynccontextmanager
async def running(kind: str, folder: Path) -> AsyncIterator[Lab]:
    """Start a registry that asks nobody who he is: embedded, fake, docker-registry or crane."""
    if kind in {"embedded", "fake"}:
        async with FakeRegistry() if kind == "fake" else EmbeddedRegistry() as registry:
            yield Lab(kind, registry.host, f"http://{registry.host}", embedded=registry)
        return
    port = free_port()
    host = f"127.0.0.1:{port}"
    if kind == "crane":
        command = [require("crane"), "registry", "serve", "--address", host]
    else:
        command = [require("docker-registry"), "serve", str(write_config(folder, port))]
    async with started(command, port):
        yield Lab(kind, host, f"http://{host}", has_pages=kind != "docker-registry")


@asynccontextmanager
async def guarded(how: str, folder: Path) -> AsyncIterator[Lab]:
    """Start docker-registry behind TLS, with `htpasswd` (alice, s3cret) or a `token` server of the same authority."""
    program = require("docker-registry")
    authority = Authority(folder)
    pair = authority.issue("server")
    context = ssl.create_default_context(cafile=authority.path)
    port = free_port()
    host = f"127.0.0.1:{port}"
    if how == "htpasswd":
        users = folder / "htpasswd"
        made = subprocess.run([require("htpasswd"), "-Bbn", "-C", "5", "alice", "s3cret"], capture_output=True, check=True)  # noqa: ASYNC221 - a moment
        users.write_bytes(made.stdout)
        config = write_config(folder, port, tls=pair, auth=f"htpasswd: {{realm: lab, path: {users}}}")
        async with started([program, "serve", str(config)], port):
            headers = basic("alice", "s3cret")
            yield Lab(how, host, f"https://{host}", context=context, headers=headers, ca=str(authority.path))
        return
    async with TokenServer(tls=authority.server_context(pair), signing=(pair.certificate, pair.key)) as tokens:
        tokens.users = {"pusher": "word", "alice": "s3cret"}
        auth = f"token: {{realm: {tokens.url!r}, service: lab-registry, issuer: lab-issuer, rootcertbundle: {pair.certificate}}}"
        async with started([program, "serve", str(write_config(folder, port, tls=pair, auth=auth))], port):
            yield Lab(how, host, f"https://{host}", context=context, ca=str(authority.path), tokens=tokens)


def write_config(folder: Path, port: int, *, tls: Pair | None = None, auth: str = "") -> Path:
    """Write a configuration of docker-registry."""
    path = folder / "registry.yml"
    secure = f"\n  tls: {{certificate: {tls.certificate}, key: {tls.key}}}" if tls else ""
    path.write_text(
        "version: 0.1\n"
        "log: {accesslog: {disabled: true}, level: error}\n"
        f"storage: {{cache: {{blobdescriptor: inmemory}}, filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f"http:\n  addr: 127.0.0.1:{port}{secure}\n" + (f"auth:\n  {auth}\n" if auth else "")
    )
    return path


@asynccontextmanager
async def started(command: list[str], port: int) -> AsyncIterator[None]:
    """Run *command* until the end of the block, once it listens."""
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)  # noqa: ASYNC220 - a fork
    try:
        await _listening(process, port)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


async def _listening(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise AssertionError(f"it ended at once: {process.stderr.read().decode()[-500:]}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise AssertionError("it does not listen")
