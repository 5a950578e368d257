"""Promises of what is kept of an object: small, as much as its status needs, the same while only the status moved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.controller.lab_wing import FEED
from updater.controller.objects import KnownItems, Sharing, event_subject, items_of, keep_object

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("name", "namespace", "uid", "generation", "resourceVersion", "finalizers", "deletionTimestamp")
METADATA = st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, JSON))


def item(**fields):
    metadata = {"name": "web", "namespace": "team", "uid": "u1", "generation": 2, "resourceVersion": "7"} | fields
    return {"metadata": {**metadata, "managedFields": [{}], "labels": {"a": "b"}}, "spec": {"image": "x"}, "status": {"tags": 1}}


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={"metadata": JSON | METADATA, "spec": JSON, "status": JSON}))
def test_no_object_breaks_what_is_kept(found):
    kept = keep_object(found, Sharing())
    assert isinstance(kept.generation, int)
    assert isinstance(kept.status, dict)


def test_names_spec_status_and_version_are_kept_and_what_the_wing_adds():
    kept = keep_object(item(), Sharing(), metadata={"labels": {"a": "b"}})
    assert kept.item == {
        "metadata": {"name": "web", "namespace": "team", "uid": "u1", "labels": {"a": "b"}},
        "spec": {"image": "x"},
    }
    assert (kept.generation, kept.version, kept.status, kept.finalizers) == (2, "7", {"tags": 1}, ())


@pytest.mark.parametrize(("deleted", "expected"), [({}, ()), ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, ("a", "b"))])
def test_finalizers_count_once_the_object_is_deleted(deleted, expected):
    assert keep_object(item(finalizers=["a", 7, "b"], **deleted), Sharing()).finalizers == expected


def test_the_item_is_the_same_object_while_only_status_and_version_moved():
    key, sharing = ("team", "web"), Sharing()
    before = items_of({key: keep_object(item(), sharing)}, {})
    moved = keep_object({**item(resourceVersion="8"), "status": {"tags": 2}}, sharing)
    assert items_of({key: moved}, before)[key] is before[key]
    other = keep_object({**item(), "spec": {"image": "y"}}, sharing)
    assert items_of({key: other}, before)[key] is other.item


class Counting(dict):
    """An item that counts how often it is compared."""

    compared = 0

    def __eq__(self, other):
        type(self).compared += 1
        return super().__eq__(other)

    __hash__ = None


def test_items_are_compared_only_where_their_object_is_another_one():
    """One status of thousands comes back through the watch: the others cost nothing."""
    sharing, known = Sharing(), KnownItems()
    kept = {("team", str(number)): keep_object(item(), sharing) for number in range(5)}
    kept = {key: replace(each, item=Counting(each.item)) for key, each in kept.items()}
    before = dict(known.renew(kept))
    Counting.compared = 0
    moved = keep_object({**item(resourceVersion="8"), "status": {"tags": 2}}, sharing)
    assert known.renew({**kept, ("team", "3"): moved})["team", "3"] is before["team", "3"]
    assert Counting.compared == 1
    other = keep_object({**item(), "spec": {"image": "y"}}, sharing)
    del kept["team", "4"]
    assert known.renew({**kept, ("team", "3"): other}) == {**{key: before[key] for key in kept}, ("team", "3"): other.item}


def test_items_are_the_very_same_mapping_where_statuses_alone_moved():
    """Who reads items reads them again only where one is another, new or gone."""
    sharing, known = Sharing(), KnownItems()
    kept = {("team", str(number)): keep_object(item(), sharing) for number in range(3)}
    before = known.renew(kept)
    moved = keep_object({**item(resourceVersion="8"), "status": {"tags": 2}}, sharing)
    assert known.renew({**kept, ("team", "1"): moved}) is before
    for other in (
        {**kept, ("team", "9"): moved},
        dict(list(kept.items())[1:]),
        {**dict(list(kept.items())[1:]), ("a", "b"): moved},
    ):
        assert known.renew(other).keys() == other.keys()


def test_what_is_shared_does_not_grow_without_end():
    sharing = Sharing()
    for number in range(70_000):
        sharing.text(str(number))
    assert len(sharing._texts) <= 65_536


@pytest.mark.parametrize(("uid", "expected"), [("u1", {"uid": "u1"}), (None, {}), (7, {})])
def test_an_event_names_its_object_by_uid_where_there_is_one(uid, expected):
    assert event_subject(FEED, ("team", "web"), {"uid": uid}) == {
        "apiVersion": "lab.example/v1",
        "kind": "Feed",
        "metadata": {"name": "web", "namespace": "team", **expected},
    }
