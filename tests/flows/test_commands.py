"""What the commands promise: exit codes, JSON, one door for errors."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from tests.fakes.git_server import run_git
from tests.fakes.registry import times
from tests.flows.fleet import MARKED, add_usual, fleet
from updater.cli.explain import _selections


async def updater(*arguments, data: bytes = b""):
    """Run the program as a person does; gives code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "updater", *map(str, arguments),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate(data)
    return process.returncode, output.decode(), errors.decode()


@pytest.fixture
async def made(tmp_path):
    async with fleet(tmp_path) as running:
        add_usual(running)
        yield running


async def test_once_exits_0_and_with_exit_code_10_where_something_was_written(made):
    made.registry.push("o/app", "1.1.0")
    assert (await updater("once", "--exit-code", "-c", made.configure()))[0] == 10
    assert (await updater("-c", made.configure(), "once", "--exit-code"))[0] == 0


async def test_a_dry_pass_says_would_update_and_exits_10_only_if_something_would_be_written(made):
    assert (await updater("once", "--dry-run", "--exit-code", "-c", made.configure()))[0] == 0
    made.registry.push("o/app", "1.1.0")
    code, output, _ = await updater("once", "--dry-run", "--exit-code", "-c", made.configure())
    assert (code, "would update  app: " in output) == (10, True), output
    assert made.commits() == ["Person: first"]


async def test_once_speaks_the_json_of_the_contract(made):
    made.registry.push("o/app", "1.1.0")
    code, output, _ = await updater("once", "-o", "json", "-c", made.configure())
    done = json.loads(output)
    assert code == 0
    assert set(done) == {"id", "started", "finished", "problems", "outcomes"}
    by_key = {outcome["key"]: outcome for outcome in done["outcomes"]}
    assert set(by_key["app"]) == {"key", "target", "status", "detail", "changes", "revision", "link", "code", "opens_at"}
    (change,) = by_key["app"]["changes"]
    assert set(change) == {"path", "line", "where", "old", "new"}
    assert (change["path"], change["line"], by_key["app"]["revision"]) == ("apps/app.yaml", 2, made.repository.head())
    assert (by_key["web"]["status"], by_key["web"]["code"], by_key["web"]["link"]) == ("unchanged", None, None)
    assert done["started"].endswith("Z")


async def test_a_failed_target_exits_1_and_names_its_code(made):
    made.registry.faults.append(times(99, 404, part="o/web"))
    code, output, _ = await updater("once", "-c", made.configure())
    assert code == 1
    assert "[image-not-found]" in output


async def test_the_diff_of_a_dry_run_is_what_git_apply_takes(made, tmp_path):
    made.registry.push("o/api", "1.1.0")
    code, output, _ = await updater("once", "--dry-run", "-o", "diff", "-c", made.configure())
    assert code == 0
    checkout = tmp_path / "checkout"
    run_git("clone", "-q", made.repository.path, checkout)
    run_git("apply", cwd=checkout, data=output.encode())
    assert 'tag: "1.1.0"   # quoted' in (checkout / "charts/values.yaml").read_text()


async def test_a_dry_pass_with_diff_says_on_standard_error_what_no_diff_shows(made):
    code, output, errors = await updater("once", "--dry-run", "-o", "diff", "-c", made.configure())
    assert (code, output, errors) == (0, "", "no changes: 3 unchanged\n")
    made.registry.push("o/app", "0.9.0")
    made.registry.delete("o/app", "1.0.0")
    code, output, errors = await updater("once", "--dry-run", "-o", "diff", "-c", made.configure())
    assert (code, output) == (0, "")
    assert errors.startswith("held  app: ")
    assert errors.endswith("no changes: 1 held, 2 unchanged\n")


async def test_only_one_key_is_landed_and_an_unknown_one_is_met_with_the_nearest(made):
    made.registry.push("o/app", "1.1.0")
    made.registry.push("o/web", "1.1.0")
    assert (await updater("once", "--only", "app", "-c", made.configure()))[0] == 0
    assert "1.0.0" in made.file("apps/web/kustomization.yaml")
    code, _, errors = await updater("once", "--only", "ap", "-c", made.configure())
    assert (code, errors) == (2, "error: there is no subscription 'ap'\nhint: did you mean 'app'?\n")


async def test_everything_wrong_with_a_configuration_is_said_at_once_with_lines_and_hints(made):
    path = made.configure()
    path.write_text(path.read_text().replace("semver", "semvre").replace("interval:", "intervall:"))
    code, output, errors = await updater("once", "-c", path)
    assert (code, output) == (2, "")
    assert errors.count("error:") >= 4
    assert "did you mean" in errors
    assert f"{path}:1" in errors


async def test_a_missing_configuration_exits_2(tmp_path):
    code, _, errors = await updater("once", "-c", tmp_path / "none.yaml")
    assert code == 2
    assert errors.startswith("error: ")
    assert "hint: " in errors


async def test_explain_says_what_was_on_offer_what_lost_and_where_it_stands(made):
    made.registry.push("o/app", "2.0.0-rc.1")
    code, output, _ = await updater("explain", "app", "-c", made.configure())
    assert code == 0
    assert "apps/app.yaml:2" in output
    assert "[prerelease]" in output
    assert made.commits() == ["Person: first"]


def selection(tag, *rejected, status="updated", code=None, detail="chosen"):
    losers = [{"tag": name, "code": why, "sentence": sentence} for name, why, sentence in rejected]
    return {"tag": tag, "status": status, "code": code, "detail": detail, "rejected": losers}


def test_explain_says_once_what_several_selections_reject_for_the_same_reason():
    old, rc, new = (("1.0", "outranked", "1.0 is old"), ("2.0-rc", "prerelease", "2.0-rc is early"), ("1.1", "leap", "1.1 leaps"))
    assert _selections([selection("1.2", old, rc), selection("1.2", old, rc)], None) == [
        "  selection  1.2: chosen",
        "    not      1.0 is old [outranked]",
        "    not      2.0-rc is early [prerelease]",
    ]
    others = [
        selection("1.2", old, rc),
        selection("1.2", new, old, rc, detail="other"),
        selection("1.2", old, rc, detail="third"),
    ]
    assert _selections(others, None) == [
        "  selection  1.2: chosen",
        "  selection  1.2: third",
        "  selection  1.2: other",
        "    not      1.1 leaps [leap]",
        "  not        1.0 is old [outranked]",
        "  not        2.0-rc is early [prerelease]",
    ]
    assert _selections(others, 1)[-1] == "  …          and 1 more; --all shows them"
    assert _selections([], None) == []


async def test_explain_tells_a_held_selection_as_held_with_its_code_and_its_reason_once(tmp_path):
    async with fleet(tmp_path, **{"a.yaml": MARKED.replace("1.0.0", "2.0.0")}) as made:
        made.add("app", "marker: ns:app")
        _, output, _ = await updater("explain", "app", "-c", made.configure())
    assert "  selection  held [downgrade] 1.0.0: 1.0.0 is lower than 2.0.0, which is written\n" in output
    assert "    not      1.0.0" not in output


async def test_faults_of_registry_and_git_are_said_together(made):
    made.registry.faults.append(times(99, 404, part="o/web"))
    path = made.configure()
    path.write_text(path.read_text().replace(made.url, "http://127.0.0.1:1/fleet.git"))
    code, output, _ = await updater("once", "-c", path)
    assert code == 1
    assert f"problem  image {made.registry.host}/o/web: " in output
    assert "[git-unreachable]" in output
    assert "connection refused" in output
    for foreign in ("HTTPConnection", "Errno", "Error("):
        assert foreign not in output
    done = json.loads((await updater("once", "-o", "json", "-c", path))[1])
    assert [problem["code"] for problem in done["problems"]] == ["image-not-found"]
    assert [outcome["code"] for outcome in done["outcomes"]] == ["git-unreachable"] * 3


async def test_explain_as_json_holds_selections_and_outcomes(made):
    _, output, _ = await updater("explain", "-o", "json", "-c", made.configure())
    rows = json.loads(output)
    assert [row["key"] for row in rows] == ["api", "app", "web"]
    assert {"written", "selections", "outcomes", "last", "next_due", "holds"} <= set(rows[0])


async def test_history_is_read_from_git_with_an_empty_cache(made):
    made.registry.push("o/app", "1.1.0")
    await updater("once", "-c", made.configure())
    made.forget()
    code, output, _ = await updater("history", "app", "-o", "json", "-c", made.configure())
    (row,) = json.loads(output)
    assert (code, row["subscriptions"], row["revision"]) == (0, ["app"], made.repository.head())
    assert row["images"][0].startswith(f"{made.registry.host}/o/app:1.1.0@sha256:")
    assert json.loads((await updater("history", "web", "-o", "json", "-c", made.configure()))[1]) == []


async def test_history_shows_old_and_new_value_with_the_key_and_marks_what_was_reverted(made):
    made.registry.push("o/app", "1.1.0")
    await updater("once", "-c", made.configure())
    ours = made.repository.head()
    _, output, _ = await updater("history", "-c", made.configure())
    head, change = output.splitlines()
    assert "reverted" not in head
    assert change.strip() == f"app  {made.registry.host}/o/app  1.0.0 → 1.1.0  (semver >=1.0.0)"
    before = {"apps/app.yaml": MARKED.format(host=made.registry.host).encode()}
    theirs = made.repository.commit(before, message=f"Revert\n\nThis reverts commit {ours}.")
    _, output, _ = await updater("history", "-c", made.configure())
    assert output.splitlines()[0].endswith(f"reverted by {theirs[:9]}")
    (row,) = json.loads((await updater("history", "-o", "json", "-c", made.configure()))[1])
    assert (row["reverted_by"], row["changes"][0]["old"], row["changes"][0]["new"]) == (theirs, "1.0.0", "1.1.0")


async def test_an_author_whose_address_git_shortens_still_knows_its_own_commits(made):
    """Else a reverted release would be written again."""
    path = made.configure()
    path.write_text(path.read_text().replace("updater@example.org", '"<Bot @example.org>"'))
    made.registry.push("o/app", "1.1.0")
    await updater("once", "-c", path)
    ours = made.repository.head()
    before = {"apps/app.yaml": MARKED.format(host=made.registry.host).encode()}
    theirs = made.repository.commit(before, message=f"Revert\n\nThis reverts commit {ours}.")
    code, output, _ = await updater("once", "-c", path)
    assert (code, "updated" in output) == (0, False), output
    (row,) = json.loads((await updater("history", "-o", "json", "-c", path))[1])
    assert row["reverted_by"] == theirs


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        pytest.param(["vaildate"], "did you mean 'validate'?", id="command"),
        pytest.param(["once", "--dry"], "updater once --help", id="option"),
    ],
)
async def test_a_wrong_word_exits_2_with_a_hint(arguments, hint):
    code, _, errors = await updater(*arguments)
    assert code == 2
    assert hint in errors


async def test_version_names_the_program_and_what_it_stands_on():
    code, output, _ = await updater("version", "-o", "json")
    assert code == 0
    assert {"updater", "python", "dulwich"} <= set(json.loads(output))
