"""Knows the folder of a mirror: which heads were fetched whole, and when the folder must be read again or made anew.

The folder is a cache. It may vanish, be truncated or be filled with rubbish between any two calls; because each
object is hashed again as it is read, damage shows as `GitUnavailable` ``mirror-broken`` and never as a wrong tree.
The heads that were fetched stand in `packed-refs` and the cut of their history in `shallow`, so that the folder is
a repository which ``git --git-dir`` reads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Final

from updater.errors import GitUnavailable
from updater.git.damage import Damage
from updater.git.objects import COMMIT, TREE, commit_tree, is_object_name
from updater.git.packs import Packs

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG: Final = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


class Store:
    """Knows the heads and cut commits kept in *folder*, whose objects are its *packs*; used by one writer at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heads: dict[str, str] = {}
        self.shallow: set[str] = set()
        self._damage = Damage(folder)
        self.packs = Packs(folder / "objects", self._damage)
        self._stamp: tuple[int, int] | None = None

    def open(self) -> None:
        """Make the store usable: read it where it is whole, make it anew where it is missing or broken."""
        if self._damage.is_found or (self.packs.is_open and self._stamp != self._read_stamp()):
            self.close()
        if self.packs.is_open:
            return
        with self._damage.noted():
            if self._damage.is_found or not self._read():
                self._make()
            self.packs.open()
            self._stamp = self._read_stamp()
            self._damage.is_found = False

    def holds(self, revision: str) -> bool:
        """Say whether *revision* was fetched whole and its commit and root tree can be read."""
        if revision not in self.heads.values():
            return False
        try:
            self.packs.load(commit_tree(self.packs.load(revision, COMMIT)), TREE)
        except GitUnavailable:
            return False
        return True

    def settle(self, heads: dict[str, str]) -> None:
        """Write down the heads that are whole; atomic. Nothing below a head is promised, so each is a cut commit too."""
        self.heads, self.shallow = heads, set(heads.values())
        lines = [f"{heads[branch]} refs/heads/{branch}\n" for branch in sorted(heads)]
        text = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines)
        with self._damage.noted():
            write_atomically(self.folder / "shallow", "".join(f"{name}\n" for name in sorted(self.shallow)).encode())
            write_atomically(self.folder / "packed-refs", text.encode("utf-8", "surrogateescape"))
            self._stamp = self._read_stamp()

    def wipe(self) -> None:
        """Forget everything; the next `open` makes an empty store."""
        self._damage.is_found = True
        self.open()

    def close(self) -> None:
        """Let go of the files."""
        self.packs.close()
        self.heads, self.shallow = {}, set()

    def _read(self) -> bool:
        try:
            lines = (self.folder / "packed-refs").read_bytes().decode("utf-8", "surrogateescape").splitlines()
            rows = [line.split(" ", 1) for line in lines if not line.startswith("#")]
            self.heads = {name.removeprefix("refs/heads/"): revision for revision, name in rows}
            self.shallow = set((self.folder / "shallow").read_text("ascii").split())
        except (OSError, ValueError):
            return False
        names = (*self.heads.values(), *self.shallow)
        return all(is_object_name(name) for name in names) and (self.folder / "objects" / "pack").is_dir()

    def _make(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.folder.is_dir() and not self.folder.is_symlink():
                shutil.rmtree(self.folder)
            else:
                self.folder.unlink()
        (self.folder / "refs" / "heads").mkdir(parents=True, exist_ok=True)
        self.packs.make()
        for name, text in (("HEAD", b"ref: refs/heads/main\n"), ("config", _CONFIG), ("shallow", b""), ("packed-refs", b"")):
            write_atomically(self.folder / name, text)
        self.heads, self.shallow = {}, set()

    def _read_stamp(self) -> tuple[int, int] | None:
        try:
            stat = (self.folder / "packed-refs").stat()
            (self.folder / "objects" / "pack").stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns


def write_atomically(path: Path, data: bytes) -> None:
    """Replace *path* by *data* so that a reader sees the old or the new text, never a part."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
