"""What joining promises: the file stays, one repository is spelled one way, and no branch is undone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.making import git_branch
from updater.inventory.branch_writers import repository
from updater.inventory.merge import Merger, merge
from updater.inventory.precedence import Evidence, Precedence
from updater.model.gates import NO_GATES
from updater.model.image import parse_name
from updater.model.problem import Problem
from updater.model.snapshot import Snapshot
from updater.model.subscription import CommitSpec, LiveApplication, Locator, Origin, PolicySpec, Subscription, Target

FLEET = "https://git.test/team/fleet"
KUBE = "applications"


def branch(url=FLEET, base="main", push=None, credential=""):
    return git_branch(url, base, push or "", credential=credential)


def asked(key, *destinations, kind="Application"):
    return Subscription(
        key=key,
        image=parse_name("r.test/app"),
        policy=PolicySpec("semver", {}),
        targets=tuple(Target(destination=found, editor="marker", locator=Locator(name="a:b")) for found in destinations),
        origin=Origin(kind=kind, name=f"argocd/{key}" if kind != "file" else "updater.yaml", line=7 if kind == "file" else None),
    )


def filed(key, *destinations):
    return asked(key, *destinations, kind="file")


def snapshots(*items):
    """Sort what is asked for by where it stands."""
    in_file = tuple(item for item in items if item.origin.kind == "file")
    return {
        "file": Snapshot(subscriptions=in_file),
        KUBE: Snapshot(subscriptions=tuple(item for item in items if item not in in_file)),
    }


def destinations(joined):
    return {item.key: item.targets[0].destination for item in joined.snapshot.subscriptions}


def codes(joined):
    """Give what was refused, by key; every refusal is a problem too."""
    assert [problem.message for problem in joined.snapshot.problems] == [outcome.detail for outcome in joined.refused]
    assert all(outcome.status == "failed" for outcome in joined.refused)
    return {outcome.key: outcome.code for outcome in joined.refused}


def test_one_source_alone_is_joined_to_itself():
    alone = Snapshot(subscriptions=(filed("a", branch()),))
    joined = merge({"file": alone})
    assert joined.snapshot is alone
    assert joined.refused == ()


def test_subscriptions_that_need_no_change_are_the_objects_that_came():
    items = (filed("a", branch()), asked("b", branch()), asked("c", LiveApplication(namespace="argocd", name="c")))
    joined = merge(snapshots(*items))
    assert all(one is other for one, other in zip(joined.snapshot.subscriptions, items, strict=True))


def test_problems_of_every_source_are_kept_and_what_is_not_whole_is_not_whole_together():
    wrong = Problem(path="a", code="bad-value", message="wrong")
    joined = merge({"file": Snapshot(), KUBE: Snapshot(problems=(wrong,), complete=False)})
    assert joined.snapshot == Snapshot(problems=(wrong,), complete=False)


def test_a_key_is_the_files_whatever_order_the_sources_are_in():
    mine, other = filed("a", branch()), asked("a", branch(base="other"), branch(base="third"))
    given = snapshots(mine, other)
    for sources in (given, dict(reversed(given.items()))):
        joined = merge(sources)
        assert joined.snapshot.subscriptions == (mine,)
        assert [(outcome.key, outcome.code) for outcome in joined.refused] == [("a", "duplicate")] * 2
        (problem,) = joined.snapshot.problems
        assert "updater.yaml:7" in problem.message
        assert problem.path == "argocd/a"


def test_a_group_that_loses_a_member_to_the_file_moves_no_part_of_it():
    members = [replace(asked(key, branch()), gates=replace(NO_GATES, group="argocd/shop/all")) for key in ("a", "b")]
    joined = merge(snapshots(filed("a", branch()), *members, asked("c", branch())))
    assert list(destinations(joined)) == ["a", "c"]
    assert codes(joined) == {"a": "duplicate", "b": "group"}


def test_of_two_other_sources_with_one_key_the_first_has_it():
    first, second = asked("a", branch()), asked("a", branch(base="other"))
    joined = merge({KUBE: Snapshot(subscriptions=(first,)), "flux": Snapshot(subscriptions=(second,))})
    assert joined.snapshot.subscriptions == (first,)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(f"{FLEET}.git", id="git"),
        pytest.param(f"{FLEET}/", id="slash"),
        pytest.param(f"{FLEET}.git/", id="both"),
        pytest.param("https://Git.Test/team/fleet", id="case of the host"),
        pytest.param("HTTPS://git.test/team/fleet", id="case of the scheme"),
    ],
)
def test_spellings_of_one_repository_are_one_destination(other):
    one, two = asked("a", branch()), asked("b", branch(other))
    for items in ((one, two), (two, one)):
        joined = merge(snapshots(*items))
        first, second = destinations(joined).values()
        assert first is second or first == second
        assert first.url == min(FLEET, other)
        assert not joined.refused


def test_the_files_spelling_counts():
    joined = merge(snapshots(filed("z", branch(f"{FLEET}.git")), asked("a", branch()), asked("b", branch(f"{FLEET}/"))))
    assert set(destinations(joined).values()) == {branch(f"{FLEET}.git")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(FLEET, "https://git.test/team/Fleet", id="case of the path"),
        pytest.param(FLEET, "http://git.test/team/fleet", id="scheme"),
        pytest.param(FLEET, "https://git.test:8443/team/fleet", id="port"),
        pytest.param(FLEET, "https://git.test/team/fleets", id="another name"),
        pytest.param(FLEET, "https://alice@git.test/team/fleet", id="user"),
        pytest.param("git@git.test:team/fleet", "alice@git.test:team/fleet", id="user of an scp-like one"),
        pytest.param("/srv/a:b", "/srv/A:b", id="local path"),
    ],
)
def test_what_may_be_another_repository_or_another_way_to_it_stays_apart(one, other):
    joined = merge(snapshots(asked("a", branch(one)), asked("b", branch(other))))
    assert [found.url for found in destinations(joined).values()] == [one, other]


def test_another_credential_is_another_way_to_a_repository():
    mine = branch(f"{FLEET}.git", credential="secret:team/git")
    joined = merge(snapshots(asked("a", branch()), asked("b", mine)))
    assert destinations(joined)["b"] is mine


def test_scp_like_urls_have_spellings_too():
    joined = merge(snapshots(asked("a", branch("git@git.test:team/fleet.git")), asked("b", branch("git@GIT.test:team/fleet"))))
    assert len(set(destinations(joined).values())) == 1


def test_a_target_that_is_no_branch_stays_when_another_one_of_the_subscription_is_spelled_anew():
    live = LiveApplication(namespace="argocd", name="a")
    joined = merge(snapshots(asked("a", live, branch(f"{FLEET}.git")), asked("b", branch())))
    assert [target.destination for target in joined.snapshot.subscriptions[0].targets] == [live, branch()]


def test_the_default_branch_is_let_be():
    joined = merge(snapshots(asked("a", branch(base="")), asked("b", branch(base="main"))))
    assert [found.branch for found in destinations(joined).values()] == ["", "main"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(branch(push="auto"), branch(base="release", push="auto"), id="two bases"),
        pytest.param(branch(push="auto"), branch(base="", push="auto"), id="a named base and the default one"),
        pytest.param(branch(push="auto"), branch(push="auto", credential="secret:a/b"), id="two credentials"),
        pytest.param(branch(push="auto"), branch("https://alice@git.test/team/fleet", push="auto"), id="two users"),
        pytest.param(branch(push="auto"), branch(f"{FLEET}.git", base="release", push="auto"), id="two spellings"),
        pytest.param(branch(push="auto"), branch(base="auto", push="next"), id="chain"),
    ],
)
def test_two_that_would_make_anew_what_the_other_needs_are_both_refused_and_others_go_on(one, other):
    joined = merge(snapshots(asked("a", one), asked("b", other), asked("c", branch())))
    assert codes(joined) == {"a": "push-branch", "b": "push-branch"}
    assert [item.key for item in joined.snapshot.subscriptions] == ["c"]
    assert {problem.path for problem in joined.snapshot.problems} == {"argocd/a", "argocd/b"}
    assert "b" in joined.refused[0].detail


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        pytest.param(branch(push="auto"), branch(base="release", push="auto"), id="two bases"),
        pytest.param(branch(push="auto"), branch(base="auto"), id="written straight"),
        pytest.param(branch(push="auto"), branch(base="auto", push="next"), id="chain"),
        pytest.param(branch(base="auto", push="next"), branch(push="auto"), id="chain the other way"),
        pytest.param(branch(base="auto"), branch(push="auto"), id="written straight in the file"),
    ],
)
def test_who_crosses_what_the_file_says_is_refused_alone(mine, other):
    joined = merge(snapshots(filed("a", mine), asked("b", other), asked("c", mine)))
    assert codes(joined) == {"b": "push-branch"}
    assert [item.key for item in joined.snapshot.subscriptions] == ["a", "c"]


def test_who_was_refused_for_the_file_crosses_nobody_else():
    items = (filed("a", branch(push="auto")), asked("b", branch(base="auto", push="next")), asked("c", branch(push="next")))
    assert codes(merge(snapshots(*items))) == {"b": "push-branch"}


def test_one_wrong_push_branch_does_not_stop_all_who_write_that_branch_straight():
    wrong = asked("wrong", branch(base="try", push="main"))
    straight = [asked(f"app-{number}", branch()) for number in range(3)]
    joined = merge(snapshots(*straight, wrong))
    assert codes(joined) == {"wrong": "push-branch"}
    assert joined.snapshot.subscriptions == tuple(straight)


def test_a_push_branch_that_many_share_over_one_base_is_fine():
    items = [asked(f"app-{number}", branch(url, push="auto")) for number, url in enumerate([FLEET, f"{FLEET}.git"] * 2)]
    joined = merge(snapshots(*items))
    assert not joined.refused
    assert set(destinations(joined).values()) == {branch(push="auto")}


def test_an_empty_push_is_the_branch_itself():
    assert not merge(snapshots(asked("a", branch(push="")), asked("b", branch(push="")))).refused


def written_by(key, *owners, is_reflected=False):
    """A subscription whose targets are written by other objects, each to a branch: *owners* are pairs of both."""
    made = asked(key, *(found for _, found in owners), kind="ImagePolicy")
    targets = tuple(
        replace(target, commit_spec=CommitSpec(owner=owner)) for target, (owner, _) in zip(made.targets, owners, strict=True)
    )
    return replace(made, targets=targets, is_reflected=is_reflected)


def test_a_crossed_push_branch_of_one_writer_stops_no_other_writer_of_the_same_subscription():
    """Of a policy that several objects write, in several repositories, only what crosses is left out."""
    elsewhere = branch(url="https://git.test/other/fleet")
    policy = written_by(
        "policy", ("team/a", branch(push="next")), ("team/b", branch(base="next")), ("team/c", elsewhere), is_reflected=True
    )
    merger = Merger()
    joined = merger(snapshots(policy))
    assert [target.destination for target in joined.snapshot.subscriptions[0].targets] == [branch(base="next"), elsewhere]
    assert [outcome.target_spec.commit_spec.owner for outcome in joined.refused] == ["team/a"]
    assert "team/a (for policy) makes next over main, and team/b (for policy) writes to it straight" in joined.refused[0].detail
    other = merger(snapshots(policy, asked("more", elsewhere)))
    assert other.snapshot.subscriptions[0] is joined.snapshot.subscriptions[0], "what did not change is no change"


def test_a_policy_that_is_told_of_stays_although_nobody_may_write_it():
    policy = written_by("policy", ("team/a", branch(push="main2")), is_reflected=True)
    joined = merge(snapshots(policy, filed("mine", branch(base="main2"))))
    assert [(item.key, item.targets) for item in joined.snapshot.subscriptions if item.key == "policy"] == [("policy", ())]
    assert codes(joined) == {"policy": "push-branch"}


def test_two_writers_of_one_subscription_claim_a_push_branch_apart_and_one_keeps_it():
    known = Precedence()
    merger = Merger(known)
    first, second = branch(base="main", push="next"), branch(base="dev", push="next")
    policy = written_by("policy", ("team/a", first), ("team/b", second))
    merger(snapshots(policy))
    known.learn({found: Evidence(may_push=True) for found in (first, second)})
    joined = merger(snapshots(policy))
    assert [target.commit_spec.owner for item in joined.snapshot.subscriptions for target in item.targets] == ["team/a"]
    assert [outcome.target_spec.commit_spec.owner for outcome in joined.refused] == ["team/b"]


def test_the_same_snapshots_give_the_very_same_join():
    given, joiner = snapshots(filed("a", branch()), asked("b", branch(f"{FLEET}.git"))), Merger()
    first = joiner(given)
    assert joiner(dict(given)) is first
    assert joiner({**given, KUBE: Snapshot()}) is not first


def test_what_is_spelled_anew_is_the_same_object_until_it_changes_or_is_spelled_otherwise():
    item, other = asked("a", branch(f"{FLEET}.git")), asked("b", branch())
    joiner = Merger()
    first = joiner(snapshots(item, other)).snapshot.subscriptions[0]
    assert joiner(snapshots(item, other, asked("c", branch()))).snapshot.subscriptions[0] is first
    assert joiner(snapshots(replace(item, interval=9.0), other)).snapshot.subscriptions[0] is not first
    again = joiner(snapshots(item, asked("b", branch("HTTPS://git.test/team/fleet")))).snapshot.subscriptions[0]
    assert again.targets[0].destination.url.startswith("HTTPS")
    assert joiner(snapshots(item)).snapshot.subscriptions[0] is item


@pytest.mark.parametrize("url", ["", "://", "https://", "x", "@:", "a@b:", "https://@/", ":", "\n", "https://h\x00/x", "é:ß"])
def test_no_text_that_stands_for_a_url_breaks_anything(url):
    joined = merge(snapshots(asked("a", branch(url)), asked("b", branch())))
    assert len(joined.snapshot.subscriptions) == 2
    assert repository(url) == repository(url)


NAMES = st.sampled_from(["", "main", "auto", "next"])
URLS = st.sampled_from([FLEET, f"{FLEET}.git", "https://alice@git.test/team/fleet", "git@git.test:other"])
BRANCHES = st.builds(branch, URLS, NAMES, st.none() | NAMES, st.sampled_from(["", "secret:a/b"]))
ITEMS = st.lists(st.tuples(st.sampled_from("abcdef"), BRANCHES, st.booleans()), max_size=8)


@given(ITEMS)
def test_whatever_is_asked_for_nobody_who_stays_undoes_another(items):
    given = snapshots(*(filed(key, found) if is_filed else asked(key, found) for key, found, is_filed in items))
    given["file"] = Snapshot(subscriptions=given["file"].subscriptions[:1])  # the file does not contradict itself
    joined = merge(given)
    kept = joined.snapshot.subscriptions
    assert len({item.key for item in kept}) == len(kept)
    assert given["file"].subscriptions == tuple(item for item in kept if item.origin.kind == "file")
    assert len(kept) + len(joined.refused) == sum(len(snapshot.subscriptions) for snapshot in given.values())
    found = {target.destination for item in kept for target in item.targets}
    for one in found:
        place, push = repository(one.url)[0], one.push or one.branch
        others = [other for other in found - {one} if repository(other.url)[0] == place]
        if push != one.branch:
            assert not [other for other in others if push in {other.push or other.branch, other.branch}]


@given(ITEMS)
def test_the_order_of_what_is_asked_for_does_not_decide_who_is_refused(items):
    unique = list({key: asked(key, found) for key, found, _ in items}.values())
    forth, back = merge(snapshots(*unique)), merge(snapshots(*reversed(unique)))
    assert set(codes(forth)) == set(codes(back))
    assert destinations(forth) == destinations(back)
