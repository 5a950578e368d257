"""Guards stop an update whose candidate is fine: going down, and a list that cannot be trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.model.candidate import Rank
from updater.model.subscription import Downgrade
from updater.policies.guards import INCOMPLETE_LIST, Doubt, ListingGuard, WrittenTag, downgrade

MANY = frozenset(f"1.0.{number}" for number in range(10))


@pytest.mark.parametrize(
    ("rank", "written", "rule", "is_admitted", "is_stopped"),
    [
        (1, 2, "never", True, True),
        (1, 2, "never", False, True),
        (1, 2, "by-policy", True, True),
        (1, 2, "by-policy", False, False),
        (1, 2, "always", True, False),
        (2, 2, "never", True, False),
        (3, 2, "never", True, False),
        (1, None, "never", False, False),
    ],
)
def test_only_going_down_is_stopped(rank, written, rule, is_admitted, is_stopped):
    tag = WrittenTag(tag="b", rank=None if written is None else Rank(written), is_admitted=is_admitted)
    stopped = downgrade(tag="a", rank=Rank(rank), written=tag, rule=Downgrade(rule))
    assert (stopped is not None) is is_stopped
    if stopped:
        assert stopped.code == "downgrade"
        assert stopped.sentence.startswith("a is lower than b, which is written")
        assert "always" in stopped.hint


def test_with_nothing_remembered_any_list_is_trusted():
    assert ListingGuard().check([], ["1.0.0"]) is None


def test_a_list_that_shrank_below_half_is_held_until_a_second_scan_agrees():
    guard = ListingGuard(MANY)
    few = ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]
    doubt = guard.check(few)
    assert doubt == Doubt(sentence="the list of tags shrank from 10 to 4")
    assert doubt.code == INCOMPLETE_LIST
    assert guard.check(few) is None
    assert guard.check(few[:2]) is None, "what was confirmed is what the next list is compared with"


def test_exactly_half_is_trusted():
    assert ListingGuard(MANY).check(sorted(MANY)[:5]) is None


def test_a_written_tag_that_is_gone_is_held_until_a_second_scan_agrees():
    guard = ListingGuard(MANY)
    rest = MANY - {"1.0.9"}
    doubt = guard.check(rest, ["1.0.9", "7.7.7"])
    assert doubt is not None
    assert doubt.sentence == "1.0.9 has disappeared from the registry"
    assert guard.check(rest, ["1.0.9"]) is None


def test_a_list_that_keeps_shrinking_is_not_confirmed():
    guard = ListingGuard(MANY)
    assert guard.check(["1.0.0", "1.0.1", "1.0.2"])
    assert guard.check(["1.0.0"])
    assert guard.check([])
    assert guard.check([]) is None


def test_a_list_that_recovers_is_trusted_at_once():
    guard = ListingGuard(MANY)
    assert guard.check([])
    assert guard.check(MANY) is None
    assert guard.check([]), "the earlier doubt was forgotten"


@given(st.lists(st.frozensets(st.sampled_from("abcdefgh")), min_size=1), st.frozensets(st.sampled_from("abcdefgh")))
def test_the_same_list_twice_is_always_trusted(lists, written):
    guard = ListingGuard()
    for listed in lists:
        guard.check(listed, written)
    guard.check(lists[-1], written)
    assert guard.check(lists[-1], written) is None
