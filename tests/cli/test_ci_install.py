"""The action installs the program from its own checkout: what its requirements pin, by hash, and nothing from elsewhere.

A folder stands for the package index, with small packages in the place of the real ones; the program itself is the real one.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import sys
import sysconfig
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_ci_templates import CI, STEPS, shell

if TYPE_CHECKING:
    from pathlib import Path

ROOT = CI.parents[1]
#: makes a wheel of the folder updater and of the programs that pyproject.toml names
BACKEND = """
import pathlib, tomllib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
    stem = project["name"].replace("-", "_") + "-" + project["version"]
    scripts = "".join(f"{name} = {place}\\n" for name, place in project["scripts"].items())
    info = {
        "METADATA": f"Metadata-Version: 2.1\\nName: {project['name']}\\nVersion: {project['version']}\\n",
        "WHEEL": "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "entry_points.txt": "[console_scripts]\\n" + scripts,
        "RECORD": "",
    }
    name = stem + "-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        for path in pathlib.Path("updater").rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                wheel.write(path)
        for file, text in info.items():
            wheel.writestr(f"{stem}.dist-info/{file}", text)
    return name
"""


def wheel(index: Path, name: str, files: dict[str, str]) -> str:
    """Put a package into the folder of the index; return its line of a requirements file."""
    info = f"{name}-1.0.dist-info"
    texts = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_sum(text)},{len(text.encode())}" for path, text in texts.items()]
    texts[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    place = index / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as made:
        for path, text in texts.items():
            made.writestr(path, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(place.read_bytes()).hexdigest()}\n"


def _sum(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Runner:
    """A runner of jobs without a network: the checkout of the action, an index, and a PATH without updater."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index, self.source, self.temp = folder / "index", folder / "source", folder / "temp"
        for made in (self.index, self.source / "config", self.source / "requirements", self.temp, folder / "bin"):
            made.mkdir(parents=True)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, self.source / name)
        shutil.copytree(ROOT / "updater", self.source / "updater", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(CI, self.source / "config/ci")
        run = wheel(self.index, "small", {"small.py": "here = True\n"})
        build = wheel(self.index, "hatchling", {"hatchling/__init__.py": "", "hatchling/build.py": BACKEND})
        (self.source / "requirements/run.txt").write_text(run)
        (self.source / "requirements/build.txt").write_text(build)
        python = folder / "bin/python3"
        python.write_text(f'#!/bin/sh\nexec "{sys._base_executable}" "$@"\n')
        python.chmod(0o755)

    @property
    def path(self) -> Path:
        return self.folder / "path"

    async def install(self) -> tuple[int, str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "GITHUB_ACTION_PATH": str(self.source / "config/ci"),
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_PATH": str(self.path),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        return await shell("bash", STEPS["install"]["run"], self.folder, environment)


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path / "job")


async def test_the_installation_puts_the_program_of_its_checkout_on_the_path(runner):
    code, out = await runner.install()
    assert code == 0, out
    (folder,) = runner.path.read_text().split()
    # what run.txt pins is not here: the rest of the program is that of these tests
    rest = {"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": sysconfig.get_path("purelib")}
    code, out = await shell("bash", "command -v updater && updater version", runner.folder, rest)
    assert (code, out.splitlines()[0]) == (0, f"{folder}/updater"), out
    where = f"{folder}/python -c 'import small, updater; print(updater.__file__)'"
    code, out = await shell("bash", where, runner.folder, {"PATH": rest["PATH"]})
    assert (code, out.startswith(str(runner.temp))) == (0, True), out


@pytest.mark.parametrize("name", ["small", "hatchling"])
async def test_a_package_that_is_not_the_pinned_one_is_not_installed(runner, name):
    wheel(runner.index, name, {f"{name}.py": "raise SystemExit\n"})
    code, out = await runner.install()
    assert (code != 0, "DO NOT MATCH THE HASHES" in out, runner.path.exists()) == (True, True, False), out


def test_what_is_installed_is_pinned_by_hash():
    for name in ("run", "build"):
        text = (ROOT / f"requirements/{name}.txt").read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        assert lines
        assert all("==" in line and "--hash=sha256:" in line for line in lines)
    assert "hatchling==" in (ROOT / "requirements/build.txt").read_text()
