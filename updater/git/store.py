"""The folder of a mirror: which heads were fetched whole, and when the folder must be made anew.

The folder is a cache. It may vanish, be truncated or be filled with rubbish between any two calls; because each
object is hashed again as it is read, damage shows as `GitUnavailable` ``mirror-broken`` and never as a wrong tree.
Its files may stay open between conversations, but what happened to them meanwhile is seen before the next one reads them: a
mapped file that was cut would end the process.
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
from updater.git.leftovers import sweep
from updater.git.objects import COMMIT, TREE, commit_tree, is_object_id
from updater.git.packs import Packs
from updater.git.ref_names import full, named
from updater.git.regular_files import first_irregular, read_regular

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from updater.git.limits import Bounds

_Stamp = frozenset[tuple[str, int, int, int]]
_CONFIG: Final = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


class MirrorStore:
    """The heads and cut commits kept in *folder*, whose objects are its *packs*; used by one writer at a time.

    *say* is told once of each damage that was found, when the folder was made anew. *bounds* holds for the objects.
    """

    def __init__(self, folder: Path, *, say: Callable[[str], None] = lambda _: None, bounds: Bounds | None = None) -> None:
        self.folder = folder
        self.heads: dict[str, str] = {}
        self.shallow: set[str] = set()
        self._say = say
        self._damage = Damage(folder)
        self.packs = Packs(folder / "objects", self._damage, bounds)
        self._is_known = False
        self._is_in_use = False
        self._stamp: _Stamp | None = None

    def open(self) -> None:
        """Make the store usable: read it where it is whole, make it anew where it is missing or broken."""
        if self.packs.is_open and not self._damage.is_found and (self._is_in_use or self._is_untouched()):
            self._is_in_use = True
            return
        self.close()
        with self._damage.made():
            if not self._is_known:
                sweep(self.folder)
            if self._damage.is_found or not self._read():
                self._make()
            self.packs.open()
        self._is_known = self._is_in_use = True
        if why := self._damage.clear():
            self._say(f"{self.folder}: {why}; it is fetched again")

    def holds(self, revision: str) -> bool:
        """Return whether *revision* was fetched whole and its commit and root tree can be read."""
        if revision not in self.heads.values():
            return False
        try:
            self.prove(revision)
        except GitUnavailable:
            return False
        return True

    def prove(self, revision: str) -> None:
        """Read the commit *revision* and its root tree; raise `GitUnavailable` ``mirror-broken``."""
        self.packs.load(commit_tree(self.packs.load(revision, COMMIT)), TREE)

    def settle(self, heads: dict[str, str]) -> None:
        """Write down the heads that are whole; atomic. Nothing below a head is promised, so each is a cut commit too."""
        self.heads, self.shallow = heads, set(heads.values())
        rows = sorted((full(branch).decode("utf-8", "surrogateescape"), head) for branch, head in heads.items())
        text = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(f"{head} {name}\n" for name, head in rows)
        with self._damage.noted():
            write_atomically(self.folder / "shallow", "".join(f"{name}\n" for name in sorted(self.shallow)).encode())
            write_atomically(self.folder / "packed-refs", text.encode("utf-8", "surrogateescape"))

    def wipe(self) -> None:
        """Forget everything, and go on with an empty store."""
        self._damage.note("it is damaged")
        self.open()

    def forgive(self) -> None:
        """Make the folder anew at the next `open`, but do not say that it is damaged: what came from outside was."""
        self._damage.why = ""

    def pause(self) -> None:
        """End a conversation: whatever happens to the files from now on is seen by the next `open`."""
        if self._is_in_use:  # one that did not open the files has not looked at them either
            self._stamp = self._read_stamp()
        self._is_in_use = False

    def close(self) -> None:
        """Let go of the files."""
        self._is_in_use = False
        self.packs.close()
        self.heads, self.shallow = {}, set()

    def _is_untouched(self) -> bool:
        return self._stamp is not None and self._stamp == self._read_stamp()

    def _read_stamp(self) -> _Stamp | None:
        """Return what tells the files apart from what they become when anybody writes to them; None where one is gone."""
        try:
            with os.scandir(self.folder / "objects" / "pack") as found:
                rows = [(item.name, item.stat()) for item in found]
            rows += [(name, (self.folder / name).stat()) for name in ("packed-refs", "shallow", "objects", "objects/info")]
        except OSError:
            return None
        return frozenset((name, status.st_ino, status.st_size, status.st_mtime_ns) for name, status in rows)

    def _read(self) -> bool:
        """Read the heads; say whether they can be read, and note where they could be before."""
        if irregular := first_irregular(self.folder):  # the Git library would wait for the other end of a pipe
            self._damage.note(f"{irregular} is not a regular file")
            return False
        try:
            lines = read_regular(self.folder / "packed-refs").decode("utf-8", "surrogateescape").splitlines()
            rows = [line.split(" ", 1) for line in lines if not line.startswith("#")]
            self.heads = {named(name): revision for revision, name in rows}
            self.shallow = set(read_regular(self.folder / "shallow").decode("ascii").split())
        except (OSError, ValueError) as error:
            if self._is_known or not isinstance(error, FileNotFoundError):
                self._damage.note("it is gone" if isinstance(error, FileNotFoundError) else "its heads cannot be read")
            return False
        names = (*self.heads.values(), *self.shallow)
        is_whole = all(is_object_id(name) for name in names) and (self.folder / "objects" / "pack").is_dir()
        if not is_whole:
            self._damage.note("its heads or its packs are damaged")
        return is_whole

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
