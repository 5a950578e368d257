"""What the how-tos for people in a hurry show: their configuration works, their commands do what is said, in their words.

`roll-back-by-hand.md`, `freeze-a-friday.md` and `wait-three-days.md`, each against a registry and a Git server.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from tests.fakes.git_server import run_git
from tests.flows.fleet import Status, fleet
from tests.flows.test_gates import DAY, START, WallClock
from tests.real.tutorial_page import missed
from updater.cli.explain import _gates, _lines, _row
from updater.documents import read_yaml
from updater.settings.decisions import ANNOTATION_PREFIX
from updater.settings.gate_annotations import read_gate

pytestmark = pytest.mark.real

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PATH = "apps/shop/kustomization.yaml"
IDENTITY = {
    f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in (("NAME", "Jane"), ("EMAIL", "j@e.org"))
}


def blocks(page, kind, having=""):
    """The blocks of one kind that a page shows."""
    text = (HOW_TO / f"{page}.md").read_text(encoding="utf-8")
    return [
        body
        for name, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if name == kind and having in body
    ]


def typed_in_text(page, command):
    """The commands that a page names in its sentences, which begin with *command*."""
    text = (HOW_TO / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"`({re.escape(command)}[^`]*)`", text)


@asynccontextmanager
async def shop(tmp_path, written, config):
    """The repository of the pages, where *written* stands, and the configuration of a page with the addresses of this machine."""
    text = f"images:\n- name: {{host}}/acme/shop\n  newTag: {written}\n"
    async with fleet(tmp_path, **{PATH: text}) as made:
        made.registry.push("acme/shop", written)
        path = tmp_path / "updater.yaml"
        own = config.replace("ghcr.io/acme/shop", f"{made.registry.host}/acme/shop")
        own = own.replace("https://git.example.org/fleet.git", made.url)
        registries = f'[{{prefix: "{made.registry.host}", url: "{made.registry.url}", insecure: true}}]'
        path.write_text(f"{own}\nstate: {made.state}\nlisten: {{metrics: null}}\nregistries: {registries}\n")
        made.configure = lambda: path
        made.wall = WallClock()
        yield made


async def types(made, text, folder=None):
    """Run a block as a reader's shell does, beside the configuration or in *folder*; return what it said."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {**os.environ, **IDENTITY, "PATH": path, "NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-e", "-c", text],
        cwd=folder or made.folder,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}"
    return done.stdout


async def explained(made):
    """What `updater explain shop` says at the time of the test."""
    async with made.opened() as generation:
        landings = await generation.once(generation.subscriptions, is_dry=True)
        (item,) = generation.subscriptions
        gates = _gates(item, landings, generation.gates)
        row = {**_row(item, landings, ()), "gates": gates, "problems": []}
        return click.unstyle("\n".join(_lines(row, None)))


def said(made):
    return made.file(PATH).rpartition("newTag: ")[2].strip()


async def clone(made):
    folder = made.folder / "clone"
    await asyncio.to_thread(run_git, "clone", "-q", made.url, folder)
    return folder


WHOLE = """\
git:
  author: {name: image updates, email: images@example.org}
subscriptions:
  - key: shop
    image: ghcr.io/acme/shop
POLICY
    targets:
      - git: {url: https://git.example.org/fleet.git}
        kustomize: {path: apps/shop}
"""
ROLL_BACK = "roll-back-by-hand"
ANY = WHOLE.replace("POLICY", '    policy: {semver: {range: ">=1.0.0"}}')


async def test_a_reverted_commit_stays_reverted_until_something_newer_comes(tmp_path):
    async with shop(tmp_path, "1.4.2", ANY) as made:
        made.registry.push("acme/shop", "1.4.3")
        await types(made, "updater once")
        (revert,) = blocks(ROLL_BACK, "sh", "git revert")
        ours = made.repository.head()
        await types(made, re.sub(r"\b[0-9a-f]{9}\b", ours[:9], revert), await clone(made))
        assert said(made) == "1.4.2"
        await types(made, "updater once")
        assert said(made) == "1.4.2"
        explain = next(block for block in blocks(ROLL_BACK, "sh", "updater explain"))
        assert f"was reverted by commit {made.repository.head()[:9]}" in await types(made, explain)
        made.registry.push("acme/shop", "1.4.4")
        await types(made, "updater once")
        assert said(made) == "1.4.4"
        (history,) = blocks(ROLL_BACK, "sh", "updater history")
        assert "1.4.4" in await types(made, history)


async def test_an_older_value_that_is_typed_stays_as_the_page_shows_until_it_is_released(tmp_path):
    async with shop(tmp_path, "1.4.2", ANY) as made:
        made.registry.push("acme/shop", "1.4.3")
        await types(made, "updater once")
        folder = await clone(made)
        await types(made, f"sed -i s/1.4.3/1.4.2/ {PATH}; git commit -qam back; git push -q", folder)
        (explain,), (shown,) = blocks(ROLL_BACK, "sh", "updater explain"), blocks(ROLL_BACK, "text")
        assert missed(shown, await types(made, explain)) is None
        await types(made, "updater once")
        assert said(made) == "1.4.2"
        (release,) = typed_in_text(ROLL_BACK, "updater release")
        await types(made, release)
        await types(made, "updater once")
        assert said(made) == "1.4.3"


async def test_a_version_that_is_excluded_by_the_policy_or_the_filter_of_the_page_is_never_written(tmp_path):
    (policy,) = blocks(ROLL_BACK, "yaml", "policy:")
    (ignored,) = typed_in_text(ROLL_BACK, "filter: ")
    for number, own in enumerate((policy, f'    policy: {{semver: {{range: ">=1.0.0"}}}}\n    {ignored}')):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with shop(folder, "1.4.2", WHOLE.replace("POLICY", own.rstrip())) as made:
            for tag in ("1.4.8", "1.4.9"):
                made.registry.push("acme/shop", tag)
            await types(made, "updater once")
            assert said(made) == "1.4.8"


async def test_a_narrower_policy_writes_a_lower_version_as_the_page_says(tmp_path):
    (downgrade,) = typed_in_text(ROLL_BACK, "downgrade: ")
    own = f'    policy: {{semver: {{range: "<1.4.3"}}}}\n    {downgrade}'
    async with shop(tmp_path, "1.4.3", WHOLE.replace("POLICY", own)) as made:
        made.registry.push("acme/shop", "1.4.2")
        await types(made, "updater once")
        assert said(made) == "1.4.2"


FREEZE = "freeze-a-friday"


async def test_nothing_is_written_from_friday_noon_to_monday(tmp_path):
    (freeze,) = blocks(FREEZE, "yaml", 'kind: deny, schedule: "0 12 * * 5", duration: 60h, time_zone: Europe/Berlin}\n')[:1]
    async with shop(tmp_path, "1.4.2", ANY + freeze) as made:
        made.registry.push("acme/shop", "1.4.3")
        (shown,) = blocks(FREEZE, "text")
        assert missed(shown, await explained(made)) is None
        assert "explain shop" in blocks(FREEZE, "sh")[0]
        before = made.commits()
        end = (await made.once())["shop"]
        assert (end.status, end.code, made.commits()) == (Status.HELD, "window", before)
        made.wall.now = end.opens_at.timestamp()
        assert (await made.once())["shop"].status is Status.UPDATED


@pytest.mark.parametrize(
    ("moment", "is_written"),
    [
        ("2026-11-27T08:30:00+01:00", False),
        ("2026-11-27T09:30:00+01:00", True),
        ("2026-11-27T17:30:00+01:00", False),
        ("2026-11-28T12:00:00+01:00", False),
        ("2026-12-24T12:00:00+01:00", False),
        ("2027-01-04T12:00:00+01:00", True),
    ],
)
async def test_working_hours_and_the_days_off_of_the_page_count(tmp_path, moment, is_written):
    (config,) = blocks(FREEZE, "yaml", "subscriptions:")
    async with shop(tmp_path, "1.4.2", config) as made:
        made.registry.push("acme/shop", "1.4.3")
        made.wall.now = datetime.fromisoformat(moment).timestamp()
        end = (await made.once())["shop"]
        assert (end.status, end.code) == ((Status.UPDATED, None) if is_written else (Status.HELD, "window"))


def test_the_annotation_of_a_freeze_means_the_same_as_the_configuration():
    (text,) = blocks(FREEZE, "yaml", "annotations:")
    ((name, value),) = read_yaml("page", text.encode()).documents[0].value["metadata"]["annotations"].items()
    assert name.removeprefix(ANNOTATION_PREFIX) == "web.window"
    (window,) = read_gate("window", value)
    assert str(window) == 'deny window "0 12 * * 5" for 60h (Europe/Berlin)'


WAIT = "wait-three-days"


async def test_a_new_image_waits_three_days_or_is_pinned(tmp_path):
    (config,) = blocks(WAIT, "yaml", "subscriptions:")
    async with shop(tmp_path, "1.4.2", config) as made:
        made.registry.push("acme/shop", "1.5.0", created=datetime(2026, 1, 1, tzinfo=UTC))
        (shown,) = blocks(WAIT, "text")
        assert missed(shown, await explained(made)) is None
        assert shown.split()[-1] == datetime.fromtimestamp(START + 3 * DAY, UTC).isoformat().replace("+00:00", "Z")
        assert (await made.once())["shop"].code == "min-age"
        (pin,) = typed_in_text(WAIT, "updater pin")
        await types(made, pin)
        assert (await made.once())["shop"].status is Status.UPDATED
        assert said(made) == "1.5.0"
        (release,) = typed_in_text(WAIT, "updater release")
        await types(made, release)
        made.registry.push("acme/shop", "1.6.0", created=datetime(2026, 1, 2, tzinfo=UTC))
        assert (await made.once())["shop"].code == "min-age"
        made.wall.now += 3 * DAY
        assert (await made.once())["shop"].status is Status.UPDATED
        assert said(made) == "1.6.0"


async def test_the_default_for_all_is_turned_off_at_a_subscription(tmp_path):
    (default,) = typed_in_text(WAIT, "gates: {min_age")
    (off,) = typed_in_text(WAIT, "min_age: null")
    for number, (own, code) in enumerate((("", "min-age"), (f"\n    gates: {{{off}}}", None))):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with shop(
            folder, "1.4.2", WHOLE.replace("POLICY", '    policy: {semver: {range: "^1.4"}}' + own) + default
        ) as made:
            made.registry.push("acme/shop", "1.5.0", created=datetime(2026, 1, 1, tzinfo=UTC))
            assert (await made.once())["shop"].code == code


async def test_changes_are_limited_as_the_page_says(tmp_path):
    (limits,) = blocks(WAIT, "yaml", "max_changes")
    async with shop(tmp_path, "1.4.2", ANY + limits) as made:
        for number in range(4):
            made.registry.push("acme/shop", f"1.5.{number}")
            made.wall.now += 60
            assert (await made.once())["shop"].status is Status.UPDATED
        made.registry.push("acme/shop", "1.5.4")
        assert (await made.once())["shop"].code == "max-changes"
