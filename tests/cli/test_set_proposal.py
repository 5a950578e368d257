"""`updater set --commit --push --proposal`: a CI job proposes a change, and is told what became of the pull request."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.fakes.forge import TOKEN, FakeForge
from tests.fakes.git_server import BareRepository, GitServer, run_git
from tests.real.parts import require
from updater.cli.main import run_cli
from updater.writeback.proposal_text import read_marker

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "apps/web.yaml": b'image: x:1 # {"$imagepolicy": "ns:p"}\n',
    "apps/kustomization.yaml": b"images:\n- name: nginx\n  newTag: 1.25.0\n",
    "values.yaml": b"image:\n  tag: v1\n",
}
BRANCH = "updater/main/ns-p"
LINK = "http://forge.example.org/o/fleet/pull/1"
ASKED = ("--commit", "--push", "--proposal", "-o", "json")
VARIABLES = ("GITHUB_", "GITLAB_", "GITEA_", "FORGEJO_", "CI_", "CI", "GH_", "UPDATER_", "BUILD_", "BRANCH_", "GIT_")


@dataclass
class Job:
    """A checkout of a repository on a forge, in which commands run as in the job of a CI service."""

    clone: Path
    repository: BareRepository
    forge: FakeForge
    server: GitServer
    capfd: pytest.CaptureFixture
    monkeypatch: pytest.MonkeyPatch

    async def run(self, *arguments):
        """Run `set` over the whole checkout; give exit code, stdout and stderr."""
        code = await asyncio.to_thread(run_cli, ["set", str(self.clone), *arguments])
        return code, *self.capfd.readouterr()

    async def set(self, image="x:2", *more):
        """Propose *image* for the marker; give exit code and what the JSON says of the pull request."""
        code, out, _ = await self.run("--marker", f"ns:p={image}", *ASKED, *more)
        said = json.loads(out)
        return code, said["proposal"]

    def written(self, branch=BRANCH):
        return self.repository.show("apps/web.yaml", branch).decode().split()[1]


@pytest.fixture(params=["github", "gitea", "gitlab"])
def kind(request):
    return request.param


@pytest.fixture
async def job(tmp_path, kind, capfd, monkeypatch):
    """A checkout of main, in a job of GitHub or Gitea Actions."""
    require("git")
    for name in list(os.environ):
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)
    repository = BareRepository.make(tmp_path / "repos/o/fleet.git", FILES)
    with GitServer(tmp_path / "repos") as server:
        clone = tmp_path / "clone"
        run_git("clone", "-q", server.url("o/fleet.git"), clone)
        run_git("config", "user.name", "Job", cwd=clone)
        run_git("config", "user.email", "job@example.org", cwd=clone)
        async with FakeForge(repository, kind) as forge:
            (as_pipeline if kind == "gitlab" else as_actions)(monkeypatch, server, forge, kind)
            yield Job(clone, repository, forge, server, capfd, monkeypatch)


def as_actions(monkeypatch, server, forge, kind):
    if kind == "gitea":
        monkeypatch.setenv("GITEA_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_SERVER_URL", server.url("").rstrip("/"))
    monkeypatch.setenv("GITHUB_API_URL", forge.api)
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/app")
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


def as_pipeline(monkeypatch, server, forge, _kind):
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("CI_SERVER_URL", server.url("").rstrip("/"))
    monkeypatch.setenv("CI_API_V4_URL", forge.api)
    monkeypatch.setenv("CI_PROJECT_PATH", "o/app")
    monkeypatch.setenv("CI_JOB_TOKEN", "job-token")
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)


async def test_a_change_is_proposed_and_the_checkout_stays_as_it_is(job):
    before = run_git("rev-parse", "HEAD", cwd=job.clone)
    code, out, err = await job.run("--marker", "ns:p=x:2", *ASKED, "--exit-code")
    said = json.loads(out)
    assert (code, err) == (10, "")
    assert said["changes"] == [{"path": "apps/web.yaml", "line": 1, "where": "image", "old": "x:1", "new": "x:2"}]
    assert said["commit"] == job.repository.head(BRANCH)
    assert said["proposal"] == {"status": "opened", "link": LINK, "branch": BRANCH, "base": "main", "held": [], "note": None}
    (pull,) = job.forge.pulls
    assert (pull.branch, pull.base, pull.title) == (BRANCH, "main", "Update x to 2")
    assert "`apps/web.yaml:1`" in pull.body
    assert read_marker(pull.body)
    assert (job.written(), job.written("main")) == ("x:2", "x:1")
    assert (run_git("rev-parse", "HEAD", cwd=job.clone), run_git("status", "--short", cwd=job.clone)) == (before, "")


async def test_the_commit_is_by_the_job_and_known_as_ours_by_its_committer(job):
    await job.set()
    said = job.repository.git("log", "-1", "--format=%an <%ae>|%cn <%ce>|%B", BRANCH)
    author, committer, message = said.split("|")
    assert (author, committer) == ("Job <job@example.org>", "updater <updater@example.org>")
    assert message.splitlines()[0] == "Set ns:p to x:2"
    assert "Updater-Subscription: ns:p\n" in message
    assert f"Updater-Branch: {BRANCH}\n" in message


async def test_an_unchanged_value_with_an_open_pull_request_changes_nothing(job):
    await job.set()
    head, asked = job.repository.head(BRANCH), len(job.forge.changes())
    code, said = await job.set("x:2", "--exit-code")
    assert (code, said["status"], said["link"]) == (0, "unchanged", LINK)
    assert (job.repository.head(BRANCH), len(job.forge.changes())) == (head, asked)


async def test_a_newer_value_updates_the_same_branch_and_pull_request(job):
    await job.set()
    code, said = await job.set("x:3", "--exit-code")
    assert (code, said["status"], said["link"], job.written()) == (10, "updated", LINK, "x:3")
    assert [pull.title for pull in job.forge.pulls] == ["Update x to 3"]
    assert job.repository.git("rev-list", "--count", f"main..{BRANCH}").strip() == "1"


async def test_a_value_that_stands_on_the_base_asks_the_forge_nothing(job):
    code, said = await job.set("x:1", "--exit-code")
    assert (code, said["status"], said["link"]) == (0, "none", None)
    assert (job.forge.asked, job.repository.head(BRANCH)) == ([], None)


async def test_after_the_merge_there_is_nothing_to_do_and_the_branch_is_put_away(job):
    await job.set()
    job.forge.merge(1)
    code, said = await job.set("x:2", "--exit-code")
    assert (code, said["status"], job.written("main"), job.repository.head(BRANCH)) == (0, "none", "x:2", None)


async def test_what_the_base_got_otherwise_is_closed_with_a_word(job):
    await job.set()
    job.repository.commit({"apps/web.yaml": b'image: x:2 # {"$imagepolicy": "ns:p"}\n'})
    code, said = await job.set("x:2", "--exit-code")
    assert (code, said["status"], job.repository.head(BRANCH)) == (0, "closed", None)
    (pull,) = job.forge.pulls
    assert (pull.state, len(pull.comments)) == ("closed", 1)


async def test_a_moved_base_gets_the_change_on_top(job):
    await job.set()
    job.repository.commit({"README": b"new\n"})
    code, said = await job.set()
    assert (code, said["status"]) == (0, "updated")
    assert job.repository.git("merge-base", "main", BRANCH).strip() == job.repository.head("main")


async def test_a_person_who_closed_it_is_told_and_not_asked_again(job):
    await job.set()
    job.forge.close(1)
    code, said = await job.set("x:2", "--exit-code")
    assert (code, said["status"], said["link"]) == (0, "held", LINK)
    assert [(item["code"], LINK in item["reason"]) for item in said["held"]] == [("proposal-closed", True)]
    code, said = await job.set("x:3")
    assert (code, said["status"], len(job.forge.pulls)) == (0, "opened", 2)


async def test_commits_of_a_person_on_the_branch_are_never_overwritten(job):
    await job.set()
    job.repository.commit({"apps/web.yaml": b"image: mine\n"}, branch=BRANCH)
    head = job.repository.head(BRANCH)
    code, said = await job.set("x:3", "--exit-code")
    assert (code, said["status"], job.repository.head(BRANCH)) == (0, "held", head)
    assert said["held"][0]["code"] == "foreign-commits"


async def test_a_commit_of_the_jobs_own_identity_is_a_persons(job):
    await job.set()
    run_git("fetch", "-q", "origin", cwd=job.clone)
    run_git("checkout", "-q", BRANCH, cwd=job.clone)
    run_git("commit", "-q", "--allow-empty", "-m", "by hand", cwd=job.clone)
    run_git("push", "-q", "origin", BRANCH, cwd=job.clone)
    run_git("checkout", "-q", "main", cwd=job.clone)
    assert (await job.set("x:3"))[1]["status"] == "held"


async def test_a_branch_of_the_same_name_with_other_changes_is_left_alone(job):
    await job.set("x:2", "--branch", "bump")
    code, _, err = await job.run("--helm", "values.yaml:image.tag=v2", *ASKED, "--branch", "bump")
    assert code == 1
    assert "the branch bump holds changes of ns:p" in err
    assert job.written("bump") == "x:2"


async def test_every_kind_of_wish_is_one_pull_request_and_other_wishes_are_another(job):
    requests = ("--marker", "ns:p=x:2", "--helm", "values.yaml:image.tag=v2")
    _, out, _ = await job.run(*requests, *ASKED)
    first = json.loads(out)["proposal"]
    assert first["branch"] == "updater/main/ns-p-values.yaml-image.tag"
    assert job.repository.show("values.yaml", first["branch"]) == b"image:\n  tag: v2\n"
    assert "`v1` → `v2`" in job.forge.pulls[0].body
    assert (await job.set("x:3"))[1]["branch"] == BRANCH
    assert len(job.forge.opened()) == 2


async def test_a_place_that_is_refused_fails_and_the_rest_is_proposed(job):
    code, out, _ = await job.run("--marker", "ns:p=x:2", "--marker", "ns:none=x:2", *ASKED)
    said = json.loads(out)
    assert (code, said["unmatched"], said["proposal"]["status"]) == (1, ["ns:none=x:2"], "opened")


async def test_the_text_ends_in_the_link(job):
    code, out, err = await job.run("--marker", "ns:p=x:2", *ASKED[:3])
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"pull request opened: {LINK}"
    job.forge.close(1)
    code, out, err = await job.run("--marker", "ns:p=x:2", *ASKED[:3])
    assert (code, out) == (0, "")
    assert err.startswith(f"held: 2 was rejected: {LINK} was closed without merging\nhint: ")


async def test_the_step_of_a_job_gets_outputs_and_a_summary(job, tmp_path):
    outputs, summary = tmp_path / "outputs", tmp_path / "summary.md"
    outputs.write_text("before=1\n")
    job.monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    job.monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    await job.set()
    found = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    assert found == {
        "before": "1",
        "changed": "true",
        "proposal-status": "opened",
        "proposal-link": LINK,
        "proposal-branch": BRANCH,
        "commit": job.repository.head(BRANCH),
    }
    assert f"Pull request opened: <{LINK}>" in summary.read_text()
    assert "| `apps/web.yaml:1` | `x:1` | `x:2` |" in summary.read_text()
    await job.set()
    assert outputs.read_text().splitlines()[-5:-3] == ["changed=false", "proposal-status=unchanged"]


async def test_a_title_is_taken_as_it_is_and_a_new_one_updates_the_pull_request(job):
    title = "Bump {{ .Nothing }} `x` to {{ 2"
    assert (await job.set("x:2", "--title", title))[1]["status"] == "opened"
    assert job.forge.pulls[0].title == title
    code, said = await job.set("x:2", "--title", "Another one", "--exit-code")
    assert (code, said["status"], job.forge.pulls[0].title) == (10, "updated", "Another one")


async def test_a_detached_checkout_proposes_to_the_branch_that_the_job_builds(job):
    run_git("checkout", "-q", "--detach", cwd=job.clone)
    job.monkeypatch.setenv("GITHUB_REF_NAME", "main")
    assert (await job.set())[1]["base"] == "main"


async def test_without_a_branch_to_merge_into_the_hint_names_base(job):
    run_git("checkout", "-q", "--detach", cwd=job.clone)
    code, _, err = await job.run("--marker", "ns:p=x:2", *ASKED)
    assert (code, "--base" in err) == (1, True)
    assert (await job.set("x:2", "--base", "main"))[1]["status"] == "opened"


async def test_the_token_that_the_job_left_to_git_opens_the_pull_request(job):
    job.monkeypatch.delenv("GITLAB_TOKEN" if job.forge.kind == "gitlab" else "GITHUB_TOKEN")
    code, _, err = await job.run("--marker", "ns:p=x:2", *ASKED)
    hint = "CI_JOB_TOKEN may not write merge requests" if job.forge.kind == "gitlab" else "UPDATER_FORGE_TOKEN"
    assert (code, hint in err, job.repository.head(BRANCH)) == (1, True, None)
    shown = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    run_git("config", f"http.{job.server.url('')}.extraheader", f"AUTHORIZATION: basic {shown}", cwd=job.clone)
    assert (await job.set())[1]["status"] == "opened"


async def test_the_token_of_a_job_is_not_shown_to_another_server(job):
    job.monkeypatch.setenv("CI_SERVER_URL" if job.forge.kind == "gitlab" else "GITHUB_SERVER_URL", "https://git.example.org")
    job.monkeypatch.setenv("UPDATER_FORGE_KIND", job.forge.kind)
    job.monkeypatch.setenv("UPDATER_FORGE_API", job.forge.api)
    code, _, err = await job.run("--marker", "ns:p=x:2", *ASKED)
    assert (code, "there is no token" in err, job.forge.asked) == (1, True, [])
    job.monkeypatch.setenv("UPDATER_FORGE_TOKEN", TOKEN)
    assert (await job.set())[1]["status"] == "opened"


async def test_a_plain_shell_names_the_forge_by_a_configuration(job, tmp_path):
    for name in ("GITHUB_SERVER_URL", "GITHUB_API_URL", "GITHUB_TOKEN", "GITLAB_CI", "CI_SERVER_URL", "GITLAB_TOKEN"):
        job.monkeypatch.delenv(name, raising=False)
    code, _, err = await job.run("--marker", "ns:p=x:2", *ASKED)
    assert (code, "UPDATER_FORGE_KIND" in err) == (1, True)
    (tmp_path / "token").write_text(TOKEN)
    entry = f'{{kind: {job.forge.kind}, api: "{job.forge.api}", token: "file:{tmp_path / "token"}"}}'
    (tmp_path / "updater.yaml").write_text(
        f"""\
git:
  author: {{name: bot, email: bot@example.org}}
  repositories: [{{prefix: "{job.server.url("")}", forge: {entry}}}]
"""
    )
    assert (await job.set("x:2", "-c", str(tmp_path / "updater.yaml")))[1]["status"] == "opened"
    assert job.repository.git("log", "-1", "--format=%ce", BRANCH).strip() == "bot@example.org"


async def test_the_defaults_of_a_configuration_shape_the_pull_request(job, tmp_path):
    proposal = (
        "{labels: [ci], draft: true, branch: 'bump/{{ .Key }}', per: destination, title: 'Set {{ (index .Images 0).NewTag }}'}"
    )
    (tmp_path / "updater.yaml").write_text(f"git: {{proposal: {proposal}}}\n")
    code, said = await job.set("x:2", "-c", str(tmp_path / "updater.yaml"))
    (pull,) = job.forge.pulls
    assert (code, said["branch"], pull.labels, pull.draft) == (0, "bump/ns-p", ["ci"], True)
    assert pull.title.removeprefix("Draft: ").removeprefix("WIP: ") == "Set 2"


async def test_a_forge_that_is_down_fails_before_anything_is_pushed(job):
    job.forge.fail("GET", 401, "Bad credentials")
    code, out, _ = await job.run("--marker", "ns:p=x:2", *ASKED)
    assert (code, json.loads(out)["changes"], job.repository.head(BRANCH)) == (1, [], None)


async def test_a_forge_that_fails_after_the_push_is_asked_again_by_the_same_command(job):
    job.forge.fail("POST", 502)
    code, _, err = await job.run("--marker", "ns:p=x:2", *ASKED)
    assert (code, "502" in err, job.forge.pulls, job.written()) == (1, True, [], "x:2")
    head = job.repository.head(BRANCH)
    code, said = await job.set("x:2", "--exit-code")
    assert (code, said["status"], job.repository.head(BRANCH)) == (10, "opened", head)


async def test_a_server_that_declines_the_branch_gets_no_pull_request(job):
    job.repository.decline_pushes()
    code, _, err = await job.run("--marker", "ns:p=x:2", *ASKED)
    assert (code, "protected branch" in err, job.forge.pulls) == (1, True, [])


async def test_what_a_person_reopens_is_proposed_again(job):
    await job.set()
    job.forge.close(1)
    assert (await job.set())[1]["status"] == "held"
    job.forge.close(1, "open")
    code, said = await job.set("x:2")
    assert (code, said["link"], said["held"], len(job.forge.pulls)) == (0, LINK, [], 1)


async def test_a_branch_that_a_person_deleted_is_made_again(job):
    await job.set()
    job.forge.merge(1)
    job.repository.commit({"apps/web.yaml": b'image: x:1 # {"$imagepolicy": "ns:p"}\n'})
    job.repository.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    code, said = await job.set("x:3")
    assert (code, said["status"], job.written(), len(job.forge.opened())) == (0, "opened", "x:3", 1)


async def test_two_jobs_at_one_time_make_one_pull_request_of_one_commit(job):
    def run(number):
        return run_cli(["set", str(job.clone), "--marker", f"ns:p=x:{number}", *ASKED[:3]])

    ends = await asyncio.gather(*(asyncio.to_thread(run, number) for number in (5, 6)))
    assert ends == [0, 0]
    assert job.written() in {"x:5", "x:6"}
    assert len(job.forge.pulls) == 1
    assert job.repository.git("rev-list", "--count", f"main..{BRANCH}").strip() == "1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--proposal"], "--commit and --push"),
        (["--proposal", "--commit"], "--commit and --push"),
        (["--commit", "--push", "--base", "main"], "--base wants --proposal"),
        (["--commit", "--push", "--title", "T"], "--title wants --proposal"),
        (["--commit", "--push", "--proposal", "--branch", "main"], "nothing can be proposed"),
    ],
)
async def test_wrong_usage_exits_2(job, arguments, said):
    code, _, err = await job.run("--marker", "ns:p=x:2", *arguments)
    assert (code, said in err) == (2, True)
