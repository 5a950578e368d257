"""How large a step is: what may be merged without people."""

from __future__ import annotations

import dataclasses

import pytest

from tests.writeback.test_message import update
from updater.model.publishing import AutoMerge
from updater.writeback.proposal_steps import is_within, step_of


def step(old, new, *, name=None):
    made = update("ghcr.io/o/app", old, new)
    if name is not None:
        written = dataclasses.replace(made.reading.written, name=name)
        made = dataclasses.replace(made, reading=dataclasses.replace(made.reading, written=written))
    return made


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("1.2.3", "1.2.4", AutoMerge.PATCH),
        ("v1.2.3", "v1.2.10", AutoMerge.PATCH),
        ("1.2.3", "1.2.4-rc.1", AutoMerge.PATCH),
        ("1.2.3", "1.3.0", AutoMerge.MINOR),
        ("0.1.0", "0.2.0", AutoMerge.MINOR),
        ("1.2", "1.2", AutoMerge.PATCH),
        ("1", "1", AutoMerge.MINOR),
        ("1.2.3", "2.0.0", AutoMerge.ALWAYS),
        ("1.2.3", "1.2.2", AutoMerge.ALWAYS),
        ("latest", "latest", AutoMerge.ALWAYS),
        ("1.2.3", "stable", AutoMerge.ALWAYS),
        ("2026-01-01", "2026-01-02", AutoMerge.ALWAYS),
    ],
)
def test_a_step_is_as_large_as_its_first_number_that_moves(old, new, rule):
    assert step_of(step(old, new)) is rule


@pytest.mark.parametrize(("name", "rule"), [("ghcr.io/o/app", AutoMerge.PATCH), ("ghcr.io/o/other", AutoMerge.ALWAYS)])
def test_another_image_is_no_small_step(name, rule):
    assert step_of(step("1.2.3", "1.2.4", name=name)) is rule


def test_all_of_a_pull_request_have_to_be_small_enough():
    small, large = step("1.2.3", "1.2.4"), step("1.2.3", "1.3.0")
    assert is_within(AutoMerge.PATCH, [small])
    assert not is_within(AutoMerge.PATCH, [small, large])
    assert is_within(AutoMerge.MINOR, [small, large])
    assert is_within(AutoMerge.ALWAYS, [step("1", "9")])
    assert not is_within(AutoMerge.NEVER, [small])
