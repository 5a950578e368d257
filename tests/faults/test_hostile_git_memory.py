"""A promise: under the chart's memory limit no Git server ends the process, and a healthy repository moves all the same."""

from __future__ import annotations

import asyncio
import json
import resource
import sys

import pytest

from tests.fakes import hostile_git as evil
from tests.fakes.git_server import BareRepository, GitServer
from tests.fakes.hostile_git import HostileGit, packet
from tests.fakes.registry import FakeRegistry
from tests.git.test_hostile import bomb, endless, folders
from tests.real.daemon_process import environment
from tests.real.lab_objects import ROOT
from tests.real.parts import require

LIMIT = 512 * 2**20


def servers(marked: bytes) -> dict[str, HostileGit]:
    """Each kind of too much, by the name of its subscription."""
    name, zeros = evil.zeros(200 * 2**20)
    whole = evil.repository(files=[(b"a.yaml", marked)])
    progress = packet(b"shallow-info\n") + packet(b"shallow " + b"1" * 40 + b"\n") + b"0001" + packet(b"packfile\n")
    return {
        "deltas": HostileGit(*bomb(1, 2**14)),
        "chain": HostileGit(*bomb(2)),
        "trees": HostileGit(*folders(9, 10, marked)),
        "million": HostileGit(*folders(5, 10, marked)),
        "file": HostileGit(*evil.repository(zeros, rows=[(b"100644", b"big.yaml", name)], files=[(b"a.yaml", b"x")])),
        "message": HostileGit(*evil.repository(message=b"m" * (64 * 2**20))),
        "report": HostileGit(*whole, endless("push", packet(b"\x01" + packet(b"ok refs/heads/" + b"y" * 30000 + b"\n")))),
        "talk": HostileGit(*whole, endless("push", packet(b"\x02" + b"t" * 65000))),
        "progress": HostileGit(*whole, endless("fetch", packet(b"\x02" + b"p" * 60000), progress)),
        "refs": HostileGit(*whole, endless("list", packet(b"1" * 40 + b" refs/heads/mainx\n") * 999)),
    }


def configuration(folder, registry, urls):
    subscriptions = [
        {
            "key": key,
            "image": f"{registry.host}/org/app",
            "policy": {"semver": {"range": "*"}},
            "targets": [{"git": {"url": url, "branch": "main"}, "marker": "ns:app"}],
        }
        for key, url in urls.items()
    ]
    file = folder / "updater.yaml"
    registries = [{"prefix": registry.host, "url": registry.url, "insecure": True}]
    author = {"author": {"name": "updater", "email": "updater@example.org"}}
    settings = {"state": str(folder / "state"), "git": author, "registries": registries, "subscriptions": subscriptions}
    file.write_text(json.dumps(settings))
    return file


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))  # what the process allocates; mapped files do not count


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit does not hold for what is allocated")
async def test_ten_hostile_git_servers_in_512_mib_stop_no_healthy_repository(tmp_path):
    """Each ends in its named outcome, in one process with a limit of 512 MiB, and the healthy one gets its commit."""
    require("git-http-backend")
    async with FakeRegistry() as registry:
        registry.push("org/app", "1.0.0")
        registry.push("org/app", "1.1.0")
        marked = f'image: {registry.host}/org/app:1.0.0 # {{"$imagepolicy": "ns:app"}}\n'.encode()
        healthy = BareRepository.make(tmp_path / "served" / "fleet.git", {"a.yaml": marked})
        hostile = servers(marked)
        with GitServer(tmp_path / "served") as git:
            for server in hostile.values():
                server.__enter__()
            try:
                urls = {key: server.url for key, server in hostile.items()}
                file = configuration(tmp_path, registry, {**urls, "healthy": git.url("fleet.git")})
                code, ends, said = await once(file)
            finally:
                for server in hostile.values():
                    server.__exit__()
    assert b"org/app:1.1.0" in healthy.show("a.yaml"), said
    assert code == 1
    expected = {**dict.fromkeys(hostile, "git-limit"), "report": "push-unknown", "talk": "push-unknown", "file": ends["file"]}
    assert {key: ends[key] for key in hostile} == expected
    assert ends["file"] not in {"bug", "git-limit"}


async def once(file) -> tuple[int | None, dict[str, str], str]:
    """Run `updater once`; gives its exit code, the code of each outcome, and what it said."""
    command = [sys.executable, "-m", "updater", "once", "-c", str(file), "-o", "json"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment(), stdout=pipe, stderr=pipe, preexec_fn=limit
    )
    async with asyncio.timeout(240):
        output, said = await process.communicate()
    ends = {row["key"]: row["code"] for row in json.loads(output)["outcomes"]} if output else {}
    return process.returncode, ends, said.decode(errors="replace")
