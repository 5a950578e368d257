"""Makes settings of texts, as the tests of this room and its neighbours want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from updater.errors import ConfigError
from updater.settings import build_settings

if TYPE_CHECKING:
    from updater.model.problem import Problem
    from updater.settings import Settings

SUBSCRIPTION = """
subscriptions:
  - key: myapp
    image: ghcr.io/myorg/myapp
    policy: {semver: {range: ">=1.0.0"}}
    targets:
      - git: {url: https://git.example.org/fleet.git}
        marker: flux-system:myapp
"""


def settings_of(*texts: str, **variables: str) -> Settings:
    """Read the texts as files ``/conf/0.yaml`` and so on, in order."""
    files = [(f"/conf/{index}.yaml", text.encode()) for index, text in enumerate(texts)]
    return build_settings(files, {"HOME": "/home/me", **variables})


def problems_of(*texts: str, **variables: str) -> tuple[Problem, ...]:
    """Give what is wrong with the texts."""
    with pytest.raises(ConfigError) as caught:
        settings_of(*texts, **variables)
    assert caught.value.problems
    return caught.value.problems


def problem_of(*texts: str, **variables: str) -> Problem:
    """Give the only thing that is wrong with the texts."""
    found = problems_of(*texts, **variables)
    assert len(found) == 1, found
    return found[0]
