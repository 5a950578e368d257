"""Gives flows one lab for the whole run of a worker: an API server takes seconds to start, Gitea two and its accounts more."""

from __future__ import annotations

import pytest

from tests.fakes.registry import FakeRegistry
from tests.flows.fleet import MARKED
from tests.real.argocd_flows import Flow, FlowLab, denied
from tests.real.gitea_flows import GiteaFleet
from tests.real.gitea_lab import Gitea
from tests.real.rolling_lab import RollingLab


@pytest.fixture(scope="session")
def flow_lab(tmp_path_factory):
    with FlowLab(tmp_path_factory.mktemp("flows")) as lab:
        yield lab


@pytest.fixture
def flow(flow_lab, tmp_path):
    """A lab as new; at the end nothing was refused for want of a right that the chart does not grant."""
    made = Flow(flow_lab, tmp_path)
    made.clear()
    yield made
    assert not denied(made.asked())


@pytest.fixture(scope="session")
def gitea(tmp_path_factory):
    with Gitea(tmp_path_factory.mktemp("gitea")) as running:
        running.owner, running.bot, running.stranger = (running.person(name) for name in ("owner", "bot", "stranger"))
        yield running


@pytest.fixture(scope="session")
def rolling_lab(tmp_path_factory):
    with RollingLab(tmp_path_factory.mktemp("rolling")) as lab:
        yield lab


@pytest.fixture
async def on_gitea(gitea, tmp_path):
    """A fleet whose repository is a new one of Gitea: a person owns it, and a bot with its token may write to it."""
    async with FakeRegistry() as registry:
        for name in ("app", "web"):
            registry.push(f"o/{name}", "1.0.0")
        made = GiteaFleet.make(gitea, tmp_path, registry, {"apps/app.yaml": MARKED.format(host=registry.host).encode()})
        yield made
