"""A Git server whose every byte is scripted: it lists one head and answers each fetch with the pack that it is told."""

from __future__ import annotations

import hashlib
import struct
import zlib

from aiohttp import web

COMMIT, TREE, BLOB = 1, 2, 3
_CAPABILITIES = ("version 2\n", "agent=script\n", "ls-refs\n", "fetch=shallow\n", "object-format=sha1\n")


def packet(data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return b"%04x" % (len(raw) + 4) + raw


def name_of(kind: int, data: bytes) -> str:
    word = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob"}[kind]
    return hashlib.sha1(word + b" %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def entry(kind: int, data: bytes, *, size: int | None = None, prefix: bytes = b"", compressed: bytes | None = None) -> bytes:
    """One object of a pack; *size* may lie about its length, *compressed* about its bytes."""
    left = len(data) if size is None else size
    first, left = (kind << 4) | (left & 15), left >> 4
    head = []
    while left:
        head.append(first | 0x80)
        first, left = left & 0x7F, left >> 7
    return bytes([*head, first]) + prefix + (zlib.compress(data) if compressed is None else compressed)


def pack(entries: list[bytes], *, count: int | None = None, version: int = 2, checksum: bytes | None = None) -> bytes:
    """A pack of *entries*; *count*, *version* and *checksum* may lie."""
    body = b"PACK" + struct.pack(">II", version, len(entries) if count is None else count) + b"".join(entries)
    return body + (hashlib.sha1(body, usedforsecurity=False).digest() if checksum is None else checksum)


def tree_of(*rows: tuple[bytes, bytes, str]) -> bytes:
    return b"".join(mode + b" " + name + b"\0" + bytes.fromhex(child) for mode, name, child in rows)


def commit_of(tree: str, message: bytes = b"x") -> bytes:
    who = b"a <a@example.org> 1700000000 +0000"
    return b"tree " + tree.encode() + b"\nauthor " + who + b"\ncommitter " + who + b"\n\n" + message + b"\n"


class ScriptedGit:
    """Used as an async context manager; *head* and *pack* may be changed between requests."""

    def __init__(self, head: str, pack: bytes) -> None:
        self.head, self.pack = head, pack
        self.fetches = 0

    async def __aenter__(self):
        application = web.Application()
        application.router.add_get("/r.git/info/refs", self._advertise)
        application.router.add_post("/r.git/git-upload-pack", self._upload)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/r.git"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def _advertise(self, _request):
        body = packet("# service=git-upload-pack\n") + b"0000" + b"".join(map(packet, _CAPABILITIES)) + b"0000"
        return web.Response(body=body, headers={"Content-Type": "application/x-git-upload-pack-advertisement"})

    async def _upload(self, request):
        body = await request.read()
        if b"command=ls-refs" in body:
            answer = packet(f"{self.head} HEAD symref-target:refs/heads/main\n") + packet(f"{self.head} refs/heads/main\n")
        else:
            self.fetches += 1
            answer = packet("shallow-info\n") + packet(f"shallow {self.head}\n") + b"0001" + packet("packfile\n")
            parts = (self.pack[at : at + 60_000] for at in range(0, len(self.pack), 60_000))
            answer += b"".join(packet(b"\x01" + part) for part in parts)
        return web.Response(body=answer + b"0000", headers={"Content-Type": "application/x-git-upload-pack-result"})
