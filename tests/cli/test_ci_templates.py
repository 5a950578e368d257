"""The action and the template of config/ci do what they say: their shell steps run over a real Git server and a forge."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.test_set_proposal import BRANCH, LINK, TOKEN, job, kind
from tests.fakes.git_server import run_git
from tests.real.parts import require

__all__ = ["job", "kind"]
CI = Path(__file__).parents[2] / "config/ci"
ACTION = yaml.safe_load((CI / "action.yml").read_text())
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
in_actions = pytest.mark.parametrize("kind", ["github", "gitea"], indirect=True)
in_pipelines = pytest.mark.parametrize("kind", ["gitlab"], indirect=True)
TEMPLATE = yaml.safe_load((CI / "gitlab.yml").read_text())[".updater-propose"]


async def shell(program, script, folder, environment):
    """Run a step as a runner does; give exit code and output."""
    require(program)
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = await asyncio.create_subprocess_exec(
        *(program, "-c", script),
        cwd=folder,
        env={"PATH": path, "HOME": str(folder.parent), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await done.communicate()
    return done.returncode, out.decode()


class Action:
    """The composite action in a job of GitHub or Gitea."""

    def __init__(self, job, tmp_path):
        self.job = job
        self.outputs = tmp_path / "outputs"
        self.summary = tmp_path / "summary.md"

    async def use(self, **inputs):
        """Run the step that sets; give exit code, text and the outputs of the action by name."""
        given = {name: entry["default"] for name, entry in ACTION["inputs"].items()} | inputs
        self.outputs.write_text("")
        code, out = await shell("bash", STEPS["set"]["run"], self.job.clone, {**self._environment(), **self._step(given)})
        found = dict(line.split("=", 1) for line in self.outputs.read_text().splitlines())
        wanted = {name: entry["value"] for name, entry in ACTION["outputs"].items()}
        return code, out, {name: found.get(text.split("outputs.")[1].removesuffix(" }}")) for name, text in wanted.items()}

    def _environment(self):
        names = ("GITHUB_SERVER_URL", "GITHUB_API_URL", "GITHUB_REPOSITORY", "GITEA_ACTIONS")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {**kept, "GITHUB_OUTPUT": str(self.outputs), "GITHUB_STEP_SUMMARY": str(self.summary)}

    @staticmethod
    def _step(inputs):
        """Fill in what stands in the env of the step, as the runner does."""
        values = {"github.token": TOKEN, **{f"inputs.{name}": value for name, value in inputs.items()}}
        return {
            name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], text) for name, text in STEPS["set"]["env"].items()
        }


@pytest.fixture
def action(job, tmp_path):
    return Action(job, tmp_path)


def test_no_input_is_part_of_a_script():
    for step in STEPS.values():
        assert "${{" not in step["run"]


def test_every_input_reaches_the_step():
    assert {text for text in STEPS["set"]["env"].values() if "inputs." in text} == {
        f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]
    }


@in_actions
async def test_the_action_opens_a_pull_request_and_names_it_in_its_outputs(action):
    code, out, outputs = await action.use(markers="ns:p=x:2\n", kustomize="nginx=nginx:1.26.0", path="apps", branch="bump")
    assert (code, outputs["changed"], outputs["status"], outputs["link"], outputs["branch"]) == (
        0,
        "true",
        "opened",
        LINK,
        "bump",
    )
    assert outputs["commit"] == action.job.repository.head("bump")
    assert f"pull request opened: {LINK}" in out
    assert LINK in action.summary.read_text()
    assert action.job.written("bump") == "x:2"
    assert b"1.26.0" in action.job.repository.show("apps/kustomization.yaml", "bump")
    assert TOKEN not in out


@in_actions
async def test_the_action_says_unchanged_for_the_same_values(action):
    await action.use(markers="ns:p=x:2")
    code, _, outputs = await action.use(markers="ns:p=x:2")
    assert (code, outputs["changed"], outputs["status"], outputs["link"]) == (0, "false", "unchanged", LINK)


@in_actions
async def test_the_action_fails_where_a_reference_finds_no_place(action):
    code, out, _ = await action.use(markers="ns:none=x:2")
    assert (code, "no marker found for ns:none=x:2" in out) == (1, True)


@in_actions
async def test_inputs_are_words_and_no_commands(action, tmp_path):
    title = '$(touch ../made) `touch ../made` "; touch ../made; # {{ .'
    code, _, outputs = await action.use(markers="ns:p=x:2\r\n\n  \n", title=title)
    assert (code, outputs["status"]) == (0, "opened")
    assert action.job.forge.pulls[0].title == title
    assert not (tmp_path / "made").exists()


@in_actions
async def test_a_token_of_ones_own_wins_over_that_of_the_job(action):
    code, _, _ = await action.use(markers="ns:p=x:2", token="another-token")
    assert (code, action.job.forge.pulls) == (1, [])


@in_actions
async def test_the_installation_leaves_an_updater_on_the_path_alone(job, tmp_path):
    environment = {"GITHUB_ACTION_PATH": str(CI), "RUNNER_TEMP": str(tmp_path), "GITHUB_PATH": str(tmp_path / "path")}
    code, _ = await shell("bash", STEPS["install"]["run"], job.clone, environment)
    assert (code, (tmp_path / "path").exists()) == (0, False)


def test_the_installation_takes_what_stands_beside_the_action():
    for name in re.findall(r"\$source/([a-z./]+)", STEPS["install"]["run"]):
        assert (CI / "../.." / name).is_file()
    assert (CI / "../../pyproject.toml").is_file()


async def use_template(job, **variables):
    """Run the script of the template in a detached checkout, as GitLab makes one; give exit code, output and the artifact."""
    run_git("checkout", "-q", "--detach", cwd=job.clone)
    environment = {
        **TEMPLATE["variables"],
        "CI_COMMIT_BRANCH": "main",
        **{name: os.environ[name] for name in ("GITLAB_CI", "CI_SERVER_URL", "CI_API_V4_URL", "CI_JOB_TOKEN", "GITLAB_TOKEN")},
        **variables,
    }
    code, out = await shell("sh", "\n".join(TEMPLATE["script"]), job.clone, environment)
    artifact = job.clone / TEMPLATE["artifacts"]["paths"][0]
    return code, out, json.loads(artifact.read_text() or "null")


@in_pipelines
async def test_the_template_opens_a_pull_request_and_keeps_the_answer(job):
    requests = {"SET_MARKERS": "ns:p=x:2\n", "SET_HELM": "values.yaml:image.tag=v 2", "SET_MESSAGE": "one\n\ntwo"}
    code, out, said = await use_template(job, **requests, SET_TITLE="A $(title) `of` words", SET_BRANCH="bump")
    assert (code, said["proposal"]["status"], said["proposal"]["link"]) == (0, "opened", LINK)
    assert LINK in out
    assert job.forge.pulls[0].title == "A $(title) `of` words"
    assert job.repository.git("log", "-1", "--format=%B", "bump").startswith("one\n\ntwo\n")
    assert b"v 2" in job.repository.show("values.yaml", "bump")


@in_pipelines
async def test_the_template_says_unchanged_for_the_same_values(job):
    await use_template(job, SET_MARKERS="ns:p=x:2")
    code, _, said = await use_template(job, SET_MARKERS="ns:p=x:2")
    assert (code, said["proposal"]["status"], said["proposal"]["branch"], said["commit"]) == (0, "unchanged", BRANCH, None)


@in_pipelines
async def test_the_template_fails_where_a_reference_finds_no_place(job):
    code, out, said = await use_template(job, SET_MARKERS="ns:none=x:2")
    assert (code, said["unmatched"]) == (1, ["ns:none=x:2"])
    assert "no marker found" in out
