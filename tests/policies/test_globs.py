"""Promises of globs of names: as Go's filepath.Match reads them, and refused where they cannot be read."""

from __future__ import annotations

import pytest

from updater.errors import PolicyError
from updater.policies.globs import LONGEST_GLOB, name_matcher


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [("*", "web", True), ("web", "web-1", False), ("w?b", "web", True), ("web-[0-9]", "web-7", True), ("[^a]*", "abc", False)],
)
def test_names_match_as_globs_of_go(pattern, name, fits):
    assert bool(name_matcher(pattern).fullmatch(name)) is fits


@pytest.mark.parametrize("pattern", ["team-[", "x" * (LONGEST_GLOB + 1)])
def test_a_glob_that_cannot_be_read_is_refused(pattern):
    with pytest.raises(PolicyError):
        name_matcher(pattern)
