"""Gives the tests of a worker one Chromium, and each of them a page of its own."""

from __future__ import annotations

import pytest

from tests.browser.driver import Running
from tests.web.conftest import shown, site  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def running_browser(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("chromium"))
    yield running
    running.close()


@pytest.fixture
async def browser(running_browser):
    async with running_browser.browser() as lent:
        yield lent
