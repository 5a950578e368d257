"""Which files of a checkout Git tracks, which of them it would store in another form, and what cannot be read."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dulwich.attrs import Pattern, match_path, parse_git_attributes

from updater.errors import EditError
from updater.git.faults import fault
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dulwich.index import Index
    from dulwich.repo import Repo

_FOLDER: Final = 0o040000
_MODULE: Final = 0o160000
_SPARSE: Final = b"sdir\0\0\0\0"


def check_format(config: Any) -> None:
    """Refuse a checkout whose objects or refs are stored in a way that is not read; raise `GitError`."""
    objects = _text(config, (b"extensions",), b"objectformat")
    if objects not in {"", "sha1"}:
        raise fault("git-object-format", f"the checkout names its objects by {objects.upper()}")
    refs = _text(config, (b"extensions",), b"refstorage")
    if refs not in {"", "files"}:
        raise fault("work-tree", f"the checkout keeps its refs as {refs}", hint="git refs migrate --ref-format=files")


def read_index(repo: Repo) -> Index:
    """Read the index; raise `GitError` ``work-tree`` where it is split, sparse, held by another program or damaged."""
    path = Path(repo.index_path())
    if Path(f"{path}.lock").exists():
        raise fault("work-tree", "another git program holds the index")
    if next(path.parent.glob("sharedindex.*"), None) is not None:
        raise fault("work-tree", "the index is split", hint="run git update-index --no-split-index")
    data = path.read_bytes() if path.exists() else b""
    if _SPARSE in data[-64:]:
        raise _sparse()
    try:
        index = repo.open_index()
        modes = [getattr(entry, "mode", 0) for _, entry in index.items()]
    except Exception as error:
        message = f"the index of the checkout cannot be read: {reason_of(error) or 'it is damaged'}"
        raise fault("work-tree", message, hint="run git status, which names the damage") from error
    if _FOLDER in modes:
        raise _sparse()
    return index


def _sparse() -> Exception:
    return fault("work-tree", "the index is sparse", hint="run git sparse-checkout reapply --no-sparse-index")


class Tracking:
    """What the index and the attributes of one checkout say, as they were when it was first asked; *root* is its folder."""

    def __init__(self, repo: Repo, root: Path, config: Any) -> None:
        self._repo, self._root, self._config = repo, root, config
        entries = {bytes(name).decode("utf-8", "surrogateescape"): entry for name, entry in read_index(repo).items()}
        self._files = frozenset(name for name, entry in entries.items() if getattr(entry, "mode", 0) != _MODULE)
        self._modules = frozenset(name for name, entry in entries.items() if getattr(entry, "mode", 0) == _MODULE)
        self._patterns: dict[str, list[Any]] = {}

    def is_tracked(self, path: str) -> bool:
        """Return whether Git tracks the file at *path* in this very checkout."""
        return path in self._files

    def is_in_submodule(self, path: str) -> bool:
        """Return whether *path* belongs to a submodule of this checkout."""
        return bool(self._modules) and any(folder in self._modules for folder in _above(path))

    def refusal(self, path: str) -> EditError | None:
        """Return why the file at *path* must not be committed from here, None where it may be."""
        if self.is_in_submodule(path):
            hint = "run the command in the submodule, then commit the new revision here"
            return EditError("the file belongs to a submodule", hint=hint, code="submodule", path=path)
        if not self.is_tracked(path):
            return EditError("Git does not track this file", hint=f"run git add {path} first", code="untracked", path=path)
        return self._changed_by_git(path)

    def _changed_by_git(self, path: str) -> EditError | None:
        """Refuse what Git stores in another form than it stands on disk, besides the ends of its lines."""
        attributes = match_path(self._attributes(path), path.encode("utf-8", "surrogateescape"))
        for name in (b"filter", b"ident", b"working-tree-encoding"):
            value = attributes.get(name)
            if value in {None, False}:
                continue
            shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
            if name == b"filter" and shown == "lfs":
                hint = "keep image references out of Git LFS, or commit this file by git"
                return EditError("the file is stored by Git LFS", hint=hint, code="lfs", path=path)
            said = name.decode() + (f"={shown}" if shown else "")
            message = f"Git changes this file on its way into a commit (attribute {said})"
            return EditError(message, hint="commit this file by git, or remove the attribute", code="attributes", path=path)
        return None

    def _attributes(self, path: str) -> list[Any]:
        """Return the patterns that count for *path*, those that win last (gitattributes, "DESCRIPTION")."""
        folders = ["", *reversed(list(_above(path)))]
        inside = [pattern for folder in folders for pattern in self._of_folder(folder)]
        return [*self._of_user, *inside, *self._of_checkout]

    def _of_folder(self, folder: str) -> list[Any]:
        if folder not in self._patterns:
            self._patterns[folder] = list(_patterns(self._root / folder / ".gitattributes", folder))
        return self._patterns[folder]

    @cached_property
    def _of_user(self) -> list[Any]:
        named = _text(self._config, (b"core",), b"attributesfile")
        home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        return list(_patterns(Path(named or f"{home}/git/attributes").expanduser(), ""))

    @cached_property
    def _of_checkout(self) -> list[Any]:
        return list(_patterns(Path(self._repo.commondir()) / "info/attributes", ""))


def _above(path: str) -> Iterator[str]:
    """Yield the folders above *path*, the nearest first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _patterns(file: Path, folder: str) -> Iterator[Any]:
    try:
        with file.open("rb") as lines:
            rows = list(parse_git_attributes(lines))
    except OSError:
        return
    for pattern, attributes in rows:
        try:
            yield Pattern(pattern, folder.encode("utf-8", "surrogateescape")), attributes
        except Exception:  # noqa: BLE001, S112 - a pattern that Git ignores, too; its error has no public name
            continue


def _text(config: Any, section: tuple[bytes, ...], key: bytes) -> str:
    try:
        return bytes(config.get(section, key)).decode("utf-8", "replace").strip()
    except KeyError:
        return ""
