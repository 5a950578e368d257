"""`updater check` says which tag of one image would win, and why each other lost."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.fakes.registry import FakeRegistry, times
from updater.cli.check_output import show
from updater.cli.main import run_cli
from updater.model.candidate import Candidate
from updater.policies import build_filter
from updater.policies.choose import SelectionRequest, choose, drive
from updater.policies.semver import build

IMAGE = "ghcr.io/myorg/app"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def tags_file(tmp_path):
    path = tmp_path / "tags"
    path.write_text("1.0.0\n1.1.0\n1.2.0-rc.1\n2.0.0\nlatest\n")
    return str(path)


def run(capsys, *arguments):
    code = run_cli(["check", *arguments])
    return code, *capsys.readouterr()


def test_the_page_of_policies_shows_what_is_printed(tmp_path, capsys):
    page = (ROOT / "docs" / "reference" / "policies.md").read_text()
    shown = re.search(r"```console\n\$ printf '(.*?)' \| updater check (.*?) --tags-file -\n(.*?)```", page, re.DOTALL)
    (tmp_path / "tags").write_text(shown[1].replace("\\n", "\n"))
    arguments = [part.strip("'") for part in shown[2].split()]
    assert run(capsys, *arguments, "--tags-file", str(tmp_path / "tags")) == (0, shown[3], "")


def test_the_winner_stands_first_and_the_losers_in_a_table(tags_file, capsys):
    code, out, _ = run(capsys, IMAGE, "--range", "^1", "--current", "1.0.0", "--tags-file", tags_file)
    assert code == 0
    assert out.splitlines() == [
        "would update: 1.1.0 is the highest version in the range ^1; 1.0.0 is written",
        "",
        "TAG         CODE           WHY",
        "1.0.0       outranked      1.0.0 ranks below 1.1.0",
        "1.2.0-rc.1  prerelease     1.2.0-rc.1 is a pre-release, and the range ^1 names none",
        "2.0.0       range          2.0.0 is outside the range ^1",
        "latest      not-a-version  latest is not a version",
    ]


def test_a_long_table_is_cut_at_twenty_rows_and_says_how_many_more_there_are(tmp_path, capsys):
    path = tmp_path / "tags"
    path.write_text("".join(f"1.{number}.0\n" for number in range(31)))
    _, out, _ = run(capsys, IMAGE, "--tags-file", str(path))
    assert len(out.splitlines()) == 3 + 20 + 1
    assert out.splitlines()[-1] == "… and 10 more; --all shows them"
    _, out, _ = run(capsys, IMAGE, "--all", "--tags-file", str(path))
    assert len(out.splitlines()) == 3 + 30


def test_json_says_the_same_with_every_sentence(tags_file, capsys):
    code, out, _ = run(capsys, f"{IMAGE}:1.1.0", "--range", "^1", "--tags-file", tags_file, "-o", "json")
    answer = json.loads(out)
    assert (code, answer["status"], answer["tag"], answer["held_tag"], answer["error"]) == (0, "unchanged", "1.1.0", None, None)
    assert (answer["image"], answer["code"]) == (f"{IMAGE}:1.1.0", None)
    assert answer["rejected"] == {"1.0.0": "outranked", "1.2.0-rc.1": "prerelease", "2.0.0": "range", "latest": "not-a-version"}
    assert answer["reasons"]["latest"] == "latest is not a version"


@pytest.mark.parametrize(
    ("options", "tag", "held"),
    [
        (["--range", "~1.0"], "1.0.0", None),
        (["--prerelease", "--range", "^1"], "1.2.0-rc.1", None),
        (["--policy", "name"], "latest", None),
        (["--policy", "name", "--order", "desc"], "1.0.0", None),
        (["--policy", "number"], None, None),
        (["--policy", "number", "--allow", r"^1\.(\d)", "--extract", "$1"], "1.2.0-rc.1", None),
        (["--policy", "digest", "--range", "latest"], "latest", None),
        (["--policy", "pep440"], "2.0.0", None),
        (["--policy", "latest"], None, None),
        (["--ignore", "2*", "--ignore", "regexp:rc"], "1.1.0", None),
        (["--platform", "linux/amd64"], None, None),
        (["--current", "3.0.0"], None, "2.0.0"),
        (["--current", "3.0.0", "--allow-downgrade"], "2.0.0", None),
        (["--current", "3.0.0", "--downgrade", "always"], "2.0.0", None),
        (["--current", "3.0.0", "--downgrade", "by-policy"], None, "2.0.0"),
        (["--current", "3.0.0", "--downgrade", "by-policy", "--range", "<3"], "2.0.0", None),
        (["--current", "3.0.0.1"], None, "2.0.0"),
        (["--current", "1.0.0-slim"], None, None),
        (["--current", "1.0.0-slim", "--variant", "any"], "2.0.0", None),
    ],
)
def test_every_option_does_what_its_key_does(options, tag, held, tags_file, capsys):
    code, out, err = run(capsys, IMAGE, *options, "--tags-file", tags_file, "-o", "json")
    answer = json.loads(out)
    assert (code, answer["tag"], answer["held_tag"], err) == (0, tag, held, "")


def test_digest_follows_the_tag_of_the_image(tags_file, capsys):
    code, out, _ = run(capsys, f"{IMAGE}:latest", "--policy", "digest", "--tags-file", tags_file)
    assert (code, out.split(";")[0].splitlines()[0]) == (
        0,
        "unchanged: latest is the tag that is followed, and is what is written",
    )


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf1.0.0\r\n\r\n  2.0.0  \r\n",
        b'["1.0.0", {"tag": "2.0.0", "created": "2025-01-01T00:00:00Z"}]',
        b'\n {"name": "myorg/app", "tags": ["2.0.0", "1.0.0"]}',
    ],
)
def test_tags_come_one_a_line_or_as_json(content, tmp_path, capsys):
    (tmp_path / "tags").write_bytes(content)
    assert json.loads(run(capsys, IMAGE, "--tags-file", str(tmp_path / "tags"), "-o", "json")[1])["tag"] == "2.0.0"


def test_tags_come_from_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1.0.0\n")))
    assert run(capsys, IMAGE, "--tags-file", "-")[1].startswith("would choose: 1.0.0 is")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe1", "the file of tags is not UTF-8"),
        (b'{"tags": ', "not JSON"),
        (b'{"tag": "1.0.0"}', "the JSON holds no list of tags"),
        (b"[1]", "neither a text nor an object"),
        (None, "the file of tags cannot be read: no such file or directory"),
    ],
)
def test_a_file_that_holds_no_tags_is_a_wrong_option(content, said, tmp_path, capsys):
    path = tmp_path / "tags"
    if content is not None:
        path.write_bytes(content)
    code, out, err = run(capsys, IMAGE, "--tags-file", str(path))
    assert (code, out) == (2, "")
    assert said in err
    assert str(path) in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([IMAGE, "--policy", "sember"], "hint: did you mean 'semver'?"),
        ([IMAGE, "--range", "==1"], "hint: write one ="),
        ([IMAGE, "--allow", "("], "is not a regular expression"),
        ([IMAGE, "--order", "asc"], "the policy semver has no option 'order'"),
        ([IMAGE, "--policy", "digest"], "has no tag to follow"),
        ([IMAGE, "--platform", "amd64"], "'amd64' is not a platform"),
        ([IMAGE, "--current", "1.0.0@sha256:12"], "is not a sha256 digest"),
        (["UPPER/case!"], "is not an image reference"),
        ([], "IMAGE is missing"),
        (["--batch", "--allow", "x"], "--batch cannot be combined: each line has its own allow"),
        (["--batch", IMAGE], "--batch takes no IMAGE: each line is a request of its own"),
    ],
)
def test_a_wrong_option_is_said_before_anything_is_read(arguments, said, capsys):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_terminal_cannot_be_moved_by_a_tag(tmp_path, capsys):
    (tmp_path / "tags").write_text('["\\u001b[2J", "\\ud800", "1.0.0"]')
    code, out, _ = run(capsys, IMAGE, "--tags-file", str(tmp_path / "tags"))
    assert code == 0
    assert "\\x1b[2J" in out
    assert "\\ud800" in out
    assert "\x1b" not in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("is_plain", [True, False])
def test_on_a_terminal_a_table_is_drawn_and_no_color_is_heard(is_plain, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if is_plain:
        monkeypatch.setenv("NO_COLOR", "1")
    candidates = {tag: Candidate(tag=tag) for tag in ("1.0.0", "[red]x")}
    selection = drive(
        choose(SelectionRequest(candidates=candidates, policy=build({}), name_filter=build_filter())), lambda _: None
    )
    terminal = Terminal()
    show(selection, terminal)
    drawn = terminal.getvalue()
    assert "[red]x" in drawn
    assert ("\x1b[32m" in drawn or "\x1b[1;32m" in drawn) is not is_plain
    lonely = Terminal()
    show(drive(choose(SelectionRequest(candidates={}, policy=build({}), name_filter=build_filter())), lambda _: None), lonely)
    assert "there is no tag" in lonely.getvalue()


@pytest.fixture
def registry(tmp_path):
    """A registry with two tags, served by a thread of its own, and the configuration that reaches it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    served = FakeRegistry()
    asyncio.run_coroutine_threadsafe(served.start(), loop).result(10)
    for tag in ("1.0.0", "2.0.0"):
        served.push("myorg/app", tag)
    served.config = tmp_path / "one.yaml"
    served.config.write_text(f'registries: [{{prefix: "{served.host}", url: "{served.url}", insecure: true}}]\n')
    yield served
    asyncio.run_coroutine_threadsafe(served.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_without_a_file_the_registry_is_asked_and_its_facts_as_needed(registry, capsys):
    image = f"{registry.host}/myorg/app"
    code, out, _ = run(capsys, image, "--platform", "linux/amd64", "-c", str(registry.config))
    assert (code, out.splitlines()[0]) == (0, "would choose: 2.0.0 is the highest version in the range *")
    asked = [request.path.rpartition("/")[2] for request in registry.asked if "/manifests/" in request.path]
    assert "2.0.0" in asked
    assert "1.0.0" not in asked


def test_a_registry_that_does_not_answer_is_a_failure(registry, capsys):
    image = f"{registry.host}/down/app"
    registry.faults.append(times(99, 401))
    code, out, err = run(capsys, image, "-c", str(registry.config))
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {image}: access denied")
    assert "hint: " in err
    code, out, err = run(capsys, image, "-o", "json", "-c", str(registry.config))
    answer = json.loads(out)
    assert (code, answer["status"], answer["error"]["code"]) == (1, "failed", "registry-denied")


def test_without_any_configuration_a_registry_is_asked_all_the_same(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "127.0.0.1:1/down/app")
    assert code == 1
    assert "127.0.0.1:1/v2/down/app/tags/list" in err


def test_tags_from_a_file_need_no_registry_no_configuration_and_few_imports(tags_file):
    """What is imported is counted, as seconds depend on the machine."""
    script = (
        "import sys; from updater.cli.main import run_cli; code = run_cli(sys.argv[1:]);"
        "heavy = {'aiohttp', 'asyncio', 'pydantic', 'yaml', 'ruamel', 're2', 'packaging', 'rich', 'dulwich'};"
        "heavy |= {'updater.settings', 'updater.daemon'};"
        "print(sorted(heavy & set(sys.modules)), code)"
    )
    arguments = ["check", IMAGE, "--tags-file", tags_file]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[] 0"
