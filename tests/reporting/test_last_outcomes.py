"""What a status promises: the last word on each subscription, null for what is not known, and nothing of what is gone."""

from __future__ import annotations

from dataclasses import replace

from tests.engine.making import git_branch
from tests.inventory.asking import LIVE, MAIN, asked
from tests.reporting.making import at, ended, failed, inventory, landed
from tests.reporting.notifications.making import judged, progressed
from updater.model.candidate import Candidate
from updater.model.image import parse_name
from updater.model.outcome import Status
from updater.model.progress import Progress
from updater.model.release import DeliveryOptions, ReleaseVerdict
from updater.model.report import SelectionMade, TargetsRefused
from updater.model.selection import Selection
from updater.model.subscription import PolicySpec
from updater.model.view import PastCommit
from updater.model.written import Written
from updater.reporting.last_outcomes import LastOutcomes, naming
from updater.reporting.plain import plain

CANARY = Progress(step=2, steps=4, weight=20, words="a pause", plan=("a", "b", "c", "d"))
ONE, TWO = Written(tag="1.0.0"), Written(name="r.test/app", tag="2.0.0")


def statuses(*reports, keys=()):
    last = LastOutcomes()
    for report in reports:
        last.hear(report)
    return {status.key: status for status in last.statuses(keys)}


def row(*reports):
    (status,) = statuses(*reports).values()
    return plain(status.row())


def past(when, *keys):
    return PastCommit(revision="a" * 40, when=when, subject="", subscriptions=keys, images=(), policies=())


def test_what_is_not_known_yet_is_null():
    found = row(inventory())
    assert (found.pop("key"), found.pop("image"), found.pop("written")) == ("web", "r.test/app", [])
    assert set(found.values()) == {None}


def test_a_row_tells_what_is_written_what_was_chosen_and_since_when_it_stands():
    chosen = SelectionMade(
        subscription="web",
        written=ONE,
        selection=Selection(status="unchanged", chosen=Candidate(tag="1.0.0"), rejections={}),
        at=at(),
    )
    commits = (past(at(-60), "web"), past(at(-90), "web"))
    first = landed(ended(), written={"web": (ONE, TWO)}, recent=commits)
    found = row(inventory(), chosen, first, landed(ended(), minutes=5, written={"web": (ONE, TWO)}, recent=commits))
    assert found == {
        "key": "web",
        "image": "r.test/app",
        "written": ["1.0.0", "r.test/app:2.0.0"],
        "running": None,
        "chosen": "1.0.0",
        "state": "unchanged",
        "reason": "1.0.0 is the newest",
        "since": "2024-05-06T07:08:09Z",
        "last_change": "2024-05-06T06:08:09Z",
        "held_by": None,
        "verdict": None,
        "verdict_at": None,
        "progress": None,
        "workload": None,
        "code": None,
    }


def test_a_commit_of_this_moment_is_the_last_change():
    moved = ended(status=Status.UPDATED, detail="1 → 2", revision="a" * 40)
    found = row(inventory(), landed(ended()), landed(moved, minutes=3), landed(ended(), minutes=5))
    assert (found["state"], found["since"], found["last_change"]) == (
        "unchanged",
        "2024-05-06T07:13:09Z",
        "2024-05-06T07:11:09Z",
    )


def test_of_several_targets_the_worst_gives_state_and_reason_and_what_holds_is_named():
    held = ended(status=Status.HELD, detail="2 is lower", code="downgrade", target="a")
    found = row(inventory(), landed(held, ended(target="b")))
    assert (found["state"], found["reason"], found["held_by"]) == ("held", "2 is lower", "downgrade")
    found = row(inventory(), landed(held, failed(target="b")))
    assert (found["state"], found["reason"], found["held_by"]) == ("failed", "the server is down", None)


def test_what_a_server_said_and_what_moves_a_cursor_is_not_in_a_reason():
    detail = "https://user:secret@git.test/x \x1b[31m said XYZZY"
    public = "https://user:secret@git.test/x \x1b[31m refused"
    found = row(inventory(), landed(failed(detail=detail, public=public)))
    assert found["reason"] == "https://***@git.test/x \\x1b[31m refused"
    assert len(row(inventory(), landed(failed(detail="x" * 5000)))["reason"]) == 1000


def test_what_is_gone_is_forgotten_and_what_is_refused_is_shown_with_its_reason():
    refused = failed("other", "two want it", "conflict")
    found = statuses(inventory(asked("web", MAIN), asked("old", MAIN)), landed(ended(), ended("old")), inventory())
    assert list(found) == ["web"]
    assert list(statuses(inventory(), landed(ended("old"), written={"old": (ONE,)}))) == ["web"], "it began before"
    found = statuses(inventory(), TargetsRefused(outcomes=(refused,), at=at()))
    assert (found["other"].image, found["other"].state, found["other"].reason) == (None, Status.FAILED, "two want it")


def test_a_subscription_that_wants_another_target_forgets_the_one_before():
    before, now = asked("web", MAIN), asked("web", LIVE)
    outcome = failed(target=str(before.targets[0]))
    good = ended(target=str(now.targets[0]))
    found = statuses(inventory(before), landed(outcome, written={"web": (ONE,)}), inventory(now), landed(good, destination=LIVE))
    assert (found["web"].state, found["web"].written) == (Status.UNCHANGED, ())


def test_a_value_that_runs_where_nothing_is_written_is_named():
    item = asked("web", LIVE)
    item = replace(item, targets=(replace(item.targets[0], running=Written(name="r.test/app", tag="1.0.0")),))
    assert row(inventory(item))["running"] == "r.test/app:1.0.0"


def test_keys_are_named_whole_by_glob_or_by_application():
    keys = ["argocd/web/app", "argocd/webshop/app", "shop-a", "shop-b"]

    def named(*patterns):
        return [key for key in keys if naming(patterns)(key)]

    assert named() == keys
    assert named("shop-*") == ["shop-a", "shop-b"]
    assert named("argocd/web") == ["argocd/web/app"]
    assert named("shop-a", "argocd/webshop/app") == ["argocd/webshop/app", "shop-a"]
    assert named("nothing") == []


def test_every_key_whose_status_changed_is_named_and_a_quiet_landing_names_none():
    commits = (past(at(-60), "web"),)
    reports = [
        inventory(asked("web", MAIN), asked("api", MAIN)),
        landed(ended(), ended("api"), written={"web": (ONE,)}),
        landed(failed(), ended("api"), written={"web": (ONE,)}, minutes=1),
        landed(failed(), ended("api"), written={"web": (TWO,)}, minutes=2),
        landed(failed(), ended("api"), written={"web": (TWO,)}, recent=commits, minutes=3),
        TargetsRefused(outcomes=(failed("api"),), at=at(4)),
    ]
    last, before = LastOutcomes(), {}
    for report in reports:
        heard = last.heard
        last.hear(report)
        after = {status.key: status for status in last.statuses()}
        touched = last.touched_since(heard)
        changed = {key for key in after if after[key] != before.get(key)}
        assert changed <= (after.keys() if touched is None else set(touched))
        before = after
    heard = last.heard
    last.hear(landed(failed(), written={"web": (TWO,)}, recent=commits, minutes=5))
    assert last.touched_since(heard) == []
    last.hear(inventory(asked("web", MAIN)))
    assert last.touched_since(heard) is None


def test_statuses_of_keys_are_those_of_all_and_counts_count_them():
    last = LastOutcomes()
    for report in (inventory(asked("web", MAIN), asked("api", MAIN)), landed(failed())):
        last.hear(report)
    assert list(last.statuses_of(("web", "none"))) == [found for found in last.statuses() if found.key == "web"]
    assert dict(last.counts()) == {Status.FAILED: 1, None: 1}


class Walked(tuple):
    """Commits that count how often somebody goes through them."""

    __slots__ = ()
    walks = 0

    def __iter__(self):
        Walked.walks += 1
        return super().__iter__()


def test_a_row_costs_no_walk_over_the_commits_of_every_branch():
    places = [git_branch(f"https://git.test/{number}") for number in range(20)]
    items = [asked(f"key-{number}", place) for number, place in enumerate(places)]
    last = LastOutcomes()
    last.hear(inventory(*items))
    for number, place in enumerate(places):
        recent = Walked(past(at(-60 - age), f"key-{number}") for age in range(3))
        last.hear(landed(destination=place, recent=recent))
    Walked.walks = 0
    (status,) = last.statuses_of(["key-1"])
    assert (status.last_change, len(list(last.statuses())), Walked.walks) == (at(-60), 20, 0)


def test_the_last_change_is_that_of_the_commits_that_are_there_now():
    other = git_branch("https://git.test/other")
    both = inventory(asked("web", MAIN, other))
    reports = [
        (both, None),
        (landed(ended(), recent=(past(at(-60), "web"), past(at(-90), "web"))), at(-60)),
        (landed(ended(), destination=other, recent=(past(at(-30), "web"),)), at(-30)),
        (landed(ended(), destination=other, recent=(past(at(-40), "web"),)), at(-40)),  # the branch was rewritten
        (inventory(asked("web", MAIN)), at(-60)),
        (landed(ended(), recent=()), None),
    ]
    last = LastOutcomes()
    for report, moment in reports:
        heard = last.heard
        last.hear(report)
        (status,) = last.statuses()
        assert status.last_change == moment
        touched = last.touched_since(heard)
        assert touched is None or "web" in touched


def test_how_far_a_canary_has_come_stands_in_the_row_until_the_verdict():
    begun, step = judged(ReleaseVerdict.PROGRESSING), progressed(CANARY)
    asked_for = inventory(asked("web", MAIN))
    told = row(asked_for, begun, step)
    assert (told["verdict"], told["verdict_at"], told["workload"]) == (
        "progressing",
        "2024-05-06T07:08:09Z",
        "Deployment shop/web",
    )
    assert told["progress"] == {"step": 2, "steps": 4, "weight": 20, "words": "a pause", "plan": ["a", "b", "c", "d"]}
    assert row(asked_for, begun, step, progressed(None))["progress"] is None
    assert row(asked_for, begun, step, judged())["progress"] is None
    assert row(asked_for, begun, step, judged(ReleaseVerdict.PROGRESSING, "c" * 40))["progress"] is None


def test_a_release_that_is_taken_up_after_a_restart_is_told_by_its_progress_alone():
    told = row(inventory(asked("web", MAIN)), progressed(CANARY))
    assert (told["verdict"], told["progress"]["step"]) == ("progressing", 2)
    assert row(inventory(asked("api", MAIN)), progressed(CANARY))["key"] == "api"


def test_a_subscription_of_another_image_or_policy_forgets_what_was_chosen_and_released_before():
    before = replace(asked("web", MAIN), delivery=DeliveryOptions())
    chosen = SelectionMade(
        subscription="web",
        written=ONE,
        selection=Selection(status="unchanged", chosen=Candidate(tag="1.0.0"), rejections={}),
        at=at(),
    )

    def kept(now):
        found = statuses(inventory(before), chosen, judged(), inventory(now))["web"]
        return found.chosen, found.verdict

    assert kept(replace(before, interval=60.0)) == ("1.0.0", "bad")
    assert kept(replace(before, policy=PolicySpec("newest", {}))) == (None, "bad")
    assert kept(replace(before, image=parse_name("r.test/other"))) == (None, None)
    assert kept(replace(before, delivery=None)) == ("1.0.0", None)
