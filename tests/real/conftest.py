"""Gives the flows of Argo CD's users one lab for the whole run of a worker: an API server takes seconds to start."""

from __future__ import annotations

import pytest

from tests.real.argocd_flows import Flow, FlowLab, denied


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
