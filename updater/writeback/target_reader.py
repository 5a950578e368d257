"""What stands at every target of a commit: the files that may hold places are searched for, and each blob is read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.git.blob_index import SearchQuery
from updater.writeback.reading import BlobReader, Targets, searches_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from updater.editors.base import Editor
    from updater.git.mirror import Mirror
    from updater.git.tree import Tree
    from updater.model.subscription import CredentialRef, GitBranch, Subscription, Target
    from updater.writeback.reading import Searched


class TargetReader:
    """Reads by *editors*; *rule* names everything that decides which files the marker editor wants."""

    def __init__(self, editors: Mapping[str, Editor], rule: str) -> None:
        self._editors = editors
        self._rule = rule
        self._blobs: dict[tuple[str, CredentialRef | None], BlobReader] = {}

    def files(self, target: Target) -> tuple[str, ...] | None:
        """Return the files that a target names, None where it searches."""
        return self._editors[target.editor].files(target.locator)

    async def read(
        self,
        mirror: Mirror,
        revision: str,
        subscriptions: Sequence[Subscription],
        branch: GitBranch,
        *,
        way: GitBranch | None = None,
    ) -> Targets:
        """Return what stands at the targets of *branch* in *revision*.

        *way* is a destination by which the mirror is reached, where that is another one.
        """
        searched: Searched = {}
        for name, path in searches_of(self._editors, subscriptions, branch):
            editor = self._editors[name]
            question = SearchQuery(rule=f"{name} {self._rule}", wants=editor.wants, needles=editor.needles)
            searched[name, path] = await mirror.search(revision, path, question)
        blobs = self.blobs(mirror, way or branch)

        def read(tree: Tree) -> Targets:
            targets = Targets(tree=tree, blobs=blobs, searched=searched)
            targets.read(subscriptions, branch)
            return targets

        return await mirror.tree(revision, read)

    def blobs(self, mirror: Mirror, branch: GitBranch) -> BlobReader:
        """Return the memory of what was read of the repository of *branch*."""
        way = (branch.url, branch.credential)
        if way not in self._blobs:
            self._blobs[way] = BlobReader(self._editors, mirror.folder / "updater-readings", self._rule)
        return self._blobs[way]

    def keep(self, branches: Collection[GitBranch]) -> None:
        """Forget what was read of every repository but those of *branches*."""
        ways = {(branch.url, branch.credential) for branch in branches}
        self._blobs = {way: reader for way, reader in self._blobs.items() if way in ways}
