"""Gives a site over the fleet that `tests.web.shown` makes; a module with a site of its own overrides it."""

from __future__ import annotations

import pytest

from tests.web.shown import fleet
from tests.web.site import opened


@pytest.fixture
def shown():
    return fleet()


@pytest.fixture
async def site(shown):
    async with opened(shown) as found:
        yield found
