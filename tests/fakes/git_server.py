"""A real `git http-backend` behind a small server: authentication, TLS, counted requests, scripted faults."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import ipaddress
import shutil
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

BACKEND = "/usr/lib/git-core/git-http-backend"
IDENTITY = {
    "GIT_AUTHOR_NAME": "Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_COMMITTER_NAME": "Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
}
# pushes over HTTP; and nothing that costs time and serves a repository that outlives a test
_CONFIG = """[http]
\treceivepack = true
[core]
\tfsync = none
[gc]
\tauto = 0
[receive]
\tautogc = false
[pack]
\tthreads = 1
"""


def run_git(*arguments, cwd=None, data=None, **environment):
    """Run the git program away from anybody's configuration; gives its output as text."""
    done = subprocess.run(
        ["git", *map(str, arguments)], cwd=cwd, input=data, capture_output=True, env={**IDENTITY, **environment}, check=False
    )
    if done.returncode:
        raise AssertionError(f"git {arguments}: {done.stderr.decode()}")
    return done.stdout.decode("utf-8", "surrogateescape")


@dataclass
class BareRepository:
    """A bare repository that persons commit to; *pushes* logs what its update hook saw."""

    path: Path
    clock: int = 1_700_000_000

    @classmethod
    def make(cls, path: Path, files: dict | None = None, branch: str = "main") -> BareRepository:
        run_git("init", "-q", "--bare", "--template=", f"--initial-branch={branch}", path)
        with (path / "config").open("a", encoding="utf-8") as config:
            config.write(_CONFIG)
        repository = cls(path)
        if files is not None:
            repository.commit(files, branch=branch, message="first")
        return repository

    def copy(self, path: Path) -> BareRepository:
        """Give the same repository once more, at *path*."""
        shutil.copytree(self.path, path)
        return BareRepository(path, self.clock)

    def config(self, key, value):
        run_git("--git-dir", self.path, "config", key, value)

    def commit(self, files, *, branch="main", message="a person's change", parent=None, committer=None):
        """Commit *files* (bytes, None to delete, or (mode, bytes)); *parent* "" starts a history. Gives the revision."""
        self.clock += 60
        old = parent if parent is not None else self.head(branch)
        who = committer or "Person <person@example.org>"
        text = message.encode()
        head = f"commit refs/heads/{branch}\ncommitter {who} {self.clock} +0000\ndata {len(text)}\n".encode()
        lines = [head + text + b"\n"]
        if old:
            lines.append(f"from {old}\n".encode())
        for name, value in files.items():
            mode, data = value if isinstance(value, tuple) else ("100644", value)
            if data is None:
                lines.append(f"D {name}\n".encode())
            elif mode == "160000":
                lines.append(b"M 160000 %s %s\n" % (data, name.encode()))
            else:
                lines.append(b"M %s inline %s\ndata %d\n" % (mode.encode(), name.encode(), len(data)) + data + b"\n")
        run_git("--git-dir", self.path, "fast-import", "--quiet", "--force", data=b"".join(lines))
        return self.head(branch)

    def head(self, branch="main"):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return (self.path / "refs" / "heads" / branch).read_text().strip()
        done = subprocess.run(
            ["git", "--git-dir", self.path, "rev-parse", "-q", "--verify", f"refs/heads/{branch}"],
            capture_output=True,
            env=IDENTITY,
            check=False,
        )
        return done.stdout.decode().strip() or None

    def git(self, *arguments, **environment):
        return run_git("--git-dir", self.path, *arguments, **environment)

    def show(self, path, revision="main"):
        return subprocess.run(
            ["git", "--git-dir", self.path, "show", f"{revision}:{path}"], capture_output=True, env=IDENTITY, check=True
        ).stdout

    def log_pushes(self):
        """Install an update hook that logs every push, with "forced" where it was no fast-forward."""
        hook = self.path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(
            '#!/bin/sh\nkind=new\nif [ "$2" != 0000000000000000000000000000000000000000 ]; then\n'
            '  if git merge-base --is-ancestor "$2" "$3"; then kind=fast; else kind=forced; fi\nfi\n'
            f'echo "$kind $1 $2 $3" >> "{self.path}/pushes"\n'
        )
        hook.chmod(0o755)

    def decline_pushes(self, message="protected branch"):
        hook = self.path / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n")
        hook.chmod(0o755)

    @property
    def pushes(self):
        file = self.path / "pushes"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


@dataclass
class Fault:
    """What happens to the next matching requests: *kind* is refuse, drop, slow, html or status."""

    kind: str
    service: str = ""
    times: int = 1
    status: int = 500
    seconds: float = 0.0
    location: str = ""
    before: object = None


@dataclass
class Request:
    method: str
    path: str
    service: str
    authorization: str | None
    headers: dict
    protocol: str


class Authority:
    """A certificate authority for one test session; PEM files below *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        certificate = self._build(self._name, self._key.public_key(), is_authority=True)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> Path:
        """Give a PEM file with a certificate for *name* on loopback, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._build(subject, key.public_key(), is_authority=False)
        file = self.folder / f"{name}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return file

    def _build(self, subject, public_key, *, is_authority):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]),
                critical=False,
            )
        )
        return builder.sign(self._key, hashes.SHA256())

    def context(self, certificate: Path, *, asks_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if asks_client:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass
class GitServer:
    """Serves the bare repositories below *root*; used as a context manager, runs in a thread of its own."""

    root: Path
    basic: tuple[str, str] | None = None
    bearer: str | None = None
    tls: ssl.SSLContext | None = None
    speaks_v2: bool = True
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    port: int = 0

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._transports = set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/{name}"

    def fail(self, kind: str, **options) -> None:
        self.faults.append(Fault(kind, **options))

    def count(self) -> int:
        return len(self.requests)

    def _serve(self, started):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run(started))
        self._loop.close()

    async def _run(self, started):
        self._stop = asyncio.Event()
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        await runner.cleanup()
        for transport in self._transports:
            transport.abort()
        for _ in range(10):  # what was aborted closes its socket in the next rounds of the loop
            await asyncio.sleep(0)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        service = request.query.get("service") or request.path.rpartition("/")[2]
        kind = f"{request.method} {service}"
        self.requests.append(
            Request(
                request.method,
                request.path,
                service,
                request.headers.get("Authorization"),
                dict(request.headers),
                request.headers.get("Git-Protocol", ""),
            )
        )
        self._transports.add(request.transport)
        body = await request.read()
        fault = self._take(kind)
        if fault is not None:
            if callable(fault.before):
                await asyncio.get_running_loop().run_in_executor(None, fault.before)
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            if (answer := self._play(fault, request, service)) is not None:
                return answer
        if (refusal := self._refuse(request)) is not None:
            return refusal
        status, headers, data = await self._backend(request, body)
        if fault is not None and fault.kind == "drop":
            response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(data))})
            await response.prepare(request)
            await response.write(data[: len(data) // 2])
            request.transport.abort()
            return response
        return web.Response(status=status, headers=headers, body=data)

    @staticmethod
    def _play(fault, request, service):
        """Give the scripted answer, None where the real one follows."""
        if fault.kind == "refuse":
            request.transport.abort()
            return web.Response()
        if fault.kind == "html":
            return web.Response(text="<html>sign in</html>", content_type="text/html")
        if fault.kind == "garbage":
            word = "advertisement" if request.method == "GET" else "result"
            return web.Response(body=b"zzzz not a packet", headers={"Content-Type": f"application/x-{service}-{word}"})
        if fault.kind == "status":
            headers = {"Location": fault.location} if fault.location else {}
            return web.Response(status=fault.status, text="server says no", headers=headers)
        return None

    def _take(self, kind):
        for fault in self.faults:
            if fault.times > 0 and fault.service in kind:
                fault.times -= 1
                return fault
        return None

    def _refuse(self, request):
        shown = request.headers.get("Authorization", "")
        wanted = []
        if self.basic:
            wanted.append("Basic " + base64.b64encode(":".join(self.basic).encode()).decode())
        if self.bearer:
            wanted.append(f"Bearer {self.bearer}")
        if not wanted or shown in wanted:
            return None
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})

    async def _backend(self, request, body):
        environment = {
            **IDENTITY,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": "someone",
            "REMOTE_ADDR": "127.0.0.1",
        }
        if self.speaks_v2 and "Git-Protocol" in request.headers:
            environment["GIT_PROTOCOL"] = request.headers["Git-Protocol"]
        if request.headers.get("Content-Encoding"):
            environment["HTTP_CONTENT_ENCODING"] = request.headers["Content-Encoding"]
        process = await asyncio.create_subprocess_exec(
            BACKEND,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate(body)
        head, _, data = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        return status, headers, data
