"""Knows how the edits of `set` become a commit and a push, and are made again where the push was refused."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from updater.engine.checkout_edit import edit_files
from updater.errors import EditError
from updater.git.checkout_config import ci_branch, find_identities, find_upstream
from updater.git.tree import Kind
from updater.git.worktree import Checkout, Push, Wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.engine.checkout_edit import Folder, Wishes, Written
    from updater.git.building import Identity
    from updater.git.tree import RevisionTree


class Revision:
    """The files of one revision below *prefix*, as `edit_files` reads them."""

    def __init__(self, tree: RevisionTree, prefix: str, only: str | None) -> None:
        self.only = only
        self._tree = tree
        self._prefix = prefix

    def names(self) -> Iterator[str]:
        """Give the names of all regular files."""
        if self.only is not None:
            yield self.only
            return
        for entry in self._tree.entries(self._prefix or "."):
            if entry.kind is Kind.FILE:
                yield entry.path.removeprefix(self._prefix)

    def read(self, name: str) -> bytes | None:
        """Give the bytes of a file, None where there is none."""
        try:
            return self._tree.read(self._prefix + name)
        except EditError as error:
            if error.code == "no-file":
                return None
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to commit: *message* (None: say what changed), *author* where Git knows of none, and whether to push.

    *branch* is where the push goes; None is the upstream, and where HEAD is detached the branch that the CI service names.
    """

    message: str | None
    author: Identity
    is_push: bool
    branch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What came of a commit: its revision, None where nothing was new, and what was written and refused in it."""

    revision: str | None
    written: Written


async def commit(folder: Folder, wishes: Wishes, written: Written, order: Order) -> Landed:
    """Commit the changed files on top of HEAD, and push; a refused push is made again from the wishes, on the new head."""
    checkout = Checkout(folder.root, os.environ)
    try:
        prefix = folder.root.resolve().relative_to(checkout.root.resolve()).as_posix()
        prefix = "" if prefix == "." else f"{prefix}/"
        author, committer = find_identities(checkout.config, os.environ, order.author)
        landed = written

        def wording() -> Wording:
            message = order.message or _message(wishes, landed)
            return Wording(message=message, author=author, committer=committer, when=datetime.now(UTC))

        def replay(tree: RevisionTree) -> Mapping[str, bytes]:
            nonlocal landed
            landed = edit_files(Revision(tree, prefix, folder.only), wishes)
            return {prefix + edit.path: edit.after for edit in landed.edits}

        branch = order.branch or (ci_branch(os.environ) if checkout.branch is None else None)
        if order.is_push:  # before anything is committed: a push without a goal leaves no stray commit
            find_upstream(checkout.config, checkout.branch, branch)
        words = wording()
        revision = await checkout.commit([prefix + edit.path for edit in written.edits], words)
        if revision is not None and order.is_push:
            pushed = await checkout.push(revision, words, Push(replay=replay, pause=_pause, reword=wording, branch=branch))
            revision = pushed.revision if landed.edits else None
        return Landed(revision=revision, written=landed)
    finally:
        checkout.close()


def _message(wishes: Wishes, written: Written) -> str:
    named = [f"{wish.name} to {wish.image}" for wish in (*wishes.markers, *wishes.entries)]
    named += [f"{wish.key} to {wish.value}" for wish in wishes.keys]
    subject = f"Set {named[0]}" if len(named) == 1 else f"Set {len(named)} images"
    lines = [f"{change.path}: {change.where} {change.old or 'nothing'} → {change.new or 'nothing'}" for change in written.changes]
    return "\n".join((subject, "", *lines)) + "\n"


async def _pause(attempt: int) -> None:
    await asyncio.sleep(min(0.1 * 2**attempt, 5.0) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
