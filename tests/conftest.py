"""Marks the tests that stand on real servers, so that a report can count them; ends the logging of each test with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# time says nothing about a law; and what runs for a change is the same each time, while a person's runs go on searching
settings.register_profile("person", deadline=None)
settings.register_profile("change", deadline=None, derandomize=True)
settings.load_profile("change" if os.environ.get("CI") else "person")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note the mark in the report of each test that carries it."""
    for item in items:
        if item.get_closest_marker("real"):
            item.user_properties.append(("real_server", "yes"))


@pytest.fixture(autouse=True)
def _logging_ends() -> Iterator[None]:
    """Let no test log to the stream of one before it: that is closed."""
    yield
    structlog.reset_defaults()
