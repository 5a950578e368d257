"""What the log promises: what is new at once and once, a failure again while it lasts, one line a pass, and no silent skip."""

from __future__ import annotations

import pytest
import structlog
from structlog.testing import capture_logs

from tests.inventory.asking import LIVE, MAIN, asked
from tests.reporting.making import at, ended, failed, inventory, landed
from updater.model.candidate import FactFailure
from updater.model.outcome import Status
from updater.model.problem import Problem
from updater.model.report import ImageScanned
from updater.model.scan_key import scan_key_for
from updater.model.selection import Code, Rejection
from updater.reporting.counted import CountedReports
from updater.reporting.logged import LoggedReports
from updater.reporting.metrics import Metrics

MISSPELT = Problem(
    path="apps/a.yaml", line=2, code="unknown-policy", message="the marker names 'ns:wbe'", hint="did you mean 'ns:web'?"
)


@pytest.fixture
def log():
    listener = LoggedReports(structlog.get_logger())

    def lines(*reports):
        with capture_logs() as taken:
            for report in reports:
                listener.hear(report)
        return taken

    return lines


PASS = "checked for updates"


def events(lines):
    return [line["event"] for line in lines if line["event"] != PASS]


def test_a_state_is_logged_when_it_begins_and_every_commit(log):
    moved = ended(status=Status.UPDATED, detail="1 → 2", revision="a" * 40)
    lines = log(inventory(), landed(ended()), landed(ended()), landed(moved), landed(moved), landed(ended()))
    assert events(lines) == ["unchanged", "updated", "updated", "unchanged"]


def test_a_failure_is_repeated_every_ten_minutes_in_one_line_for_all_that_fail_alike(log):
    both = (failed("a"), failed("b"), failed("c", "another", "no-place"))
    lines = log(inventory(), *(landed(*both, minutes=minutes) for minutes in range(0, 25, 2)))
    repeated = [line for line in lines if line["event"] == "still failing"]
    assert events(lines)[:3] == ["failed"] * 3
    assert [(line["keys"], line["count"], line["code"]) for line in repeated] == [
        (["a", "b"], 2, "git-unavailable"),
        (["c"], 1, "no-place"),
    ] * 2
    assert {line["since"] for line in repeated} == {at().isoformat(timespec="seconds")}
    assert {line["log_level"] for line in repeated} == {"warning"}


def test_the_same_failure_with_another_wait_is_no_other_state(log):
    lines = log(inventory(), *(landed(failed(detail=f"try again in {seconds} s")) for seconds in (30, 28, 7)))
    assert events(lines) == ["failed"]


def test_a_failure_that_ended_is_no_old_one_when_it_comes_back(log):
    lines = log(
        inventory(), landed(failed()), landed(ended(), minutes=9), landed(failed(), minutes=12), landed(failed(), minutes=20)
    )
    assert events(lines) == ["failed", "unchanged", "failed"]


def scanned(code=None, minutes=0.0):
    failure = FactFailure(code, "no answer", "wait") if code else None
    listed = scan_key_for(asked("web", MAIN))
    return ImageScanned(listed=listed, names=("1.0.0", "1.1.0", "1.2.0"), failure=failure, began=at(minutes), at=at(minutes))


def test_a_scan_that_fails_is_logged_when_it_begins_changes_lasts_and_ends(log):
    steps = [
        scanned("down"),
        scanned("down", 2),
        scanned("denied", 4),
        scanned("denied", 15),
        scanned(minutes=16),
        scanned(minutes=17),
    ]
    assert events(log(inventory(), *steps)) == ["scan failed", "scan failed", "scan fails still", "scanned again"]


def test_a_scan_for_its_own_sake_that_fails_is_not_logged_anew_when_the_inventory_changes(log):
    other = inventory(asked("api", MAIN, image="r.test/other"), scans=frozenset({scanned().listed}))
    assert events(log(scanned("down"), other, scanned("down", 1), scanned(minutes=2))) == ["scan failed", "scanned again"]


def test_a_pass_is_one_line_when_every_destination_has_landed(log):
    both = inventory(asked("web", MAIN), asked("live", LIVE))
    first = log(both, scanned(), scanned("down"), landed(ended(), seconds=3.0), landed(ended()))
    assert [line for line in first if line["event"] == PASS] == []
    (line,) = [line for line in log(landed(failed("live"), destination=LIVE, minutes=1)) if line["event"] == PASS]
    assert {name: line[name] for name in ("destinations", "images", "images_failed", "unchanged", "failed", "seconds")} == {
        "destinations": 2,
        "images": 1,
        "images_failed": 1,
        "unchanged": 2,
        "failed": 1,
        "seconds": 63.0,
    }
    (line,) = [line for line in log(inventory(), landed(ended())) if line["event"] == PASS]
    assert (line["destinations"], "failed" in line) == (1, False)


def test_a_marker_that_nobody_claims_is_logged_once_until_it_changes(log):
    lines = log(
        inventory(), *(landed(ended(), notes=notes) for notes in ((MISSPELT,), (MISSPELT,), None, (MISSPELT,), (), (MISSPELT,)))
    )
    assert events(lines) == ["unchanged", "problem", "problems solved", "problem"]
    told = next(line for line in lines if line["event"] == "problem")
    assert (told["detail"], told["code"], told["destination"]) == (str(MISSPELT), "unknown-policy", str(MAIN))


def test_markers_that_nobody_claims_are_counted_until_they_are_gone():
    metrics = Metrics()
    counted = CountedReports(metrics)
    line = b'updater_marker_problems{code="unknown-policy"} 1.0'
    for report, is_served in [
        (inventory(asked("web", MAIN), asked("live", LIVE)), False),
        (landed(notes=(MISSPELT,)), True),
        (landed(notes=None), True),
        (landed(notes=()), False),
        (landed(notes=(MISSPELT,)), True),
        (inventory(asked("live", LIVE)), False),
    ]:
        counted.hear(report)
        assert (line in metrics.render()) is is_served


def test_what_people_took_back_is_logged_once_and_counted_as_long_as_it_is_not_chosen_for_that():
    gone = {"web": {"2.0.0": Rejection(tag="2.0.0", code=Code.REJECTED, sentence="2.0.0 was reverted")}}
    reports = [inventory(), *(landed(ended(), rejected=rejected) for rejected in (gone, gone, {}))]
    metrics, listener = Metrics(), LoggedReports(structlog.get_logger())
    counted, shown = CountedReports(metrics), []
    with capture_logs() as lines:
        for report in reports:
            listener.hear(report)
            counted.hear(report)
            found = [line for line in metrics.render().decode().splitlines() if line.startswith("updater_subscription_rejected")]
            shown.append(found and found[0].rpartition(" ")[2])
    assert events(lines) == ["unchanged", "rejected"]
    assert shown == [[], "1.0", "1.0", "0.0"]
