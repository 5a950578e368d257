"""The cases of the peers, under their ids; where the answer differs, docs/reference/differences/policies.md says why."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.policies.selecting import codes, ranked, selected, winner
from updater.errors import ImageSyntaxError, PolicyError
from updater.model.candidate import Candidate, Fact
from updater.model.image import Digest, parse_platform
from updater.model.selection import Code
from updater.model.subscription import PolicySpec
from updater.policies import build
from updater.policies.guards import INCOMPLETE_LIST

HERE = Path(__file__).parent
FLUX = json.loads((HERE / "cases_flux.json").read_text())
DIGEST = Digest(algorithm="sha256", encoded="d" * 64)
DAY = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("case", FLUX, ids=[case["id"] for case in FLUX])
def test_flux_policies_choose(case):
    """A tag, null where none matches, "error" where the policy cannot be built, "ok" where it only has to be."""
    if case["expect"] == "error":
        with pytest.raises(PolicyError):
            selected(case["policy"], case["tags"], filter_=case.get("filter"))
        return
    chosen = winner(case["policy"], case["tags"], filter_=case.get("filter"))
    assert case["expect"] in {chosen, "ok"}


@pytest.mark.parametrize(
    ("filter_", "tags", "passing"),
    [
        pytest.param({}, ["a"], ["a"], id="flux-255"),
        pytest.param(
            {"allow": r"^(?P<tag>123-[0-9]+\.[0-9]+\.[a-z0-9]+$)", "extract": "$tag"},
            ["123-123.123.abcd123-debug", "123-123.123.abcd123", "123-123.123.abcd456-debug", "123-123.123.abcd456"],
            ["123-123.123.abcd123", "123-123.123.abcd456"],
            id="flux-256",
        ),
        pytest.param(
            {"ignore": [r"regexp:^.*\-alpha$", r"regexp:^.*\.sig$"]},
            ["0.1.0", "0.2.0", "0.2.-alpha", "0.3.0", "0.4.0", "0.4.0.sig"],
            ["0.1.0", "0.2.0", "0.3.0", "0.4.0"],
            id="flux-281",
        ),
        pytest.param({"ignore": ["regexp:aaa|ccc"]}, ["aaa", "bbb", "ccc", "ddd"], ["bbb", "ddd"], id="flux-282"),
        pytest.param({"ignore": []}, ["0.4.0.sig", "sha256-" + "0" * 64 + ".sig"], ["0.4.0.sig"], id="flux-283"),
        pytest.param({"ignore": ["tag?", "foo"]}, ["tag1", "tag12", "foo", "food"], ["food", "tag12"], id="argo-032"),
        pytest.param({"allow": None}, ["a", "1"], ["1", "a"], id="argo-033"),
        pytest.param({"allow": ""}, ["a", "1"], ["1", "a"], id="argo-034"),
        pytest.param({"allow": "not-regexp:a-z"}, ["a", "z"], [], id="argo-035"),
        pytest.param({"allow": "[aA-zZ]"}, ["1a1", "11"], ["1a1"], id="argo-036"),
    ],
)
def test_filters_let_pass(filter_, tags, passing):
    selection = selected({"name": {}}, tags, filter_=filter_)
    assert sorted(ranked(selection)) == sorted(passing)


@pytest.mark.parametrize(
    ("filter_", "tags", "losers"),
    [
        pytest.param({}, [], {}, id="argo-157"),
        pytest.param({"allow": "^release-"}, ["1.0.1", "1.0.2"], {"1.0.1": "allow", "1.0.2": "allow"}, id="argo-161"),
    ],
)
def test_where_nothing_passes_nothing_is_chosen_and_every_tag_has_its_reason(filter_, tags, losers):
    selection = selected({"semver": {"range": "*"}}, tags, "1.0.0", filter_=filter_)
    assert (selection.status, selection.chosen) == ("no-match", None)
    assert codes(selection) == losers


@pytest.mark.parametrize(
    ("range_", "tags", "current", "chosen"),
    [
        pytest.param(None, ["0.1", "0.5.1", "0.9", "1.0", "1.0.1", "1.1.2", "2.0.3"], "latest", "2.0.3", id="argo-024"),
        pytest.param(None, ["v2.2.0", "v2.3.0-rc.0.18.g1abb7b5dd-ppc64le"], None, "v2.2.0", id="argo-025"),
        pytest.param("~1.0", ["0.1", "0.5.1", "0.9", "2.0.3"], None, None, id="argo-026"),
        pytest.param("~1.0", [], None, None, id="argo-027"),
    ],
)
def test_semver_selects(range_, tags, current, chosen):
    assert winner({"semver": {"range": range_}}, tags, current) == chosen


def test_argo_028_the_followed_tag_brings_its_digest():
    selection = selected({"digest": {"tag": "latest"}}, [Candidate(tag="latest", digest=DIGEST)])
    assert (selection.chosen.tag, selection.chosen.digest) == ("latest", DIGEST)


@pytest.mark.parametrize(
    ("policy", "is_by_name", "asks"),
    [
        (PolicySpec("semver"), True, False),
        (PolicySpec("latest"), False, True),
        (PolicySpec("name"), True, False),
        (PolicySpec("digest", {"tag": "latest"}), False, False),
    ],
    ids=["semver", "latest", "name", "digest"],
)
def test_argo_029_argo_030_argo_031_what_a_policy_needs(policy, is_by_name, asks):
    """What may be remembered by name, what needs a description of every tag, what looks at one tag only."""
    built = build(policy)
    assert built.is_by_name is is_by_name
    assert bool(built.missing(Candidate(tag="1"))) is asks
    assert (built.chosen_facts == {Fact.DIGEST}) is (policy.kind == "digest")


@pytest.mark.parametrize(
    ("policy", "candidates", "best_first"),
    [
        pytest.param(
            {"semver": {}},
            ["v2.0.2", "v1.0", "v2.0.0", "v1.0.1", "v2.0.3", "v2.0"],
            ["v2.0.3", "v2.0.2", "v2.0", "v2.0.0", "v1.0.1", "v1.0"],
            id="argo-063",
        ),
        pytest.param(
            {"latest": {}},
            [
                Candidate(tag=tag, created=DAY + timedelta(days=day))
                for tag, day in {"v2.0.2": 4, "v1.0": 1, "v1.0.1": 0, "v2.0.3": 3, "v2.0": 2}.items()
            ],
            ["v2.0.2", "v2.0.3", "v2.0", "v1.0", "v1.0.1"],
            id="argo-064",
        ),
        pytest.param(
            {"latest": {}},
            [Candidate(tag=tag, created=DAY) for tag in ["v2.0.2", "v1.0", "v1.0.1", "v2.0.3", "v2.0"]],
            ["v1.0", "v1.0.1", "v2.0", "v2.0.2", "v2.0.3"],
            id="argo-065",
        ),
        pytest.param(
            {"name": {}},
            ["wohoo", "bazar", "alpha", "jesus", "zebra"],
            ["zebra", "wohoo", "jesus", "bazar", "alpha"],
            id="argo-066",
        ),
    ],
)
def test_tags_are_ranked(policy, candidates, best_first):
    assert ranked(selected(policy, candidates)) == best_first


@pytest.mark.parametrize(
    ("written", "is_same"),
    [
        pytest.param(Digest(algorithm="sha256", encoded="e" * 64), False, id="argo-067"),
        pytest.param(None, True, id="argo-068"),
    ],
)
def test_a_followed_tag_is_the_same_where_its_digest_is(written, is_same):
    """Whether a form wants a digest beside a tag that has none is for the decision to see, not for the policy."""
    candidates = [Candidate(tag="v1.0.0", digest=DIGEST)]
    selection = selected({"digest": {"tag": "v1.0.0"}}, candidates, "v1.0.0", current_digest=written)
    assert (selection.status == "unchanged") is is_same


@pytest.mark.parametrize(
    ("wanted", "offered", "is_fit"),
    [
        pytest.param([], "linux/arm/v7", True, id="argo-071"),
        pytest.param(["linux/arm", "linux/arm/v7"], "linux/arm/v8", False, id="argo-072"),
        pytest.param(["linux/arm/v7", "linux/arm/v8"], "linux/arm/v6", False, id="argo-073"),
    ],
)
def test_platforms_are_all_wanted(wanted, offered, is_fit):
    candidate = Candidate(tag="1.0.0", platforms=(parse_platform(offered),))
    selection = selected({"semver": {}}, [candidate], platforms=wanted)
    assert codes(selection) == ({} if is_fit else {"1.0.0": "platform"})


def test_argo_074_a_text_that_is_no_platform_is_refused_where_it_is_read():
    with pytest.raises(ImageSyntaxError):
        selected({"semver": {}}, ["1.0.0"], platforms=["invalid"])


def test_argo_075_without_platforms_none_is_asked_for():
    asked = []
    assert selected({"semver": {}}, ["1.0.0"], asked=asked).chosen
    assert not asked


def test_every_code_has_its_heading():
    page = (HERE.parent.parent / "docs" / "reference" / "rejections.md").read_text()
    assert {line[3:] for line in page.splitlines() if line.startswith("## ")} == {*map(str, Code), INCOMPLETE_LIST}


def test_every_difference_is_written_down():
    """The cases whose answer differs from the peer's have a row that names both answers and the principle."""
    page = HERE.parent.parent / "docs" / "reference" / "differences" / "policies.md"
    rows = set(re.findall(r"^\| ((?:flux|argo)-[0-9]+) ", page.read_text(), re.MULTILINE))
    assert rows == {
        *("flux-159", "flux-161", "flux-197", "flux-200", "flux-214", "flux-215", "flux-244", "flux-283"),
        *("argo-063", "argo-065", "argo-068", "argo-072", "argo-075"),
    }
