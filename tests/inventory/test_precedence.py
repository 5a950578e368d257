"""What precedence promises: one tenant stops no other, and who wrote a place before keeps it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.argocd.request.making import REPOSITORY, application, codes
from tests.engine.making import git_branch
from tests.inventory.test_merge import asked, branch, snapshots
from updater.argocd.request import TranslationDefaults, Translator
from updater.inventory.merge import Merger
from updater.inventory.precedence import Claim, Evidence, Precedence
from updater.model.subscription import LiveApplication, Origin

MAY, MAY_NOT, SILENT = Evidence(may_push=True), Evidence(may_push=False), Evidence(may_push=None)
OWN = branch(credential="secret:team-b/own")
OVERLAY = {"write-back-method": "git", "write-back-target": "kustomization"}
EARLY, LATE = "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"


def claim(key, destination=None, since=EARLY):
    origin = Origin(kind="Application", name=key, since=since)
    return Claim(key=key, keys=frozenset({key}), destination=destination or branch(), origin=origin, since=since)


def order(claims, evidence):
    precedence = Precedence()
    precedence.contest("places", [item.destination for item in claims])
    precedence.learn(evidence)
    return [item.key for item in precedence.order(claims)]


@pytest.mark.parametrize(
    ("evidence", "kept"),
    [
        pytest.param({branch(): MAY, OWN: MAY}, ["a", "b"], id="the older object"),
        pytest.param({branch(): MAY, OWN: Evidence(may_push=True, writers=frozenset("b"))}, ["b", "a"], id="who wrote it"),
        pytest.param({branch(): Evidence(may_push=True, writers=frozenset("ab")), OWN: MAY}, ["a", "b"], id="both wrote"),
        pytest.param({branch(): MAY_NOT, OWN: MAY}, ["b"], id="the older has no right"),
        pytest.param({branch(): MAY, OWN: MAY_NOT}, ["a"], id="the newer has no right"),
        pytest.param({branch(): SILENT, OWN: MAY}, ["b"], id="the server of the older is silent"),
        pytest.param({branch(): SILENT, OWN: Evidence(may_push=True, writers=frozenset("a"))}, [], id="who wrote it is silent"),
        pytest.param({branch(): MAY}, ["a"], id="nothing is known of the newer"),
        pytest.param({}, [], id="nothing is known"),
    ],
)
def test_who_may_not_push_claims_nothing_and_of_the_others_the_writer_or_the_older_comes_first(evidence, kept):
    assert order([claim("b", OWN, LATE), claim("a")], evidence) == kept


def test_an_object_without_a_time_comes_last_and_the_key_decides_a_tie():
    assert order([claim("a", since=""), claim("c"), claim("b")], {branch(): MAY}) == ["b", "c", "a"]


def test_an_object_that_contradicts_itself_claims_nothing():
    both = claim("b", since=EARLY)
    assert order([both, replace(both, key="b2"), claim("a", since=LATE)], {branch(): MAY}) == ["a"]


def test_a_live_application_is_nobodys_to_claim_from_outside():
    live = LiveApplication(namespace="argocd", name="web")
    assert order([claim("a", live), claim("b", live)], {}) == []


def test_what_is_no_longer_contested_is_forgotten():
    precedence = Precedence()
    heard = []
    precedence.when_learned(lambda: heard.append(precedence.version))
    precedence.contest("places", [branch(), LiveApplication(namespace="a", name="b")])
    assert (precedence.unknown, precedence.learn({branch(): MAY}), precedence.unknown) == ({branch()}, True, frozenset())
    assert (precedence.learn({branch(): MAY}), heard) == (False, [1])
    precedence.contest("places", [])
    assert (precedence.learn({}), precedence.contested) == (True, frozenset())


def tenants(**other):
    made = []
    for namespace, since, more in (("team-a", EARLY, {}), ("team-b", LATE, {"web.ignore-tags": "*-rc", **other})):
        item = application({"image-list": "web=ghcr.io/o/web:^1"} | OVERLAY | more, namespace=namespace)
        item["metadata"]["creationTimestamp"] = since
        made.append(item)
    return made


def main_of(credential=""):
    return git_branch(REPOSITORY, credential=credential)


@pytest.mark.parametrize("method", ["git", "git:secret:not-there"])
def test_a_newcomer_at_a_place_is_refused_and_both_are_told(method):
    precedence = Precedence()
    translate = Translator(TranslationDefaults(precedence=precedence))
    items = tenants(**{"write-back-method": method})
    assert translate(items, []).snapshot.subscriptions == ()
    theirs = main_of("secret:team-b/not-there" if method != "git" else "")
    assert precedence.contested == {main_of(), theirs}
    precedence.learn({theirs: MAY_NOT, main_of(): MAY})
    found = translate(items, [])
    assert [item.key for item in found.snapshot.subscriptions] == ["team-a/web/web"]
    assert codes(found) == ["conflict", "conflict"]
    assert [(answer.application, answer.code) for answer in found.answers] == [("team-a/web", None), ("team-b/web", "conflict")]
    assert all("keeps it" in problem.message for problem in found.snapshot.problems)
    assert translate(items, []) is found


def test_who_asks_for_the_same_as_the_keeper_is_not_refused_with_the_newcomer():
    precedence = Precedence()
    translate = Translator(TranslationDefaults(precedence=precedence))
    first, second = tenants()
    same = application({"image-list": "web=ghcr.io/o/web:^1"} | OVERLAY, name="twin", namespace="argocd")
    same["metadata"]["creationTimestamp"] = LATE
    translate([same, first, second], [])
    precedence.learn({main_of(): MAY})
    found = translate([same, first, second], [])
    assert [item.key for item in found.snapshot.subscriptions] == ["team-a/web/web"]
    assert [answer.code for answer in found.answers] == ["shared", None, "conflict"]


def crossed(joined):
    return {outcome.key: outcome.code for outcome in joined.refused}


def joined(items, evidence):
    joiner = Merger(precedence := Precedence())
    joiner(snapshots(*items))
    precedence.learn(evidence)
    return joiner(snapshots(*items))


def test_one_push_branch_over_two_bases_stays_with_the_older_and_both_are_told():
    mine, other = branch(push="updates"), branch(base="production", push="updates", credential="secret:b/own")
    old = replace(asked("z", mine), origin=Origin(kind="Application", name="argocd/z", since=EARLY))
    new = replace(asked("b", other), origin=Origin(kind="Application", name="argocd/b", since=LATE))
    found = joined([old, new], {mine: MAY, other: MAY})
    assert crossed(found) == {"b": "push-branch"}
    assert [item.key for item in found.snapshot.subscriptions] == ["z"]
    assert [problem.origin for problem in found.snapshot.problems] == ["b", "z"]
    assert crossed(joined([old, new], {mine: MAY, other: MAY_NOT})) == {"b": "push-branch"}
    assert crossed(joined([old, new], {mine: MAY_NOT, other: MAY})) == {"z": "push-branch"}
    assert crossed(joined([old, new], {mine: MAY, other: Evidence(may_push=True, writers=frozenset("b"))})) == {
        "z": "push-branch"
    }


def test_who_may_not_push_to_a_branch_takes_it_from_nobody_who_makes_it_anew():
    mine, straight = branch(push="updates"), branch(base="updates", credential="secret:b/own")
    items = [asked("a", mine), asked("b", straight)]
    assert crossed(joined(items, {mine: MAY, straight: MAY})) == {"a": "push-branch"}
    assert crossed(joined(items, {mine: MAY, straight: MAY_NOT})) == {}


def test_of_three_that_cross_each_other_all_stay_that_do_not_cross_who_stays():
    one, two, three = branch(push="auto"), branch(base="auto", push="next"), branch(base="next", push="last")
    items = [
        replace(asked(key, found), origin=Origin(kind="Application", name=key, since=since))
        for key, found, since in (("a", one, "1"), ("b", two, "2"), ("c", three, "3"))
    ]
    assert crossed(joined(items, {one: MAY, two: MAY, three: MAY})) == {"b": "push-branch"}
