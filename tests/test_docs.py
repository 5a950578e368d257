"""The documents hold: generated pages are fresh, links lead somewhere, commands exist, nothing private slipped in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from updater.cli.main import cli
from updater.forge.address import forge_address
from updater.git import trailers as history
from updater.model.outcome import Status
from updater.reporting.metrics import METRICS
from updater.settings import build_settings, schema

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs/reference"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
SETTINGS = (REFERENCE / "settings.md").read_text(encoding="utf-8")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```+)([^\n]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
CONTEXT = cli.make_context("updater", ["version"])


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[Path]:
    """Give the text files of the project: what git knows, or everything outside hidden folders where git does not answer."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def texts() -> dict[str, str]:
    found = {}
    for path in tracked():
        try:
            found[named(path)] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # bytes that tests are made of
    return found


def headings(page: str) -> set[str]:
    """Give the anchors of a page as repository hosts make them."""
    bare = FENCE.sub("", page)
    found = re.findall(r"^#+ +(.+?) *$", bare, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_generated_pages_are_fresh() -> None:
    """What is generated says what the code says now, and every code of the source has its meaning."""
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_code_without_a_meaning_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each form in which a code stands in the source is found."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from pages.code_words import code_words  # noqa: PLC0415 - a script's module, found through its folder

    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "room.py").write_text(
        "NAMED = 'by-constant'\n"
        "class Wrong(Exception):\n    default_code = 'by-default'\n"
        "FAULTS = {'by-key': 1}\n"
        "_CODES = {1: 'by-value'}\n"
        "def fault(code, text): ...\n"
        "def act(found):\n"
        "    fault('by-place', 'no')\n"
        "    yield (), 'by-flaw', 'this is wrong', ''\n"
        "    code = 'by-name' if found else 'by-other-name'\n"
        "    raise Wrong('no', code=NAMED) if found else Wrong('no', code='by-keyword')\n"
    )
    forms = ("constant", "default", "key", "value", "place", "flaw", "name", "other-name", "keyword")
    assert set(code_words(tmp_path)) == {f"by-{form}" for form in forms}


@pytest.mark.parametrize("name", list(cli.list_commands(CONTEXT)))
def test_every_command_has_its_heading_and_options(name: str) -> None:
    """The page of commands names every command and each of its long options."""
    page = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    assert f"## `updater {name}`" in page
    command = cli.get_command(CONTEXT, name)
    assert command is not None
    section = page.partition(f"## `updater {name}`")[2].partition("\n## ")[0]
    for parameter in (item for item in command.params if not getattr(item, "hidden", False)):
        for option in (text for text in parameter.opts if text.startswith("--")):
            assert option in section


@pytest.mark.parametrize("name", list(cli.list_commands(CONTEXT)))
def test_every_option_says_what_it_does(name: str) -> None:
    """No option is listed without a word about it."""
    command = cli.get_command(CONTEXT, name)
    assert command is not None
    silent = [item.opts for item in command.params if item.param_type_name == "option" and not getattr(item, "help", None)]
    assert not silent


def test_every_metric_has_its_row_and_is_counted() -> None:
    """The page of metrics names every metric, and something in the program moves each of them."""
    page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    assert [name for name in METRICS if f"| `{name}` |" not in page] == []
    home = ROOT / "updater/reporting/metrics.py"
    users = [path.read_text(encoding="utf-8") for path in (ROOT / "updater").rglob("*.py") if path != home]
    own = home.read_text(encoding="utf-8")
    idle = [name for name in METRICS if not any(name in text for text in users) and own.count(f'"{name}"') < 2]
    assert idle == [], "these metrics are in the table, and nothing counts them"


def test_every_setting_has_its_heading() -> None:
    """The page of settings has a heading for each key of the schema."""

    def below(node: dict, place: str) -> list[str]:
        choices = [item for item in node.get("anyOf", ()) if item.get("type") != "null"]
        node = {**node, **choices[0]} if choices else node
        if "$ref" in node:
            node = tree["$defs"][node["$ref"].rpartition("/")[2]]
        if "items" in node:
            return below(node["items"], f"{place}[]")
        found = []
        for name, rule in node.get("properties", {}).items():
            here = f"{place}.{name}" if place else name
            found += [here, *below(rule, here)]
        return found

    tree = schema()
    assert [place for place in below(tree, "") if f"## `{place}`" not in SETTINGS] == []


def test_the_example_names_every_setting() -> None:
    """config/updater.example.yaml is a configuration that the program takes, and no key of the schema is missing in it."""
    example = ROOT / "config/updater.example.yaml"
    text = example.read_text(encoding="utf-8")
    build_settings([(named(example), text.encode())], {})
    keys = {place.rpartition(".")[2].removesuffix("[]") for place in re.findall(r"^## `([^`]+)`$", SETTINGS, re.MULTILINE)}
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", text)) == []


def test_every_status_and_trailer_has_its_heading() -> None:
    """Outcomes and trailers are explained under their own words."""
    outcomes = (REFERENCE / "outcomes.md").read_text(encoding="utf-8")
    assert [status.value for status in Status if f"## `{status.value}`" not in outcomes] == []
    trailers = (REFERENCE / "trailers.md").read_text(encoding="utf-8")
    written = (history.SUBSCRIPTION, history.POLICY, history.IMAGE, history.REJECTED)
    assert [name for name in written if f"## `{name}`" not in trailers] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_resolve(page: Path) -> None:
    """Every link inside the project leads to a file, and to a heading in it where it names one."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists() or not goal.is_relative_to(ROOT):
            broken.append(link)
        elif anchor and anchor not in headings(goal.read_text(encoding="utf-8")):
            broken.append(f"{link} (no such heading)")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_in_code_blocks_exist(page: Path) -> None:
    """What a reader is told to type names commands, options and make targets that exist."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wrong = []
    for _, language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language.strip() not in {"", "sh", "console", "shell"}:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = re.sub(r"^\s*(?:\$|root@\S+) ", "", line).split("#")[0].split()
            if len(words) > 1 and words[0] == "make" and not {word for word in words[1:] if "=" not in word} <= targets:
                wrong.append(line)
            wrong += [line for words in _calls(words) if not _is_call(words)]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_whole_configurations_shown_name_who_commits(page: Path) -> None:
    """A page that shows subscriptions which write to Git shows `git.author` too, without which the daemon does not start."""
    shown = [block for _, language, block in FENCE.findall(page.read_text(encoding="utf-8")) if language.strip() == "yaml"]
    if any(re.search(r"^subscriptions:", block, re.MULTILINE) and "git: {" in block for block in shown):
        assert any(re.search(r"^git:", block, re.MULTILINE) and "author: {" in block for block in shown)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_configurations_shown_are_valid(page: Path) -> None:
    """Every configuration that a page shows is one that the program takes; a part is shown under the name of its parent."""
    for _, language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language.strip() == "yaml" and re.match(
            r"(?:#.*\n)*(?:interval|registries|git|subscriptions|listen|log|sources):", block
        ):
            build_settings([(named(page), block.encode())], {})


def whole_configurations() -> dict[str, str]:
    """Return the whole configuration of each section of a forge, by its heading."""
    page = (ROOT / "docs/how-to/propose-changes.md").read_text(encoding="utf-8")
    parts = re.split(r"^#{2,3} (.*)$", page, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    blocks = {
        name: [block for _, language, block in FENCE.findall(text) if language == "yaml"] for name, text in sections.items()
    }
    return {name: found[0] for name, found in blocks.items() if found and "subscriptions:" in found[0]}


FORGES = {
    "GitHub": "github",
    "GitLab": "gitlab",
    "Gitea and Forgejo": "gitea",
    "Bitbucket Cloud": "bitbucket",
    "Bitbucket Data Center": "bitbucket-server",
    "Azure DevOps": "azure",
}


@pytest.mark.parametrize("name", FORGES)
def test_each_forge_has_a_whole_configuration_that_validate_takes(name: str, tmp_path: Path) -> None:
    """The page about proposals shows a whole file for each forge: it is valid, and names that forge."""
    text = whole_configurations()[name]
    (tmp_path / "updater.yaml").write_text(text)
    found = CliRunner().invoke(cli, ["validate", str(tmp_path / "updater.yaml")], env={"FLEET_TOKEN": "x"})
    assert found.exit_code == 0, found.output
    (entry,) = yaml.safe_load(text)["git"]["repositories"]
    (subscription,) = yaml.safe_load(text)["subscriptions"]
    url = subscription["targets"][0]["git"]["url"]
    kind = entry.get("forge", {}).get("kind") or forge_address(url).kind
    assert (url.startswith(entry["prefix"]), str(kind)) == (True, FORGES[name])


def _calls(words: list[str]) -> list[list[str]]:
    starts = [index for index, word in enumerate(words) if word in {"updater", ".venv/bin/updater"}]
    return [words[start + 1 :] for start in starts[:1] if start == 0 or words[start - 1] in {"|", "&&", ";", "-c"}]


def _is_call(words: list[str]) -> bool:
    if words[:1] in (["-c"], ["--config"]):
        words = words[2:]
    if not words or words[0] in {"--help", "--version", "-h", "[OPTIONS]"} or words[0].isupper():
        return True
    command = cli.get_command(CONTEXT, words[0])
    if command is None:
        return words[0][0].isupper()  # not a command but a line of prose or output
    known = {option for item in command.params for option in (*item.opts, *item.secondary_opts)} | {"--help", "-h"}
    ends = next((index for index, word in enumerate(words) if word in {"|", ">", "&&", ";", "&"}), len(words))
    return all(word.split("=")[0] in known for word in words[1:ends] if word.startswith("--"))


def test_the_first_commands_of_the_readme_do_all_set_up() -> None:
    """The first shell block a newcomer meets is `make demo` and `make test`, and nothing else to type."""
    blocks = [block for _, language, block in FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8")) if language == "sh"]
    lines = [line.split("#")[0].strip() for line in blocks[0].splitlines() if line.strip()]
    assert lines == ["make demo", "make test"]


def test_cases_of_the_peers_are_told_apart_once() -> None:
    """No case stands in the differences twice with the same words, and every principle is named."""
    page = (REFERENCE / "differences.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("|")][2:]
    assert rows
    assert [row[1] for row in rows if not row[4].strip()] == []


def test_nothing_private_slipped_in() -> None:
    """No path of one machine, and no word left for later."""
    homes = ("home/(?!me/)[a-z]+", "Users/[a-z]+", "root", re.escape(ROOT.as_posix().strip("/")))
    patterns = {
        "path of a machine": re.compile("|".join(f"/{home}/" for home in homes)),
        "left for later": re.compile(r"\b(?:TODO|FIXME|XXX)\b"),
    }
    found = [
        f"{name}: {what}"
        for name, text in texts().items()
        if name != named(Path(__file__))
        for what, pattern in patterns.items()
        if pattern.search(text)
    ]
    assert found == []
