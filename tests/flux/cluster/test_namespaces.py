"""What the labels of namespaces promise: read once, read again while nothing else happens, and kept where they cannot be read."""

from __future__ import annotations

import pytest

from tests.fakes.still_time import StillTime
from updater.errors import KubeDenied, KubeGone, KubeUnavailable
from updater.flux.cluster.namespaces import NamespaceLabels, crossing


class Namespaces:
    """Namespaces by name, each with its labels; the next errors are raised first."""

    def __init__(self, **labels):
        self.labels = labels
        self.errors = []
        self.asked = []

    async def get(self, ref):
        self.asked.append(ref.name)
        if self.errors:
            raise self.errors.pop(0)
        if ref.name not in self.labels:
            raise KubeGone("it is not there", hint="")
        return {"metadata": {"name": ref.name, "labels": self.labels[ref.name]}}


class EnoughError(Exception):
    """Ends what goes on for ever."""


@pytest.fixture
def time():
    return StillTime()


def labels_of(namespaces, time, **options):
    return NamespaceLabels(namespaces, surroundings=time.surroundings(), **options)


async def told_once(known):
    """Follow until something is otherwise."""

    def changed():
        raise EnoughError

    with pytest.raises(EnoughError):
        await known.follow(changed)


async def test_a_namespace_that_is_not_there_has_no_labels_and_nobody_else_is_read(time):
    namespaces = Namespaces(team={"tier": "a"})
    known = labels_of(namespaces, time)
    assert await known.of(["team", "gone"]) == {"team": {"tier": "a"}, "gone": {}}
    assert await known.of(["team"]) == {"team": {"tier": "a"}}
    assert namespaces.asked == ["gone", "team"]


async def test_labels_that_are_taken_away_count_although_no_object_changed(time):
    """Who loses the labels of ``accessFrom`` loses the tags, without waiting for the next change of an object."""
    namespaces = Namespaces(team={"tier": "a"})
    known = labels_of(namespaces, time)
    await known.of(["team"])
    namespaces.labels["team"] = {}
    await told_once(known)
    assert await known.of(["team"]) == {"team": {}}


async def test_an_api_server_that_failed_once_refuses_nobody_for_long(time):
    reported = []
    namespaces = Namespaces(team={"tier": "a"})
    namespaces.errors = [KubeUnavailable("down", hint="")] * 3
    known = labels_of(namespaces, time, report=lambda name, error: reported.append((name, error.code)))
    assert await known.of(["team"]) == {}
    await told_once(known)
    assert await known.of(["team"]) == {"team": {"tier": "a"}}
    assert reported == [("team", KubeUnavailable.default_code)], "once while it lasts"


async def test_what_cannot_be_read_by_now_stays_as_it_was(time):
    namespaces = Namespaces(team={"tier": "a"}, other={})
    known = labels_of(namespaces, time)
    await known.of(["team", "other"])
    namespaces.errors, namespaces.labels["other"] = [KubeDenied("forbidden", hint="")] * 2, {"tier": "b"}
    await told_once(known)
    assert await known.of(["team", "other"]) == {"team": {"tier": "a"}, "other": {"tier": "b"}}


def test_only_namespaces_whose_policies_refer_to_others_are_read():
    def policy(namespace=None):
        return {"spec": {"imageRepositoryRef": {"name": "web", **({"namespace": namespace} if namespace else {})}}}

    assert crossing({("a", "x"): policy("b"), ("c", "x"): policy("c"), ("d", "x"): policy()}) == {"a"}
