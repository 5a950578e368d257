"""Real registries tell of a push, and the push is committed: long before the interval is over."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from tests.fakes.git_server import BareRepository, GitServer
from tests.flows.fleet import MARKED, Fleet
from tests.flows.test_run import until
from tests.flows.test_webhooks import HookedDaemon
from tests.real.parts import free_port, require
from tests.real.registries import Lab, started, write_config


class _Known:
    """What a fleet asks of its registry."""

    def __init__(self, host):
        self.host, self.url = host, f"http://{host}"


@asynccontextmanager
async def telling(program, folder, port):
    """Start a registry that tells /webhooks/registry on *port* of each push."""
    own = free_port()
    config = write_config(folder, own)
    endpoint = (
        f"{{name: updater, url: 'http://127.0.0.1:{port}/webhooks/registry', headers: {{Authorization: [Bearer s3cret]}}, "
        "timeout: 5s, threshold: 3, backoff: 1s}"
    )
    config.write_text(config.read_text() + f"notifications: {{endpoints: [{endpoint}]}}\n")
    async with started([require(program), "serve", str(config)], own):
        yield Lab(program, f"127.0.0.1:{own}", f"http://127.0.0.1:{own}")


@pytest.mark.parametrize("program", ["docker-registry", "registry-v3"])
async def test_a_push_to_a_real_registry_is_committed_because_the_registry_tells_of_it(tmp_path, monkeypatch, program):
    require(program)
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    web = free_port()
    async with telling(program, tmp_path, web) as lab:
        await lab.push("o/app", "1.0.0")
        repository = BareRepository.make(
            tmp_path / "repos" / "fleet.git", {"apps/app.yaml": MARKED.format(host=lab.host).encode()}
        )
        with GitServer(tmp_path / "repos") as server:
            made = Fleet(folder=tmp_path, registry=_Known(lab.host), repository=repository, server=server)
            made.add("app", "marker: ns:app")
            daemon = HookedDaemon(made, free_port(), '  - {name: registry, kind: distribution, secret: "env:HOOK_SECRET"}')
            daemon.web = web
            async with daemon as running:
                await running.metric('updater_outcomes_total{method="git",status="unchanged"}')
                for tag in ("1.1.0", "1.2.0"):
                    await lab.push("o/app", tag)
                    await until(lambda tag=tag: tag in made.file("apps/app.yaml"))
                assert len(made.commits()) == 3
