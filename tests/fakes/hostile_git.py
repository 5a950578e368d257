"""A Git server of protocol 2 that answers what a test makes up: packs, headers, endless or dripping answers."""

from __future__ import annotations

import hashlib
import socketserver
import struct
import threading
import zlib

COMMIT, TREE, BLOB, OFS_DELTA, REF_DELTA = 1, 2, 3, 6, 7
_KINDS = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob"}
ADVERTISED = b"version 2\n", b"agent=x\n", b"ls-refs=unborn\n", b"fetch=shallow filter\n", b"object-format=sha1\n"


def packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data


def name_of(kind: int, data: bytes) -> str:
    return hashlib.sha1(b"%s %d\0" % (_KINDS[kind], len(data)) + data).hexdigest()


def header(kind: int, size: int) -> bytes:
    out, byte, size = [], kind << 4 | size & 15, size >> 4
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    return bytes([*out, byte])


def entry(kind: int, data: bytes, *, size: int | None = None, base: bytes = b"") -> bytes:
    """One object of a pack; *size* may lie, *base* is the name or distance of a delta."""
    return header(kind, len(data) if size is None else size) + base + zlib.compress(data)


def zeros(size: int) -> tuple[str, bytes]:
    """Name and entry of a blob of *size* zeros, made without holding it."""
    squeeze, name, block = zlib.compressobj(9), hashlib.sha1(b"blob %d\0" % size), bytes(1 << 20)
    out = []
    for at in range(0, size, len(block)):
        part = block[: size - at]
        name.update(part)
        out.append(squeeze.compress(part))
    return name.hexdigest(), header(BLOB, size) + b"".join([*out, squeeze.flush()])


def pack(*entries: bytes, count: int | None = None) -> bytes:
    body = b"PACK" + struct.pack(">II", 2, len(entries) if count is None else count) + b"".join(entries)
    return body + hashlib.sha1(body).digest()


def folder(*rows: tuple[bytes, bytes, str]) -> bytes:
    """A raw tree; a row is mode, name and object."""
    return b"".join(mode + b" " + name + b"\0" + bytes.fromhex(child) for mode, name, child in rows)


def commit_of(tree: str, message: bytes = b"x") -> bytes:
    return b"tree " + tree.encode() + b"\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\n" + message + b"\n"


def repository(*objects: bytes, rows=(), files=(), message=b"x") -> tuple[str, bytes]:
    """Head and pack of a repository: *files* are name and bytes, *rows* more of its root, *objects* more of its pack."""
    blobs = [(b"100644", name, name_of(BLOB, data)) for name, data in files]
    root = folder(*sorted([*blobs, *rows], key=lambda row: row[1]))
    commit = commit_of(name_of(TREE, root), message)
    made = [entry(BLOB, data) for _, data in files]
    return name_of(COMMIT, commit), pack(entry(COMMIT, commit), entry(TREE, root), *made, *objects)


def number(value: int) -> bytes:
    out = []
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def delta(source: int, result: int, instructions: bytes) -> bytes:
    return number(source) + number(result) + instructions


def copies(size: int, times: int) -> bytes:
    """Instructions that copy the first *size* bytes (below 2**24) of the base *times* times."""
    return (b"\xf0" + size.to_bytes(3, "little")) * times


class HostileGit:
    """Serves *head* and *sent* (a pack) over HTTP on loopback; *script* may answer a request itself.

    *script* is called with the kind of request (advertise, list, fetch, advertise-push, push), its headers, and a function
    that writes bytes as they are; it returns True where it answered. *shown* has each Authorization header.
    """

    def __init__(self, head: str = "1" * 40, sent: bytes = b"", script=lambda *_: False):
        self.head, self.sent, self.script = head, sent, script
        self.shown, self.kinds = [], []
        self.over = threading.Event()

    def __enter__(self):
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    while server._one(self.rfile, self.wfile):
                        pass
                except (OSError, ValueError):
                    return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, block_on_close = True, False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/fleet.git"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def _one(self, rfile, wfile) -> bool:
        line = rfile.readline().decode()
        if not line:
            return False
        fields = {}
        while (row := rfile.readline().decode().strip()) != "":
            key, _, value = row.partition(":")
            fields[key.lower()] = value.strip()
        body = self._body(rfile, fields)
        kind = self._kind(line, body)
        self.kinds.append(kind)
        self.shown.append(fields.get("authorization", ""))
        if not self.script(kind, fields, wfile.write):
            self._answer(kind, wfile.write)
        return False

    @staticmethod
    def _body(rfile, fields) -> bytes:
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(rfile.readline().strip() or b"0", 16):
                body += rfile.read(size)
                rfile.readline()
            rfile.readline()
            return body
        return rfile.read(int(fields.get("content-length", 0)))

    @staticmethod
    def _kind(line, body) -> str:
        if "service=" in line:
            return "advertise-push" if "receive-pack" in line else "advertise"
        if "git-receive-pack" in line:
            return "push"
        return "list" if b"ls-refs" in body or b"ls-refs" in _gunzip(body) else "fetch"

    def _answer(self, kind, write):
        write(head_of(kind))
        write(self.told(kind))

    def told(self, kind) -> bytes:
        """The body of the ordinary answer."""
        service = packet(b"# service=git-%s-pack\n" % (b"receive" if "push" in kind else b"upload")) + b"0000"
        if kind == "advertise":
            return service + b"".join(map(packet, ADVERTISED)) + b"0000"
        if kind == "advertise-push":
            can = b"report-status side-band-64k delete-refs ofs-delta"
            return service + packet(f"{self.head} refs/heads/main\0".encode() + can + b"\n") + b"0000"
        if kind == "list":
            refs = f"{self.head} HEAD symref-target:refs/heads/main\n", f"{self.head} refs/heads/main\n"
            return b"".join(packet(line.encode()) for line in refs) + b"0000"
        if kind == "push":
            inner = packet(b"unpack ok\n") + packet(b"ok refs/heads/main\n") + b"0000"
            return packet(b"\x01" + inner) + b"0000"
        begun = packet(b"shallow-info\n") + packet(f"shallow {self.head}\n".encode()) + b"0001" + packet(b"packfile\n")
        parts = [packet(b"\x01" + self.sent[at : at + 65000]) for at in range(0, len(self.sent), 65000)]
        return begun + b"".join(parts) + b"0000"


def head_of(kind: str, status: str = "200 OK", **fields: str) -> bytes:
    """The head of an answer, of the content type that *kind* has."""
    service = "receive" if "push" in kind else "upload"
    what = "advertisement" if kind.startswith("advertise") else "result"
    rows = {"Content-Type": f"application/x-git-{service}-pack-{what}", "Connection": "close", **fields}
    return (
        f"HTTP/1.1 {status}\r\n".encode()
        + b"".join(f"{key.replace('_', '-')}: {value}\r\n".encode() for key, value in rows.items())
        + b"\r\n"
    )


def _gunzip(body: bytes) -> bytes:
    try:
        return zlib.decompress(body, 31)
    except zlib.error:
        return b""
