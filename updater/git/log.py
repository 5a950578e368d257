"""How `git log -p` looks: commits newest first, each with its patch as a unified diff; no git program needed.

Renames are shown as a removal and an addition. Format: git documentation, git-log and "Generating patch text with -p".
"""

from __future__ import annotations

import contextlib
import heapq
from datetime import UTC, datetime, timedelta, timezone
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from dulwich.diff_tree import tree_changes
from dulwich.objects import S_ISGITLINK, Commit
from dulwich.repo import Repo

from updater.git.damage import renamed
from updater.git.faults import fault
from updater.model.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CONTEXT: Final = 3
_ABBREVIATION: Final = 7
_BINARY_PROBE: Final = 8000
_MAX_HEADING: Final = 80
_NO_NEWLINE: Final = "\\ No newline at end of file"


def log_patch(folder: Path, revision: str = "HEAD", *, limit: int = 100, until: str | None = None) -> Iterator[str]:
    """Return the log of the repository at *folder* line by line, from *revision* down, at most *limit* commits.

    *revision* is a branch, HEAD or a full revision; *until* leaves out that commit and all before it.
    Raises `GitError` ``checkout`` where *folder* holds no repository or it has no such revision.
    """
    with renamed(lambda _: fault("checkout", f"there is no Git repository at {folder}, or it cannot be read")):
        yield from _log(Repo(str(folder)), revision, limit, until)


def _log(repository: Repo, revision: str, limit: int, until: str | None) -> Iterator[str]:
    with contextlib.closing(repository):
        hidden = {commit.id for commit in _walk(repository, until, set())} if until else set()
        for number, commit in enumerate(_walk(repository, revision, hidden)):
            if number >= limit:
                return
            if number:
                yield ""
            yield from _show(repository, commit)


def _walk(repository: Repo, revision: str, hidden: set[Any]) -> Iterator[Commit]:
    start = _resolve(repository, revision)
    queue: list[tuple[int, int, Commit]] = []
    seen = {start, *hidden}
    if start not in hidden:
        _queue(repository, queue, start)
    while queue:
        commit = heapq.heappop(queue)[2]
        yield commit
        for parent in commit.parents:
            if parent not in seen:
                seen.add(parent)
                _queue(repository, queue, parent)


def _queue(repository: Repo, queue: list[tuple[int, int, Commit]], name: Any) -> None:
    with contextlib.suppress(KeyError):  # below the cut of a shallow repository
        commit = repository.object_store[name]
        if isinstance(commit, Commit):
            heapq.heappush(queue, (-commit.commit_time, len(queue), commit))


def _resolve(repository: Repo, revision: str) -> Any:
    for name in (revision, f"refs/heads/{revision}"):
        with contextlib.suppress(KeyError, ValueError):
            return repository.refs[name.encode()]  # type: ignore[index]
    if len(revision) == 40 and revision.encode() in repository.object_store:  # type: ignore[operator]
        return revision.encode()
    raise fault("checkout", f"{repository.path} has no revision {revision}", hint="name a branch or a full revision")


def _show(repository: Repo, commit: Commit) -> Iterator[str]:
    yield f"commit {commit.id.decode()}"
    if len(commit.parents) > 1:
        yield "Merge: " + " ".join(parent[:_ABBREVIATION].decode() for parent in commit.parents)
    yield f"Author: {commit.author.decode('utf-8', 'replace')}"
    yield f"Date:   {_date(commit.author_time, commit.author_timezone)}"
    yield ""
    for line in commit.message.decode("utf-8", "replace").rstrip("\n").split("\n"):
        yield f"    {line}" if line else "    "
    if len(commit.parents) > 1:
        return
    patch = list(_patch(repository, commit))
    if patch:
        yield ""
        yield from patch


def _date(seconds: int, offset: int) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).astimezone(timezone(timedelta(seconds=offset)))
    return f"{moment:%a %b} {moment.day} {moment:%H:%M:%S %Y %z}"


def _patch(repository: Repo, commit: Commit) -> Iterator[str]:
    store = repository.object_store
    parent: Any = None
    if commit.parents:
        if commit.parents[0] not in store:
            return
        parent = store[commit.parents[0]].tree  # type: ignore[attr-defined]
    for change in sorted(tree_changes(store, parent, commit.tree), key=lambda item: _side(item, "path")):
        old, new = change.old, change.new
        is_new, is_gone = old is None or old.sha is None, new is None or new.sha is None
        yield from _file(
            _side(change, "path"),
            (None if is_new else old.mode, b"" if is_new else _content(store, old), "0" * 40 if is_new else old.sha.decode()),  # type: ignore[union-attr]
            (None if is_gone else new.mode, b"" if is_gone else _content(store, new), "0" * 40 if is_gone else new.sha.decode()),  # type: ignore[union-attr]
        )


def _side(change: Any, name: str) -> Any:
    side = change.new if change.new is not None and change.new.path else change.old
    return getattr(side, name)


def _content(store: Any, entry: Any) -> bytes:
    if S_ISGITLINK(entry.mode):
        return b"Subproject commit " + bytes(entry.sha) + b"\n"
    return bytes(store[entry.sha].as_raw_string())


def _file(path: bytes, old: tuple[int | None, bytes, str], new: tuple[int | None, bytes, str]) -> Iterator[str]:
    yield f"diff --git {quoted(b'a/' + path)} {quoted(b'b/' + path)}"
    if old[0] is None:
        yield f"new file mode {new[0]:06o}"
    elif new[0] is None:
        yield f"deleted file mode {old[0]:06o}"
    elif old[0] != new[0]:
        yield f"old mode {old[0]:06o}"
        yield f"new mode {new[0]:06o}"
    if old[2] == new[2]:
        return
    mode = f" {old[0]:06o}" if old[0] == new[0] else ""
    yield f"index {old[2][:_ABBREVIATION]}..{new[2][:_ABBREVIATION]}{mode}"
    before = "/dev/null" if old[0] is None else quoted(b"a/" + path)
    after = "/dev/null" if new[0] is None else quoted(b"b/" + path)
    if any(b"\0" in data[:_BINARY_PROBE] for data in (old[1], new[1])):
        yield f"Binary files {before} and {after} differ"
        return
    hunks = list(unified(old[1], new[1]))
    if hunks:
        tab = "\t" if b" " in path else ""
        yield f"--- {before}{tab if old[0] is not None else ''}"
        yield f"+++ {after}{tab if new[0] is not None else ''}"
        yield from hunks


def unified(old: bytes, new: bytes) -> Iterator[str]:
    """Return the hunks that turn *old* into *new*, with three lines of context and a heading as Git finds it."""
    before, after = _lines(old), _lines(new)
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(_CONTEXT):
        start, stop = (group[0][1], group[-1][2]), (group[0][3], group[-1][4])
        yield f"@@ -{_range(*start)} +{_range(*stop)} @@{_heading(before[: start[0]])}"
        for tag, low, high, new_low, new_high in group:
            if tag == "equal":
                yield from _marked(" ", before[low:high])
            else:
                yield from _marked("-", before[low:high])
                yield from _marked("+", after[new_low:new_high])


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    return [line + "\n" for line in text[:-1].split("\n")] if text.endswith("\n") else _unended(text)


def _unended(text: str) -> list[str]:
    *whole, last = text.split("\n")
    return [*(line + "\n" for line in whole), *([last] if last else [])]


def _marked(mark: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line.removesuffix("\n")
        if not line.endswith("\n"):
            yield _NO_NEWLINE


def _range(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _heading(lines: list[str]) -> str:
    for line in reversed(lines):
        if line[0].isalpha() or line[0] in "_$":
            return " " + line.rstrip()[:_MAX_HEADING].rstrip()
    return ""
