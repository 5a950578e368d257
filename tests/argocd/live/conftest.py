"""What the tests of the writers share."""

from __future__ import annotations

import pytest

from tests.argocd.live.making import staged


@pytest.fixture
async def stage(tmp_path):
    async with staged(tmp_path) as stage:
        yield stage
