"""Marks the tests that stand on real servers, so that a report can count them."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note the mark in the report of each test that carries it."""
    for item in items:
        if item.get_closest_marker("real"):
            item.user_properties.append(("real_server", "yes"))
