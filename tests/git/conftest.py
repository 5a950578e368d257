"""Fixtures of the Git tests: real repositories, a real server, and mirrors that are closed again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.fakes.git_server import Authority, BareRepository, GitServer
from tests.real.parts import require
from updater.git.access import GitAccess
from updater.git.limits import Bounds, RepositoryLimits
from updater.git.mirror import Mirror, Shared
from updater.git.object_builder import Identity, NewCommit
from updater.git.trailers import add_trailers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from updater.git.tree import TreeEntry

ME = Identity(name="updater", email="updater@example.org")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FILES = {
    "README.md": b"fleet\n",
    "apps/a.yaml": b'image: app:1.0 # {"$imagepolicy": "ns:app"}\n',
    "apps/b.yaml": b"kind: Nothing\n",
    "apps/deep/c.yaml": b'tag: "1.0" # {"$imagepolicy": "ns:app:tag"}\n',
}


@pytest.fixture(scope="session")
def git_program():
    require("git-http-backend")
    return require("git")


@pytest.fixture(scope="session")
def first_repository(git_program, tmp_path_factory) -> BareRepository:
    """What every test's repository is copied from."""
    return BareRepository.make(tmp_path_factory.mktemp("first") / "fleet.git", FILES)


@pytest.fixture
def repository(first_repository, tmp_path) -> BareRepository:
    return first_repository.copy(tmp_path / "served" / "fleet.git")


@pytest.fixture
def server(repository):
    with GitServer(repository.path.parent) as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@dataclass
class Mirrors:
    """Makes mirrors, counts their requests in *kinds*, closes them at the end."""

    folder: Path
    made: list
    kinds: list

    def __call__(self, url, access=None, *, name="mirror", ours=("updater@example.org",), **limits) -> Mirror:
        shared = Shared(ours=set(ours), count=self.kinds.append, bounds=Bounds(RepositoryLimits(**limits)))
        mirror = Mirror(url, self.folder / name, access or GitAccess(), shared)
        self.made.append(mirror)
        return mirror


@pytest.fixture
async def mirrors(tmp_path):
    maker = Mirrors(tmp_path, [], [])
    yield maker
    for mirror in maker.made:
        await mirror.close()


@pytest.fixture
async def mirror(mirrors, server, repository) -> Mirror:
    return mirrors(server.url("fleet.git"))


@pytest.fixture
def commit():
    """Make a commit of ours that writes *files*."""

    def make(files, message="Update app", *, key="app", author=ME, when=NOW, **options) -> NewCommit:
        text = add_trailers(message, subscriptions=[key], images=["app:1.1"])
        return NewCommit(message=text, author=author, files=files, when=when, **options)

    return make


async def read_files(mirror: Mirror, revision: str, entries: Iterable[TreeEntry]) -> dict[str, bytes]:
    """Return the bytes of files of *revision*, by path."""
    return await mirror.tree(revision, lambda tree: {entry.path: tree.read(entry.path) for entry in entries})
