"""What `decide` promises: each place is judged by the selection made for the very value written there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.engine.making import BRANCH, SHA, chosen, held, part_reading, reading, subscription, target, view
from updater.engine.decide import decide, needs_digest
from updater.engine.outcomes import failed, outcomes
from updater.errors import RegistryUnavailable
from updater.model.candidate import Candidate, FactFailure
from updater.model.outcome import Status
from updater.model.problem import Problem
from updater.model.selection import Rejection, Selection
from updater.model.subscription import Form, Origin, PolicySpec
from updater.model.update import Change, WriteResult
from updater.model.view import Part, PartKind, PastCommit, Reading
from updater.model.written import Written


def judge(places, selections, item=None, **more):
    item = item or subscription()
    seen = replace(view(*places), **more)
    choices = {(item.key, place.written): selection for place, selection in zip(places, selections, strict=True)}
    return decide(seen, (item,), choices)[0]


def test_a_newer_tag_becomes_one_update_that_expects_what_stood_there():
    decision = judge([reading("ghcr.io/o/app:1.0.0")], [chosen("1.1.0")])
    (update,) = decision.updates
    assert str(update.image) == "ghcr.io/o/app:1.1.0"
    assert update.reading.written.tag == "1.0.0"


def test_the_same_tag_is_unchanged():
    decision = judge([reading("ghcr.io/o/app:1.1.0")], [chosen("1.1.0", status="unchanged")])
    assert decision.updates == ()
    assert outcomes([decision], None)[0].status is Status.UNCHANGED


@pytest.mark.parametrize("written", [f"ghcr.io/o/app@{SHA}", f"ghcr.io/o/app:stable@{SHA}", f"ghcr.io/o/app:latest@{SHA}"])
@pytest.mark.parametrize("form", [Form.DIGEST, Form.TAG_AND_DIGEST])
def test_a_current_digest_is_enough_where_a_digest_is_followed(written, form):
    """Only the text of the tag is absent or another: pods would roll for identical content."""
    place = target(form=form)
    item = replace(subscription("app", "ghcr.io/o/app", place), policy=PolicySpec("digest", {"tag": "latest"}))
    found = reading(written)
    (decision,) = decide(view(found), [item], {("app", found.written): chosen("latest", SHA)})
    assert decision.places[0].status is Status.UNCHANGED
    (decision,) = decide(view(found), [item], {("app", found.written): chosen("latest", SHA.replace("a", "b"))})
    assert decision.places[0].status is Status.UPDATED


def test_a_place_that_would_go_down_stays_while_others_move():
    low, high = reading("ghcr.io/o/app:1.0.0", "low.yaml"), reading("ghcr.io/o/app:9.0.0", "high.yaml")
    decision = judge([low, high], [chosen("1.1.0"), held("1.1.0")])
    assert [update.reading.path for update in decision.updates] == ["low.yaml"]
    (end,) = outcomes([decision], None)
    assert (end.status, end.code) == (Status.HELD, "downgrade")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param(Form.TAG, "ghcr.io/o/app:2", id="tag"),
        pytest.param(Form.DIGEST, f"ghcr.io/o/app@{SHA}", id="digest"),
        pytest.param(Form.TAG_AND_DIGEST, f"ghcr.io/o/app:2@{SHA}", id="both"),
    ],
)
def test_the_form_rules_what_a_full_reference_holds(form, expected):
    item = subscription("app", "ghcr.io/o/app", target(form=form))
    decision = judge([reading("ghcr.io/o/app:1")], [chosen("2", SHA)], item)
    assert str(decision.updates[0].image) == expected


@pytest.mark.parametrize(
    ("kind", "old", "expected"),
    [
        pytest.param(PartKind.TAG, "1", ("2", None), id="tag"),
        pytest.param(PartKind.DIGEST, "sha256:" + "b" * 64, ("2", SHA), id="digest"),
    ],
)
def test_a_marker_that_names_one_part_gets_that_part_whatever_the_form(kind, old, expected):
    item = subscription("app", "ghcr.io/o/app", target(form=Form.DIGEST))
    (update,) = judge([part_reading(kind, old)], [chosen("2", SHA)], item).updates
    digest = str(update.image.digest) if update.image.digest else None
    assert (update.image.tag, digest) == expected


def test_a_name_of_the_same_image_keeps_its_spelling():
    item = subscription("app", "nginx")
    (update,) = judge([reading("docker.io/library/nginx:1.0")], [chosen("1.1")], item).updates
    assert str(update.image) == "docker.io/library/nginx:1.1"


def test_another_image_name_is_replaced_as_the_subscription_spells_it():
    (update,) = judge([reading("old.io/app:1.0.0")], [chosen("1.0.0")]).updates
    assert str(update.image) == "ghcr.io/o/app:1.0.0"


def test_a_name_marker_is_unchanged_while_it_names_the_image():
    decision = judge([part_reading(PartKind.NAME, "ghcr.io/o/app")], [chosen("2")])
    assert decision.updates == ()


def test_a_missing_digest_fails_that_place_instead_of_writing_a_tag():
    item = subscription("app", "ghcr.io/o/app", target(form=Form.DIGEST))
    decision = judge([reading()], [chosen("2")], item)
    assert (decision.updates, decision.places[0].code) == ((), "no-digest")


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize(
    ("kinds", "expected"),
    [((PartKind.TAG, PartKind.DIGEST), f"ghcr.io/o/app:1.1.0@{SHA}"), ((PartKind.DIGEST,), f"ghcr.io/o/app:1.1.0@{SHA}")],
)
def test_a_digest_under_a_key_of_its_own_is_written_whatever_the_form(form, kinds, expected):
    texts = {PartKind.TAG: "1.0.0", PartKind.DIGEST: "sha256:" + "b" * 64}
    parts = tuple(Part(kind=kind, line=2, where=f"image.{kind}", text=texts[kind]) for kind in kinds)
    written = Written(tag="1.0.0" if PartKind.TAG in kinds else None, digest=texts[PartKind.DIGEST])
    place = Reading(path="values.yaml", where="image.digest", line=2, setter="image.digest", parts=parts, written=written)
    helm = target("helm", form=form)
    item = subscription("app", "ghcr.io/o/app", helm)
    assert needs_digest(helm, place)
    decision = judge([place], [chosen("1.1.0", SHA)], item)
    assert [str(update.image) for update in decision.updates] == [expected]


def test_a_digest_that_could_not_be_had_fails_with_the_registrys_own_error():
    candidate = Candidate(tag="1.1.0", failure=FactFailure("manifest-schema", "1.1.0 is of schema 1", "push it again"))
    selection = Selection(status="updated", chosen=candidate, rejections={})
    place = reading()
    decision = judge([place], [selection], subscription("app", "ghcr.io/o/app", target(form=Form.TAG_AND_DIGEST)))
    (end,) = decision.places
    assert (end.status, end.code, end.detail, end.hint) == ("failed", "manifest-schema", "1.1.0 is of schema 1", "push it again")


def test_what_could_not_be_read_is_named_behind_every_outcome():
    lost = Rejection(tag="1.2.0", code="image-not-found", sentence="1.2.0: not found (404)")
    for choice in (chosen("1.1.0"), chosen("1.0.0"), Selection(status="no-match", chosen=None, detail="none", rejections={})):
        place = reading()
        (end,) = judge([place], [replace(choice, unread=(lost,))]).places
        assert end.detail.endswith("; 1 tag could not be read: 1.2.0 [image-not-found]: 1.2.0: not found (404)")


def test_what_is_proposed_is_not_lowered_while_its_own_tag_cannot_be_read():
    lost = Rejection(tag="1.2.0", code="image-not-found", sentence="1.2.0: not found (404)")
    pending = {("app", 0): (reading("ghcr.io/o/app:1.2.0"),)}
    decision = judge([reading()], [replace(chosen("1.1.0"), unread=(lost,))], pending=pending)
    assert [str(update.image) for update in decision.updates] == ["ghcr.io/o/app:1.2.0"]
    assert decision.places[0].detail.startswith("1.0.0 → 1.2.0; 1 tag could not be read: 1.2.0")
    decision = judge([reading()], [replace(chosen("1.3.0"), unread=(replace(lost, tag="1.0.5"),))], pending=pending)
    assert [str(update.image) for update in decision.updates] == ["ghcr.io/o/app:1.3.0"]


def test_a_registry_that_did_not_answer_fails_its_places_with_the_code():
    decision = judge([reading()], [RegistryUnavailable("503", hint="wait")])
    (end,) = outcomes([decision], None)
    assert (end.status, end.code) == (Status.FAILED, "registry-unavailable")


def test_no_match_is_an_outcome():
    empty = Selection(status="no-match", chosen=None, detail="nothing fits", rejections={})
    (end,) = outcomes([judge([reading()], [empty])], None)
    assert (end.status, end.code) == (Status.NO_MATCH, None)


def test_a_target_without_any_place_fails_by_name():
    (end,) = outcomes(decide(view(), (subscription(),), {}), None)
    assert (end.status, end.code) == (Status.FAILED, "no-place")


def test_a_problem_at_a_target_is_its_failure_and_others_go_on():
    problem = Problem(path="v.yaml", line=4, code="no-such-key", message="there is no image.tgg", hint="did you mean image.tag?")
    decision = judge([reading()], [chosen("2")], problems={("app", 0): (problem,)})
    assert len(decision.updates) == 1
    (end,) = outcomes([decision], None)
    assert (end.status, end.code) == (Status.FAILED, "no-such-key")
    assert "did you mean" in end.hint


def test_two_subscriptions_on_one_place_are_refused_both_so_that_they_never_write_in_turn():
    one, two = subscription("one"), subscription("two")
    place = reading()
    seen = replace(view(), readings={("one", 0): (place,), ("two", 0): (place,)})
    choices = {("one", place.written): chosen("2"), ("two", place.written): chosen("3")}
    ends = outcomes(decide(seen, (one, two), choices), None)
    assert [(end.status, end.code) for end in ends] == [(Status.FAILED, "conflict")] * 2


@pytest.mark.parametrize(
    ("since", "writers", "kept"),
    [
        (("2025", "2026"), (), "one"),
        (("2026", "2025"), (), "two"),
        (("2026", "2025"), ("one",), "one"),
        (("2026", ""), (), "one"),
        (("", ""), ("two",), "two"),
        (("", ""), (), None),
    ],
)
def test_of_two_objects_on_one_place_who_wrote_it_keeps_it_else_the_older(since, writers, kept):
    items = [
        replace(subscription(key), origin=Origin(kind="Application", name=key, since=when))
        for key, when in zip(("one", "two"), since, strict=True)
    ]
    past = PastCommit(revision="1" * 40, when=datetime.now(UTC), subject="", subscriptions=writers, images=(), policies=())
    place = reading()
    seen = replace(view(), readings={("one", 0): (place,), ("two", 0): (place,)}, recent=(past,))
    choices = {("one", place.written): chosen("2"), ("two", place.written): chosen("3")}
    decisions = decide(seen, items, choices)
    assert [decision.subscription.key for decision in decisions if decision.updates] == ([kept] if kept else [])
    refused = [end for end in outcomes(decisions, None) if end.code == "conflict"]
    assert len(refused) == (1 if kept else 2)
    assert all(kept is None or f"{kept} keeps it" in end.detail for end in refused)


@pytest.mark.parametrize(
    ("since", "writers", "kept"),
    [
        (("2025", "2026"), (), "one"),
        (("2026", "2025"), ("one",), "one"),
        (("", ""), ("one",), "one"),
        (("2026", "2025"), (), None),
        (("2025", "2026"), ("two.a",), None),
        (("", ""), ("two.a", "two.b"), None),
    ],
)
def test_an_object_that_names_a_place_twice_takes_it_from_nobody_and_keeps_nothing_itself(since, writers, kept):
    origins = [Origin(kind="Application", name=name, since=when) for name, when in zip(("one", "two"), since, strict=True)]
    items = [replace(subscription(key), origin=origins[key != "one"]) for key in ("one", "two.a", "two.b")]
    past = PastCommit(revision="1" * 40, when=datetime.now(UTC), subject="", subscriptions=writers, images=(), policies=())
    place = reading()
    seen = replace(view(), readings={(item.key, 0): (place,) for item in items}, recent=(past,))
    decisions = decide(seen, items, {(item.key, place.written): chosen("2") for item in items})
    assert [decision.subscription.key for decision in decisions if decision.updates] == ([kept] if kept else [])


def test_what_the_file_says_is_refused_for_no_object():
    filed, other = subscription("one"), replace(subscription("two"), origin=Origin(kind="Application", name="a", since="1"))
    place = reading()
    seen = replace(view(), readings={("one", 0): (place,), ("two", 0): (place,)})
    choices = {("one", place.written): chosen("2"), ("two", place.written): chosen("3")}
    assert [bool(decision.updates) for decision in decide(seen, (filed, other), choices)] == [True, False]


def test_a_landed_update_names_its_commit_and_an_edit_without_change_is_unchanged():
    decision = judge([reading(path="a.yaml"), reading(path="b.yaml")], [chosen("2"), chosen("2")])
    first, second = decision.updates
    change = Change(path="a.yaml", line=1, where="image", old="x:1", new="x:2")
    landed = WriteResult(changes={first: (change,), second: ()}, refused={}, revisions={first: "c" * 40})
    (end,) = outcomes([decision], landed)
    assert (end.status, end.revision, end.changes) == (Status.UPDATED, "c" * 40, (change,))


def test_a_dry_run_ends_held_and_shows_the_changes():
    decision = judge([reading()], [chosen("2")])
    change = Change(path="a.yaml", line=1, where="image", old="x:1", new="x:2")
    landed = WriteResult(changes={decision.updates[0]: (change,)}, refused={}, revisions={}, is_dry=True)
    (end,) = outcomes([decision], landed)
    assert (end.status, end.code, end.changes) == (Status.HELD, "dry-run", (change,))


def test_a_refused_edit_fails_with_its_code():
    decision = judge([reading()], [chosen("2")])
    problem = Problem(path="a.yaml", line=1, code="moved", message="something else stands there")
    landed = WriteResult(changes={}, refused={decision.updates[0]: problem}, revisions={})
    assert outcomes([decision], landed)[0].code == "moved"


def test_an_error_of_the_destination_fails_every_target_on_it_and_no_other():
    elsewhere = target(destination=replace(BRANCH, branch="other"))
    item = subscription("app", "ghcr.io/o/app", target(), elsewhere)
    ends = failed((item,), BRANCH, RegistryUnavailable("down", hint=""))
    assert [end.target for end in ends] == [str(item.targets[0])]


def test_two_targets_of_one_subscription_with_other_forms_on_one_scalar_are_refused():
    item = subscription("app", "ghcr.io/o/app", target(form=Form.TAG), target(form=Form.DIGEST))
    place = reading()
    seen = replace(view(), readings={("app", 0): (place,), ("app", 1): (place,)})
    ends = outcomes(decide(seen, (item,), {("app", place.written): chosen("2", SHA)}), None)
    assert {end.code for end in ends} == {"conflict"}


def test_two_targets_that_overlap_and_want_the_same_are_one():
    item = subscription("app", "ghcr.io/o/app", target(), target())
    place = reading()
    seen = replace(view(), readings={("app", 0): (place,), ("app", 1): (place,)})
    decisions = decide(seen, (item,), {("app", place.written): chosen("2")})
    assert len({update for decision in decisions for update in decision.updates}) == 1
    assert {str(update.image) for decision in decisions for update in decision.updates} == {"ghcr.io/o/app:2"}


def test_one_scalar_under_two_key_paths_is_one_place():
    one, two = subscription("one"), subscription("two")
    first = reading(where="a.tag")
    second = replace(reading(where="b.tag"), parts=(replace(reading(where="b.tag").parts[0], scalar="a.tag"),))
    seen = replace(view(), readings={("one", 0): (first,), ("two", 0): (second,)})
    choices = {("one", first.written): chosen("2"), ("two", second.written): chosen("3")}
    assert {end.code for end in outcomes(decide(seen, (one, two), choices), None)} == {"conflict"}


def test_two_subscriptions_that_would_add_one_entry_are_refused_both():
    one, two = subscription("one"), subscription("two")
    missing = replace(reading(), parts=(), is_missing=True, setter="web", where="images")
    seen = replace(view(), readings={("one", 0): (missing,), ("two", 0): (missing,)})
    choices = {(key, missing.written): chosen("2") for key in ("one", "two")}
    assert {end.code for end in outcomes(decide(seen, (one, two), choices), None)} == {"conflict"}


def test_the_detail_of_an_outcome_has_a_longest_length():
    """What is written in a repository may be of any length, and a detail stands in logs, Events and answers."""
    decision = judge([reading("ghcr.io/o/app:1.0.0")], [replace(held("1.1.0"), detail="x" * 1_000_000)])
    (outcome,) = outcomes([decision], None)
    assert len(outcome.detail) < 5_000
