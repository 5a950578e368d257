"""What the process serves: metrics, life and readiness."""

from __future__ import annotations

import aiohttp
import pytest

from updater.errors import ConfigError
from updater.web.app import Probes, application, serve


async def get(runner, path):
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}{path}") as answer:
        return answer.status, await answer.text(), answer.headers["Content-Type"]


@pytest.fixture
async def served():
    state = {"waits": "first scans"}
    probes = Probes(
        render_metrics=lambda: b"updater_up 1\n",
        content_type="text/plain; version=0.0.4; charset=utf-8",
        waits_for=lambda: state["waits"],
        conditions=lambda: {"configuration": "", "schedule": state["waits"]},
    )
    runner = await serve(application(probes), "127.0.0.1:0")
    yield runner, state
    await runner.cleanup()


async def test_metrics_are_served_as_prometheus_text(served):
    assert await get(served[0], "/metrics") == (200, "updater_up 1\n", "text/plain; version=0.0.4; charset=utf-8")


async def test_readiness_says_what_it_waits_for_and_then_ok(served):
    """argo-183."""
    runner, state = served
    assert (await get(runner, "/readyz"))[:2] == (503, "first scans\n")
    state["waits"] = ""
    assert (await get(runner, "/readyz"))[:2] == (200, "ok\n")


async def test_verbose_readiness_lists_each_condition_as_kubernetes_does(served):
    runner, state = served
    assert (await get(runner, "/readyz?verbose"))[:2] == (
        503,
        "[+]configuration ok\n[-]schedule failed: first scans\nreadyz check failed\n",
    )
    state["waits"] = ""
    assert (await get(runner, "/readyz?verbose"))[:2] == (200, "[+]configuration ok\n[+]schedule ok\nreadyz check passed\n")


async def test_an_answer_is_the_sign_of_life(served):
    assert (await get(served[0], "/healthz"))[:2] == (200, "ok\n")


async def test_a_port_in_use_is_a_clear_error(served):
    _, port = served[0].addresses[0][:2]
    with pytest.raises(ConfigError) as refused:
        await serve(application(Probes(render_metrics=bytes, content_type="", waits_for=str)), f"127.0.0.1:{port}")
    assert refused.value.message == f"cannot listen on 127.0.0.1:{port}: the address is already in use"


async def test_an_address_without_port_is_a_clear_error():
    with pytest.raises(ConfigError, match="cannot listen"):
        await serve(application(Probes(render_metrics=bytes, content_type="", waits_for=str)), "127.0.0.1:http")
