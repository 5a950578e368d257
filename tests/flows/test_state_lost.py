"""State that goes or is damaged while the daemon runs costs a fetch, never a pass: a change lands when it is due."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.flows.fleet import add_usual, fleet
from updater.model.outcome import Status

if TYPE_CHECKING:
    from pathlib import Path

    from updater.daemon.generation import Generation
    from updater.model.subscription import CredentialRef

pytestmark = pytest.mark.real


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for at in (len(data) // 3, len(data) // 2, -25):
        if len(data) > abs(at):
            data[at] ^= 0x10
    file.write_bytes(data)


def cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def zero(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def remove(file: Path) -> None:
    file.unlink()


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


DAMAGES = (flip, cut, empty, zero, remove, pipe, folder, loop)


KINDS = (
    ".pack",
    ".idx",
    ".db",
    ".db-journal",
    "HEAD",
    "config",
    "packed-refs",
    "shallow",
    "updater-commits",
    "updater-index",
    "updater-readings",
    "updater-reverts",
)


def kind_of(file: Path) -> str:
    return file.suffix or file.name


class Saboteur:
    """Damages the state before the conversation with the server that is *due*, counted from the start of a pass.

    What is asked for a way in before each conversation is where it stands: the daemon's own parts stay as they are.
    """

    def __init__(self, generation: Generation, state: Path) -> None:
        self.process = generation._process
        self.state = state
        self.count = 0
        self.due: int | None = None
        self.act = lambda: None
        self._ask = self.process.access_for
        self.process.access_for = self._access

    async def _access(self, url: str, credential: CredentialRef | None):
        if self.count == self.due:
            self.act()
        self.count += 1
        return await self._ask(url, credential)

    def files_of(self, kind: str) -> list[Path]:
        """Return the files of a kind; one that is written only now and then is put there, as an older process left it."""
        if kind == ".db-journal":
            self._leave(self.state / "cache.db-journal")
        for mirror in (self.state / "mirrors").glob("*") if kind == "updater-index" else ():
            self._leave(mirror / kind)
        return [file for file in self.files() if kind_of(file) == kind]

    def _leave(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(b"left behind " * 20)

    def files(self) -> list[Path]:
        return sorted(file for file in self.state.rglob("*") if file.is_file() and not file.name.startswith("tmp"))


async def change(made, generation, saboteur, number, due, act) -> None:
    """Push a tag, damage the state at one step of the pass, and see the tag written by that pass."""
    saboteur.count, saboteur.due, saboteur.act = 0, due, act
    made.registry.push("o/app", f"1.{number}.0")
    landings = await generation.once(generation.subscriptions, is_dry=False)
    [outcome] = [item for landing in landings for item in landing.outcomes if item.key == "app"]
    assert (outcome.status, outcome.code) == (Status.UPDATED, None), (due, outcome.detail)
    assert f":1.{number}.0 " in made.file("apps/app.yaml")


def delete(state: Path) -> None:
    while state.exists():  # the cache may make a file of its own meanwhile
        shutil.rmtree(state, ignore_errors=True)


async def steps_of_a_pass(made, generation, saboteur) -> int:
    await change(made, generation, saboteur, 1, None, lambda: None)
    await change(made, generation, saboteur, 2, None, lambda: None)
    return saboteur.count


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_file_that_is_damaged_between_any_two_steps_is_met_in_the_same_pass(tmp_path, damage):
    """Every kind of file, at every step; *damage* is every kind of damage."""
    async with fleet(tmp_path) as made:
        add_usual(made)
        async with made.opened() as generation:
            saboteur = Saboteur(generation, made.state)
            steps = await steps_of_a_pass(made, generation, saboteur)
            number = 2
            for due in range(steps):
                for kind in KINDS:
                    number += 1
                    damaged: list[Path] = []

                    def act(kind=kind, damaged=damaged) -> None:
                        damaged += saboteur.files_of(kind)
                        for file in damaged:
                            damage(file)

                    async with asyncio.timeout(60):
                        await change(made, generation, saboteur, number, due, act)
                    assert damaged, (due, kind)
        made.repository.git("fsck", "--strict")
        assert len(made.commits()) == number + 1


async def test_a_state_that_is_deleted_between_any_two_steps_is_met_in_the_same_pass(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        async with made.opened() as generation:
            saboteur = Saboteur(generation, made.state)
            steps = await steps_of_a_pass(made, generation, saboteur)
            for due in range(steps):
                await change(made, generation, saboteur, 3 + due, due, lambda: delete(made.state))
        made.repository.git("fsck", "--strict")


async def test_a_quiet_pass_mends_what_was_damaged_and_says_it_once(tmp_path, capsys):
    async with fleet(tmp_path) as made:
        add_usual(made)
        async with made.opened() as generation:
            saboteur = Saboteur(generation, made.state)
            await steps_of_a_pass(made, generation, saboteur)
            shutil.rmtree(made.state / "mirrors")
            for _ in range(3):
                landings = await generation.once(generation.subscriptions, is_dry=False)
                assert {item.status for landing in landings for item in landing.outcomes} == {Status.UNCHANGED}
            assert list((made.state / "mirrors").rglob("*.pack"))
            text = await asyncio.to_thread(generation._process.render_metrics)
        assert b"updater_mirrors_mended_total 1.0" in text
    assert capsys.readouterr().out.count("it is gone") == 1


async def test_a_file_in_place_of_the_folder_of_mirrors_is_named_and_the_pass_after_it_is_gone_lands(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.state.mkdir()
        in_way = made.state / "mirrors"
        in_way.write_text("in the way")
        made.registry.push("o/app", "1.1.0")
        failed = (await made.once())["app"]
        assert (failed.status, failed.code, str(in_way) in failed.detail) == (Status.FAILED, "mirror-disk", True)
        in_way.unlink()
        assert (await made.once())["app"].status is Status.UPDATED
