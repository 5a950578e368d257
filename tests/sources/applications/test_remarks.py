"""Events say what moved from where to where, and what carries it."""

from __future__ import annotations

import pytest

from tests.sources.argocd.making import DIGEST, GIT, application, outcome_for, run
from updater.sources.applications.moves import move_of
from updater.sources.applications.remarks import remark_on_moves

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def told(old, new, detail, revision=COMMIT):
    (answer,) = run(application({"image-list": "web=ghcr.io/o/web:^1", **GIT})).answers
    move = move_of(answer, outcome_for(old=old, new=new, detail=detail))
    return remark_on_moves([move], revision)


@pytest.mark.parametrize(
    ("detail", "message", "old"),
    [
        ("1.0.0 → 1.1.0", "web 1.0.0 → 1.1.0", "1.0.0"),
        (f"1.0.0 → 1.1.0@{DIGEST}", "web 1.0.0 → 1.1.0", "1.0.0"),
        (f"@{DIGEST} → 1.1.0", f"web {DIGEST} → 1.1.0", DIGEST),
        ("ghcr.io/o/web:1.0.0 → ghcr.io/o/web:1.1.0", "web 1.0.0 → 1.1.0", "1.0.0"),
        ("1.0.0 → 1.1.0; 1.0.1 → 1.1.0", "web 1.0.0 → 1.1.0", "1.0.0"),
        ("nothing → 1.1.0", "web set to 1.1.0", ""),
        ("1.1.0 is new here", "web set to 1.1.0", ""),
    ],
)
def test_the_first_override_moves_from_what_ran_before_it(detail, message, old):
    remark = told("", "1.1.0", detail)
    assert remark.message == f"{message} in commit 0123456789ab"
    assert dict(remark.annotations)["argocd-image-updater.image-0/old-tag"] == old


def test_the_version_of_a_live_application_is_no_commit():
    assert told("1.0.0", "1.1.0", "1.0.0 → 1.1.0", "237").message == "web 1.0.0 → 1.1.0 in the Application itself"
    assert told("1.0.0", "1.1.0", "1.0.0 → 1.1.0", None).message == "web 1.0.0 → 1.1.0"
