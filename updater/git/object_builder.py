"""How changed files become blobs, trees and commits, with everything beside them left as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dulwich.objects import Blob, Commit
from dulwich.objects import Tree as Folder

from updater.errors import EditError
from updater.git.objects import BLOB, COMMIT, Objects, commit_tree
from updater.git.tree import check_path, is_lfs_pointer, normal, read_folder
from updater.model.branch_move import ChangedFile, WantedCommit
from updater.model.text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from dulwich.objects import ShaFile

    from updater.git.signing import Signer

_FOLDER: Final = 0o040000
_FILE: Final = 0o100644
_KINDS: Final = {0o120000: "symlink", 0o160000: "submodule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person or program as Git names it."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{_plain(self.name)} <{_plain(self.email)}>"

    @property
    def address(self) -> str:
        """The email as a commit holds it, in lower case: by it the program knows its own commits."""
        return _plain(self.email).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """One commit to be made: the whole new bytes of each changed file, by path from the root.

    *when* is aware; *committer* is the author where it is None.
    """

    message: str
    author: Identity
    files: Mapping[str, bytes]
    when: datetime
    signer: Signer | None = None
    committer: Identity | None = None


@dataclass(slots=True)
class ObjectBuilder:
    """Objects that were made but not pushed yet, over a store."""

    store: Objects
    made: dict[str, ShaFile] = field(default_factory=dict)

    def edit(self, root: str | None, files: Mapping[str, bytes]) -> str:
        """Return the tree that is *root* (None: an empty one) with *files* replaced or added; raise `EditError`."""
        changes: dict[tuple[str, ...], bytes] = {}
        for path, data in files.items():
            check_path(path)
            changes[tuple(normal(path).split("/"))] = data
        return self._edit_folder(root, (), changes)

    def commit(self, parent: str | None, new: NewCommit) -> str | None:
        """Make *new* on top of *parent*; None where nothing would change."""
        before = self.tree_of(parent) if parent is not None else None
        tree = self.edit(before, new.files)
        if tree == before or (before is None and not new.files):
            return None
        return self._keep(make_commit(tree, parent, new))

    def wanted(self, parent: str, tip: str, files: Mapping[str, bytes]) -> WantedCommit:
        """Return the commit *tip*, which was made of *files* on top of *parent*, as a server may make it itself."""
        made = self.made[tip]
        assert isinstance(made, Commit)  # noqa: S101 - only commits are tips
        tree = self.tree_of(tip)
        changed = (ChangedFile(path=normal(path), mode=f"{self._mode(tree, path):o}", data=data) for path, data in files.items())
        message = made.message.decode()
        return WantedCommit(message=message, base_tree=self.tree_of(parent), tree=tree, files=tuple(changed))

    def _mode(self, tree: str, path: str) -> int:
        mode, name = _FOLDER, tree
        for part in normal(path).split("/"):
            mode, name = next((mode, child) for row, mode, child in self._rows(name) if row == part)
        return mode

    def tree_of(self, revision: str) -> str:
        """The root tree of a commit that is stored or was just made."""
        made = self.made.get(revision)
        return commit_tree(made.as_raw_string() if made is not None else self.store.load(revision, COMMIT))

    def _keep(self, item: ShaFile) -> str:
        name = item.id.decode()
        self.made[name] = item
        return name

    def _edit_folder(self, name: str | None, above: tuple[str, ...], changes: Mapping[tuple[str, ...], bytes]) -> str:
        rows = _by_name(self._rows(name), above)
        groups: dict[str, dict[tuple[str, ...], bytes]] = {}
        for (first, *rest), data in changes.items():
            groups.setdefault(first, {})[tuple(rest)] = data
        before = dict(rows)
        for part, inner in groups.items():
            rows[part] = self._edit_child(rows.get(part), (*above, part), inner)
        if rows == before and name is not None:
            return name
        folder = Folder()
        for part, (mode, child) in rows.items():
            folder[part.encode("utf-8", "surrogateescape")] = (mode, child.encode())  # type: ignore[assignment]
        return self._keep(folder)

    def _rows(self, name: str | None) -> list[tuple[str, int, str]]:
        if name is None:
            return []
        made = self.made.get(name)
        if isinstance(made, Folder):
            return [(item.path.decode("utf-8", "surrogateescape"), item.mode, item.sha.decode()) for item in made.items()]
        return read_folder(self.store, name)

    def _edit_child(
        self, found: tuple[int, str] | None, where: tuple[str, ...], inner: Mapping[tuple[str, ...], bytes]
    ) -> tuple[int, str]:
        path = "/".join(where)
        mode, name = found or (0, None)
        if (kind := _KINDS.get(mode & 0o170000)) is not None:
            hint = "edit the file it points to" if kind == "symlink" else "edit the repository it belongs to"
            raise EditError(f"{path} is a {kind}", hint=hint, code=kind, path=path)
        if () in inner:
            return self._write_file(path, mode, name, inner)
        if found is not None and mode != _FOLDER:
            raise EditError(f"{path} is a file, not a folder", hint="check the path", code="no-file", path=path)
        return _FOLDER, self._edit_folder(name, where, inner)

    def _write_file(self, path: str, mode: int, name: str | None, inner: Mapping[tuple[str, ...], bytes]) -> tuple[int, str]:
        if mode == _FOLDER or len(inner) > 1:
            raise EditError(f"{path} is a folder, not a file", hint="check the path", code="no-file", path=path)
        if name is not None and is_lfs_pointer(self._blob(name)):
            hint = "keep manifests out of large file storage"
            raise EditError(f"{path} only points to large file storage", hint=hint, code="lfs", path=path)
        data = inner[()]
        if name is not None and data == self._blob(name):
            return mode, name
        return mode or _FILE, self._keep(Blob.from_string(data))

    def _blob(self, name: str) -> bytes:
        made = self.made.get(name)
        return made.as_raw_string() if made is not None else self.store.load(name, BLOB)


def _by_name(rows: list[tuple[str, int, str]], above: tuple[str, ...]) -> dict[str, tuple[int, str]]:
    """Return *rows* by name; raise `EditError` where two have one name, since a new tree would lose the first of them."""
    found = {part: (mode, child) for part, mode, child in rows}
    if len(found) == len(rows):
        return found
    path = "/".join(above) or "."
    hint = "repair the tree: check the branch out, commit it by git and look for the names by git fsck"
    raise EditError(f"the folder {path} holds two entries of one name", hint=hint, code="duplicate-entry", path=path)


def make_commit(tree: str, parent: str | None, new: NewCommit) -> Commit:
    """Make the commit object of *new*, signed where it has a signer."""
    commit = Commit()
    commit.tree = tree.encode()
    commit.parents = [parent.encode()] if parent is not None else []  # type: ignore[list-item]
    commit.author = str(new.author).encode()
    commit.committer = str(new.committer or new.author).encode()
    commit.author_time = commit.commit_time = int(new.when.timestamp())
    offset = new.when.utcoffset()
    commit.author_timezone = commit.commit_timezone = int(offset.total_seconds()) if offset else 0
    commit.encoding = None  # UTF-8 is what Git assumes
    commit.message = (shown(new.message).strip("\n").replace("\0", "") + "\n").encode()
    if new.signer is not None:
        commit.gpgsig = new.signer.sign(commit.as_raw_string())
    return commit


def _plain(text: str) -> str:
    """Drop what would end a name or address in a commit's header."""
    return " ".join("".join(character for character in text if character not in "<>\0").split())
