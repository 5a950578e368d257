"""What a pass says to people can be used as it stands."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import click
import pytest

from updater.cli.report import PassReport, as_diffs, as_json, as_text, coloured, outcome_lines, problem_lines
from updater.model.diff import as_diff
from updater.model.image import parse_name
from updater.model.outcome import DRY_RUN, Outcome, Status
from updater.model.problem import Problem
from updater.model.update import Change, Edit

FILE = "apps/.argocd-source-web.yaml"


@pytest.mark.parametrize(
    ("before", "is_made"), [(None, True), (b"", False), (b"helm: {}\n", False), (b"helm: {}", False), (b"a: 1\r\n", False)]
)
def test_git_applies_the_diff_of_a_pass_to_what_it_was_made_for(tmp_path, before, is_made):
    path = tmp_path / FILE
    path.parent.mkdir()
    if before is not None:
        path.write_bytes(before)
    edit = Edit(path=FILE, before=before or b"", after=b"helm:\n  parameters: []\n", changes=(), is_made=is_made)
    given = as_diff([edit]).encode()
    done = subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=given, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert path.read_bytes() == edit.after


@pytest.mark.parametrize(
    ("path", "line", "said"),
    [("", None, "Application argocd/web: no such key"), ("apps/a.yaml", 3, "apps/a.yaml:3: no such key")],
)
def test_a_problem_names_its_file_or_the_object_in_the_cluster(path, line, said):
    problem = Problem(path=path, line=line, code="unknown-key", message="no such key", origin="Application argocd/web")
    assert [click.unstyle(line) for line in problem_lines(problem)] == [f"problem  {said}"]


def test_a_value_that_stood_nowhere_was_nothing():
    change = Change(path=FILE, line=7, where="helm.parameters[image.tag]", old="", new="1.4.1")
    outcome = Outcome(key="web", target="t", status=Status.UPDATED, detail="1.3.9 → 1.4.1", changes=(change,), revision="a" * 40)
    first, second = outcome_lines(outcome, 7)
    assert first.endswith("1.3.9 → 1.4.1 in aaaaaaaaa")
    assert second.strip() == f"{FILE}:7 helm.parameters[image.tag]: nothing → 1.4.1"


def test_a_diff_for_several_places_names_each_of_them_and_one_for_a_single_place_is_bare():
    edit = Edit(path="a.yaml", before=b"tag: 1\n", after=b"tag: 2\n", changes=())
    same = Edit(path="b.yaml", before=b"tag: 1\n", after=b"tag: 1\n", changes=())
    assert as_diffs([("r#main", (edit,)), ("r#next", (same,))]) == as_diff([edit])
    both = as_diffs([("r#main", (edit,)), ("r#next", (edit,))])
    assert both == f"# r#main\n{as_diff([edit])}# r#next\n{as_diff([edit])}"


def test_a_dry_pass_says_what_it_would_do():
    dry = Outcome(key="web", target="t", status=Status.HELD, detail="would move 1.3.9 → 1.4.1", code=DRY_RUN)
    same = Outcome(key="xyz", target="t", status=Status.UNCHANGED, detail="already the newest")
    now = datetime(2026, 11, 28, tzinfo=UTC)
    done = PassReport(id="1", started=now, finished=now, problems=(), outcomes=(dry, same))
    assert click.unstyle(as_text(done)).splitlines() == [
        "would update  web: 1.3.9 → 1.4.1",
        "unchanged     xyz: already the newest",
    ]
    assert json.loads(as_json(done))["outcomes"][0]["status"] == "held"
    assert done.has_written
    assert not replace(done, outcomes=(same,)).has_written


def test_one_failure_of_many_subscriptions_is_one_message_with_a_count_and_json_keeps_each():
    now = datetime(2026, 11, 28, tzinfo=UTC)
    images = {f"app{number:02}": parse_name(f"ghcr.io/o/app{number:02}") for number in range(12)}
    outcomes = tuple(
        Outcome(key=key, target="t", status=Status.FAILED, detail=f"{image}: ghcr.io is down", code="x", hint="wait")
        for key, image in images.items()
    )
    other = Outcome(key="web", target="t", status=Status.FAILED, detail="ghcr.io/o/web: not found", code="y")
    done = PassReport(id="1", started=now, finished=now, problems=(), outcomes=(*outcomes, other), images=images)
    assert click.unstyle(as_text(done)).splitlines() == [
        "failed  12 subscriptions: ghcr.io is down [x]",
        "        hint  wait",
        "        app00, app01, app02, app03, app04, app05, app06, app07, app08, app09 and 2 more",
        "failed  web: ghcr.io/o/web: not found [y]",
    ]
    assert len(json.loads(as_json(done))["outcomes"]) == 13


def test_a_diff_in_colours_holds_the_same_text_and_colours_every_changed_line():
    edit = Edit(path="a.yaml", before=b"tag: 1\nx: 1\n", after=b"tag: 2\nx: 1\n", changes=())
    plain = as_diff([edit])
    assert click.unstyle(coloured(plain)) == plain
    assert click.style("-tag: 1", fg="red") in coloured(plain)
    assert click.style("+tag: 2", fg="green") in coloured(plain)


def test_nothing_that_an_object_or_a_server_says_moves_the_cursor_of_a_terminal():
    hostile = "x\x1b[2J\u202e\ny"
    change = Change(path=hostile, line=1, where=hostile, old=hostile, new=hostile)
    outcome = Outcome(key=hostile, target="", status=Status.FAILED, detail=hostile, hint=hostile, changes=(change,))
    problem = Problem(path="", code="x", message=hostile, hint=hostile, origin=hostile)
    for line in (*outcome_lines(outcome, 9), *problem_lines(problem)):
        assert click.unstyle(line).isprintable()
