"""What Flagger is answered about a canary: by people's decisions, by what was taken back, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.delivery.objects import NAME, NEW, OLD
from updater.delivery.hooks import CanaryFacts, CanaryHook, answer_of
from updater.model.decision import Hold, ImageRejection, Pin
from updater.model.image import parse_name, parse_ref
from updater.model.release import Release, RevertOrder
from updater.model.selection import Rejection

CONFIRMING = (CanaryHook.CONFIRM_ROLLOUT, CanaryHook.CONFIRM_PROMOTION)
DIGEST = "sha256:" + "a" * 64
ORDER = RevertOrder(revision="c" * 40, bad=parse_ref(NEW), good=parse_ref(OLD), reason="analysis failed")
OTHER = "sha256:" + "b" * 64
BY_DIGEST = RevertOrder(
    revision="c" * 40, bad=parse_ref(f"{NAME}@{DIGEST}"), good=parse_ref(f"{NAME}@{OTHER}"), reason="analysis failed"
)
BY_BOTH = replace(BY_DIGEST, bad=parse_ref(f"{NEW}@{DIGEST}"))
RELEASE = Release(
    subscription="shop", revision="c" * 40, image=parse_ref(f"{NEW}@{DIGEST}"), began=datetime(2026, 3, 1, tzinfo=UTC)
)
UNWANTED = {
    "a rejected tag": {"decisions": (ImageRejection(key="shop", tag="1.1.0", author="Jane"),)},
    "a rejected digest": {
        "decisions": (ImageRejection(key="shop", digest=DIGEST),),
        "images": ("envoy:1.30", f"{NEW}@{DIGEST}"),
    },
    "what a commit took back": {"rejected": {"1.1.0": Rejection(tag="1.1.0", code="reverted", sentence="1.1.0 was reverted")}},
    "what is about to be taken back": {"order": ORDER},
    "a pin to another tag": {"decisions": (Pin(key="shop", tag="1.0.0"),)},
    "the digest that is about to be taken back": {"order": BY_DIGEST, "images": (f"{NAME}@{DIGEST}",)},
    "the digest of a tag that is about to be taken back": {"order": BY_BOTH, "images": (f"{NAME}@{DIGEST}",)},
    "the digest of our release with a tag that was rejected": {
        "decisions": (ImageRejection(key="shop", tag="1.1.0"),),
        "images": (f"{NAME}@{DIGEST}",),
        "release": RELEASE,
    },
    "the tag of our release with a digest that was rejected": {
        "decisions": (ImageRejection(key="shop", digest=DIGEST),),
        "release": RELEASE,
    },
    "the digest of our release beside a pin to another tag": {
        "decisions": (Pin(key="shop", tag="1.0.0"),),
        "images": (f"{NAME}@{DIGEST}",),
        "release": RELEASE,
    },
}
WANTED = {
    "nothing": {},
    "a rejected other tag": {"decisions": (ImageRejection(key="shop", tag="1.0.9"),)},
    "the rejected tag with another digest": {"decisions": (ImageRejection(key="shop", tag="1.1.0", digest=DIGEST),)},
    "a pin to this tag": {"decisions": (Pin(key="shop", tag="1.1.0"),)},
    "a target of other images": {"images": ("envoy:1.1.0",), "decisions": (ImageRejection(key="shop", tag="1.1.0"),)},
    "another digest than is about to be taken back": {"order": BY_DIGEST, "images": (f"{NAME}@{OTHER}",)},
    "the tag that is about to be taken back, with another digest": {"order": BY_BOTH, "images": (f"{NEW}@{OTHER}",)},
    "a digest that nobody knows the tag of, beside a pin": {
        "decisions": (Pin(key="shop", tag="1.0.0"),),
        "images": (f"{NAME}@{OTHER}",),
        "release": RELEASE,
    },
    "a target that is not known": {"images": (), "order": ORDER},
    "a reference that is none": {"images": ("::",), "order": ORDER},
}


def facts(**more):
    return CanaryFacts(**{"key": "shop", "image": parse_name(NAME), "images": ("envoy:1.30", NEW), **more})


@pytest.mark.parametrize("known", UNWANTED.values(), ids=UNWANTED)
def test_a_version_that_is_not_wanted_is_neither_begun_nor_promoted_and_is_rolled_back(known):
    for hook in CONFIRMING:
        assert not answer_of(hook, [facts(**known)]).is_yes
    answer = answer_of(CanaryHook.ROLLBACK, [facts(**known)])
    assert (answer.is_yes, answer.reason.startswith("shop: ")) == (True, True)


@pytest.mark.parametrize("known", WANTED.values(), ids=WANTED)
def test_a_version_that_nothing_speaks_against_goes_on(known):
    assert all(answer_of(hook, [facts(**known)]).is_yes for hook in CONFIRMING)
    assert not answer_of(CanaryHook.ROLLBACK, [facts(**known)]).is_yes


def test_a_hold_lets_the_canary_of_our_release_wait_and_rolls_nothing_back():
    held = facts(decisions=(Hold(key="shop", author="Jane", reason="freeze"),), release=RELEASE)
    for hook in CONFIRMING:
        answer = answer_of(hook, [held])
        assert (answer.is_yes, answer.reason) == (False, "shop: held by Jane: freeze")
    assert not answer_of(CanaryHook.ROLLBACK, [held]).is_yes


def test_what_a_person_wrote_while_holding_us_goes_on():
    hold = (Hold(key="shop", author="Jane"),)
    for known in (facts(decisions=hold), facts(decisions=hold, release=RELEASE, images=(OLD,))):
        assert answer_of(CanaryHook.CONFIRM_ROLLOUT, [known]).is_yes


def test_one_no_among_several_subscriptions_of_a_canary_is_a_no():
    assert not answer_of(CanaryHook.CONFIRM_ROLLOUT, [facts(), facts(key="proxy", order=ORDER)]).is_yes
    assert answer_of(CanaryHook.ROLLBACK, [facts(), facts(key="proxy", order=ORDER)]).is_yes
