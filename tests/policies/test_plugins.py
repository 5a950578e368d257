"""Policies of other packages are found by the entry points of the group `updater.policies`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from tests.policies.selecting import codes, selected
from updater import policies
from updater.errors import ConfigError, PolicyError
from updater.model.subscription import PolicySpec

EXAMPLE = Path(__file__).parent / "plugin_example"


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Every test finds the packages that it installed itself."""
    policies._plugins.cache_clear()
    policies.build.cache_clear()
    yield
    policies._plugins.cache_clear()
    policies.build.cache_clear()
    sys.modules.pop("updater_calver", None)


def install(folder, monkeypatch, name, points):
    """Write what an installer leaves of a package, and put its folder on the path."""
    info = folder / f"{name.replace('-', '_')}-1.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
    lines = [f"{kind} = {value}" for kind, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[updater.policies]", *lines]) + "\n")
    monkeypatch.syspath_prepend(str(folder))


def install_example(tmp_path, monkeypatch):
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(tmp_path / "example", monkeypatch, project["name"], project["entry-points"][policies.GROUP])
    monkeypatch.syspath_prepend(str(EXAMPLE))


def test_the_example_plugin_chooses(tmp_path, monkeypatch):
    install_example(tmp_path, monkeypatch)
    selection = selected({"calver": {"since": 2024}}, ["2023.12", "2024.2.1", "2024.10", "latest"], "2024.2.1")
    assert selection.detail == "2024.10 is the newest calendar version; 2024.2.1 is written"
    assert codes(selection) == {"2024.2.1": "outranked", "2023.12": "range", "latest": "not-a-version"}
    assert selected({"calver": {}}, ["2024.1"], "2024.10").status == "held"
    assert policies.kinds()[-1] == "calver"


def test_the_example_plugin_checks_its_options(tmp_path, monkeypatch):
    install_example(tmp_path, monkeypatch)
    with pytest.raises(PolicyError, match="since of the policy calver is not a year"):
        policies.build(PolicySpec("calver", {"since": "long ago"}))
    with pytest.raises(PolicyError, match="there is no policy 'calvar'") as refused:
        policies.build(PolicySpec("calvar"))
    assert refused.value.hint == "did you mean 'calver'?"


def test_known_kinds_never_look_for_plugins(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "broken", {"semver": "nowhere:build"})
    assert policies.build(PolicySpec("semver")).is_by_name


@pytest.mark.parametrize("taken", ["semver", "calver"])
def test_a_name_taken_twice_is_an_error_that_names_both(taken, tmp_path, monkeypatch):
    install_example(tmp_path, monkeypatch)
    install(tmp_path / "other", monkeypatch, "other-package", {taken: "other:build"})
    with pytest.raises(ConfigError, match=f"the policy '{taken}' of the package .* is taken by") as refused:
        policies.build(PolicySpec("calver"))
    assert "rename the entry point" in refused.value.hint


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere_at_all:build", "there is no module nowhere_at_all"),
        ("updater_calver:missing", "the module updater_calver has no missing"),
        ("updater_calver:_CALENDAR", "is not a function"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_a_configuration_error(value, said, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))
    install(tmp_path, monkeypatch, "broken", {"broken": value})
    with pytest.raises(ConfigError, match=said):
        policies.build(PolicySpec("broken"))
