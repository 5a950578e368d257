"""Events say what moved from where to where, and what carries it."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import DIGEST, GIT, application, outcome_for, run
from updater.argocd.cluster.event_texts import remark_on_moves, remark_on_outcome
from updater.argocd.cluster.moves import move_of
from updater.engine.decide import decide
from updater.engine.outcomes import failed, outcomes
from updater.errors import (
    EditError,
    GitDenied,
    GitError,
    GitUnavailable,
    PushRefused,
    RateLimited,
    RegistryDenied,
    RegistryProtocolError,
)
from updater.model.outcome import Move, Status
from updater.model.view import Reading, View
from updater.model.written import Written

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def told(old, revision=COMMIT, *, new=Written(tag="1.1.0")):  # noqa: B008 - a frozen value
    (answer,) = run(application({"image-list": "web=ghcr.io/o/web:^1", **GIT})).answers
    move = move_of(answer, outcome_for(new="1.1.0", moves=(Move(old=old, new=new),), detail="words → for people"))
    return remark_on_moves([move], revision)


@pytest.mark.parametrize(
    ("written", "message", "old"),
    [
        (Written(tag="1.0.0"), "web 1.0.0 → 1.1.0", "1.0.0"),
        (Written(tag="1.0.0", digest=DIGEST), f"web 1.0.0@{DIGEST} → 1.1.0", f"1.0.0@{DIGEST}"),
        (Written(digest=DIGEST), f"web {DIGEST} → 1.1.0", DIGEST),
        (Written(name="ghcr.io/o/web", tag="1.0.0"), "web 1.0.0 → 1.1.0", "1.0.0"),
        (Written(name="ghcr.io/o/old", tag="1.0.0"), "web ghcr.io/o/old:1.0.0 → 1.1.0", "ghcr.io/o/old:1.0.0"),
        (Written(), "web set to 1.1.0", ""),
    ],
)
def test_an_event_takes_both_versions_from_the_values_and_never_from_words(written, message, old):
    remark = told(written)
    assert remark.message == f"{message} in commit 0123456789ab"
    assert dict(remark.annotations)["argocd-image-updater.image-0/old-tag"] == old


def test_the_version_of_a_live_application_is_no_commit():
    assert told(Written(tag="1.0.0"), "237").message == "web 1.0.0 → 1.1.0 in the Application itself"
    assert told(Written(tag="1.0.0"), None).message == "web 1.0.0 → 1.1.0"


@pytest.mark.parametrize(
    "error",
    [
        GitDenied("http://10.0.0.1/x.git answered 403: the admin token is XYZZY", code="git-forbidden"),
        GitUnavailable("http://10.0.0.1/x.git: XYZZY"),
        PushRefused("main of http://10.0.0.1/x.git: XYZZY", code="push-declined"),
        RegistryDenied("10.0.0.1/x: access denied (403 XYZZY)"),
        RegistryProtocolError("10.0.0.1/x: XYZZY"),
        RateLimited("10.0.0.1/x: XYZZY"),
    ],
    ids=lambda error: error.code,
)
def test_what_a_server_answers_is_told_in_the_log_and_never_on_the_object(error):
    """Whoever writes an Application chooses the server, and must not read through us what it answers inside the network."""
    found = run(application({"image-list": "web=ghcr.io/o/web:^1", **GIT}))
    (answer,) = found.answers
    item = answer.subscription
    destination = item.targets[0].destination
    place = Reading(path="a", where="a", line=1, setter="", parts=(), written=Written(tag="1.0.0"))
    view = View(destination=destination, head="1", readings={(item.key, 0): (place,)}, problems={}, pending={})
    decided = outcomes(decide(view, [item], {(item.key, place.written): error}), None)
    for outcome in (*failed([item], destination, error), *decided):
        assert "XYZZY" in outcome.detail
        remark = remark_on_outcome(answer, outcome)
        assert "XYZZY" not in remark.message
        assert error.code in remark.message
        assert "XYZZY" not in outcome.told


def test_our_own_words_are_told_whole():
    error = GitError("https://git.test/fleet.git has no branch 'try'", hint="its default branch is 'main'", code="branch-missing")
    assert error.public == error.message
    assert EditError("line 3 is odd").public == "line 3 is odd"


def test_an_event_holds_no_control_character():
    (answer,) = run(application({"image-list": "web=ghcr.io/o/web:^1", **GIT})).answers
    outcome = outcome_for(status=Status.FAILED, detail="x\x1b[31m\u202ey")
    assert remark_on_outcome(answer, outcome).message.isprintable()


def test_an_event_says_which_pull_request_has_an_image():
    (answer,) = run(application({"image-list": "web=ghcr.io/o/web:^1", **GIT})).answers
    detail = "1.0.0 → 1.1.0, proposed in https://git.test/o/fleet/pull/1"
    event = remark_on_outcome(answer, outcome_for(status=Status.PROPOSED, detail=detail))
    assert (event.reason, event.weight, event.message) == ("ImageProposed", "Normal", f"web: {detail}")
