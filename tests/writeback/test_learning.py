"""What a landing wrote is known to the next look, also of a new process: nothing of it is read or parsed again."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from tests.engine.making import chosen, subscription
from tests.fakes.git_server import BareRepository
from tests.real.parts import require
from tests.writeback.overridden import unsigned
from updater.editors.marker import MarkerEditor
from updater.engine.decide import decide
from updater.git.access import GitAccess
from updater.git.mirror import Mirror, Shared
from updater.git.packs import Packs
from updater.model.subscription import GitBranch, Locator, Target
from updater.model.update import Commit
from updater.writeback.branch_writer import CommitSettings, GitWriter
from updater.writeback.message import commit_message

pytestmark = pytest.mark.real
NOW = datetime(2026, 3, 1, tzinfo=UTC)
MARKED = b'image: ghcr.io/o/app:1.0.0 # {"$imagepolicy": "ns:app"}\n'


class CountingEditor(MarkerEditor):
    """Notes the files that it read to find places."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def read(self, path, data, locator=None):
        self.seen.append(path)
        return super().read(path, data, locator)


@pytest.fixture
def searched(monkeypatch):
    """The blobs that searches read, by the number of each reading."""
    found: list[int] = []
    holding = Packs.holding

    def noted(self, names, needles):
        found.append(len(names))
        return holding(self, names, needles)

    monkeypatch.setattr(Packs, "holding", noted)
    return found


async def test_the_next_process_neither_searches_nor_parses_what_a_landing_wrote(tmp_path, searched):
    require("git")
    files = {f"apps/{name}.yaml": b"# %s\n" % name.encode() + MARKED for name in ("a", "b")}
    repository = BareRepository.make(tmp_path / "fleet.git", files | {"apps/c.yaml": b"kind: Nothing\n"})
    destination = GitBranch(url=str(repository.path), branch="main")
    target = Target(destination=destination, editor="marker", locator=Locator(name="ns:app"))
    item = subscription("app", "ghcr.io/o/app", target)

    async def process(tag):
        """Look and land as a process of its own; return the files whose places were looked for before the landing."""
        editor = CountingEditor()
        mirror = Mirror(str(repository.path), tmp_path / "mirror", GitAccess(), Shared(ours={"updater@example.org"}))
        pen = CommitSettings(message=commit_message, signer=unsigned, now=lambda: NOW)
        writer = GitWriter(mirror=lambda _branch: mirror, editors={"marker": editor}, pen=pen)
        try:
            view = await writer.look(destination, [item])
            seen = tuple(editor.seen)
            decisions = decide(view, [item], {(item.key, place.written): chosen(tag) for place in view.readings[item.key, 0]})
            updates = tuple(update for decision in decisions for update in decision.updates)
            commit = Commit(
                commit_spec=dataclasses.replace(target.commit_spec, name="updater", email="updater@example.org"), updates=updates
            )
            landed = await writer.write(view, [commit], is_dry=False)
        finally:
            await mirror.close()
        assert len(landed.changes) == 2
        return seen

    assert await process("1.1.0") == ("apps/a.yaml", "apps/b.yaml")
    searched.clear()
    assert await process("1.2.0") == ()
    assert searched == []
    assert b":1.2.0" in repository.show("apps/b.yaml")
