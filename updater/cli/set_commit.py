"""Knows how the edits of `set` become a commit and a push, and are made again where the push was refused."""

from __future__ import annotations

import asyncio
import os
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from updater.engine.checkout_edit import edit_files
from updater.errors import EditError
from updater.git.building import Identity
from updater.git.tree import Kind
from updater.git.worktree import Checkout, Push, Wording
from updater.model.subscription import Voice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.engine.checkout_edit import Folder, Wishes, Written
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


async def commit(folder: Folder, wishes: Wishes, written: Written, *, message: str | None, is_push: bool) -> str | None:
    """Commit the changed files on top of HEAD, and push; gives the revision, None where nothing is new."""
    checkout = Checkout(folder.root, os.environ)
    try:
        prefix = folder.root.resolve().relative_to(checkout.root.resolve()).as_posix()
        prefix = "" if prefix == "." else f"{prefix}/"
        wording = Wording(message=message or _message(wishes, written), author=_author(), when=datetime.now(UTC))
        revision = await checkout.commit([prefix + edit.path for edit in written.edits], wording)
        if revision is None or not is_push:
            return revision

        def replay(tree: RevisionTree) -> Mapping[str, bytes]:
            again = edit_files(Revision(tree, prefix, folder.only), wishes)
            return {prefix + edit.path: edit.after for edit in again.edits}

        pushed = await checkout.push(revision, wording, Push(replay=replay, pause=_pause))
        return pushed.revision
    finally:
        checkout.close()


def _message(wishes: Wishes, written: Written) -> str:
    named = [f"{wish.name} to {wish.image}" for wish in (*wishes.markers, *wishes.entries)]
    named += [f"{wish.key} to {wish.value}" for wish in wishes.keys]
    subject = f"Set {named[0]}" if len(named) == 1 else f"Set {len(named)} images"
    lines = [f"{change.path}: {change.where} {change.old or 'nothing'} → {change.new or 'nothing'}" for change in written.changes]
    return "\n".join((subject, "", *lines)) + "\n"


def _author() -> Identity:
    """Take the author that Git's own variables name, as CI systems set them."""
    voice = Voice()
    name, email = os.environ.get("GIT_AUTHOR_NAME"), os.environ.get("GIT_AUTHOR_EMAIL")
    return Identity(name=name or voice.name, email=email or voice.email)


async def _pause(attempt: int) -> None:
    await asyncio.sleep(min(0.1 * 2**attempt, 5.0) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
